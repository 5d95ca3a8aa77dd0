"""What any node shows of all nodes: one supervision tree, the live channel `cluster`, and metrics."""

import json
import re
import time

from tests.system.cluster import ClusterTest
from tests.system.metrics_test import families, mistakes
from tests.system.node import REPOSITORY, poll
from tests.system.websocket import WebSocket


class OneTree(ClusterTest):
    def nodes_in(self, asked, query=""):
        tree = asked.client().read("/supervision" + query)
        return {n["name"]: n for n in tree["children"][0]["children"]}

    def test_any_node_shows_the_trees_of_all_and_of_each(self):
        nodes = self.start_all()
        for asked in nodes:
            tree = asked.client().read("/supervision?depth=3")
            self.assertEqual([(e["path"], e["kind"], e["children_count"]) for e in (tree, tree["children"][0])],
                             [("/", "group", 1), ("/nodes", "group", 3)])
            shown = self.nodes_in(asked)
            self.assertEqual(list(shown), ["n1", "n2", "n3"])
            for name, node in shown.items():
                self.assertEqual((node["status"], node["node"], node["path"]), ("running", name, f"/nodes/{name}"))
                self.assertIn("committer", [c["name"] for c in node["children"]])
        # What is on one node alone: that one is asked.
        for asked in nodes[:2]:
            edge = asked.client().read("/supervision?prefix=/nodes/n2/edge&depth=1")
            self.assertEqual((edge["path"], edge["kind"]), ("/nodes/n2/edge", "edge_listener"))
        self.status(nodes[0].client().get("/supervision?prefix=/nodes/n2/nowhere"), 404, "not_found")
        self.status(nodes[0].client().get("/supervision?prefix=/nodes/n9"), 404, "not_found")
        # Depth and limit count from the entry that is asked for.
        self.assertNotIn("children", nodes[0].client().read("/supervision?depth=0"))
        flat = self.nodes_in(nodes[0], "?depth=2")
        self.assertTrue(all("children" not in n and n["truncated"] for n in flat.values()))
        some = nodes[0].client().read("/supervision?prefix=/nodes&depth=1&limit=2")
        self.assertEqual((len(some["children"]), some["children_count"], some["truncated"]), (2, 3, True))
        shards = nodes[0].client().read("/supervision?prefix=/nodes/n3/shards&depth=1&limit=5")
        self.assertEqual((len(shards["children"]), shards["children_count"]), (5, self.shards))
        # Others of one node, by name.
        for path in ("/load", "/system/failures", "/dead-letters"):
            self.status(nodes[0].client().get(path + "?node=n2"), 200)
            self.status(nodes[0].client().get(path + "?node=n9"), 404, "not_found")
        self.assertEqual(nodes[0].client().read("/load?node=n3")["node"], "n3")
        self.assertEqual(nodes[0].client().read("/load?node=n1&limit=1")["node"], "n1")

    def test_a_node_that_is_dead_or_stands_still_is_shown_as_such_and_delays_nobody(self):
        n1, n2, n3 = self.start_all()
        n3.pause()  # its threads may take a moment to hear of it
        poll("n3 says nothing any more", lambda: self.nodes_in(n1)["n3"]["status"] != "running")
        began = time.monotonic()
        shown = self.nodes_in(n1)
        self.assertLess(time.monotonic() - began, 10)  # 2 s, and what a busy machine adds
        self.assertIn(shown["n3"]["status"], ("unreachable", "down"))
        self.assertTrue(shown["n3"]["problem"])
        self.assertEqual((shown["n3"]["children_count"], shown["n3"]["truncated"]), (None, True))
        self.assertEqual([shown[n]["status"] for n in ("n1", "n2")], ["running", "running"])
        n3.go_on()
        poll("n3 is shown again", lambda: self.nodes_in(n1)["n3"]["status"] == "running")
        n3.kill9()
        poll("n3 is down", lambda: self.nodes_in(n2)["n3"]["status"] == "down")
        self.assertEqual(n2.client().read("/supervision?prefix=/nodes/n3")["status"], "down")
        self.status(n2.client().get("/supervision?prefix=/nodes/n3/shards"), 503, "unavailable")
        self.status(n2.client().get("/load?node=n3"), 503, "unavailable")
        said = n2.cli("tree")
        self.assertEqual(said.returncode, 0, said)
        self.assertRegex(said.stdout, r"n3 .*down")
        self.assertIn("others have what it had", said.stdout)
        self.assertRegex(said.stdout, r"✓ n1 ")


class Channel(ClusterTest):
    def subscribe(self, member):
        socket = WebSocket(member.url, member.key, seconds=60)
        self.addCleanup(socket.close)
        self.assertEqual(socket.subscribe("cluster")["op"], "subscribed")
        return socket

    def until(self, socket, *kinds):
        """Events up to those of all kinds, by kind."""
        seen = {}
        while not set(kinds) <= set(seen):
            event = socket.read()
            self.assertEqual((event["channel"], event["id"]), ("cluster", ""))
            seen.setdefault(event["kind"], []).append(event["data"])
        return seen

    def test_readers_hear_what_happens_to_nodes_and_shards(self):
        n1, n2, n3 = self.start_all()
        poll("all is well", lambda: n1.client().read("/cluster")["status"] == "ok")
        poll("all lead some", lambda: all(n["shards_led"] for n in n1.client().read("/cluster")["nodes"]))
        readers = {"n1": self.subscribe(n1), "n2": self.subscribe(n2)}
        n3.kill9()
        for name, socket in readers.items():
            seen = self.until(socket, "node_down", "shards_closed", "shards_moved", "shards_opened")
            self.assertEqual([d["name"] for d in seen["node_down"]], ["n3"])
            self.assertEqual({d["node"] for all in seen.values() for d in all}, {name})  # each sees it itself
            for moved in seen["shards_moved"]:
                self.assertEqual(moved["count"], sum(moved["from"].values()))
                self.assertEqual(moved["count"], len(moved["shards"]))
        at_n1 = readers["n1"]
        n3.launch().ready()
        self.assertEqual(self.until(at_n1, "node_up")["node_up"][-1]["name"], "n3")
        self.assertEqual(n1.cli("cluster", "drain", "n2").returncode, 0)
        self.assertEqual(self.until(at_n1, "node_drained")["node_drained"][-1]["name"], "n2")
        self.assertEqual(n1.cli("cluster", "resume", "n2").returncode, 0)
        self.assertEqual(self.until(at_n1, "node_resumed")["node_resumed"][-1]["name"], "n2")
        n3.kill9()
        self.until(at_n1, "node_down")
        poll("n3 is forgotten", lambda: n1.cli("cluster", "remove", "n3").returncode == 0)
        self.assertEqual(self.until(at_n1, "node_removed")["node_removed"][-1]["name"], "n3")

    def test_the_end_of_a_lease_is_told_and_that_it_is_back(self):
        n1, *_ = self.start_all()
        socket = self.subscribe(n1)
        self.etcd.kill(0)
        self.assertEqual(self.until(socket, "lease_ended")["lease_ended"], [{"node": "n1"}])
        self.etcd.start(0)
        self.until(socket, "lease_back")


class ClusterMetrics(ClusterTest):
    def scrape(self, member):
        return families(self.status(member.client().get("/metrics", base=""), 200).raw.decode())

    def value(self, member, name, **labels):
        found = [v for n, l, v in self.scrape(member)["troupe_cluster_" + name]["samples"] if labels.items() <= l.items()]
        self.assertEqual(len(found), 1, (name, labels))
        return found[0]

    def test_the_cluster_is_measured_at_each_node(self):
        nodes = n1, n2, n3 = self.start_all()
        poll("all is well", lambda: n1.client().read("/cluster")["status"] == "ok")
        for i in range(10):
            for node in nodes:
                node.client().create("/tasks", {"title": f"{node.name} {i}"})
                node.client().read("/tasks")
        for node in nodes:
            self.assertEqual(mistakes(self.scrape(node)), [])
            self.assertEqual([self.value(node, "nodes", status=s) for s in ("up", "draining", "down")], [3, 0, 0])
            self.assertEqual(self.value(node, "peers_connected"), 2)
            self.assertEqual(self.value(node, "shards_closed"), 0)
            self.assertEqual(self.value(node, "shards_held"), self.shards)
            self.assertGreater(self.value(node, "lease_left_seconds"), 0)
            self.assertGreater(self.value(node, "read_rounds_total"), 0)
            self.assertGreaterEqual(self.value(node, "lag_entries"), 0)
        self.assertEqual(sum(self.value(node, "shards_led") for node in nodes), self.shards)
        sent, taken = (sum(self.value(n, f"commands_{what}_total") for n in nodes) for what in ("sent", "taken"))
        self.assertGreater(taken, 0)
        self.assertGreaterEqual(sent, taken)
        before = self.value(n1, "leader_changes_total")
        n3.kill9()
        poll("n3 is counted as down", lambda: self.value(n1, "nodes", status="down") == 1)
        poll("the others lead its shards", lambda: self.value(n1, "shards_led") + self.value(n2, "shards_led") == self.shards)
        poll("they were counted", lambda: self.value(n1, "leader_changes_total") > before)
        self.assertEqual(self.value(n1, "peers_connected"), 1)

    def test_the_dashboard_and_the_alerts_know_what_there_is(self):
        n1, *_ = self.start_all()
        known = {name for name in self.scrape(n1) if name.startswith("troupe_cluster_")}
        board = json.loads((REPOSITORY / "cluster-configs" / "grafana" / "troupe.json").read_text())
        queries = " ".join(t["expr"] for p in board["panels"] for t in p.get("targets", []))
        alerts = (REPOSITORY / "cluster-configs" / "prometheus" / "alerts.yaml").read_text()
        for text in (queries, alerts):
            used = set(re.findall(r"\btroupe_cluster_\w+", text))
            self.assertGreater(len(used), 3)
            self.assertEqual(used - known, set())
