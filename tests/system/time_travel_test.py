"""Going back in runs: what the model saw, forks, comparison and replay, also after kills."""

from tests.system.node import RUN_ENDS, NodeTest, poll

SCRIPT = """
rules:
  - when: {last_tool: write_file}
    call: [{tool: finish, arguments: {result: "It is done: ${result}"}}]
  - when: {message_contains: the other way}
    call: [{tool: write_file, arguments: {path: way.txt, content: other}}]
  - when: {step: 1}
    say: I look around first.
    call: [{tool: list_files, arguments: {}}]
  - when: {step: 2}
    call: [{tool: write_file, arguments: {path: way.txt, content: first}}]
"""


class TimeTravel(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("ways", SCRIPT)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        self.project = self.api.create("/projects", {"name": "ways"})["id"]
        self.run = self.api.create("/runs", {"goal": "Find a way", "project_id": self.project, "model": self.model})["id"]
        self.ended(self.run)

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def fork(self, step, **more):
        return self.api.create(f"/runs/{self.run}/fork", {"step": step, **more})

    def test_another_way_from_a_step(self):
        before = self.api.all(f"/runs/{self.run}/steps")
        fork = self.fork(1, message="Do it the other way")
        self.assertEqual(fork["forked_from"], {"run_id": self.run, "step": 1})
        done = self.ended(fork["id"])
        self.assertEqual((done["status"], done["step"], done["used"]["steps"]), ("succeeded", 3, 2), done)
        steps = self.api.all(f"/runs/{fork['id']}/steps")
        self.assertEqual([s["key"] for s in steps], ["00002.000", "00002.001", "00003.000", "00003.001"])
        self.assertEqual(self.api.all(f"/runs/{self.run}/steps"), before, "the first run is as it was")
        text = self.api.get(f"/projects/{self.project}/files/way.txt").raw
        self.assertIn(b"other", text)

        seen = self.api.read(f"/runs/{fork['id']}/steps/2/context")
        self.assertEqual([m["role"] for m in seen["messages"]], ["system", "user", "assistant", "tool", "user"])
        self.assertEqual(seen["messages"][-1]["content"], "Do it the other way")
        self.assertEqual(seen["messages"][2]["content"], "I look around first.")

        both = self.api.read(f"/runs/{self.run}/compare?with={fork['id']}")
        told = {s["key"]: s["comparison"] for s in both["steps"]}
        self.assertEqual(told["00001.000"], "shared")
        self.assertEqual(both["first_difference"], "00002.001")
        for run in (self.run, fork["id"]):
            self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)
        said = self.one.cli("run", "compare", self.run, fork["id"])
        self.assertEqual(said.returncode, 0, said)
        self.assertIn("arguments", said.stdout)
        said = self.one.cli("run", "replay", fork["id"])
        self.assertIn("identical", said.stdout)
        said = self.one.cli("run", "context", fork["id"], "--step", "2")
        self.assertIn("Do it the other way", said.stdout)
        self.assertEqual([r["id"] for r in self.api.all(f"/runs?forked_from={self.run}")], [fork["id"]])

    def test_from_the_beginning_with_another_goal_and_by_the_cli(self):
        said = self.one.cli("run", "fork", self.run, "--step", "0", "--goal", "Find it the other way", "--detach")
        self.assertEqual(said.returncode, 0, said)
        run = said.stdout.strip()
        self.assertEqual(self.ended(run)["goal"], "Find it the other way")
        self.assertEqual(self.api.all(f"/runs/{run}/steps")[0]["key"], "00001.000")

    def test_a_fork_that_is_begun_survives_a_kill(self):
        forks = [self.fork(1, message=f"the other way {i}")["id"] for i in range(5)]
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        for fork in forks:
            done = self.ended(fork)
            self.assertEqual((done["status"], done["step"]), ("succeeded", 3), done)
            self.assertEqual(self.api.read(f"/runs/{fork}/replay")["identical"], True)
            seen = self.api.read(f"/runs/{fork}/steps/2/context")
            self.assertEqual(len(seen["messages"]), 5, "the past was given once")

    def test_what_cannot_be(self):
        reply = self.api.post(f"/runs/{self.run}/fork", {"step": 9, "message": "on"})
        self.assertEqual((reply.status, reply.code), (404, "not_found"), reply)
        self.assertIn("last one is 3", reply.json["detail"])
        reply = self.api.post(f"/runs/{self.run}/fork", {"step": 1, "tools": {"no_such": "deny"}})
        self.assertEqual(reply.status, 422, reply)
        self.assertEqual(self.api.post("/runs/018f3c5e-0000-7000-8000-00000000dead/fork", {"step": 0}).status, 404)
        self.assertEqual(self.api.get(f"/runs/{self.run}/steps/7/context").status, 404)
        self.assertEqual(self.api.get(f"/runs/{self.run}/steps/x/context").status, 422)
        self.assertEqual(self.api.get(f"/runs/{self.run}/compare").status, 422)
        self.assertEqual(self.api.get(f"/runs/{self.run}/compare?with=018f3c5e-0000-7000-8000-00000000dead").status, 404)
        missing = self.one.cli("run", "fork", self.run)
        self.assertEqual(missing.returncode, 2)
        self.assertIn("--step", missing.stderr)

    def test_an_agents_run_is_forked_as_a_run_of_its_own(self):
        agent = self.api.create("/agents", {"name": "scout", "model": self.model})["id"]
        task = self.api.create("/tasks", {"title": "Look around", "project_id": self.project})["id"]
        self.api.ok("POST", f"/tasks/{task}/assign", {"agent_id": agent})
        run = poll("the agent's run", lambda: next(iter(self.api.all(f"/runs?task_id={task}")), None))["id"]
        self.ended(run)
        self.run = run
        fork = self.fork(1, message="the other way")
        self.assertIsNone(fork.get("task_id"))
        self.assertEqual(self.ended(fork["id"])["status"], "succeeded")
        poll("the task has its own run's end", lambda: self.api.read(f"/tasks/{task}")["status"] in ("review", "done"))
