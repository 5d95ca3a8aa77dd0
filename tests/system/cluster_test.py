"""Three nodes and etcd: what was answered stays, whoever dies."""


import json
import os
import shutil
import subprocess
import unittest

from tests.system import cables
from tests.system.cluster import ClusterTest, Etcd, Member, Writers
from tests.system.node import BUILD, REPOSITORY, TROUPE, NodeTest, poll


class Cluster(ClusterTest):
    def test_what_one_node_answers_all_show_at_once(self):
        nodes = self.start_all()
        for i, asked in enumerate(nodes):
            made = asked.client().create("/projects", {"name": f"project {i}"})
            for reader in nodes:
                self.assertEqual(reader.client().read(f"/projects/{made['id']}")["name"], f"project {i}")

    def test_nothing_that_was_answered_is_lost_when_nodes_are_killed_one_after_the_other(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(20)
            for victim in nodes:
                victim.kill9()
                load.wait_for(20)
                victim.launch().ready()
                load.wait_for(20)
        finally:
            load.stop()
        load.check(self, nodes)
        for node in nodes:
            self.assertEqual(node.stop(), 0)
        for node in nodes:
            node.environment["TROUPE_SECRETS_KEY"] = (self.cluster_file.parent / "secrets.key").read_text().strip()
            self.check_disk(node)

    def test_a_node_that_stands_still_is_followed_and_finds_what_came_meanwhile(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(10)
            nodes[0].pause()
            load.wait_for(20)
            nodes[0].go_on()
            load.wait_for(20)
        finally:
            nodes[0].go_on()
            load.stop()
        load.check(self, nodes)

    def test_with_one_of_three_left_nothing_is_written_and_it_says_so(self):
        n1, n2, n3 = self.start_all()
        made = n1.client().create("/projects", {"name": "before"})
        n2.kill9()
        n3.kill9()
        self.assertEqual(n1.cli("cluster", "drain", "n3", "--no-wait").returncode, 0)  # though nothing can be noted of it
        self.assertRegex(n1.log.read_text(), r"drain_node .*n3.* is done, but is not in the audit log")
        poll("n1 knows", lambda: n1.client().read("/cluster")["status"] == "partial")
        refused = n1.client().post("/projects", {"name": "alone"}, seconds=30)
        self.status(refused, 503, "unavailable")
        self.assertEqual(n1.client("").get("/health", base="").status, 200)
        n2.launch().ready()
        poll("they serve again", lambda: n1.client().post("/projects", {"name": "two"}).status == 201)
        self.assertEqual(n2.client().read(f"/projects/{made['id']}")["name"], "before")

    def test_without_etcd_nothing_is_answered_and_with_it_all_goes_on(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(10)
            self.etcd.kill(0)
            for node in nodes:
                poll("its lease is over", lambda n=node: n.client().read("/cluster")["lease_left_ms"] == 0)
                self.status(node.client("").get("/health/ready", base=""), 503)
            self.etcd.start(0)
            load.wait_for(20)
        finally:
            load.stop()
        load.check(self, nodes)

    def test_a_drained_node_leads_nothing_and_a_resumed_one_does(self):
        n1, n2, _ = self.start_all()
        load = Writers(self.members)
        try:
            load.wait_for(5)
            self.assertEqual(n2.cli("cluster", "drain", "n1").returncode, 0)
            self.assertEqual(self.leads(n2, "n1"), 0)
            load.wait_for(10)
            self.assertEqual(n2.cli("cluster", "resume", "n1").returncode, 0)
            poll("n1 leads again", lambda: self.leads(n2, "n1") > 0)
            load.wait_for(5)
        finally:
            load.stop()
        load.check(self, self.members)

    def test_who_changes_the_cluster_is_in_the_audit_log_and_so_is_what_came_of_it(self):
        _, n2, n3 = self.start_all()
        self.assertEqual(n2.cli("cluster", "drain", "n1").returncode, 0)
        self.assertNotEqual(n2.cli("cluster", "drain", "n9").returncode, 0)
        self.assertEqual(n2.cli("cluster", "move", "3", "n2").returncode, 0)
        self.assertEqual(n2.cli("cluster", "move", "3", "--back").returncode, 0)
        wanted = [("node_drain_requested", {"node": "n1"}), ("node_drain_requested", {"node": "n9"}),
                  ("shard_move_requested", {"shard": 3, "node": "n2"}), ("shard_return_requested", {"shard": 3})]

        def noted():
            lines = n3.client().all("/audit?kind=cluster&details=true")
            return lines if len(lines) == 2 * len(wanted) else None
        lines = sorted(poll("all has its outcome", noted), key=lambda line: line["version"])
        self.assertRegex(lines[0]["principal"], "^key/")
        self.assertEqual({line["principal"] for line in lines}, {lines[0]["principal"]})
        asked = [line for line in lines if line["action"].endswith("_requested")]
        self.assertEqual([(line["action"], line["details"]) for line in asked], wanted)
        for line in asked:
            outcome = next(o for o in lines if o["details"].get("request") == line["version"])
            self.assertEqual(outcome["request_id"], line["request_id"])
            failed = line["details"].get("node") == "n9"
            self.assertEqual((outcome["action"], outcome["result"]),
                             ("cluster_change_failed", "failure") if failed else ("cluster_changed", "success"))
        shown = n2.cli("audit", "list", "--kind", "cluster")
        self.assertIn("node_drain_requested", shown.stdout)

    def test_contents_that_one_node_took_are_at_the_others_when_it_is_gone(self):
        n1, n2, n3 = self.start_all()
        project = n1.client().create("/projects", {"name": "contents"})["id"]
        big = bytes(range(256)) * 12_000  # 3 MB: several pieces
        self.status(n1.client().request("PUT", f"/projects/{project}/files/big", raw=big,
                                        headers={"Content-Type": "application/octet-stream"}), 200)
        n1.kill9()
        for other in (n2, n3):
            self.assertEqual(other.client().get(f"/projects/{project}/files/big").raw, big)

    def test_a_run_goes_on_at_another_node_with_the_files_that_it_wrote(self):
        flags, model = self.script("slow", """
delay_ms: 150
rules:
  - when: {step: 1}
    call: [{tool: write_file, arguments: {path: notes.txt, content: "kept"}}]
  - when: {step: 2}
    say: These are some twenty words which take their time so that a node can die while they are being said one by one.
    call: [{tool: read_file, arguments: {path: notes.txt}}]
  - when: {step: 3}
    call: [{tool: finish, arguments: {result: All is done.}}]
""")
        self.members = [self.member(m.name, *flags) for m in self.members]
        nodes = self.start_all()
        api = nodes[0].client()
        project = api.create("/projects", {"name": "moves"})["id"]
        runs = [api.create("/runs", {"goal": "write and read", "project_id": project, "model": model})["id"]
                for _ in range(6)]  # of several shards: some are at the node that dies
        for run in runs:
            poll("it has written", lambda run=run: api.read(f"/runs/{run}")["step"] >= 1)
        nodes[1].kill9()
        for run in runs:
            self.assertEqual(nodes[2].client().wait_run(run, seconds=60)["status"], "succeeded")

    def test_live_events_come_to_readers_of_any_node_and_go_on_at_another_one(self):
        n1, n2, n3 = self.start_all()
        events = n2.stream("/events?kind=task_created&since=start", seconds=30)
        made, seen = [], []
        for i in range(5):
            made.append("tasks/" + n1.client().create("/tasks", {"title": f"live {i}"})["id"])
            seen.append(next(events))
            self.assertEqual(seen[-1]["data"]["channel"], made[-1])
        events.close()
        n2.kill9()
        made += ["tasks/" + n1.client().create("/tasks", {"title": f"later {i}"})["id"] for i in range(3)]
        again = n3.stream(f"/events?kind=task_created&since={seen[2]['id']}", seconds=30)
        found = [next(again)["data"]["channel"] for _ in made[3:]]
        again.close()
        self.assertEqual(sorted(found), sorted(made[3:]))  # of the past each entity's are in order

    def test_a_lost_disk_is_replaced_by_a_new_node_that_catches_up(self):
        n1, n2, n3 = self.start_all()
        ids = [n1.client().create("/projects", {"name": f"project {i}"})["id"] for i in range(30)]
        n3.kill9()
        n4 = self.member("n4")
        unknown = n1.cli("cluster", "replace", "n3", "n4")
        self.assertIn("has no node \"n4\" that is up", unknown.stderr)
        n4.launch().ready()
        poll("n3 is down", lambda: "n3 is forgotten" in n1.cli("cluster", "replace", "n3", "n4").stdout)
        self.assertEqual(n1.client().read("/cluster")["status"], "ok")
        n1.kill9()
        for i, id in enumerate(ids):
            self.assertEqual(n4.client().read(f"/projects/{id}")["name"], f"project {i}")
        n4.client().create("/projects", {"name": "with two of three"})

    def test_a_restart_of_each_node_in_turn_fails_no_request_that_is_sent_again(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            load.wait_for(10)
            for node in nodes:
                self.assertEqual(node.stop(), 0)
                load.wait_for(10)
                node.launch().ready()
                load.wait_for(10)
        finally:
            load.stop()
        load.check(self, nodes)


class WrongNodes(ClusterTest):
    def test_a_node_that_does_not_belong_there_is_refused_with_the_reason(self):
        n1, n2, _ = self.start_all()
        n2.stop()
        n1.client().create("/projects", {"name": "kept"})

        def said_of(member):
            status, said = member.refused()
            self.assertNotEqual(status, 0, said)
            return said
        self.assertIn("another data directory", said_of(self.member_with("n1", "other-disk", self.cluster_file)))
        # The directory of another node, and that of a node of the cluster as one alone.
        self.assertIn('is that of node "n2"', said_of(self.member_with("n9", "n2", self.cluster_file)))
        alone = self.node(name="n2")
        self.assertIn("start it with cluster.file", said_of(alone))
        # Files that disagree.
        for member, wrong, sentence in (("shards", 8, "data directory"), ("copies", 2, "copies")):
            said = json.loads(self.cluster_file.read_text())
            said[member] = wrong
            other = self.folder / f"wrong-{member}.json"
            other.write_text(json.dumps(said))
            for name in ("admin.key", "secrets.key"):
                shutil.copy(self.cluster_file.parent / name, self.folder / name)
            self.assertIn(sentence, said_of(self.member_with("n2", "n2", other)))
        other.write_text("{")
        self.assertIn("cluster file", said_of(self.member_with("n2", "n2", other)))
        # Another master key.
        (self.folder / "secrets.key").unlink()
        subprocess.run([TROUPE, "secret", "new-key", self.folder / "secrets.key"], check=True, capture_output=True)
        other.write_text(self.cluster_file.read_text())
        self.assertIn("master key", said_of(self.member_with("n2", "n2", other)))
        n2.launch().ready()
        self.assertEqual(n2.client().all("/projects")[0]["name"], "kept")

    def member_with(self, name, directory, file):
        made = Member(self.folder, directory, file, "--sandbox", "none")
        made.flags[made.flags.index("--cluster.name") + 1] = name
        self.nodes.append(made)
        return made


@unittest.skipUnless(shutil.which("etcd"), "there is no etcd on this machine")
class Script(NodeTest):
    def test_one_command_starts_three_nodes_with_certificates(self):
        done = subprocess.run([REPOSITORY / "bin" / "cluster", "--once"], capture_output=True, text=True, timeout=180, check=False,
                              env={**os.environ, "TROUPE_BUILD": str(BUILD), "TROUPE_DATA": str(self.folder / "data"),
                                   "TROUPE_FLAGS": "--sandbox none"})
        self.assertEqual(done.returncode, 0, done)
        for name in ("n1", "n2", "n3"):
            self.assertRegex(done.stdout, f"(?m)^{name} serves at http://127.0.0.1:")
            log = (self.folder / "data" / f"{name}.log").read_text()
            self.assertIn("connected with", log)
            self.assertIn("stopped", log)


@unittest.skipIf(cables.why_not(), cables.why_not())
class CutCables(ClusterTest):
    """Each node is a machine of its own."""

    def start_etcd(self):
        self.switch = cables.Switch()
        self.addCleanup(self.switch.end)
        return Etcd(self.folder, address=self.switch.address)

    def member(self, name, *flags):
        address = self.switch.plug(name)
        program = (*self.switch.inside(name), TROUPE, "serve")
        made = Member(self.folder, name, self.cluster_file, "--sandbox", "none", *flags, address=address, program=program)
        # `ip netns exec` becomes the node, so its pid is the node's.
        self.nodes.append(made)
        return made

    def test_a_node_that_is_cut_off_answers_nothing_old_and_the_others_go_on(self):
        nodes = self.start_all()
        load = Writers(nodes)
        try:
            for victim in nodes:
                load.wait_for(10)
                self.switch.cut(victim.name)
                load.wait_for(20)
                self.switch.mend(victim.name)
                poll("it is back", victim.answers, seconds=60)
        finally:
            load.stop()
        load.check(self, nodes)
