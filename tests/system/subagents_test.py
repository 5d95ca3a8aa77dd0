"""Runs that start runs: their parts work side by side, through kills, and end with the one that started them."""

from tests.system.node import RUN_ENDS, NodeTest, poll

# One script for all: a run of the goal "Do all" starts the others, which take its model.
SCRIPT = r"""
rules:
  - when: {goal_matches: 'the (?<part>left|right) part', last_tool: run_command}
    call: [{tool: finish, arguments: {result: "The ${part} part is done.", output: {part: "${part}"}}}]
  - when: {goal_matches: 'the (?<part>left|right) part'}
    call: [{tool: run_command, arguments: {command: "echo begun >> ${part}.txt; sleep 1; echo ended >> ${part}.txt"}}]
  - when: {goal_contains: ask, last_tool: ask_human}
    call: [{tool: finish, arguments: {result: "They said ${result}."}}]
  - when: {goal_contains: ask a person}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {last_tool: spawn_agent}
    call: [{tool: finish, arguments: {result: "All of it: ${result}"}}]
  - when: {goal_contains: Do all}
    say: I let others do it.
    call:
      - {tool: spawn_agent, arguments: {goal: Do the left part, result_schema: {type: object, properties: {part: {type: string}}, required: [part]}}}
      - {tool: spawn_agent, arguments: {goal: Do the right part}}
  - when: {message_contains: It is yours now}
    call: [{tool: finish, arguments: {result: "I went on."}}]
  - when: {goal_contains: Give it away, last_tool: hand_off, last_is_error: true}
    call: [{tool: hand_off, arguments: {agent: Scout, message: It is yours now}}]
  - when: {goal_contains: Give it away, step: 2}
    call: [{tool: hand_off, arguments: {agent: nobody, message: It is yours now}}]
  - when: {goal_contains: Give it away}
    call: [{tool: list_files, arguments: {}}]
  - when: {goal_contains: Look around, last_tool: run_command}
    call: [{tool: finish, arguments: {result: "Looked: ${result}"}}]
  - when: {goal_contains: Look around}
    call: [{tool: run_command, arguments: {command: "echo looked > seen.txt"}}]
  - when: {last_tool: delegate}
    call: [{tool: finish, arguments: {result: "Told: ${result}"}}]
  - when: {goal_contains: Let the scout}
    call: [{tool: delegate, arguments: {agent: scout, goal: Look around}}]
  - when: {goal_contains: Find out}
    call:
      - {tool: spawn_agent, arguments: {goal: First ask a person}}
      - {tool: spawn_agent, arguments: {goal: Also ask a person}}
"""


class SubAgents(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("parts", SCRIPT)
        self.one = self.node("--sandbox", "none", "--entity.idle_ms", 100, *flags).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def begin(self, goal, **more):
        return self.api.create("/runs", {"goal": goal, "model": self.model, **more})["id"]

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def children(self, run, count=2):
        return poll(f"{count} children", lambda: self.all_children(run, count))

    def all_children(self, run, count):
        found = self.api.all(f"/runs?parent_run_id={run}")
        return found if len(found) == count else None

    def questions(self, count):
        def asked():
            open_ones = self.api.all("/approvals?status=pending")
            return open_ones if len(open_ones) == count else None
        return poll(f"{count} questions", asked)

    def test_parts_of_a_project_through_kills(self):
        project = self.api.create("/projects", {"name": "parts"})["id"]
        run = self.begin("Do all", project_id=project)
        parts = self.children(run)
        for _ in range(2):
            poll("a part works", lambda: any(len(self.api.all(f"/runs/{p['id']}/steps")) > 1 for p in parts))
            self.again()
        done = self.ended(run)
        self.assertEqual(done["status"], "succeeded", done)
        self.assertIn("All of it: The ", done["result"])
        parts = self.children(run)
        self.assertEqual({p["result"] for p in parts}, {"The left part is done.", "The right part is done."}, parts)
        for amount in ("tokens", "steps"):
            own = 2 if amount == "steps" else sum(s["input_tokens"] + s["output_tokens"] for s in self.api.all(f"/runs/{run}/steps"))
            self.assertEqual(done["used"][amount], own + sum(p["used"][amount] for p in parts), amount)
            self.assertTrue(all(0 < p["limits"][amount] <= done["limits"][amount] / 3 for p in parts), parts)
        for side in ("left", "right"):
            text = self.api.get(f"/projects/{project}/files/{side}.txt").raw
            self.assertEqual(text, b"begun\nended\n")
        calls = [s for s in self.api.all(f"/runs/{run}/steps") if s["tool"] == "spawn_agent"]
        self.assertEqual({s["child_run_id"] for s in calls}, {p["id"] for p in parts})
        self.assertIn('Output: {"part":"left"}', calls[0]["content"])
        for each in (run, *(p["id"] for p in parts)):
            self.assertEqual(self.api.read(f"/runs/{each}/replay")["identical"], True)
        said = self.one.cli("run", "show", parts[0]["id"])
        self.assertIn(run, said.stdout)
        fork = self.api.create(f"/runs/{run}/fork", {"step": 1})
        self.assertNotIn("parent_run_id", {name for name, value in fork.items() if value})
        self.assertEqual(self.ended(fork["id"])["status"], "succeeded")
        self.assertEqual(len(self.children(run)), 2, "a fork starts nothing again")
        said = self.one.cli("run", "fork", parts[0]["id"], "--step", "1", "--detach")
        self.assertIsNone(self.ended(said.stdout.strip()).get("parent_run_id"))

    def test_waits_for_people_take_no_time_of_anybody(self):
        run = self.begin("Find out", limits={"time_ms": 60000})
        first = self.questions(2)
        parts = {p["id"] for p in self.children(run)}
        self.assertEqual({a["run_id"] for a in first}, parts)
        self.again()
        for asked in self.questions(2):
            self.api.ok("POST", f"/approvals/{asked['id']}/decide", {"decision": "answer", "answer": "blue"})
        done = self.ended(run)
        self.assertEqual((done["status"], done["result"]), ("succeeded", "All of it: They said blue."), done)
        used = sum(self.api.read(f"/runs/{part}")["used"]["time_ms"] for part in parts)
        self.assertGreaterEqual(done["used"]["time_ms"], used)

    def test_cancel_ends_the_parts(self):
        run = self.begin("Find out")
        self.questions(2)
        parts = self.children(run)
        self.api.ok("POST", f"/runs/{run}/cancel", {"reason": "enough"})
        for part in parts:
            done = self.ended(part["id"])
            self.assertEqual(done["status"], "cancelled", done)
            self.assertIn("The run that had started it has ended", done["error"])
        poll("no question is open", lambda: not self.api.all("/approvals?status=pending"))
        self.assertEqual(self.api.read(f"/runs/{run}")["status"], "cancelled")

    def test_a_part_that_is_cancelled_is_told_to_the_model(self):
        run = self.begin("Find out")
        first, second = self.questions(2)
        self.api.ok("POST", f"/runs/{first['run_id']}/cancel", {"reason": "not that one"})
        self.api.ok("POST", f"/approvals/{second['id']}/decide", {"decision": "answer", "answer": "red"})
        self.assertEqual(self.ended(run)["status"], "succeeded")
        told = {s["content"]: s["status"] for s in self.api.all(f"/runs/{run}/steps") if s["tool"] == "spawn_agent"}
        self.assertEqual(told.get("They said red."), "succeeded", told)
        self.assertEqual(told.get("The agent did not reach its goal: cancelled: not that one"), "failed", told)

    def scout(self, **more):
        return self.api.create("/agents", {"name": "scout", "model": self.model, "limits": {"steps": 5}, **more})["id"]

    def test_an_agent_that_there_is_works_within_the_callers_rules(self):
        agent = self.scout(tools={"run_command": "allow"})
        project = self.api.create("/projects", {"name": "parts"})["id"]
        free = self.begin("Let the scout look", project_id=project)
        done = self.ended(free)
        self.assertIn("Told: Looked: exit code: 0", done["result"], done)
        part = self.children(free, 1)[0]
        self.assertEqual((part["agent_id"], part["limits"]["steps"], part["status"]), (agent, 5, "succeeded"), part)
        bound = self.begin("Let the scout look", project_id=project, tools={"run_command(echo *)": "deny"})
        self.ended(bound)
        steps = self.api.all(f"/runs/{self.children(bound, 1)[0]['id']}/steps")
        self.assertEqual([s["status"] for s in steps if s["tool"] == "run_command"][0], "denied", steps)
        for run in (free, bound):
            self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)

    def test_nobody_who_works_is_named(self):
        self.scout()
        self.api.create("/agents", {"name": "cook"})
        self.api.ok("POST", "/agents/scout/stop")
        done = self.ended(self.begin("Let the scout look"))
        self.assertIn("There is nobody at work as 'scout'. There are: cook.", done["result"])

    def test_an_agent_goes_on_with_the_whole_conversation(self):
        agent = self.scout()
        project = self.api.create("/projects", {"name": "parts"})["id"]
        run = self.begin("Give it away", project_id=project, limits={"tokens": 100000})
        done = self.ended(run)
        self.assertEqual(done["status"], "succeeded", done)
        call = [s for s in self.api.all(f"/runs/{run}/steps") if s["tool"] == "hand_off"]
        self.assertIn("There is no agent 'nobody'. There are: scout.", call[0]["content"])
        other = call[1]["child_run_id"]
        self.assertEqual(done["result"], f"Handed off. The agent Scout goes on in run {other}.")
        poll("the other run is there", lambda: self.api.get(f"/runs/{other}").status == 200)  # it is told after the end of this one
        after = self.ended(other)
        self.assertEqual((after["status"], after["result"], after["agent_id"]), ("succeeded", "I went on.", agent), after)
        self.assertEqual(after["forked_from"], {"run_id": run, "step": 3})
        self.assertEqual(after["limits"]["tokens"], 100000 - done["used"]["tokens"])
        seen = self.api.read(f"/runs/{other}/steps/4/context")["messages"]
        self.assertEqual(seen[-1]["content"], "It is yours now")
        self.assertIn("list_files", {m.get("tool_name") for m in seen})
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)
