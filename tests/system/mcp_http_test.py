"""MCP servers over Streamable HTTP: another node's /mcp, and a server of the older era that drops sessions."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.system.node import NodeTest, poll


class OldServer(ThreadingHTTPServer):
    """Speaks 2025-06-18 with sessions; answers calls on a stream, `slow` only after its stream was asked for again."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.sessions, self.seen, self.deleted, self.pending = set(), [], [], {}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/mcp"

    def handle_error(self, request, client_address):
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, *events):
        body = "".join(events).encode()
        self.say(200, body, Content_Type="text/event-stream")

    def session_is_known(self):
        if self.headers.get("Mcp-Session-Id") in self.server.sessions:
            return True
        self.say(404, b"no such session")
        return False

    def do_GET(self):
        if not self.session_is_known():
            return
        last = self.headers.get("Last-Event-ID")
        if last in self.server.pending:
            answer = {"jsonrpc": "2.0", "id": self.server.pending.pop(last), "result": {"content": [{"type": "text", "text": "at last"}]}}
            self.stream(f"id: {last}x\ndata: {json.dumps(answer)}\n\n")
        else:
            self.say(405)

    def do_DELETE(self):
        self.server.deleted.append(self.headers.get("Mcp-Session-Id"))
        self.say(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        self.server.seen.append((message.get("method"), dict(self.headers)))
        method, id_ = message.get("method"), message.get("id")
        if self.headers.get("Authorization") != "Bearer let-me-in":
            return self.say(401, b"who are you?", WWW_Authenticate="Bearer")
        if method == "initialize":
            session = f"s{len(self.server.sessions)}"
            self.server.sessions.add(session)
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "old", "version": "1"}}
            return self.say(200, json.dumps({"jsonrpc": "2.0", "id": id_, "result": result}).encode(),
                            Content_Type="application/json", Mcp_Session_Id=session)
        if method == "server/discover":
            return self.say(400, b"Bad Request: what is that?")
        if not self.session_is_known():
            return None
        if id_ is None:
            return self.say(202)
        if method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("echo", "slow", "break")]
            result = {"tools": tools}
        elif method == "tools/call" and message["params"]["name"] == "slow":
            self.server.pending[f"e{id_}"] = id_
            return self.stream("retry: 50\n", f"id: e{id_}\ndata: \n\n")
        elif method == "tools/call" and message["params"]["name"] == "break":
            self.server.sessions.clear()
            return self.say(404, b"no such session")
        else:
            result = {"content": [{"type": "text", "text": json.dumps(message.get("params", {}).get("arguments"))}]}
        return self.stream(": hello\n\n", f"data: {json.dumps({'jsonrpc': '2.0', 'id': id_, 'result': result})}\n\n")


class McpHttpTest(NodeTest):
    def server(self, port=0):
        server = OldServer(port)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def connected(self, *servers, **more):
        one = self.node("--mcp.servers", json.dumps(servers), **more).start()
        return one, one.client()

    def health(self, api, name):
        return api.read(f"/mcp/servers/{name}/health")

    def is_healthy(self, api, name):
        return poll(f"{name} is healthy", lambda: (lambda h: h if h["status"] == "healthy" else None)(self.health(api, name)))

    def execute(self, api, tool, arguments=None):
        return api.request("POST", f"/mcp/tools/{tool}/execute", {"arguments": arguments or {}})

    def test_a_node_uses_another_node(self):
        far = self.node(name="far").start()
        near, api = self.connected({"name": "far", "url": far.url + "/mcp", "headers": {"Authorization": f"Bearer {far.key}"}})
        self.is_healthy(api, "far")
        shown = api.read("/mcp/servers/installed")["items"][0]
        self.assertEqual((shown["transport"], shown["protocol_version"]), ("http", "2026-07-28"))
        made = self.execute(api, "mcp_far_create_task", {"title": "From afar"})
        self.assertEqual(made.status, 200, str(made))
        self.assertEqual([t["title"] for t in far.client().all("/tasks")], ["From afar"])
        wrong = self.execute(api, "mcp_far_create_task", {"title": 7})
        self.assertGreaterEqual(wrong.status, 400)
        # It comes back when the other node does.
        far.kill9()
        poll("the loss is seen", lambda: self.execute(api, "mcp_far_list_tasks").status == 503)
        lost = poll("it is said", lambda: (lambda h: h if h["status"] == "error" else None)(self.health(api, "far")))
        self.assertGreaterEqual(lost["restarts"], 1)
        far.flags += ["--listen", far.url.removeprefix("http://")]  # the address that the other one knows
        far.start()
        poll("it works again", lambda: self.execute(api, "mcp_far_list_tasks").status == 200)
        self.assertEqual(api.read("/mcp/servers/installed")["items"][0]["protocol_version"], "2026-07-28")

    def test_an_older_server_with_sessions_streams_and_a_key(self):
        server = self.server()
        one, api = self.connected({"name": "old", "url": server.url, "headers": {"Authorization": "Bearer let-me-in"}})
        self.is_healthy(api, "old")
        self.assertEqual(api.read("/mcp/servers/installed")["items"][0]["protocol_version"], "2025-06-18")
        answer = self.execute(api, "mcp_old_echo", {"a": "ä"})
        self.assertEqual(json.loads(answer.json["content"][0]["text"]), {"a": "ä"})
        headers = [h for method, h in server.seen if method == "tools/call"][-1]
        self.assertEqual(headers["MCP-Protocol-Version"], "2025-06-18")
        # A stream that ends before its answer is gone on with.
        self.assertEqual(self.execute(api, "mcp_old_slow").json["content"][0]["text"], "at last")
        # A session that the server has forgotten is opened anew.
        self.assertNotEqual(self.execute(api, "mcp_old_break").status, 200)
        poll("a new session", lambda: self.execute(api, "mcp_old_echo").status == 200)
        one.stop()
        self.assertTrue(server.deleted, "the session was not ended")

    def test_who_is_not_let_in_and_who_is_not_there_is_said(self):
        server = self.server()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            _, api = self.connected({"name": "closed", "url": server.url, "headers": {"Authorization": "Bearer wrong"}}, {"name": "away", "url": f"http://127.0.0.1:{port}/mcp"})
            closed = poll("the refusal", lambda: (lambda h: h if h["status"] == "error" else None)(self.health(api, "closed")))
            self.assertIn("401", closed["error"])
            away = poll("the error", lambda: (lambda h: h if h["status"] == "error" else None)(self.health(api, "away")))
            self.assertIn("127.0.0.1", away["error"])
            self.assertEqual(self.execute(api, "mcp_closed_echo").status, 404)

    def test_wrong_settings_are_named(self):
        for server, place in (({"name": "a", "url": "ftp://x"}, "/0/url"), ({"name": "a", "url": "http://u:p@x/"}, "/0/url"),
                              ({"name": "a"}, "/0/command"), ({"name": "a", "url": "http://x/", "command": ["x"]}, "/0/url"),
                              ({"name": "a", "url": "http://x/", "headers": {"A b": "c"}}, "/0/headers/A b")):
            code, said = self.node("--mcp.servers", json.dumps([server]), name=place.replace("/", "_")).refused()
            self.assertEqual(code, 2, said)
            self.assertIn(place, said)
