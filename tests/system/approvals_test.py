"""Decisions that are late, remembered or handed on: also when the node is killed meanwhile."""

from tests.system.node import RUN_ENDS, NodeTest, poll

# Three commands, one after the other; what they say does not matter.
SCRIPT = """
rules:
  - when: {step: 1}
    call: [{tool: run_command, arguments: {command: "echo one"}}]
  - when: {step: 2}
    call: [{tool: run_command, arguments: {command: "echo two"}}]
  - when: {step: 3}
    call: [{tool: finish, arguments: {result: "${result}"}}]
"""
QUESTION = """
rules:
  - when: {step: 1}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "${result}"}}]
"""


class Approvals(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("commands", SCRIPT)
        self.script("question", QUESTION)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        self.project = self.api.create("/projects", {"name": "p"})["id"]

    def begin(self, **body):
        return self.api.create("/runs", {"goal": "go", "project_id": self.project, "model": self.model,
                                         "tools": {"run_command": "ask"}, **body})["id"]

    def pending(self, run):
        return poll("it asks", lambda: self.api.all(f"/approvals?run_id={run}&status=pending"))[0]

    def decide(self, approval, **body):
        return self.api.post(f"/approvals/{approval['id']}/decide", body)

    def kill(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def calls(self, run):
        return [s for s in self.api.all(f"/runs/{run}/steps") if s.get("tool") == "run_command"]

    def test_nobody_decides_in_time_though_the_node_is_killed(self):
        terms = {"expires_after_ms": 3000}
        run = self.begin(approvals=terms)
        question = self.begin(approvals=terms, model="rehearsal:question")
        strict = self.begin(approvals={**terms, "on_expiry": "fail"})
        approval = self.pending(run)
        self.assertIn("expires_at", approval)
        self.assertEqual(self.api.read(f"/runs/{run}")["waiting"][0]["until"], approval["expires_at"])
        self.kill()
        done = self.ended(run)
        self.assertEqual(done["status"], "succeeded", done)
        self.assertEqual([s["status"] for s in self.calls(run)], ["denied", "denied"])
        self.assertIn("Nobody decided", self.calls(run)[0]["content"])
        self.assertEqual(self.api.read(f"/approvals/{approval['id']}")["status"], "expired")
        late = self.decide(approval, decision="approve")
        self.assertEqual((late.status, late.code), (409, "conflict"), late)
        self.assertIn("too late", late.json["detail"])
        self.assertIn("Nobody answered", self.ended(question)["result"])
        failed = self.ended(strict)
        self.assertEqual(failed["status"], "failed")
        self.assertIn("Nobody decided in time", failed["error"])
        for each in (run, question, strict):
            self.assertEqual(self.api.read(f"/runs/{each}/replay")["identical"], True)

    def test_without_terms_it_waits_and_an_agents_terms_are_its_runs(self):
        run = self.begin()
        self.assertNotIn("expires_at", self.pending(run))
        agent = self.api.create("/agents", {"name": "hasty", "model": self.model, "tools": {"run_command": "ask"},
                                            "approvals": {"expires_after_ms": 1}})["id"]
        task = self.api.create("/tasks", {"title": "go", "agent_id": agent, "project_id": self.project})["id"]
        of_task = poll("the agent's run", lambda: self.api.all(f"/runs?task_id={task}"))[0]["id"]
        self.assertEqual([s["status"] for s in self.calls(self.ended(of_task)["id"])], ["denied", "denied"])
        self.assertEqual(self.api.read(f"/runs/{run}")["status"], "waiting")

    def test_a_decision_is_remembered_for_the_run(self):
        run = self.begin()
        approval = self.pending(run)
        refused = self.decide(approval, decision="approve", remember="run", pattern="rm *")
        self.assertEqual((refused.status, refused.json["errors"][0]["pointer"]), (422, "/pattern"), refused)
        refused = self.decide(approval, decision="approve", remember="agent")
        self.assertEqual((refused.status, refused.json["errors"][0]["pointer"]), (422, "/remember"), refused)
        decided = self.decide(approval, decision="approve", remember="run", pattern="echo *")
        self.assertEqual((decided.status, decided.json["rule"]), (200, "run_command(echo *)"), decided)
        self.kill()
        self.assertEqual(self.ended(run)["status"], "succeeded")
        first, second = self.calls(run)
        self.assertEqual((first.get("rule"), second["rule"]), (None, "run_command(echo *)"))
        self.assertEqual(len(self.api.all(f"/approvals?run_id={run}")), 1)
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)

    def test_a_decision_is_remembered_for_the_agent(self):
        agent = self.api.create("/agents", {"name": "scout", "model": self.model, "tools": {"run_command": "ask"}})["id"]
        run = self.begin(agent_id=agent)
        self.assertEqual(self.pending(run)["agent_id"], agent)
        said = self.one.cli("run", "approve", run, "--remember", "agent")
        self.assertEqual(said.returncode, 0, said)
        poll("the agent knows", lambda: "run_command(echo one)" in self.api.read(f"/agents/{agent}")["settings"]["tools"])
        said = self.one.cli("approval", "decide", self.pending(run)["id"], "deny", "--remember", "agent", "--pattern", "echo tw*")
        self.assertEqual(said.returncode, 0, said)
        self.ended(run)
        tools = poll("the agent knows", lambda: self.known(agent, "run_command(echo tw*)"))
        self.assertEqual(tools, {"run_command": "ask", "run_command(echo one)": "allow", "run_command(echo tw*)": "deny"})
        later = self.begin(agent_id=agent, tools={})
        self.assertEqual(self.ended(later)["status"], "succeeded")
        self.assertEqual([s["status"] for s in self.calls(later)], ["succeeded", "denied"])
        self.assertEqual(self.api.all(f"/approvals?run_id={later}"), [])

    def known(self, agent, rule):
        tools = self.api.read(f"/agents/{agent}")["settings"]["tools"]
        return tools if rule in tools else None

    def test_an_approval_is_handed_to_a_member(self):
        run = self.begin()
        approval = self.pending(run)
        path = f"/approvals/{approval['id']}/delegate"
        nobody = self.api.post(path, {"to": "018f3c5e-0000-7000-8000-00000000dead"})
        self.assertEqual((nobody.status, nobody.json["errors"][0]["pointer"]), (422, "/to"), nobody)
        member = self.a_member()
        shown = self.api.post(path, {"to": member})
        self.assertEqual((shown.status, shown.json["assigned_to"]), (200, member), shown)
        self.assertEqual([a["id"] for a in self.api.all(f"/approvals?assigned_to={member}&status=pending")], [approval["id"]])
        self.kill()
        self.assertEqual(self.api.read(f"/approvals/{approval['id']}")["assigned_to"], member)
        self.assertIn("approval_delegated", [e["action"] for e in self.api.all("/audit")])
        self.assertEqual(self.one.cli("approval", "delegate", approval["id"], member).returncode, 0)
        self.assertEqual(self.decide(approval, decision="deny").status, 200, "others may decide all the same")
        self.assertEqual(self.api.post(path, {"to": member}).status, 409)

    def a_member(self):
        return self.api.create("/users", {"email": "ada@example.org", "password": "three grey owls on a wire", "role": "member"})["id"]
