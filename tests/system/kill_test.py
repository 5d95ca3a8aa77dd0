"""SIGKILL of a run at every event: what was done is not done again, and the work goes on."""

import collections
import concurrent.futures
import os
from pathlib import Path

from tests.system.node import SAMPLE, NodeTest, poll

# Side effects that cannot be repeated (commands), others that can (files), and two in one step.
STEPS = """
rules:
  - when: {step: 1}
    say: One.
    call: [{tool: run_command, arguments: {command: "echo one >> log; sleep 0.03"}}]
  - when: {step: 2}
    say: A file.
    call: [{tool: write_file, arguments: {path: notes.txt, content: "before\\n"}}]
  - when: {step: 3}
    say: An edit.
    call: [{tool: edit_file, arguments: {path: notes.txt, old_text: before, new_text: before and after}}]
  - when: {step: 4}
    say: Two and three.
    call:
      - {tool: run_command, arguments: {command: "echo two >> log; sleep 0.03"}}
      - {tool: run_command, arguments: {command: "echo three >> log; sleep 0.03"}}
  - when: {step: 5}
    say: Done.
    call: [{tool: finish, arguments: {result: All is done.}}]
"""
LINE_OF = {"00001.001": "one", "00004.001": "two", "00004.002": "three"}
ENDS = ("run_finished", "run_failed", "run_cancelled")


def descendants(pid):
    """Processes below `pid`, children first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it has ended
    found, new = [], [pid]
    while new:
        new = [p for p, parent in parents.items() if parent in new]
        found += new
    return found


def kill_tree(node):
    """As a power cut: the node, its runners and their commands."""
    below = descendants(node.process.pid)
    node.kill9()
    for pid in below:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass


class RunKillTest(NodeTest):
    def prepare(self, name):
        flags, model = self.script("steps", STEPS)
        work = self.work_folder(f"work-{name}")
        node = self.node(*flags, name=f"data-{name}").start()
        api = node.client()
        project = api.create("/projects", {"name": name, "folder": str(work)})["id"]
        run = api.create("/runs", {"goal": "do it", "project_id": project, "model": model})["id"]
        return node, work, project, run

    def kill_after(self, node, run, number, kill):
        """Kills as soon as event `number` of the run (from 1) is seen, or lets it end. The kinds seen."""
        seen = []
        events = node.stream(f"/runs/{run}/events?since=start")
        for event in events:
            if event.get("id"):
                seen.append(event["event"])
                if len(seen) == number or event["event"] in ENDS:
                    break
        kill(node)
        events.close()
        return seen

    def finish(self, node, run, choose):
        """Waits for the end; `choose(key)` decides unknown steps. {step key: decision}"""
        api, decided = node.client(), {}

        def check():
            shown = api.read(f"/runs/{run}")
            if shown["status"] != "waiting":
                return shown if shown["status"] in ("succeeded", "failed", "cancelled") else None
            for wait in shown["waiting"]:
                if wait["reason"] == "unknown_step":
                    approval = api.read(f"/approvals/{wait['approval_id']}")
                    decided[approval["step_key"]] = choose(approval["step_key"])
                    reply = api.post(f"/approvals/{wait['approval_id']}/decide", {"decision": decided[approval["step_key"]]})
                    self.assertIn(reply.status, (200, 409), reply)
                else:
                    self.assertEqual(wait["reason"], "back_off", shown)
            return None
        return poll(f"the end of run {run}", check), decided

    def check(self, node, work, project, run, shown, decided):
        api = node.client()
        self.assertEqual((shown["status"], shown.get("result"), shown["waiting"]), ("succeeded", "All is done.", []), shown)
        steps = {s["key"]: s for s in api.all(f"/runs/{run}/steps")}
        keys = [s["key"] for s in api.all(f"/runs/{run}/steps", limit=2)]
        self.assertEqual(keys, ["00001.000", "00001.001", "00002.000", "00002.001", "00003.000", "00003.001",
                                "00004.000", "00004.001", "00004.002", "00005.000", "00005.001"])
        lines = collections.Counter((work / "log").read_text().split() if (work / "log").exists() else [])
        for key, step in steps.items():
            line, decision = LINE_OF.get(key), decided.get(key)
            self.assertEqual(step["status"], "skipped" if decision == "skip" else "succeeded", step)
            if line and decision is None:
                self.assertEqual(lines[line], 1, (line, lines))
            elif line:
                self.assertLessEqual(lines[line], 2 if decision == "retry" else 1, (line, lines))
                self.assertGreaterEqual(lines[line], 1 if decision == "retry" else 0, (line, lines))
        self.assertEqual((work / "notes.txt").read_text(), "before and after\n")
        outcomes = collections.Counter()
        for event in api.events_of(f"runs/{run}"):
            if event["kind"] in ("tool_call_finished", "tool_call_skipped", "model_call_finished"):
                outcomes[event["data"]["step"], event["data"].get("call", 0)] += 1
            if event["kind"] in ENDS:
                outcomes["end"] += 1
        self.assertEqual(set(outcomes.values()), {1}, outcomes)
        self.assertEqual(len(outcomes), len(keys) + 1)
        files = {f["path"]: api.get(f"/projects/{project}/files/{f['path']}").raw for f in api.all(f"/projects/{project}/files")}
        self.assertEqual(files, {p.name: p.read_bytes() for p in work.iterdir() if p.is_file()}, "the project holds what the run left")

    def kinds_of_one_run(self, name):
        """The journaled events of the run when nobody disturbs it."""
        node, work, project, run = self.prepare(name)
        seen = self.kill_after(node, run, 0, lambda n: None)
        self.check(node, work, project, run, *self.finish(node, run, None))
        node.kill9()
        return seen

    def at_every_event(self, flavour, kill, choose, pick=lambda kind: True):
        kinds = self.kinds_of_one_run(flavour)
        self.assertGreater(len(kinds), 25)
        unknown = []

        def one(number):
            node, work, project, run = self.prepare(f"{flavour}-{number}")
            try:
                self.kill_after(node, run, number, kill)
                node.start()
                shown, decided = self.finish(node, run, choose)
                self.check(node, work, project, run, shown, decided)
                unknown.extend(decided)
            finally:
                node.kill9()

        numbers = [n for n, kind in enumerate(kinds, 1) if pick(kind)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for number, result in [(n, pool.submit(one, n)) for n in numbers]:
                with self.subTest(event=number, kind=kinds[number - 1]):
                    result.result()
        return unknown

    def test_node_killed_at_every_event_needs_no_person(self):
        unknown = self.at_every_event("node", lambda n: n.kill9(), lambda key: "retry")
        self.assertEqual(unknown, [], "a command survives its node, so that nothing stays unknown")

    def test_power_cut_at_every_event_repeats_only_what_a_person_wants(self):
        at_tools = lambda kind: kind.startswith("tool_call")
        self.at_every_event("retry", kill_tree, lambda key: "retry")
        self.at_every_event("skip", kill_tree, lambda key: "skip", at_tools)

    def test_power_cut_in_a_command_asks_a_person(self):
        for decision in ("retry", "skip"):
            with self.subTest(decision):
                self.cut_in_command(decision)

    def cut_in_command(self, decision):
        flags, model = self.script("long", """
rules:
  - when: {step: 1}
    call: [{tool: run_command, arguments: {command: "echo x >> log; test $(wc -l < log) = 2 || sleep 60"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "${result}"}}]
""")
        work = self.work_folder(decision)
        node = self.node(*flags, name=f"data-{decision}").start()
        api = node.client()
        project = api.create("/projects", {"name": "long", "folder": str(work)})["id"]
        run = api.create("/runs", {"goal": "long", "project_id": project, "model": model})["id"]
        poll("the command's line", lambda: (work / "log").exists() and (work / "log").read_text() == "x\n")
        kill_tree(node)
        node.start()
        api = node.client()
        waiting = api.wait_run(run, until=("waiting",))["waiting"]
        self.assertEqual([w["reason"] for w in waiting], ["unknown_step"])
        # The run names its question before the approval is opened.
        pending = poll("the question", lambda: api.read(f"/approvals?run_id={run}&status=pending")["items"])
        self.assertEqual([(a["id"], a["step_key"], a["tool"]) for a in pending], [(waiting[0]["approval_id"], "00001.001", "run_command")])
        node.kill9()
        node.start()  # the question is still there
        api = node.client()
        path = f"/approvals/{waiting[0]['approval_id']}/decide"
        self.status(api.post(path, {"decision": "approve"}), 422, "invalid_request")
        self.status(api.post(path, {"decision": decision}), 200)
        shown = api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded", shown)
        self.assertEqual((work / "log").read_text(), "x\n" * (2 if decision == "retry" else 1))
        step = [s for s in api.all(f"/runs/{run}/steps") if s["key"] == "00001.001"]
        self.assertEqual([(s["status"], s["attempt"]) for s in step], [("succeeded", 2)] if decision == "retry" else [("skipped", 1)])
        node.kill9()

    def test_run_killed_again_and_again_comes_to_its_end(self):
        node, work, project, run = self.prepare("again")
        lives = 0
        for number in range(1, 200, 2):
            lives += 1
            if self.kill_after(node, run, number, lambda n: n.kill9())[-1] in ENDS:
                break
            node.start()
        self.assertGreater(lives, 10)
        node.start()
        self.check(node, work, project, run, *self.finish(node, run, lambda key: self.fail(f"{key} is unknown")))
        node.kill9()
        self.check_disk(node)

    def test_sample_is_mended_without_a_person_whenever_the_node_is_killed(self):
        numbers = (1, 4, 7, 10, 12, 15, 16, 20, 24, 28, 30)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for number, result in [(n, pool.submit(self.sample, n)) for n in numbers]:
                with self.subTest(event=number):
                    result.result()

    def sample(self, number):
        node = self.node(name=f"sample-{number}").start()
        try:
            api = node.client()
            project = api.create("/projects", {"name": "sample"})["id"]
            for file in sorted(SAMPLE.iterdir()):
                api.create(f"/projects/{project}/files", {"path": file.name, "content": file.read_text(),
                                                          "executable": os.access(file, os.X_OK)})
            agent = api.create("/agents", {"name": "fixer", "role": "technical"})["id"]
            task = api.create("/tasks", {"title": "Mend the failing test", "project_id": project, "agent_id": agent})["id"]
            run = poll("the task's run", lambda: api.read(f"/tasks/{task}").get("run_id"))
            self.kill_after(node, run, number, lambda n: n.kill9())
            node.start()
            shown, decided = self.finish(node, run, lambda key: "retry")
            self.assertEqual((shown["status"], decided), ("succeeded", {}), shown)
            api = node.client()
            self.assertIn("The tests pass: ", shown["result"])
            done = poll("the task's end", lambda: (t := api.read(f"/tasks/{task}")) and t["status"] in ("review", "done", "failed") and t)
            self.assertEqual((done["status"], done["run_id"], done["result"]), ("review", run, shown["result"]))
            diff = api.get(f"/runs/{run}/diff").raw.decode()
            self.assertEqual([line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")],
                             ["-        if (!merged.empty() && next.first <= merged.back().last)",
                              "+        if (!merged.empty() && next.first <= merged.back().last + 1)"])
            keys = [s["key"] for s in api.all(f"/runs/{run}/steps")]
            self.assertEqual(len(keys), len(set(keys)))
        finally:
            node.kill9()
