"""The operations of the node as a server of the Model Context Protocol, for contract_test.py. What they do: mcp_server_test.py."""

import concurrent.futures
import http.client
import urllib.parse
import urllib.request

from tests.system.node import poll

BOTH = {"Accept": "application/json, text/event-stream"}


class Stay(urllib.request.HTTPErrorProcessor):
    """A redirect is an answer."""

    def http_response(self, request, response):
        return response


class McpServerContract:
    def served_mcp(self):
        for name in ("get_protected_resource", "get_mcp_protected_resource"):
            self.drive(name, 200)
        opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
                   "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
        session = self.drive("post_mcp", 200, body=opening, headers=BOTH).headers["mcp-session-id"]
        self.drive("post_mcp", 401, body=opening, headers=BOTH, key="wrong")
        self.drive("get_mcp", 401, headers={"Accept": "text/event-stream"}, key="wrong")
        self.drive("delete_mcp", 401, headers={"Mcp-Session-Id": session}, key="wrong")
        self.open_stream("get_mcp", "/mcp", **{"Mcp-Session-Id": session})
        self.drive("delete_mcp", 204, headers={"Mcp-Session-Id": session})

    def let_in(self):
        """At a server that asks for OAuth (tests/system/mcp_auth_test.py)."""
        for operation in ("get_mcp_auth", "begin_mcp_auth", "forget_mcp_auth"):
            self.drive(operation, 404, id="small")
        self.drive("get_mcp_auth", 200, id="guarded")
        url = self.drive("begin_mcp_auth", 200, id="guarded").json["url"]
        back = urllib.request.build_opener(Stay).open(url, timeout=30).headers["Location"]
        self.drive("finish_mcp_authorization", 200, query=dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query)))
        self.drive("forget_mcp_auth", 200, id="guarded")

    def offered(self):
        """Beside tools (tests/system/mcp_offers_test.py)."""
        poll("its prompts are there", lambda: self.direct.read("/mcp/prompts")["items"])
        for name in ("list_mcp_resources", "list_mcp_resource_templates", "list_mcp_prompts"):
            self.drive(name, 200)
            self.drive(name, 401, key="wrong")
        for name in ("read_mcp_resource", "follow_mcp_resource", "unfollow_mcp_resource"):
            self.drive(name, 200, id="small", body={"uri": "note://a"})
            self.drive(name, 404, id="nobody", body={"uri": "note://a"})
            self.drive(name, 422, id="small", body={"uri": ""}, lenient=True)
        self.drive("get_mcp_prompt", 200, id="small", name="report", body={"arguments": {"city": "Bern"}})
        self.drive("get_mcp_prompt", 422, id="small", name="report", body={})
        self.drive("get_mcp_prompt", 404, id="nobody", name="report", body={})
        self.drive("complete_mcp_argument", 200, id="small", body={"prompt": "report", "argument": "city", "value": "B"})
        self.drive("complete_mcp_argument", 422, id="small", body={"argument": "city"})
        self.drive("complete_mcp_argument", 404, id="nobody", body={"prompt": "report", "argument": "city"})

    def catalogue(self):
        """What can be installed (tests/system/mcp_catalogue_test.py)."""
        self.drive("list_available_mcp_servers", 200, query={"search": "far"})
        self.drive("list_available_mcp_servers", 422, query={"cursor": "none"})
        wish = {"name": "io.example/far", "values": {"X-Key": "secret:FAR"}}
        self.drive("install_mcp_server", 201, body=wish)
        self.drive("install_mcp_server", 404, body={"name": "io.example/unknown"})
        self.drive("install_mcp_server", 409, body={**wish, "id": "small"})
        self.drive("install_mcp_server", 422, body={"name": "io.example/far"})
        self.drive("get_mcp_installation", 200, id="far")
        self.drive("configure_mcp_server", 200, body={"id": "far", "enabled": True})
        self.drive("configure_mcp_server", 404, body={"id": "nobody"})
        for name in ("enable_mcp_server", "disable_mcp_server"):
            self.drive(name, 200, id="far")
        self.drive("upgrade_mcp_server", 200, id="far", body={"version": "1.0.0"})
        self.drive("upgrade_mcp_server", 404, id="nobody", body={})
        for name in ("enable_mcp_server", "disable_mcp_server", "get_mcp_installation", "uninstall_mcp_server"):
            self.drive(name, 404, id="nobody")
            self.drive(name, 409, id="small")
        self.drive("uninstall_mcp_server", 204, id="far")

    def cancelled(self):
        self.open_stream("watch_mcp", "/api/v1/ws/mcp")
        self.drive("watch_mcp", 401, key="wrong")
        self.drive("cancel_mcp_call", 404, id="mine")
        self.drive("cancel_mcp_call", 401, id="mine", key="wrong")
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            slow = other.submit(self.server.client().post, "/mcp/tools/mcp_small_slow/execute", {"arguments": {"seconds": 3}, "call": "mine"})
            poll("it is under way", lambda: self.try_to_cancel() or slow.done())
            self.assertEqual(slow.result().code, "cancelled")

    def try_to_cancel(self):
        """Once it has begun, which nobody is told."""
        try:
            return bool(self.drive("cancel_mcp_call", 204, id="mine"))
        except AssertionError:
            return False

    def open_stream(self, operation, path, **headers):
        """A stream has no end: the node is asked itself, and only for the head of its answer."""
        client = self.server.client(base="")
        connection = http.client.HTTPConnection(client.host, client.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.server.key}",
                                                   "Accept": "text/event-stream", **headers})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "text/event-stream"))
        connection.close()
        self.done.add((operation, "200"))
