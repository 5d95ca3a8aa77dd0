"""MCP servers that ask for OAuth 2.1: a person opens a page once, the node keeps and renews its tokens."""

import base64
import hashlib
import json
import secrets
import subprocess
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.system.node import TROUPE, NodeTest, poll


class Guarded(ThreadingHTTPServer):
    """An MCP server and its authorization server in one; whoever opens its page agrees."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.codes, self.tokens, self.refreshes, self.clients, self.lifetime_s = {}, set(), set(), {}, 3600
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, document=None, **headers):
        body = json.dumps(document).encode() if document is not None else b""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        origin, at = self.server.origin, urllib.parse.urlsplit(self.path)
        if at.path == "/.well-known/oauth-protected-resource/mcp":
            self.say(200, {"resource": origin + "/mcp", "authorization_servers": [origin], "scopes_supported": ["use"]})
        elif at.path == "/.well-known/oauth-authorization-server":
            self.say(200, {"issuer": origin, "authorization_endpoint": origin + "/authorize", "token_endpoint": origin + "/token",
                           "registration_endpoint": origin + "/register", "response_types_supported": ["code"],
                           "grant_types_supported": ["authorization_code", "refresh_token"],
                           "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none"],
                           "authorization_response_iss_parameter_supported": True})
        elif at.path == "/authorize":
            asked = dict(urllib.parse.parse_qsl(at.query))
            if asked["client_id"] not in self.server.clients or asked["redirect_uri"] not in self.server.clients[asked["client_id"]]:
                return self.say(400, {"error": "invalid_client"})
            code = secrets.token_urlsafe(8)
            self.server.codes[code] = asked
            back = urllib.parse.urlencode({"code": code, "state": asked["state"], "iss": origin})
            self.say(302, Location=asked["redirect_uri"] + "?" + back)
        else:
            self.say(405 if at.path == "/mcp" else 404)
        return None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/register":
            client = secrets.token_urlsafe(6)
            self.server.clients[client] = json.loads(body)["redirect_uris"]
            return self.say(201, {"client_id": client, **json.loads(body)})
        if self.path == "/token":
            return self.token(dict(urllib.parse.parse_qsl(body)))
        return self.mcp(json.loads(body))

    def token(self, asked):
        if asked["grant_type"] == "authorization_code":
            begun = self.server.codes.pop(asked["code"], None)
            proof = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).decode().rstrip("=")
            if not begun or begun["code_challenge"] != proof or asked.get("resource") != self.server.origin + "/mcp":
                return self.say(400, {"error": "invalid_grant"})
        elif asked["refresh_token"] not in self.server.refreshes:
            return self.say(400, {"error": "invalid_grant"})
        access, refresh = secrets.token_urlsafe(8), secrets.token_urlsafe(8)
        self.server.tokens.add(access)
        self.server.refreshes = {refresh}
        return self.say(200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer",
                              "expires_in": self.server.lifetime_s})

    def mcp(self, message):
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.server.tokens:
            return self.say(401, {"error": "no"}, WWW_Authenticate=f'Bearer resource_metadata="{self.server.origin}'
                                                                   '/.well-known/oauth-protected-resource/mcp"')
        method, id_ = message.get("method"), message.get("id")
        if id_ is None:
            return self.say(202)
        results = {"initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "g", "version": "1"}},
                   "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
                   "tools/call": {"content": [{"type": "text", "text": "let in"}]}, "ping": {}}
        if method not in results:
            return self.say(200, {"jsonrpc": "2.0", "id": id_, "error": {"code": -32601, "message": "no such method"}})
        return self.say(200, {"jsonrpc": "2.0", "id": id_, "result": results[method]})


class McpAuthTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.server = Guarded()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        servers = [{"name": "guarded", "url": self.server.origin + "/mcp"}]
        self.one = self.node("--mcp.servers", json.dumps(servers)).start()
        self.api = self.one.client()

    def auth(self):
        return self.api.read("/mcp/servers/guarded/auth")

    def needed(self):
        return poll("the URL", lambda: (lambda a: a if a["status"] == "needed" and a.get("url") else None)(self.auth()))

    def open_page(self, url):
        """As a browser: follows to where it is sent back to."""
        with urllib.request.urlopen(url, timeout=30) as page:
            return page.read().decode()

    def works(self):
        return poll("its tool", lambda: (lambda r: r if r.status == 200 else None)(
            self.api.request("POST", "/mcp/tools/mcp_guarded_echo/execute", {"arguments": {}})))

    def test_a_person_opens_a_page_once_and_the_tokens_outlive_a_kill_9(self):
        health = poll("it is said", lambda: (lambda h: h if "mcp auth" in h.get("error", "") else None)(
            self.api.read("/mcp/servers/guarded/health")))
        self.assertIn("troupe mcp auth guarded", health["error"])
        waiting = self.needed()
        self.assertEqual(waiting["scopes"], ["use"])
        page = self.open_page(waiting["url"])
        self.assertIn("guarded can be used now", page)
        self.assertEqual(self.works().json["content"][0]["text"], "let in")
        self.assertEqual(self.auth()["status"], "authorized")
        # Nobody opens that page again, and nobody reads the token.
        self.assertNotIn(next(iter(self.server.tokens)), json.dumps([self.auth(), self.api.read("/secrets")]))
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        self.works()
        # A token that is refused is renewed by itself.
        self.server.tokens.clear()
        self.works()
        # When that does not work any more, somebody has to look.
        self.server.tokens.clear()
        self.server.refreshes.clear()
        self.api.request("POST", "/mcp/tools/mcp_guarded_echo/execute", {"arguments": {}})
        self.needed()

    def test_the_command_line_shows_the_page_and_waits(self):
        self.needed()
        waiting = subprocess.Popen([TROUPE, "mcp", "auth", "guarded", "--url", self.one.url, "--key", self.one.key],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(waiting.stdout.close)
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        url = next(line.strip() for line in waiting.stdout if line.strip().startswith("http"))
        self.open_page(url)
        rest = waiting.stdout.read()
        self.assertEqual(waiting.wait(30), 0)
        self.assertIn("The node is authorized", rest)
        self.works()
        forgotten = self.one.cli("mcp", "auth", "guarded", "--forget")
        self.assertEqual(forgotten.returncode, 0, forgotten.stderr)
        self.assertNotEqual(self.auth()["status"], "authorized")

    def test_a_redirect_that_nobody_waits_for_is_refused(self):
        url = self.needed()["url"]
        state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))["state"]
        for query in ({"code": "x", "state": "made-up"}, {"code": "x", "state": state, "iss": "https://evil.example"}):
            answer = self.api.request("GET", "/mcp/oauth/callback?" + urllib.parse.urlencode(query))
            self.assertEqual(answer.status, 400, str(answer))
        self.assertEqual(self.server.tokens, set())
