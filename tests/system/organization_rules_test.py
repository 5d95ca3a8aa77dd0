"""Rules that an organization's settings have for the tools of its agents, and runs that wait."""

import json

from tests.system.node import NodeTest, poll


def script(*calls):
    return json.dumps({"name": "s", "rules": [{"when": {"step": n}, "call": [c]} for n, c in enumerate(calls, 1)]})


def call(tool, **arguments):
    return {"tool": tool, "arguments": arguments}


class OrganizationRules(NodeTest):
    def begin(self, *calls, **more):
        flags, model = self.script("s", script(*calls))
        self.one = self.node(*flags).start()
        self.api = self.one.client()
        self.work = self.work_folder()
        self.project = self.api.create("/projects", {"name": "p", "folder": str(self.work)})["id"]
        self.wish = {"goal": "x", "model": model, "project_id": self.project, **more}

    def set(self, **values):
        return self.api.request("PATCH", "/organizations/default/settings", {"values": {k.replace("__", "."): v for k, v in values.items()}})

    def run_to_end(self, **more):
        run = self.api.create("/runs", {**self.wish, **more})["id"]
        shown = self.api.wait_run(run)
        return shown, [s["content"] for s in self.api.all(f"/runs/{run}/steps") if s["type"] == "tool"]

    def test_rules_hold_for_all_agents_and_for_kinds(self):
        self.begin(call("run_command", command="echo hello"), call("finish", result="Done."))
        self.assertIn("hello", self.run_to_end()[1][0])
        self.status(self.set(tools__rules={"run_command(echo *)": "deny"}), 200)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        self.assertIn('the rule "run_command(echo *)" denies it', self.run_to_end()[1][0])
        self.status(self.set(tools__rules=None, tools__kind_rules={"custom": {"execute": "deny"}}), 200)
        self.assertIn('the rule "execute" denies it', self.run_to_end()[1][0])
        self.assertIn("hello", self.run_to_end(tools={"run_command": "allow"})[1][0])  # more specific

    def test_what_is_no_rule_is_refused_and_an_unknown_tool_ends_the_run(self):
        self.begin(call("finish", result="Done."))
        reply = self.set(tools__rules={"execute": "perhaps"})
        self.assertEqual((reply.status, reply.json["errors"][0]["pointer"]), (422, "/values/tools.rules"), reply)
        self.status(self.set(tools__rules={"run_comand": "deny"}), 200)
        shown, _ = self.run_to_end()
        self.assertEqual(shown["status"], "failed")
        self.assertIn("tools.rules", shown["error"])

    def test_a_run_waits_over_a_kill(self):
        self.begin(call("wait", seconds=3), call("finish", result="Done."))
        run = self.api.create("/runs", self.wish)["id"]
        poll("it waits", lambda: [s for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "wait"])
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", "Done."), shown)
        self.assertLess(shown["used"]["time_ms"], 2500)
        waited = next(s for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "wait")
        self.assertTrue(waited["content"].startswith("It is 20"), waited)
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)
