"""The catalogue of MCP servers: found in a registry and in the operator's own list, installed from npm with version and
checksum, configured, upgraded, taken away; through kills of the node and while the registry is away."""

import http.server
import json
import threading
import urllib.parse

from tests.system import node_tools
from tests.system.node import SECONDS_MAX, NodeTest, poll

PACKAGE = "@modelcontextprotocol/server-everything"
VERSION = json.loads((node_tools.FOLDER / "node_modules" / PACKAGE / "package.json").read_text())["version"] \
    if (node_tools.FOLDER / "node_modules" / PACKAGE / "package.json").exists() else "0"


def npm(name, identifier=PACKAGE, version=VERSION, **more):
    return {"name": name, "description": f"About {name}", "version": version,
            "packages": [{"registryType": "npm", "identifier": identifier, "version": version,
                          "transport": {"type": "stdio"}, **more}]}


FAR = {"name": "io.example/far", "description": "Far away", "version": "1.0.0",
       "remotes": [{"type": "streamable-http", "url": "http://127.0.0.1:9/mcp",
                    "headers": [{"name": "X-Key", "isSecret": True, "isRequired": True, "description": "The key"}]}]}


class Registry:
    """A registry, API v0.1, of a few servers; a page has two."""

    def __init__(self, servers, port=0):
        self.servers, self.asked = servers, 0
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):  # noqa: N802
                registry.asked += 1
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                parts = [urllib.parse.unquote(p) for p in url.path.split("/")[1:]]
                if parts == ["v0.1", "servers"]:
                    found = [s for s in registry.servers if query.get("search", "") in s["name"]]
                    at = int(query.get("cursor", 0))
                    self.reply(200, {"servers": [{"server": s, "_meta": {}} for s in found[at:at + 2]],
                                     "metadata": {"nextCursor": str(at + 2) if at + 2 < len(found) else ""}})
                    return
                found = [s for s in registry.servers if s["name"] == parts[2]
                         and parts[4] in ("latest", s["version"])]
                self.reply(200 if found else 404, {"server": found[-1]} if found else {})

            def reply(self, status, body):
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class McpCatalogueTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.registry = Registry([npm("io.example/everything"), npm("io.example/none", "@modelcontextprotocol/there-is-none", "1.0.0"),
                                  {"name": "io.example/snake", "description": "", "version": "1.0.0",
                                   "packages": [{"registryType": "pypi", "identifier": "snake", "version": "1.0.0"}]},
                                  FAR,
                                  npm("io.example/bad", "../../etc")])
        self.addCleanup(self.registry.stop)
        self.one = self.node("--mcp.registries", self.registry.url).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def names(self, path):
        return [s["name"] for s in self.api.all(path)]

    def install(self, status=201, **body):
        return self.status(self.api.post("/mcp/servers/install", body), status).json

    def installation(self, id):
        return self.api.read(f"/mcp/servers/{id}/installation")

    def healthy(self, id):
        return any(s["id"] == id and s["health"]["status"] == "healthy" and s["tools"]
                   for s in self.api.read("/mcp/servers/installed")["items"])

    def test_servers_are_found_also_while_the_registry_is_away(self):
        everything = ["io.example/everything", "io.example/none", "io.example/snake", "io.example/far", "io.example/bad"]
        self.assertEqual(self.names("/mcp/servers/available"), everything)
        self.assertEqual(self.names("/mcp/servers/available?search=snake"), ["io.example/snake"])
        self.assertIn("io.example/far", self.one.cli("mcp", "search", "far").stdout)
        asked = self.registry.asked
        self.names("/mcp/servers/available?search=snake")
        self.assertEqual(self.registry.asked, asked)  # it was asked a moment ago
        self.status(self.api.get("/mcp/servers/available?cursor=what"), 422)
        self.registry.stop()
        self.again()
        self.assertEqual(self.names("/mcp/servers/available?search=snake"), ["io.example/snake"])
        silent = self.api.get("/mcp/servers/available?search=other")
        self.status(silent, 503)
        self.assertIn(self.registry.url, silent.json["detail"])

    def test_the_operators_own_come_first(self):
        own = self.folder / "catalogue.json"
        own.write_text(json.dumps([npm("io.own/tools")]))
        self.one.stop()
        one = self.node("--mcp.registries", "", "--mcp.catalogue", own).start()
        self.assertEqual([s["name"] for s in one.client().all("/mcp/servers/available")], ["io.own/tools"])
        own.write_text('[{"name": "x"}]')
        self.assertIn("server 1", self.status(one.client().get("/mcp/servers/available"), 503).json["detail"])

    def test_what_cannot_be_installed_is_refused_with_the_reason(self):
        for body, pointer, words in (({"name": "io.example/snake"}, "/name", "pypi"), ({"name": "io.example/bad"}, "/name", "npm"),
                                     ({"name": "io.example/far"}, "/values/X-Key", "needed"),
                                     ({"name": "io.example/far", "values": {"X-Key": "abc"}}, "/values/X-Key", "secret"),
                                     ({"name": "io.example/everything", "id": "Big Name"}, "/id", "a-z"),
                                     ({"name": "io.example/everything", "type": "oci"}, "/type", "package")):
            refused = self.install(422, **body)
            self.assertEqual(refused["errors"][0]["pointer"], pointer, refused)
            self.assertIn(words, refused["detail"])
        self.install(404, name="io.example/unknown")
        self.status(self.api.delete("/mcp/servers/unknown"), 404)
        self.assertEqual(self.api.read("/mcp/servers/installed")["items"], [])

    def test_a_remote_server_is_connected_to_at_once_and_kept(self):
        self.api.request("PUT", "/secrets/FAR", {"value": "k"})
        made = self.install(name="io.example/far", values={"X-Key": "secret:FAR"})
        self.assertEqual((made["id"], made["status"]), ("far", "installed"))
        listed = lambda: [s["id"] for s in self.api.read("/mcp/servers/installed")["items"]]
        poll("it is there", lambda: listed() == ["far"])
        self.again()
        poll("it is there again", lambda: listed() == ["far"])
        self.status(self.api.post("/mcp/servers/far/disable"), 200)
        poll("it is disabled", lambda: listed() == [])
        self.status(self.api.post("/mcp/configure", {"id": "far", "enabled": True}), 200)
        poll("it is enabled", lambda: listed() == ["far"])
        self.assertEqual(self.api.read("/mcp/servers/available?search=far")["items"][0]["installed_as"], "far")
        self.status(self.api.delete("/mcp/servers/far"), 204)
        poll("it is gone", lambda: listed() == [])
        self.one.stop()
        self.check_disk(self.one)

    def test_a_package_of_npm_is_brought_pinned_and_runs_in_the_sandbox(self):
        node_tools.check()
        made = self.install(name="io.example/everything", id="every")
        self.assertEqual((made["status"], made["package"]["version"]), ("installing", VERSION))
        self.again()  # in the middle of it
        poll("it answers", lambda: self.healthy("every"), 6 * SECONDS_MAX)
        shown = self.installation("every")
        lock = json.loads((node_tools.FOLDER / "package-lock.json").read_text())
        self.assertEqual(shown["integrity"], lock["packages"][f"node_modules/{PACKAGE}"]["integrity"])
        done = self.api.request("POST", "/mcp/tools/mcp_every_echo/execute", {"arguments": {"message": "hi"}})
        self.assertEqual(self.status(done, 200).json["content"][0]["text"], "Echo: hi")
        self.assertIn("every", self.one.cli("mcp", "list").stdout)
        upgraded = self.one.cli("mcp", "upgrade", "every", "--json")
        self.assertEqual(upgraded.returncode, 0, upgraded)
        removed = self.one.cli("mcp", "uninstall", "every")
        self.assertEqual(removed.returncode, 0, removed)
        poll("its tools are gone", lambda: self.api.read("/mcp/tools")["items"] == [])

    def test_a_package_that_is_not_there_fails_with_what_npm_said(self):
        node_tools.check()
        self.install(name="io.example/none")
        failed = poll("it fails", lambda: (i := self.installation("none"))["status"] == "failed" and i, 6 * SECONDS_MAX)
        self.assertIn("npm could not bring", failed["error"])
        self.assertEqual(self.api.read("/mcp/servers/installed")["items"], [])
