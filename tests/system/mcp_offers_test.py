"""What servers of the Model Context Protocol offer beside tools, in both eras, through the real program."""

import concurrent.futures

from tests.system.mcp_client_test import McpNode
from tests.system.node import poll
from tests.system.websocket import WebSocket

TOOLS = 8  # of the server with --offers


class McpOffers(McpNode):
    def setUp(self):
        super().setUp()
        slow = {"when": {"goal_contains": "Wait"}, "call": [{"tool": "mcp_small_slow", "arguments": {"seconds": 3}}]}
        reads = [{"when": {"step": n}, "call": [{"tool": "mcp_small_read_resource", "arguments": a}]}
                 for n, a in enumerate(({}, {"uri": "note://a"}, {"uri": "else://x"}), 1)]
        done = {"call": [{"tool": "finish", "arguments": {"result": "Done."}}]}
        self.begin(("small", ["--offers"], {}), ("modern", ["--offers", "--modern"], {}), script=[slow, *reads, done])
        for name in ("small", "modern"):
            self.wait_tools(TOOLS, name)
            poll("its lists are there", lambda name=name: len(self.items("/mcp/resources", name)) == 2 and self.items("/mcp/prompts", name)
                 and self.items("/mcp/resource-templates", name))

    def items(self, path, server):
        return [i for i in self.api.read(path)["items"] if i["server"] == server]

    def ask(self, server, what, body, status=200):
        return self.status(self.api.post(f"/mcp/servers/{server}/{what}", body), status).json

    def test_resources_prompts_and_completion(self):
        for name in ("small", "modern"):
            first = self.items("/mcp/resources", name)[0]
            self.assertEqual(first, {"server": name, "uri": "note://a", "name": "A", "mime_type": "text/plain", "size": 5})
            self.assertEqual(self.items("/mcp/resource-templates", name)[0]["uri_template"], "note://{name}")
            self.assertEqual(self.ask(name, "resources/read", {"uri": "note://c"})["contents"][0]["text"], "This is note://c.")
            prompt = self.items("/mcp/prompts", name)[0]
            self.assertEqual([(a["name"], a["required"]) for a in prompt["arguments"]], [("city", True), ("day", False)])
            said = self.ask(name, "prompts/report", {"arguments": {"city": "Bern"}})
            self.assertEqual(said["messages"][0]["content"]["text"], "How is Bern?")
            self.assertIn("which city?", self.ask(name, "prompts/report", {}, 422)["detail"])
            self.ask(name, "prompts/report", {"arguments": []}, 422)
            for of in ({"prompt": "report"}, {"uri_template": "note://{name}"}):
                self.assertEqual(self.ask(name, "complete", {**of, "argument": "city", "value": "B"})["values"], ["Basel", "Bern", "Biel"])
            self.ask(name, "complete", {"argument": "city"}, 422)
        self.ask("small", "resources/read", {"uri": "else://x"}, 404)
        self.ask("modern", "resources/read", {"uri": "else://x"}, 422)
        self.ask("nobody", "resources/read", {"uri": "note://a"}, 404)
        poll("the level is set", lambda: "[info] small: \"the level is set\"" in self.api.read("/mcp/servers/small/logs")["lines"])

    def test_changes_are_told(self):
        with WebSocket(self.one.url, self.one.key) as socket:
            self.assertEqual(socket.subscribe("mcp")["op"], "subscribed")
            for name in ("small", "modern"):
                changed, grown = (("mcp_resource_updated", {"server": name, "uri": "note://a"}),
                                  ("mcp_list_changed", {"server": name, "list": "resources"}))
                self.assertEqual(self.ask(name, "resources/follow", {"uri": "note://a"})["uris"], ["note://a"])
                self.run_tool(f"mcp_{name}_touch", uri="note://b")
                self.run_tool(f"mcp_{name}_touch", uri="note://a")
                self.assertEqual(self.next_of(socket), changed)
                self.run_tool(f"mcp_{name}_more")
                self.assertEqual(self.next_of(socket), grown)
                self.assertEqual(len(self.items("/mcp/resources", name)), 3)
                # It is followed on the next connection, too, until somebody ends that.
                self.status(self.api.post(f"/mcp/servers/{name}/restart", {}), 200)
                poll("it is back", lambda name=name: self.server(name)["health"]["status"] == "healthy")
                self.assertEqual(self.next_of(socket), grown)
                self.run_tool(f"mcp_{name}_touch", uri="note://a")
                self.assertEqual(self.next_of(socket), changed)
                self.assertEqual(self.ask(name, "resources/unfollow", {"uri": "note://a"})["uris"], [])
                self.run_tool(f"mcp_{name}_touch", uri="note://a")
                self.run_tool(f"mcp_{name}_more")
                self.assertEqual(self.next_of(socket), grown)

    def test_progress_and_cancellation(self):
        said = self.one.cli("mcp", "call", "mcp_small_slow", '{"seconds":0.1}')
        self.assertEqual((said.stdout, said.returncode), ("at last\n", 0))
        self.assertIn("1 of 2: halfway\n", said.stderr)
        self.status(self.api.post("/mcp/calls/nobody/cancel", {}), 404)
        for name in ("small", "modern"):
            with WebSocket(self.one.url, self.one.key) as socket:
                socket.subscribe("mcp")
                with concurrent.futures.ThreadPoolExecutor(1) as other:
                    api = self.one.client()
                    answer = other.submit(api.post, f"/mcp/tools/mcp_{name}_slow/execute", {"arguments": {"seconds": 3}, "call": "mine"})
                    event = {"call": "mine", "tool": f"mcp_{name}_slow", "progress": 1, "total": 2, "message": "halfway"}
                    self.assertEqual(self.next_of(socket), ("mcp_progress", event))
                    twice = self.api.post(f"/mcp/tools/mcp_{name}_slow/execute", {"arguments": {}, "call": "mine"})
                    self.status(twice, 409, "conflict")
                    self.status(self.api.post("/mcp/calls/mine/cancel", {}), 204)
                    self.assertEqual(answer.result().code, "cancelled")
            self.told_of_cancellation(name)

    def told_of_cancellation(self, name):
        poll("the server was told", lambda: "it was cancelled" in self.api.read(f"/mcp/servers/{name}/logs")["lines"])

    def next_of(self, socket):
        event = socket.read()
        return event["kind"], event["data"]

    def test_a_cancelled_run_cancels_its_call(self):
        run = self.api.create("/runs", {"goal": "Wait.", "model": self.model})["id"]
        with WebSocket(self.one.url, self.one.key) as socket:
            socket.subscribe(f"runs/{run}", since="start")
            while (event := socket.read())["kind"] != "output":
                pass
            self.assertEqual(event["data"]["text"], "[1/2] halfway\n")
        self.status(self.api.post(f"/runs/{run}/cancel", {}), 200)
        self.assertEqual(self.api.wait_run(run)["status"], "cancelled")
        self.told_of_cancellation("small")

    def test_agents_list_and_read_resources(self):
        run = self.api.create("/runs", {"goal": "Read.", "model": self.model})["id"]
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        said = [s["content"] for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "mcp_small_read_resource"]
        for words, content in zip(("note://{name}", "This is note://a.", "there is no else://x"), said, strict=True):
            self.assertIn(words, content)
        self.assertIn("comes from the MCP server small", said[1])

    def test_the_command_line(self):
        self.assertIn("note://a", self.one.cli("mcp", "resources", "small").stdout)
        self.assertIn("note://{name}", self.one.cli("mcp", "resources", "--templates").stdout)
        self.assertIn("There is none.", self.one.cli("mcp", "resources", "other").stdout)
        self.assertEqual(self.one.cli("mcp", "read", "small", "note://a").stdout, "This is note://a.\n")
        self.assertIn("city=… [day=…]", self.one.cli("mcp", "prompts").stdout)
        self.assertIn("How is Bern?", self.one.cli("mcp", "prompt", "modern", "report", "city=Bern").stdout)
        self.assertEqual(self.one.cli("mcp", "prompt", "modern", "report", "Bern").returncode, 2)

