"""Commands of agents that leave a mark outside of all nodes, while the node that runs them is lost: none is run again by
another node, unless the run's policy or a person says so."""

import collections

from tests.system.cluster import ClusterTest
from tests.system.kill_test import descendants, kill_tree
from tests.system.node import RUN_ENDS, poll

RUNS_OF_EACH = 3  # of several shards: some are at the node that is lost
POLICIES = ("ask", "skip", "retry")


class Effects(ClusterTest):
    """Each run appends its goal to one file that all nodes see, takes its time, and is done."""

    def setUp(self):
        super().setUp()
        self.marks = self.folder / "marks"
        self.marks.touch()
        flags, self.model = self.script("mark", f"""
rules:
  - when: {{step: 1}}
    call: [{{tool: run_command, arguments: {{command: "echo ${{goal}} >> {self.marks}; sleep 2"}}}}]
  - when: {{step: 2}}
    call: [{{tool: finish, arguments: {{result: All is done.}}}}]
""")
        self.members = [self.member(m.name, *flags) for m in self.members]
        self.start_all()

    def lines(self):
        return collections.Counter(self.marks.read_text().split())

    def begin(self):
        """Runs of all policies, each in the middle of its command: {run: policy}. `victim` has most of them."""
        api = self.members[0].client()
        runs = {}
        for policy in POLICIES * RUNS_OF_EACH:
            # One of its own: commands in the same project wait for each other.
            project = api.create("/projects", {"name": f"project {len(runs)}"})["id"]
            made = api.create("/runs", {"goal": f"{policy}-{len(runs)}", "project_id": project, "model": self.model,
                                        "on_unknown": policy})
            runs[made["id"]] = policy
        poll("every run is in its command", lambda: len(self.lines()) == len(runs))
        self.victim = max(self.members, key=lambda m: len(descendants(m.process.pid)))
        self.other = next(m for m in self.members if m is not self.victim)
        return runs

    def check(self, runs):
        """All come to their end, and nothing was done twice of which nobody knew."""
        api, asked = self.other.client(), set()
        goals = {run: f"{policy}-{i}" for i, (run, policy) in enumerate(runs.items())}

        def ended(run):
            reply = api.get(f"/runs/{run}")
            if reply.status == 503:  # others take over, and a busy machine takes its time
                return None
            shown = self.status(reply, 200).json
            for wait in shown["waiting"]:
                if wait["reason"] == "unknown_step" and run not in asked:
                    self.assertEqual(runs[run], "ask", shown)
                    self.assertLessEqual(self.lines()[goals[run]], 1, "it was done again before anybody was asked")
                    reply = api.post(f"/approvals/{wait['approval_id']}/decide", {"decision": "skip"})
                    if reply.status == 200:
                        asked.add(run)
            return shown if shown["status"] in RUN_ENDS else None
        for run, policy in runs.items():
            shown = poll(f"run {run} ({policy}) ends", lambda run=run: ended(run), seconds=60)
            self.assertEqual((shown["status"], shown.get("result")), ("succeeded", "All is done."), shown)
        lines = self.lines()
        for run, policy in runs.items():
            step = next(s for s in api.all(f"/runs/{run}/steps") if s["key"] == "00001.001")
            with self.subTest(policy=policy, run=run, status=step["status"], attempt=step["attempt"]):
                self.assertLessEqual(lines[goals[run]], step["attempt"], "it was done again, and nobody was told")
                if policy != "retry":
                    self.assertEqual(step["attempt"], 1, step)
                if run in asked:
                    self.assertEqual(step["status"], "skipped", step)
                if step["status"] == "succeeded":
                    self.assertGreaterEqual(lines[goals[run]], 1, "it is told as done, and was not")
        return asked

    def test_a_node_that_is_drained_asks_nobody(self):
        runs = self.begin()
        self.assertEqual(self.other.cli("cluster", "drain", self.victim.name).returncode, 0)
        self.assertEqual(self.check(runs), set(), "what became of a command was known: its node is there")

    def test_a_node_that_is_stopped_in_order_asks_nobody(self):
        runs = self.begin()
        self.assertEqual(self.victim.stop(), 0)
        self.assertEqual(self.check(runs), set(), "what became of a command was known: its node waited to be asked")

    def test_a_node_that_is_killed(self):
        runs = self.begin()
        self.victim.kill9()
        self.check(runs)

    def test_a_machine_that_is_lost_with_all_its_commands(self):
        runs = self.begin()
        kill_tree(self.victim)
        self.check(runs)

    def test_a_node_that_stands_still_until_others_have_done_its_work(self):
        runs = self.begin()
        self.victim.pause()
        try:
            self.check(runs)
        finally:
            self.victim.go_on()
        self.check_after(runs)

    def test_a_node_that_stands_still_for_a_moment(self):
        runs = self.begin()
        self.victim.pause()
        try:
            poll("others have its shards", lambda: self.leads(self.other, self.victim.name) == 0)
        finally:
            self.victim.go_on()
        self.check(runs)
        self.check_after(runs)

    def check_after(self, runs):
        """Once the victim knows what became of its work."""
        poll("it has ended its commands", lambda: not descendants(self.victim.process.pid))
        poll("it serves", lambda: self.victim.client().get("/health/ready", base="").status == 200)
        self.check(runs)
