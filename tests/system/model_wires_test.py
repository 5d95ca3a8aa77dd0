"""Runs over every wire that a server of others speaks: npm's `@copilotkit/aimock`, with a tool call in between."""

import json
import subprocess
import urllib.request

from tests.system import node_tools
from tests.system.node import NodeTest, free_port, poll

KEY = "sk-test-5up3r5ecret"
ANSWER = "Grüße aus 東京 🎭"
PROVIDERS = [{"name": "chat", "wire": "openai", "path": "/v1"},
             {"name": "answers", "wire": "openai_responses", "path": "/v1"},
             {"name": "claude", "wire": "anthropic", "path": ""},
             {"name": "local", "wire": "ollama", "path": ""},
             {"name": "deep", "wire": "deepseek", "path": "/v1"}]


class Mock:
    """The server, with the same two turns for every goal: it calls a tool, and answers when it has the result."""

    def __init__(self, folder):
        program = node_tools.tool("llmock")
        self.url = f"http://127.0.0.1:{free_port()}"
        script = folder / "aimock.json"
        script.write_text(json.dumps({"fixtures": [
            {"match": {"userMessage": "read it", "hasToolResult": False},
             "response": {"content": "I look.", "reasoning": "Hm, a file.",
                          "toolCalls": [{"name": "read_file", "arguments": json.dumps({"path": "a.txt"})}]}},
            {"match": {"userMessage": "read it", "hasToolResult": True}, "response": {"content": ANSWER}}]}))
        self.log = open(folder / "aimock.log", "wb")
        self.process = subprocess.Popen([program, "-p", self.url.rpartition(":")[2], "-f", script, "--chunk-size", "3", "--strict"],
                                        stdout=self.log, stderr=self.log, env=node_tools.ENVIRONMENT)
        poll("aimock serves", self.serves)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as reply:
            return json.load(reply)

    def serves(self):
        try:
            return self.get("/health")
        except OSError:
            return None

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class ModelWiresTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.mock = Mock(self.folder)
        self.addCleanup(self.mock.stop)
        thinker = {"name": "m", "context_tokens": 100000, "output_tokens": 4096, "input_price": 3, "output_price": "15.00",
                   "capabilities": ["tools", "reasoning"]}
        listed = [{"name": p["name"], "wire": p["wire"], "base_url": self.mock.url + p["path"], "api_key": "env:MOCK_KEY",
                   "models": [thinker]} for p in PROVIDERS]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"model": {"providers": listed}}))  # JSON is YAML, too
        self.server = self.node("--config", config, environment={"MOCK_KEY": KEY}).start()
        self.api = self.server.client()

    def test_a_run_with_a_tool_call_goes_over_every_wire(self):
        folder = self.work_folder("project")
        (folder / "a.txt").write_text("what stands in the file")
        project = self.api.create("/projects", {"name": "p", "folder": str(folder)})["id"]
        for provider in PROVIDERS:
            with self.subTest(provider["wire"]):
                run = self.api.create("/runs", {"goal": "read it", "model": provider["name"] + "/m", "project_id": project,
                                                "limits": {"cost_micros": 1000000}})["id"]
                shown = self.api.wait_run(run)
                self.assertEqual((shown["status"], shown["result"]), ("succeeded", ANSWER), shown)
                steps = self.api.all(f"/runs/{run}/steps")
                self.assertEqual([(s["status"], s["tool"]) for s in steps],
                                 [("succeeded", ""), ("succeeded", "read_file"), ("succeeded", "")], steps)
                self.assertIn("what stands in the file", steps[1]["content"])
                self.assertGreater(shown["used"]["cost_micros"], 0)
                replies = [e["data"] for e in self.api.events_of(f"runs/{run}") if e["kind"] == "model_call_finished"]
                self.assertEqual([r["provider"] for r in replies], [provider["name"]] * 2)
                self.assertEqual(replies[0]["reasoning_state"] != "", provider["wire"] in ("anthropic", "openai_responses"), replies)
        self.assertNotIn(KEY, json.dumps(self.api.all("/events")))
        self.assertNotIn(KEY, self.server.log.read_text())

    def test_the_first_provider_that_has_a_model_is_the_default(self):
        run = self.api.create("/runs", {"goal": "read it"})["id"]
        self.assertEqual(self.api.wait_run(run)["model"], "chat")

    def test_models_and_providers_are_listed_without_their_keys(self):
        providers = self.api.read("/providers")["items"]
        self.assertEqual([(p["name"], p["wire"], p["has_key"], p["model"]) for p in providers],
                         [(p["name"], p["wire"], True, "m") for p in PROVIDERS])
        models = {m["name"]: m for m in self.api.read("/models")["items"]}
        self.assertTrue(models["chat"]["is_default"])
        self.assertEqual((models["claude/m"]["provider"], models["claude/m"]["context_tokens"], models["claude/m"]["input_micros"]),
                         ("claude", 100000, 3000000))
        self.assertNotIn("provider", models["rehearsal"])
        self.assertNotIn(KEY, json.dumps([providers, models]))
        shown = self.troupe("model", "list")
        self.assertIn("claude/m", shown)
        self.assertIn("3.00/15.00", shown)
        shown = self.troupe("provider", "list")
        self.assertIn("openai_responses", shown)
        self.assertNotIn(KEY, shown)
        self.assertEqual(len(json.loads(self.troupe("provider", "list", "--json"))["items"]), len(PROVIDERS))

    def troupe(self, *words):
        done = self.server.cli(*words)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout
