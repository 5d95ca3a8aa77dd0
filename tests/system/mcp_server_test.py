"""The node as a server of the Model Context Protocol, over HTTP and over standard input and output, in both eras."""

import http.client
import json
import subprocess
import threading

from tests.system.node import SECONDS_MAX, TROUPE, NodeTest, poll
from tests.system.people_test import QUESTION

BOTH = "application/json, text/event-stream"
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
OPENING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def message(method, params=None, number=1):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def modern(method, params=None, number=1, meta=None):
    return message(method, {**(params or {}), "_meta": {**META, **(meta or {})}}, number)


def modern_headers(asked):
    named = asked["params"].get("name") or asked["params"].get("uri")
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": asked["method"], **({"Mcp-Name": named} if named else {})}


def events(answer):
    """The messages of a stream, as they come."""
    for line in answer:
        if line.startswith(b"data:") and line[5:].strip():
            yield json.loads(line[5:])


class McpServer(NodeTest):
    def begin(self, *rules, script=None):
        flags, self.model = self.script("s", script or json.dumps({"name": "s", "rules": list(rules) or [{"say": "done"}]}))
        self.one = self.node(*flags).start()
        self.api = self.one.client()

    def send(self, body, headers=None, key=None, method="POST"):
        """The answer, open: whoever asks closes its connection."""
        at = self.api
        connection = http.client.HTTPConnection(at.host, at.port, timeout=SECONDS_MAX)
        self.addCleanup(connection.close)
        raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.one.key if key is None else key}", "Accept": BOTH,
                "Content-Type": "application/json", **(headers or {})}
        connection.request(method, "/mcp", raw, {k: v for k, v in sent.items() if v})
        answer = connection.getresponse()
        answer.connection = connection
        return answer

    def ask(self, body, status=200, headers=None, **more):
        answer = self.send(body, headers, **more)
        raw = answer.read()
        self.assertEqual(answer.status, status, raw[:500])
        self.headers = answer.headers
        if answer.headers["Content-Type"] == "text/event-stream":
            return list(events(raw.splitlines()))[-1]
        return json.loads(raw) if raw else None

    def modern(self, method, params=None, status=200, **more):
        asked = modern(method, params)
        return self.ask(asked, status, modern_headers(asked), **more)

    def tool(self, called, /, *, error=False, key=None, **arguments):
        result = self.modern("tools/call", {"name": called, "arguments": arguments}, key=key)["result"]
        self.assertEqual(result["isError"], error, result)
        return result.get("structuredContent") or json.loads(result["content"][0]["text"])

    def open_session(self, **more):
        self.ask(message("initialize", OPENING), **more)
        return {"Mcp-Session-Id": self.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}

    def test_tools_are_the_operations_of_the_api(self):
        self.begin()
        found = self.modern("server/discover")["result"]
        self.assertEqual(found["supportedVersions"], [MODERN])
        tools = {t["name"]: t for t in self.modern("tools/list")["result"]["tools"]}
        self.assertLessEqual({"create_agent", "create_task", "create_run", "cancel_run", "decide_approval", "list_files"}, set(tools))
        self.assertEqual(tools["create_task"]["inputSchema"]["required"], ["title"])
        self.assertTrue(tools["get_task"]["annotations"]["readOnlyHint"])
        task = self.tool("create_task", title="Fix it")
        self.assertEqual(self.api.read(f"/tasks/{task['id']}")["title"], "Fix it")
        self.assertEqual(self.tool("get_task", id=task["id"])["title"], "Fix it")
        self.assertIn(task["id"], [t["id"] for t in self.tool("list_tasks", limit=10)["items"]])
        self.assertEqual(self.tool("create_task", error=True, titel="x")["code"], "invalid_request")
        self.assertEqual(self.tool("get_task", error=True)["code"], "invalid_request")
        self.assertEqual(self.tool("list_tasks", error=True, nothing="x")["code"], "invalid_request")
        self.assertEqual(self.modern("tools/call", {"name": "drop_all"})["error"]["code"], -32602)
        self.assertEqual(self.modern("tools/call", {"name": "delete_project"})["error"]["code"], -32602)  # not offered

    def test_a_caller_may_what_its_role_may(self):
        self.begin()
        viewer = self.api.create("/api-keys", {"name": "v", "role": "viewer"})["key"]
        agent = self.api.create("/agents", {"name": "scout", "model": self.model})
        self.assertEqual(self.tool("get_agent", key=viewer, id=agent["id"])["settings"]["name"], "scout")
        self.assertEqual(self.tool("create_agent", key=viewer, error=True, name="mine")["code"], "forbidden")
        self.assertEqual(len(self.api.read("/agents")["items"]), 1)
        poll("the refusal is in the audit log", lambda: any(
            "create_agent" in json.dumps(e) for e in self.api.read("/audit?result=denied&details=true")["items"]))
        self.ask(message("initialize", OPENING), 401, key="wrong")
        self.assertIn('resource_metadata="http://127.0.0.1:', self.headers["WWW-Authenticate"])
        where = self.headers["WWW-Authenticate"].split('"')[1]
        self.assertEqual(self.one.client(key="", base="").read(where[where.index("/.well"):])["resource"], f"{self.one.url}/mcp")

    def test_a_session_belongs_to_who_opened_it(self):
        self.begin()
        session = self.open_session()
        self.ask({"jsonrpc": "2.0", "method": "notifications/initialized"}, 202, session)
        self.assertEqual(self.ask(message("ping"), headers=session)["result"], {})
        listed = self.ask(message("tools/list"), headers=session)["result"]
        self.assertNotIn("resultType", listed)
        other = self.api.create("/api-keys", {"name": "o", "role": "operator"})["key"]
        self.assertEqual(self.ask(message("ping"), 404, session, key=other)["error"]["code"], -32001)
        self.ask(None, 204, session, method="DELETE")
        self.ask(message("ping"), 404, session)
        self.ask(message("ping"), 400)
        self.ask(None, 400, method="GET")
        for _ in range(70):
            last = self.open_session()
        self.ask(message("ping"), headers=last)

    def test_bad_input_costs_its_sender_only(self):
        self.begin()
        session = self.open_session()
        for body, status, code in ((b"not json", 400, -32700), (b"[]", 400, -32600), (b'{"id":1}', 400, -32600),
                                   (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
                                   (b"\xff\xfe", 400, -32700)):
            self.assertEqual(self.ask(body, status, session)["error"]["code"], code, body)
        self.ask(message("ping"), 406, {**session, "Accept": "application/json"})
        self.ask(message("ping"), 406, {**session, "Accept": None})
        self.ask(message("ping"), 400, {**session, "MCP-Protocol-Version": "1999-01-01"})
        self.ask(message("ping"), 415, {**session, "Content-Type": "text/plain"})
        self.ask([message("ping"), message("ping", number=2)], 400, session)  # this revision has no batches
        for origin, status in (("http://evil.example.com", 403), ("null", 403), ("http://localhost:3000", 200)):
            self.ask(message("ping"), status, {**session, "Origin": origin})
        asked = modern("server/discover", meta={"io.modelcontextprotocol/protocolVersion": "2099-01-01"})
        refused = self.ask(asked, 400, {**modern_headers(asked), "MCP-Protocol-Version": "2099-01-01"})
        self.assertEqual((refused["error"]["code"], refused["error"]["data"]["supported"]), (-32022, [MODERN]))
        self.assertEqual(self.ask(asked, 400, modern_headers(asked))["error"]["code"], -32020)
        self.assertEqual(self.modern("no/such", status=404)["error"]["code"], -32601)
        try:
            self.ask(b'{"x":"' + b"a" * (11 << 20) + b'"}', 413, session)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all was sent
        self.assertEqual(self.ask(message("ping"), headers=session)["result"], {})

    def test_a_call_waits_for_its_run_and_tells_progress(self):
        self.begin()
        asked = modern("tools/call", {"name": "create_run", "arguments": {"goal": "Do it", "model": self.model, "wait": True}},
                       meta={"progressToken": "p"})
        answer = self.send(asked, modern_headers(asked))
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))
        said = list(events(answer))
        self.assertEqual(said[-1]["result"]["structuredContent"]["status"], "succeeded", said[-1])
        told = [m["params"]["progress"] for m in said[:-1]]
        self.assertEqual(told, sorted(told))
        self.assertTrue(all(m["params"]["progressToken"] == "p" for m in said[:-1]))
        run = said[-1]["result"]["structuredContent"]["id"]
        self.assertEqual(self.tool("follow_run", id=run)["status"], "succeeded")
        self.assertEqual(self.tool("follow_run", error=True, id="018f0000-0000-7000-8000-000000000001")["code"], "not_found")

    def test_cancelling_the_call_cancels_the_run(self):
        self.begin({"call": [{"tool": "wait", "arguments": {"seconds": 600}}]})
        asked = modern("tools/call", {"name": "create_run", "arguments": {"goal": "Wait", "model": self.model, "wait": True}})
        answer = self.send(asked, modern_headers(asked))
        run = poll("it runs", lambda: self.api.read("/runs")["items"])[0]["id"]
        answer.connection.close()
        answer.close()
        self.assertEqual(self.api.wait_run(run)["status"], "cancelled")

    def test_what_a_run_asks_is_asked_of_the_client(self):
        self.begin(script=QUESTION)
        able = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        wish = {"name": "create_run", "arguments": {"goal": "Ask", "model": self.model, "wait": True}}

        def send(more):
            asked = modern("tools/call", {**wish, **more}, meta=able)
            return self.ask(asked, headers=modern_headers(asked))
        wanted = send({})["result"]
        self.assertEqual(wanted["resultType"], "input_required", wanted)
        question = wanted["inputRequests"]["answer"]
        self.assertEqual((question["method"], question["params"]["message"]), ("elicitation/create", "Which colour?"))
        said = {"answer": {"action": "accept", "content": {"answer": "blue"}}}
        self.assertEqual(send({"inputResponses": said})["error"]["code"], -32602)  # no second run without the state
        done = send({"inputResponses": said, "requestState": wanted["requestState"]})["result"]["structuredContent"]
        self.assertEqual((done["status"], done["result"]), ("succeeded", "It is blue."))
        self.assertEqual(len(self.api.read("/runs")["items"]), 1)
        # who cannot be asked is told that the run waits; so is who declines
        waiting = self.tool("create_run", goal="Ask", model=self.model, wait=True)
        self.assertEqual((waiting["status"], waiting["waiting"][0]["reason"]), ("waiting", "question"))
        wanted = send({})["result"]
        declined = send({"inputResponses": {"answer": {"action": "decline"}}, "requestState": wanted["requestState"]})
        self.assertEqual(declined["result"]["structuredContent"]["status"], "waiting")

    def test_resources_are_read_and_followed(self):
        self.begin()
        task = self.api.create("/tasks", {"title": "Look"})
        uri = f"troupe://tasks/{task['id']}"
        self.assertIn(uri, [r["uri"] for r in self.modern("resources/list")["result"]["resources"]])
        read = self.modern("resources/read", {"uri": uri})["result"]["contents"][0]
        self.assertEqual((read["mimeType"], json.loads(read["text"])["title"]), ("application/json", "Look"))
        missing = self.modern("resources/read", {"uri": "troupe://tasks/018f0000-0000-7000-8000-000000000001"})
        self.assertEqual(missing["error"]["code"], -32602)
        self.assertEqual(len(self.modern("resources/templates/list")["result"]["resourceTemplates"]), 5)
        completed = self.modern("completion/complete", {"ref": {"type": "ref/resource", "uri": "troupe://tasks/{id}"},
                                                        "argument": {"name": "id", "value": task["id"][:8]}})
        self.assertEqual(completed["result"]["completion"]["values"], [task["id"]])
        asked = modern("subscriptions/listen", {"notifications": {"resourceSubscriptions": [uri]}}, number=9)
        said = events(self.send(asked, modern_headers(asked)))
        self.assertEqual(next(said)["method"], "notifications/subscriptions/acknowledged")
        self.api.ok("POST", f"/tasks/{task['id']}/messages", {"content": "Well"})
        changed = next(said)
        self.assertEqual((changed["method"], changed["params"]["uri"]), ("notifications/resources/updated", uri))
        self.assertEqual(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 9)

    def test_prompts_say_how_to_begin(self):
        self.begin()
        names = {p["name"] for p in self.modern("prompts/list")["result"]["prompts"]}
        self.assertEqual(names, {"start_task", "review_run", "decide_approvals"})
        got = self.modern("prompts/get", {"name": "start_task", "arguments": {"goal": "Tidy up"}})["result"]
        self.assertIn("Tidy up", got["messages"][0]["content"]["text"])
        self.assertEqual(self.modern("prompts/get", {"name": "start_task"})["error"]["code"], -32602)

    # ---- Standard input and output.

    def stdio(self):
        process = subprocess.Popen([TROUPE, "mcp", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**self.one.environment,
                                                                           "TROUPE_DATA": str(self.one.directory)})
        watchdog = threading.Timer(SECONDS_MAX, process.kill)
        watchdog.start()

        def end():
            watchdog.cancel()
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()
        self.addCleanup(end)

        def say(what):
            process.stdin.write((what if isinstance(what, str) else json.dumps(what)) + "\n")
            process.stdin.flush()

        def hear():
            return json.loads(process.stdout.readline())
        return process, say, hear

    def test_stdio_carries_both_eras(self):
        self.begin()
        process, say, hear = self.stdio()
        say(modern("server/discover", number="d"))
        self.assertEqual((found := hear())["id"], "d", found)
        self.assertEqual(found["result"]["supportedVersions"], [MODERN])
        say(modern("tools/call", {"name": "create_task", "arguments": {"title": "Grüße"}}, 2))
        self.assertEqual(hear()["result"]["structuredContent"]["title"], "Grüße")
        say(modern("no/such", number=3))
        self.assertEqual(hear()["error"]["code"], -32601)
        say("not json")
        self.assertEqual(hear()["error"]["code"], -32700)
        say(message("initialize", OPENING, 4))
        self.assertEqual(hear()["result"]["protocolVersion"], "2025-11-25")
        say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        say(message("tools/list", number=5))
        self.assertGreater(len(hear()["result"]["tools"]), 20)
        task = self.api.read("/tasks")["items"][0]["id"]
        say(message("resources/subscribe", {"uri": f"troupe://tasks/{task}"}, 6))
        self.assertEqual(hear(), {"jsonrpc": "2.0", "id": 6, "result": {}})
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS_MAX), 0)
        self.assertEqual(process.stdout.read(), "")

    def test_stdio_asks_in_the_legacy_era(self):
        self.begin(script=QUESTION)
        process, say, hear = self.stdio()
        say(message("initialize", {**OPENING, "capabilities": {"elicitation": {}}}))
        hear()
        say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        say(message("tools/call", {"name": "create_run", "arguments": {"goal": "Ask", "model": self.model, "wait": True}}, 2))
        question = hear()
        self.assertEqual(question["method"], "elicitation/create")
        say({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"answer": "red"}}})
        done = hear()
        self.assertEqual((done["id"], done["result"]["structuredContent"]["result"]), (2, "It is red."))
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS_MAX), 0)

    def test_stdio_cancels_and_outlives_the_node(self):
        self.begin({"call": [{"tool": "wait", "arguments": {"seconds": 600}}]})
        process, say, hear = self.stdio()
        say(modern("tools/call", {"name": "create_run", "arguments": {"goal": "Wait", "model": self.model, "wait": True}}, 7))
        run = poll("it runs", lambda: self.api.read("/runs")["items"])[0]["id"]
        say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
        self.assertEqual(self.api.wait_run(run)["status"], "cancelled")
        say(message("initialize", OPENING, 1))
        self.assertIn("result", hear())
        self.one.stop()
        say(message("ping", number=2))
        self.assertIn("error", hear())
        port = self.one.url.rsplit(":", 1)[1]
        self.one.flags += ["--listen", f"127.0.0.1:{port}"]
        self.one.start()
        say(message("ping", number=3))
        self.assertEqual(hear(), {"jsonrpc": "2.0", "id": 3, "result": {}})  # in a session that was opened anew
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS_MAX), 0)
