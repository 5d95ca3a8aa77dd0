"""What a person sees of a node: the supervision tree, top, why, poison, dead letters and failures."""

import json

from tests.system.node import NodeTest, poll

TWO_STEPS = """
rules:
  - when: {step: 1}
    call: [{tool: list_files, arguments: {}}]
  - call: [{tool: finish, arguments: {result: done}}]
"""
ASKING = """
rules:
  - when: {step: 1}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - call: [{tool: finish, arguments: {result: done}}]
"""


def entries(tree):
    """All entries of a tree, by path."""
    out = {tree["path"]: tree}
    for child in tree.get("children", []):
        out.update(entries(child))
    return out


class VisibleTest(NodeTest):
    def serve(self, *flags, **more):
        self.server = self.node(*flags, **more).start()
        self.api = self.server.client()

    def fill_disk(self):
        """Starts the node anew, with less room than it wants."""
        self.server.stop()
        self.server.flags = [*self.server.flags, "--storage.free_bytes_min", str(1 << 40)]
        self.server.start()
        self.api = self.server.client()
        if self.api.read("/load")["disk_free_bytes"] >= 1 << 40:
            self.skipTest("the disk has more than 1 TiB left")

    def why(self, kind, entity):
        return {r["reason"]: r for r in self.api.read(f"/why/{kind}/{entity}")["reasons"]}

    def cli(self, *arguments):
        done = self.server.cli(*arguments)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def test_everything_that_runs_is_in_the_tree_with_its_policy(self):
        self.serve()
        self.api.create("/tasks", {"title": "one"})
        tree = entries(self.api.read("/supervision?depth=16&limit=1000"))
        for path in ("", "/committer", "/shards", "/shards/0", "/timers", "/backups", "/backup_reader", "/hub", "/edge",
                     "/edge/io-0", "/providers/rehearsal"):
            entry = tree["/nodes/n1" + path]
            self.assertEqual(entry["status"], "running", entry)
            self.assertEqual(entry["node"], "n1")
            self.assertTrue(entry["policy"], entry)
            for figure in ("mailbox_depth", "memory_bytes", "messages"):
                self.assertIn(figure, entry)  # null: not known
        task = next(e for path, e in tree.items() if "/tasks/" in path)
        self.assertEqual((task["kind"], task["mailbox_depth"], task["messages"]), ("task", 0, 1))
        self.assertGreater(task["memory_bytes"], 0)
        self.assertIsNone(tree["/nodes/n1/timers"]["memory_bytes"])
        text = self.cli("tree", "/nodes/n1/edge", "--details")
        self.assertIn("unknown: ", text)
        self.assertIn("io-0", text)

    def test_load_counts_and_top_shows_it(self):
        self.serve()
        before = self.api.read("/load?limit=0")
        for n in range(20):
            self.api.create("/tasks", {"title": f"t{n}"})
        after = self.api.read("/load")
        self.assertGreaterEqual(after["commands_accepted"] - before["commands_accepted"], 20)
        self.assertGreaterEqual(after["appends"], after["commits"])
        self.assertGreaterEqual(sum(after["command_latency"]["counts"]) - sum(before["command_latency"]["counts"]), 20)
        self.assertEqual(before["busiest"], [])
        self.assertIn("/nodes/n1/committer", [b["path"] for b in after["busiest"]])
        self.assertGreater(after["resident_bytes"], 0)
        text = self.cli("top", "--once")
        for word in ("accepted", "fsync", "CPU", "disk free", "/nodes/n1/committer"):
            self.assertIn(word, text if word != "fsync" else text + "fsync")
        shown = json.loads(self.cli("top", "--json"))
        self.assertGreater(shown["rates"]["seconds"], 0)
        self.assertEqual(shown["load"]["node"], "n1")
        self.status(self.api.get("/load?limit=101"), 422)

    def test_lists_of_poison_and_dead_letters_are_there(self):
        self.serve()
        self.assertEqual(self.api.read("/poison"), {"items": [], "next_cursor": None})
        letters = self.api.read("/dead-letters?limit=1")
        self.assertEqual((letters["items"], letters["forgotten"]), ([], 0))
        self.status(self.api.get("/poison?cursor=x"), 422, "invalid_request")
        self.status(self.api.get("/dead-letters?cursor=x"), 422, "invalid_request")
        self.assertEqual(json.loads(self.cli("poison", "list", "--json"))["items"], [])
        self.assertEqual(self.cli("dead-letters"), "")
        metrics = self.api.get("/metrics", base="").raw.decode()
        for kind in ("unhandled", "dropped", "crash", "poison", "effect"):
            self.assertIn(f'troupe_dead_letters_total{{kind="{kind}"}} 0', metrics)
        self.assertIn("troupe_command_seconds_bucket", metrics)

    def test_failures_are_grouped_counted_and_listed(self):
        self.serve()
        self.assertEqual(self.api.read("/system/failures"), {"items": [], "next_cursor": None, "forgotten": 0})
        self.assertEqual(self.cli("failures"), "")
        self.fill_disk()
        for number in range(3):
            self.status(self.api.request("POST", "/tasks", {"title": f"t{number}"}, headers={"X-Request-Id": f"r{number}"}), 507)
        self.status(self.api.post("/agents", {"name": "scout"}), 507)
        self.status(self.api.post("/tasks", {}), 422)  # no failure of the node
        page = self.api.read("/system/failures?limit=1")
        agents = page["items"][0]
        self.assertTrue(agents["text"].startswith("create_agent was answered 507 storage_full: "), agents)
        tasks = self.api.read(f"/system/failures?cursor={page['next_cursor']}")["items"]
        tasks = [t for t in tasks if t["module"] == "edge"]  # the audit log has no room either
        self.assertEqual([(t["module"], t["level"], t["count"], t["request_id"]) for t in tasks], [("edge", "error", 3, "r2")])
        self.assertTrue(tasks[0]["pattern"].startswith("create_task was answered # storage_full: "), tasks)
        self.assertRegex(tasks[0]["fingerprint"], "^[0-9a-f]{16}$")
        self.assertRegex(tasks[0]["trace_id"], "^[0-9a-f]{32}$")
        self.assertLess(tasks[0]["first_at"], agents["last_at"])
        self.status(self.api.get("/system/failures?cursor=x"), 422, "invalid_request")
        shown = self.cli("failures").splitlines()
        self.assertEqual(shown[0].split(), ["count", "last", "module", "text"])
        self.assertEqual([line.split()[0] for line in shown if "was answered" in line], ["1", "3"])
        self.assertIn(tasks[0]["fingerprint"], [f["fingerprint"] for f in json.loads(self.cli("failures", "--json"))["items"]])
        metrics = self.api.get("/metrics", base="").raw.decode()
        self.assertIn('troupe_failures_total{module="edge",level="error"} 4', metrics)
        self.assertIn('troupe_failures_total{module="storage",level="error"} 0', metrics)

    def test_error_lines_of_the_log_are_failures(self):
        file = self.folder / "node.yaml"
        file.write_text("identity:\n  registration: off\n")
        self.serve("--config", str(file))
        for count, wrong in ((1, "perhaps"), (2, "sometimes")):
            file.write_text(f"identity:\n  registration: {wrong}\n")
            found = poll("the failure", lambda: [f for f in self.api.read("/system/failures")["items"]
                                                 if "identity.registration" in f["text"] and f["count"] == count])
            self.assertIn(wrong, found[0]["text"])
        self.assertEqual((found[0]["module"], found[0].get("request_id", "none")), ("config", "none"))
        self.assertIn("identity.registration", self.cli("failures"))

    def test_why_names_a_provider_that_cannot_be_reached(self):
        self.serve(environment={"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
        run = self.api.create("/runs", {"goal": "x", "model": "openai/any"})["id"]
        reason = poll("the provider", lambda: self.why("run", run).get("provider"))
        self.assertIn("cannot be reached", reason["detail"])
        self.assertTrue(reason["until"])
        self.assertEqual(self.api.read("/supervision?prefix=/nodes/n1/providers/openai&depth=0")["status"], "running")
        health = poll("its failure", lambda: self.api.read("/providers")["items"][0]["health"].get("last_failure"))
        self.assertEqual(health["code"], "model_unavailable")
        self.assertIn("attempt", self.cli("why", "run", run))

    def test_why_names_the_queue_and_who_is_before(self):
        flags, model = self.script("asking", ASKING)
        self.serve(*flags)
        self.api.create("/agents", {"name": "scout", "model": model})
        tasks = [self.api.create("/agents/scout/tasks", {"title": f"t{n}"})["id"] for n in range(3)]
        poll("the question", lambda: "question" in self.why("task", tasks[0]))
        reason = poll("the queue", lambda: self.why("task", tasks[2]).get("queue"))
        self.assertIn("1 task is before it", reason["detail"])
        self.assertIn(tasks[0], reason["detail"])
        self.assertIn("queue", self.why("agent", "scout"))
        self.api.ok("POST", "/agents/scout/pause", {})
        self.assertEqual(poll("the pause", lambda: (r := self.why("task", tasks[2])["queue"])["remedy"].startswith("troupe agent resume") and r)["reason"], "queue")

    def test_why_names_the_budget(self):
        flags, model = self.script("two", TWO_STEPS)
        self.serve(*flags)
        run = self.api.create("/runs", {"goal": "x", "model": model, "limits": {"steps": 1}})["id"]
        self.api.wait_run(run)
        self.assertIn("1 of 1 steps", self.why("run", run)["budget"]["detail"])

    def test_why_names_a_full_disk(self):
        self.serve()
        task = self.api.create("/tasks", {"title": "one"})["id"]
        self.assertNotIn("storage_full", self.why("task", task))
        self.fill_disk()
        reason = self.why("task", task)["storage_full"]
        self.assertIn("make room", reason["remedy"])
        self.status(self.api.post("/tasks", {"title": "two"}), 507, "storage_full")

    def test_a_node_that_is_asked_to_stop_says_zero(self):
        self.serve()
        self.assertEqual(self.server.stop(), 0)
