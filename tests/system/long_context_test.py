"""A run whose context outgrows its model's window, through the real program: it is folded, read back, and survives kills."""

import json

from tests.system.model_test import KEY, Provider
from tests.system.node import NodeTest

WINDOW = 12000  # tokens
PAGES = 12


def page(number):
    return f"page {number} begins here\n" + "".join(f"{number}-{line} lorem ipsum dolor sit amet\n" for line in range(150))


class LongContextTest(NodeTest):
    def setUp(self):
        super().setUp()
        read = lambda n: {"content": f"I read page {n}.", "tool_calls": [{"name": "read_file", "arguments": {"path": f"{n}.txt"}}]}
        recall = {"content": "What was on the first page?", "tool_calls": [{"name": "recall", "arguments": {"message": 1}}]}
        self.provider = Provider(self.folder, {"read all": [*map(read, range(PAGES)), recall, {"content": "All pages are read."}]})
        self.addCleanup(self.provider.close)
        listed = [{"name": "small", "wire": "openai", "base_url": self.provider.url, "api_key": "env:SMALL_KEY",
                   "models": [{"name": "m", "context_tokens": WINDOW, "output_tokens": 1000}]}]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"model": {"providers": listed}}))
        self.server = self.node("--config", config, environment={"SMALL_KEY": KEY}).start()
        self.api = self.server.client()
        self.work = self.work_folder("book")
        for n in range(PAGES):
            (self.work / f"{n}.txt").write_text(page(n))

    def start_run(self):
        project = self.api.create("/projects", {"name": "book", "folder": str(self.work)})["id"]
        return self.api.create("/runs", {"goal": "read all", "model": "small/m", "project_id": project})["id"]

    def check(self, run):
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", "All pages are read."), shown)
        folds = [e["data"] for e in self.api.events_of(f"runs/{run}") if e["kind"] == "context_folded"]
        self.assertGreater(len(folds), 1)
        recalled = [s for s in self.api.all(f"/runs/{run}/steps") if s["tool"] == "recall"]
        self.assertEqual([s["status"] for s in recalled], ["succeeded"], recalled)
        self.assertIn("page 0 begins here", recalled[0]["content"])
        self.assertIn("0-149 lorem", recalled[0]["content"])
        for request in self.provider.log("read all"):
            size = len(json.dumps(request["body"]["messages"])) + len(json.dumps(request["body"].get("tools", [])))
            self.assertLess(size / 4, WINDOW, "a request does not fit the window")
            self.assertEqual(request["body"]["messages"][1]["content"], "read all")

    def test_a_long_run_goes_on_and_replays_to_the_byte(self):
        run = self.start_run()
        self.check(run)
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)
        seen = self.api.read(f"/runs/{run}/steps/{PAGES + 2}/context")["messages"]
        self.assertIn("recall with message 1 gives them back", seen[3]["content"])
        # A fork begins with the whole past, and makes its own room.
        fork = self.api.create(f"/runs/{run}/fork", {"step": 3, "message": "read all"})["id"]
        self.assertEqual(self.api.wait_run(fork)["status"], "succeeded")

    def test_a_kill_in_the_middle_folds_nothing_twice(self):
        run = self.start_run()
        for _ in range(3):
            self.server.kill9()
            self.server.start()
            self.api = self.server.client()
        self.check(run)
