"""Servers of the Model Context Protocol as npm has them, through a real node."""

import json
import re
import subprocess
import threading

from tests.system import node_tools
from tests.system.node import NodeTest, poll

PACKAGES = node_tools.FOLDER / "node_modules" / "@modelcontextprotocol"


def program(name):
    return ["node", str(PACKAGES / f"server-{name}" / "dist" / "index.js")]


class McpNpmTest(NodeTest):
    def setUp(self):
        super().setUp()
        node_tools.check()
        self.files = self.work_folder("files")

    def servers(self, *more):
        # In the sandbox a server sees its own folder only, and these stand elsewhere.
        return [{"name": "everything", "command": [*program("everything"), "stdio"], "sandbox": False},
                {"name": "files", "command": [*program("filesystem"), str(self.files)], "sandbox": False},
                {"name": "memory", "command": program("memory"), "sandbox": False,
                 "environment": {"MEMORY_FILE_PATH": str(self.folder / "memory.json")}},
                {"name": "think", "command": program("sequential-thinking"), "sandbox": False}, *more]

    def serve(self, servers, *more):
        one = self.node("--mcp.servers", json.dumps(servers), *more).start()
        api = one.client()
        poll("all are healthy", lambda: all(s["health"]["status"] == "healthy" and s["tools"] for s in
                                           api.read("/mcp/servers/installed")["items"]))
        return one, api

    def call(self, api, tool, **arguments):
        answer = api.request("POST", f"/mcp/tools/{tool}/execute", {"arguments": arguments})
        self.assertEqual(answer.status, 200, str(answer))
        self.assertFalse(answer.json["is_error"], str(answer))
        return answer.json["content"][0]["text"]

    def test_four_servers_over_standard_input_and_output(self):
        one, api = self.serve(self.servers())
        self.assertEqual(self.call(api, "mcp_everything_echo", message="grüße"), "Echo: grüße")
        self.call(api, "mcp_files_write_file", path=str(self.files / "a.txt"), content="roses\n")
        self.assertEqual((self.files / "a.txt").read_text(), "roses\n")
        self.call(api, "mcp_memory_create_entities", entities=[{"name": "Ada", "entityType": "person", "observations": ["counts"]}])
        self.assertIn("Ada", self.call(api, "mcp_memory_read_graph"))
        self.assertIn("1", self.call(api, "mcp_think_sequentialthinking", thought="Hm.", nextThoughtNeeded=False, thoughtNumber=1, totalThoughts=1))
        refused = api.request("POST", "/mcp/tools/mcp_everything_echo/execute", {"arguments": {"message": 7}})
        self.status(refused, 422, "tool_arguments_invalid")
        # Nothing of them is left when the node is killed.
        one.kill9()
        poll("all are gone", lambda: not subprocess.run(["pgrep", "-f", str(self.files)], capture_output=True, check=False).stdout)

    def test_resources_and_prompts(self):
        _, api = self.serve(self.servers()[:1])
        poll("its lists are there", lambda: api.read("/mcp/resources")["items"] and api.read("/mcp/prompts")["items"])
        uri = api.read("/mcp/resources")["items"][0]["uri"]
        read = self.status(api.post("/mcp/servers/everything/resources/read", {"uri": uri}), 200).json
        self.assertEqual(read["contents"][0]["uri"], uri)
        self.assertIn("demo://resource/dynamic/text/{resourceId}",
                      [t["uri_template"] for t in api.read("/mcp/resource-templates")["items"]])
        said = self.status(api.post("/mcp/servers/everything/prompts/args-prompt", {"arguments": {"city": "Bern"}}), 200).json
        self.assertIn("Bern", said["messages"][0]["content"]["text"])
        self.assertEqual(self.status(api.post("/mcp/servers/everything/resources/follow", {"uri": uri}), 200).json["uris"], [uri])

    def answer_the_form_of(self, server, api, model):
        """Of server-everything: texts, numbers, dates, choices of all kinds."""
        run = api.create("/runs", {"goal": "x", "model": model})["id"]
        question = poll("it is asked", lambda: api.all(f"/approvals?run_id={run}&status=pending"))[0]
        self.assertIn("Choose your favorite instruments", question["text"])
        path = f"/approvals/{question['id']}/decide"
        wrong = self.status(api.post(path, {"decision": "answer", "answer": '{"email": "nobody", "integer": 0}'}), 422)
        self.assertTrue({"/answer/integer"} <= {e["pointer"] for e in wrong.json["errors"]}, str(wrong))
        self.status(api.post(path, {"decision": "answer", "answer": json.dumps({"name": "Ada", "untitledMultipleSelectEnum": ["Piano", "Bass"]})}), 200)
        self.assertEqual(api.wait_run(run)["status"], "succeeded")
        step = next(s for s in api.all(f"/runs/{run}/steps") if s.get("tool") == f"mcp_{server}_trigger_elicitation_request")
        for words in ("User provided the requested information", "Ada", "Piano", "It was a dark and stormy night."):
            self.assertIn(words, step["content"])

    def form_script(self, server):
        return self.script("form", json.dumps({"name": "form", "rules": [
            {"when": {"step": 1}, "call": [{"tool": f"mcp_{server}_trigger_elicitation_request", "arguments": {}}]}, {"say": "done"}]}))

    def test_a_person_answers_what_everything_asks(self):
        flags, model = self.form_script("everything")
        _, api = self.serve(self.servers()[:1], *flags)
        self.answer_the_form_of("everything", api, model)

    def test_everything_over_streamable_http(self):
        program_of_server = subprocess.Popen([*program("everything"), "streamableHttp"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                             env={**node_tools.ENVIRONMENT, "PORT": "0"})
        self.addCleanup(program_of_server.stderr.close)
        self.addCleanup(program_of_server.wait)
        self.addCleanup(program_of_server.kill)
        port = None
        for line in program_of_server.stderr:
            if found := re.search(r"port (\d+)", line):
                port = found[1]
                break
        threading.Thread(target=program_of_server.stderr.read, daemon=True).start()
        if port in (None, "0"):  # it does not say which one it got
            port = poll("its port", lambda: port_of(program_of_server.pid))
        flags, model = self.form_script("far")
        _, api = self.serve([{"name": "far", "url": f"http://127.0.0.1:{port}/mcp"}], *flags)
        self.assertEqual(self.call(api, "mcp_far_echo", message="hello"), "Echo: hello")
        self.assertIn("5", self.call(api, "mcp_far_get_sum", a=2, b=3))
        self.answer_the_form_of("far", api, model)


def port_of(pid):
    """Of the one socket on which the process listens."""
    said = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf":(\d+) .*pid={pid},", said)
    return found and found[1]
