"""Servers of the Model Context Protocol through the real program: their tools, their faults, and that nothing is left."""

import json
import os
import shutil
import signal
import uuid
from pathlib import Path

from tests.system.node import NodeTest, poll

SERVER = Path(__file__).resolve().parent / "mcp_server.py"


class McpNode(NodeTest):
    """A node with servers of tests/system/mcp_server.py."""

    def setUp(self):
        super().setUp()
        self.mark = uuid.uuid4().hex  # found in the command lines of what is at work

    def begin(self, *servers, script=None, extra=()):
        data = self.folder / "data"
        listed = []
        for name, flags, more in servers:
            folder = data / "mcp" / name  # all that it sees beside /usr
            folder.mkdir(parents=True)
            shutil.copy(SERVER, folder / "server.py")
            listed.append({"name": name, "command": ["python3", "server.py", *flags, "--mark", self.mark], **more})
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"mcp": {"servers": listed}}))
        flags, self.model = self.script("s", json.dumps({"name": "s", "rules": script or [{"say": "x"}]}))
        self.one = self.node("--config", config, *flags, *extra).start()
        self.api = self.one.client()

    def server(self, name="small"):
        return next(s for s in self.api.read("/mcp/servers/installed")["items"] if s["id"] == name)

    def wait_tools(self, count, name="small"):
        poll(f"{name} has {count} tools", lambda: self.server(name)["tools"] == count)

    def run_tool(self, tool, status=200, **arguments):
        return self.status(self.api.post(f"/mcp/tools/{tool}/execute", {"arguments": arguments}), status).json

    def at_work(self):
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if self.mark.encode() in words and words.startswith(b"python3"):
                found.append(int(folder.name))
        return found


class Ends(McpNode):
    """Its input ends, then SIGTERM, then no more time."""

    def ended(self, name="small"):
        file = self.folder / "data" / "mcp" / name / "ended"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def test_servers_see_the_end_of_their_input_and_go_by_themselves(self):
        self.begin(("small", [], {}))
        self.wait_tools(6)
        self.status(self.api.post("/mcp/servers/small/restart"), 200)
        poll("it went by itself", lambda: self.ended() == ["by itself"])
        self.wait_tools(6)
        self.assertEqual(self.one.stop(), 0)
        self.assertEqual(self.ended(), ["by itself"] * 2)
        self.assertEqual(self.at_work(), [])

    def test_those_that_do_not_are_told_and_then_ended(self):
        self.begin(("small", ["--misbehave", "deaf"], {}), extra=("--sandbox", "none"))
        self.wait_tools(6)
        self.assertEqual(self.one.stop(), 0)
        self.assertEqual(self.ended(), ["told"])
        self.begin_again_in_a_sandbox()
        self.assertEqual(self.ended(), ["told"])  # no signal reaches it there
        self.assertEqual(self.at_work(), [])

    def begin_again_in_a_sandbox(self):
        other = self.node("--config", self.folder / "troupe.yaml").start()
        self.api = other.client()
        self.wait_tools(6)
        self.assertEqual(other.stop(), 0)


class ChangedTools(McpNode):
    def test_a_tool_that_says_something_else_is_nobodys_before_it_is_accepted(self):
        self.begin(("small", [], {}), script=[{"when": {"tools_available": ["mcp_small_add"]}, "say": "I have it."}, {"say": "I have it not."}])
        self.wait_tools(6)
        folder = self.folder / "data" / "mcp" / "small"

        def changed():
            return [t["id"] for t in self.api.read("/mcp/tools")["items"] if t.get("changed")]

        def has():
            run = self.api.create("/runs", {"goal": "x", "model": self.model})["id"]
            return poll("it ends", lambda: self.api.read(f"/runs/{run}").get("result"))
        self.assertEqual((changed(), has()), ([], "I have it."))
        (folder / "other").write_text("")
        self.status(self.api.post("/mcp/servers/small/restart"), 200)
        poll("it is noticed", lambda: changed() == ["mcp_small_add"])
        self.assertIn("accept", self.run_tool("mcp_small_add", 409, a=1, b=2)["detail"])
        self.assertEqual(has(), "I have it not.")
        self.run_tool("mcp_small_env", name="X")  # the others are as they were
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        poll("it is remembered", lambda: changed() == ["mcp_small_add"])
        self.assertIn("changed", self.one.cli("mcp", "tools").stdout)
        accepted = self.one.cli("mcp", "accept", "mcp_small_add")
        self.assertEqual(accepted.returncode, 0, accepted)
        self.assertEqual((changed(), has()), ([], "I have it."))
        self.assertEqual(self.run_tool("mcp_small_add", a=1, b=2)["content"][0]["text"], "3")
        self.status(self.api.post("/mcp/tools/unknown/accept"), 404)


class McpClient(McpNode):
    def test_both_eras_give_their_tools(self):
        self.begin(("small", [], {"environment": {"WORD": "hello"}}), ("modern", ["--modern"], {}))
        for name, version in (("small", "2025-11-25"), ("modern", "2026-07-28")):
            self.wait_tools(6, name)
            shown = self.server(name)
            self.assertEqual((shown["protocol_version"], shown["server_name"], shown["transport"]), (version, "small", "stdio"))
            self.assertEqual(self.run_tool(f"mcp_{name}_add", a=1, b=2)["structured_content"], {"sum": 3})
            poll("it was checked", lambda: self.api.read(f"/mcp/servers/{name}/health").get("latency_ms") is not None)
            self.assertEqual(self.api.read(f"/mcp/servers/{name}/health")["status"], "healthy")
            self.assertIn("the small server is up", self.api.read(f"/mcp/servers/{name}/logs")["lines"])
        self.assertEqual(self.run_tool("mcp_small_env", name="WORD")["content"][0]["text"], "hello")
        self.assertTrue(self.run_tool("mcp_small_fail")["is_error"])
        wrong = self.run_tool("mcp_small_add", 422, a=1, b="two")
        self.assertIn("/b", json.dumps(wrong))
        self.run_tool("mcp_small_none", 404)
        self.run_tool("mcp_small_grow")
        self.wait_tools(7)
        self.assertIn("mcp_small_more6", [t["id"] for t in self.api.read("/mcp/tools")["items"]])
        usage = {u["tool"]: u for u in self.api.read("/mcp/usage")["items"]}
        self.assertEqual((usage["mcp_small_add"]["calls"], usage["mcp_small_fail"]["failures"]), (1, 1), usage)

    def test_what_tools_were_used_for_is_kept_by_tool_agent_and_day(self):
        self.begin(("small", [], {}), script=[{"when": {"step": 1}, "call": [{"tool": "mcp_small_slow", "arguments": {"seconds": 0.2}}]}, {"say": "x"}])
        self.wait_tools(6)
        agent = self.api.create("/agents", {"name": "scout"})["id"]
        self.api.wait_run(self.api.create("/runs", {"goal": "x", "model": self.model, "agent_id": agent})["id"])
        for n in range(3):
            self.run_tool("mcp_small_add", a=n, b=1)

        def usage(by, more=""):
            return self.api.read(f"/mcp/usage?by={by}{more}")["items"]
        before = usage("tool")
        self.assertEqual([(u["tool"], u["calls"]) for u in before], [("mcp_small_add", 3), ("mcp_small_slow", 1)])
        slow = before[1]
        self.assertTrue(200 <= slow["p50_ms"] == slow["p99_ms"] <= slow["max_ms"], slow)
        self.one.kill9()  # what was shown is stored
        self.one.start()
        self.api = self.one.client()
        self.assertEqual(usage("tool"), before)
        self.wait_tools(6)
        self.run_tool("mcp_small_add", a=1, b=1)
        self.assertEqual(self.one.stop(), 0)  # what was counted last is stored then
        self.one.start()
        self.api = self.one.client()
        self.assertEqual([(u.get("agent_id"), u["calls"]) for u in usage("agent")], [(None, 4), (agent, 1)])
        days = usage("day")
        self.assertEqual(sum(u["calls"] for u in days), 5, days)
        self.assertRegex(days[0]["day"], r"^\d{4}-\d\d-\d\d$")
        self.assertEqual(usage("tool", "&from=2020-01-01&to=2020-02-01"), [])
        for wrong in ("by=colour", "from=yesterday", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01"):
            self.status(self.api.get(f"/mcp/usage?{wrong}"), 422, "invalid_request")
        shown = self.one.cli("mcp", "usage").stdout
        self.assertRegex(shown, r"mcp_small_add +4 +0 +0 ")
        self.assertIn(agent, self.one.cli("mcp", "usage", "--by", "agent").stdout)

    def test_the_command_line_lists_calls_and_ends(self):
        self.begin(("small", [], {}))
        self.wait_tools(6)
        poll("it was checked", lambda: self.server()["health"].get("latency_ms") is not None)
        self.assertIn("2025-11-25", self.one.cli("mcp", "list").stdout)
        self.assertIn("mcp_small_add", self.one.cli("mcp", "tools", "small").stdout)
        self.assertIn("There is no tool.", self.one.cli("mcp", "tools", "other").stdout)
        self.assertEqual(self.one.cli("mcp", "call", "mcp_small_add", '{"a":1,"b":2}').stdout, "3\n")
        self.assertEqual(self.one.cli("mcp", "call", "mcp_small_fail").returncode, 1)
        self.assertIn("/b", self.one.cli("mcp", "call", "mcp_small_add", '{"a":1,"b":"x"}').stderr)
        self.assertEqual(self.one.cli("mcp", "call", "mcp_small_add", "{").returncode, 2)
        self.assertIn("the small server is up", self.one.cli("mcp", "logs", "small").stdout)
        self.assertEqual(self.one.cli("mcp", "logs", "nobody").returncode, 4)
        self.assertIn("small", self.one.cli("mcp", "stop", "small").stdout)
        poll("it ended", lambda: not self.at_work())

    def test_it_may_write_to_its_folder_only(self):
        self.begin(("small", [], {}))
        self.wait_tools(6)
        self.assertEqual(self.run_tool("mcp_small_write", path="mine")["content"][0]["text"], "/project")
        self.assertEqual((self.one.directory / "mcp/small/mine").read_text(), "written\n")
        outside = self.folder / "outside"
        self.api.post("/mcp/tools/mcp_small_write/execute", {"arguments": {"path": str(outside)}})
        self.assertFalse(outside.exists())

    def test_a_run_uses_a_tool_and_rules_hold(self):
        call = {"call": [{"tool": "mcp_small_add", "arguments": {"a": 2, "b": 3}}]}
        self.begin(("small", [], {}), script=[{"when": {"step": 1}, **call}, {"call": [{"tool": "finish", "arguments": {"result": "Done."}}]}])
        self.wait_tools(6)
        for tools, said in (({}, "comes from the MCP server small"), ({"mcp": "deny"}, 'the rule "mcp" denies it')):
            run = self.api.create("/runs", {"goal": "x", "model": self.model, "tools": tools})["id"]
            self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
            step = next(s for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "mcp_small_add")
            self.assertIn(said, step["content"])

    def test_who_is_killed_comes_back_and_nothing_is_left(self):
        self.begin(("small", [], {}))
        self.wait_tools(6)
        first = self.at_work()
        self.assertEqual(len(first), 1)
        os.kill(first[0], signal.SIGKILL)
        poll("it is back", lambda: self.at_work() not in ([], first) and self.server()["health"]["status"] == "healthy")
        self.assertEqual(self.server()["health"]["restarts"], 1)
        self.assertEqual(self.run_tool("mcp_small_add", a=1, b=1)["structured_content"], {"sum": 2})
        self.status(self.api.post("/mcp/servers/small/stop", {}), 200)
        poll("it ended", lambda: not self.at_work())
        self.run_tool("mcp_small_add", 503, a=1, b=1)
        self.assertEqual(self.server()["health"]["status"], "stopped")
        self.status(self.api.post("/mcp/servers/small/restart", {}), 200)
        poll("it is back", lambda: self.server()["health"]["status"] == "healthy")
        self.one.kill9()
        poll("nothing is left", lambda: not self.at_work())

    def test_bad_servers_cost_only_their_own_connection(self):
        kinds = ("flood", "die", "mute", "twice", "unknown", "lie", "long", "bytes")
        self.begin(("good", [], {}), *((k, ["--misbehave", k], {"time_out_ms": 1500}) for k in kinds))
        self.wait_tools(6, "good")
        for name in ("twice", "unknown", "lie", "die", "mute"):
            self.wait_tools(6, name)
        self.assertEqual(self.run_tool("mcp_twice_add", a=1, b=2)["structured_content"], {"sum": 3})
        self.assertEqual(self.run_tool("mcp_unknown_add", a=1, b=2)["structured_content"], {"sum": 3})
        for name in ("lie", "die", "mute"):
            reply = self.api.post(f"/mcp/tools/mcp_{name}_add/execute", {"arguments": {"a": 1, "b": 2}})
            self.assertGreaterEqual(reply.status, 400, (name, reply))
        for name, why in (("long", "more than 10 MiB"), ("flood", "floods the connection")):
            poll(f"{name} was noticed", lambda name=name, why=why: why in self.server(name)["health"].get("error", ""))
        for _ in range(20):
            self.assertEqual(self.run_tool("mcp_good_add", a=1, b=2)["structured_content"], {"sum": 3})
        self.assertEqual(self.server("good")["health"]["restarts"], 0)
