"""Work that is shared out on the board by a run, and what agents remember, through kills of the node."""

from tests.system.node import NodeTest, poll
from tests.system.subagents_test import RUN_ENDS

SCRIPT = r"""
rules:
  - when: {goal_contains: Count the files}
    call: [{tool: finish, arguments: {result: "There are 7."}}]

  - when: {goal_contains: Share it out, step: 1}
    call: [{tool: list_agents, arguments: {}}]
  - when: {last_tool: list_agents, last_result_matches: '(?<who>worker): custom'}
    call: [{tool: create_task, arguments: {title: Count the files, agent: "${who}"}}]
  - when: {last_tool: create_task, last_result_matches: 'Task (?<task>[-0-9a-f]{36})'}
    call: [{tool: wait, arguments: {seconds: 1}}]
  - when: {last_tool: wait}
    call: [{tool: list_tasks, arguments: {task: "${task}"}}]
  - when: {last_tool: list_tasks, last_result_matches: 'There are 7'}
    call:
      - tool: finish
        arguments:
          result: The worker counted.
          output: {summary: It is counted., parts: [{task: "${task}", agent: "${who}", outcome: There are 7.}]}
  - when: {last_tool: list_tasks}
    call: [{tool: wait, arguments: {seconds: 1}}]

  - when: {goal_contains: Learn, step: 1}
    call: [{tool: remember, arguments: {key: colour, text: The colour is blue.}}]
  - when: {last_tool: remember}
    call: [{tool: finish, arguments: {result: Noted.}}]
  - when: {goal_contains: Which colour, step: 1}
    call: [{tool: recall_memory, arguments: {query: which colour}}]
  - when: {last_tool: recall_memory}
    call: [{tool: finish, arguments: {result: "${result}"}}]
"""


class OrchestratorTest(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("board", SCRIPT)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def test_an_orchestrator_gives_a_task_to_an_agent_once_and_reports_what_came_of_it(self):
        self.api.create("/agents", {"name": "worker", "model": self.model, "capabilities": ["counting"]})
        run = self.api.create("/runs", {"goal": "Share it out", "model": self.model, "kind": "orchestrator"})["id"]
        poll("the task", lambda: self.api.all("/tasks"))
        self.again()
        done = self.ended(run)
        self.assertEqual((done["status"], done["result"]), ("succeeded", "The worker counted."), done)
        tasks = self.api.all("/tasks")
        self.assertEqual([(t["title"], t["result"]) for t in tasks], [("Count the files", "There are 7.")])
        self.assertEqual(tasks[0]["created_by"], f"run/{run}")
        self.assertEqual(done["output"]["parts"], [{"task": tasks[0]["id"], "agent": "worker", "outcome": "There are 7."}])

    def test_without_a_model_it_says_who_is_there_and_what_it_cannot_do(self):
        self.api.create("/agents", {"name": "worker"})
        run = self.api.create("/runs", {"goal": "Build a rocket", "model": "rehearsal", "kind": "orchestrator"})["id"]
        done = self.ended(run)
        self.assertEqual(done["status"], "failed", done)
        self.assertIn("needs a language model", done["error"])
        self.assertIn("worker: custom", done["error"])

    def test_others_have_these_tools_where_their_policies_name_them(self):
        tools = {t["name"] for t in self.api.read("/tools")["items"]}
        self.assertLessEqual({"create_task", "assign_task", "list_tasks", "list_agents", "git_bisect", "remember"}, tools)
        plain = self.api.create("/runs", {"goal": "Share it out", "model": self.model})["id"]
        self.ended(plain)
        refused = [s for s in self.api.all(f"/runs/{plain}/steps") if s.get("tool") == "list_agents"]
        self.assertEqual([s["status"] for s in refused], ["failed"], refused)
        self.assertNotIn("There are none", refused[0]["content"])
        named = self.api.create("/runs", {"goal": "Share it out", "model": self.model, "tools": {"list_agents": "allow"}})["id"]
        self.ended(named)
        self.assertIn("There are none", str(self.api.all(f"/runs/{named}/steps")))

    def test_an_agent_remembers_across_runs_and_kills(self):
        agent = self.api.create("/agents", {"name": "scout", "model": self.model})["id"]
        self.ended(self.api.create("/runs", {"goal": "Learn", "agent_id": agent})["id"])
        self.again()
        told = self.ended(self.api.create("/runs", {"goal": "Which colour is it?", "agent_id": agent})["id"])
        self.assertIn("The colour is blue.", told["result"])
        notes = self.api.read("/agents/scout/memory")["notes"]
        self.assertEqual([(n["key"], n["text"]) for n in notes], [("colour", "The colour is blue.")])
        out = self.one.cli("agent", "memory", "scout")
        self.assertIn("The colour is blue.", out.stdout)
        self.status(self.api.request("DELETE", "/agents/scout/memory/colour"), 204)
        out = self.one.cli("agent", "memory", "scout")
        self.assertIn("remembers nothing", out.stdout)
