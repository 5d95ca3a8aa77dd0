"""Runs with recorded models through the real program: recorded once, played without the provider, also after a kill."""

import json

from tests.system.model_test import KEY, Provider
from tests.system.node import NodeTest

WRITE = {"content": "I write it.", "tool_calls": [{"name": "write_file", "arguments": {"path": "a.txt", "content": "from the model\n"}}]}
RUN = {"content": "I look.", "tool_calls": [{"name": "run_command", "arguments": {"command": "sleep 0.2; cat a.txt"}}]}


class CassetteTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.tapes = self.work_folder("tapes")
        self.provider = Provider(self.folder, {"make it": [WRITE, RUN, {"content": "It says: from the model."}]})
        listed = [{"name": "there", "wire": "openai", "base_url": self.provider.url, "api_key": "env:THERE_KEY", "models": [{"name": "m"}]}]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"model": {"providers": listed, "cassettes": str(self.tapes)}}))
        self.server = self.node("--config", config, environment={"THERE_KEY": KEY}).start()
        self.api = self.server.client()

    def start_run(self, model, name, goal="make it"):
        work = self.work_folder(name)
        project = self.api.create("/projects", {"name": name, "folder": str(work)})["id"]
        return work, self.api.create("/runs", {"goal": goal, "model": model, "project_id": project})["id"]

    def check(self, work, run):
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", "It says: from the model."), shown)
        self.assertEqual((work / "a.txt").read_text(), "from the model\n")

    def test_what_was_recorded_plays_without_its_provider(self):
        self.check(*self.start_run("record:tape/there/m", "recorded"))
        lines = (self.tapes / "tape.jsonl").read_text().splitlines()
        self.assertEqual([len(json.loads(line).get("request", {}).get("messages", [])) for line in lines], [0, 2, 4, 6])
        self.assertNotIn(KEY, "".join(lines))
        self.assertEqual((self.tapes / "tape.jsonl").stat().st_mode & 0o777, 0o600)
        self.provider.close()
        work, run = self.start_run("cassette:tape", "played")
        self.server.kill9()
        self.server.start()
        self.api = self.server.client()
        self.check(work, run)
        self.assertEqual((self.tapes / "tape.jsonl").read_text().splitlines(), lines)

        _, other = self.start_run("cassette:tape", "other", goal="make it in blue")
        failed = self.api.wait_run(other)
        self.assertEqual(failed["status"], "failed", failed)
        self.assertIn("- make it\n+ make it in blue", failed["error"])

    def test_cassettes_are_shown_and_deleted(self):
        self.assertIn("There is no cassette.", self.server.cli("cassette", "list").stdout)
        self.check(*self.start_run("record:tape/there/m", "recorded"))
        (self.tapes / "other.txt").write_text("no cassette")
        self.assertEqual([c["name"] for c in self.api.read("/cassettes")["items"]], ["tape"])
        shown = self.api.read("/cassettes/tape")
        self.assertEqual(shown["calls_count"], 3)
        self.assertEqual([c["tools"] for c in shown["calls"]], [["write_file"], ["run_command"], []])
        self.assertEqual(shown["calls"][2]["answer"], "It says: from the model.")
        printed = self.server.cli("cassette", "show", "tape").stdout
        self.assertIn("→ write_file", printed)
        self.assertIn("cassette:tape", printed)
        for name in ("none", "..%2ftape", ".."):
            self.status(self.api.get(f"/cassettes/{name}"), 404)
        self.assertEqual(self.server.cli("cassette", "delete", "tape").returncode, 0)
        self.assertFalse((self.tapes / "tape.jsonl").exists())
        self.assertEqual(self.server.cli("cassette", "delete", "tape").returncode, 4)
        (self.tapes / "broken.jsonl").write_text("nothing\n")
        self.assertIn("line 1 of the cassette", self.server.cli("cassette", "show", "broken").stderr)

    def test_bad_names_say_what_is_wrong(self):
        for model, why in (("cassette:none", "There is no cassette none"), ("cassette:../x", "names no cassette"), ("record:x/nobody/m", "nobody")):
            with self.subTest(model):
                run = self.api.create("/runs", {"goal": "x", "model": model})["id"]
                failed = self.api.wait_run(run)
                self.assertEqual(failed["status"], "failed", failed)
                self.assertIn(why, failed["error"])
