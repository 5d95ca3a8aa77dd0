"""People, policies and bounds: approvals, questions, cancellation, budgets."""

import os
import time
import uuid
from pathlib import Path

from tests.system.node import NodeTest, poll

COMMAND = """
rules:
  - when: {step: 1}
    say: I want to run something.
    call: [{tool: run_command, arguments: {command: "echo ran >> log"}}]
  - when: {step: 2}
    say: "Then it ended."
    call: [{tool: finish, arguments: {result: "${result}"}}]
"""
QUESTION = """
rules:
  - when: {step: 1}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "It is ${result}."}}]
"""
ENDLESS = """
rules:
  - say: Again.
    call: [{tool: list_files, arguments: {}}]
"""


def processes_with(text):
    """Pids whose command line has the text, this process apart."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass  # it has ended
    return found


class PeopleTest(NodeTest):
    def begin(self, script, **body):
        flags, model = self.script("script", script)
        self.server = self.node(*flags).start()
        self.api = self.server.client()
        self.work = self.work_folder()
        project = self.api.create("/projects", {"name": "p", "folder": str(self.work)})["id"]
        return self.api.create("/runs", {"goal": "go", "project_id": project, "model": model, **body})["id"]

    def restart(self):
        self.server.kill9()
        self.server.start()
        self.api = self.server.client()

    def pending(self, run, reason):
        """The one approval that the run waits for."""
        waiting = self.api.wait_run(run, until=("waiting",))["waiting"]
        self.assertEqual([w["reason"] for w in waiting], [reason])
        items = poll("the approval", lambda: self.api.read(f"/approvals?run_id={run}&status=pending")["items"])
        self.assertEqual([a["id"] for a in items], [waiting[0]["approval_id"]])
        return items[0]

    def decide(self, approval, **body):
        return self.status(self.api.post(f"/approvals/{approval['id']}/decide", body), 200).json

    def lines(self):
        return (self.work / "log").read_text() if (self.work / "log").exists() else ""

    def step(self, run, key="00001.001"):
        return next(s for s in self.api.all(f"/runs/{run}/steps") if s["key"] == key)

    # ---- approvals

    def test_command_waits_for_approval_over_a_restart(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"})
        approval = self.pending(run, "approval")
        self.assertEqual((approval["tool"], approval["arguments"]), ("run_command", {"command": "echo ran >> log"}))
        self.assertIn("echo ran >> log", approval["text"])
        self.restart()
        self.assertEqual(self.pending(run, "approval"), approval)
        self.assertEqual((self.lines(), self.step(run)["status"]), ("", "asked"))
        decided = self.decide(approval, decision="approve")
        self.assertEqual((decided["status"], decided["decided_by"]), ("approved", "key/admin"))
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        self.assertEqual((self.lines(), self.step(run)["status"]), ("ran\n", "succeeded"))
        self.decide(approval, decision="approve")  # a repeat
        self.status(self.api.post(f"/approvals/{approval['id']}/decide", {"decision": "deny"}), 409, "conflict")
        self.assertEqual(self.lines(), "ran\n")

    def test_denied_command_is_not_run_and_the_model_reads_why(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"})
        self.decide(self.pending(run, "approval"), decision="deny", answer="the moon is wrong")
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded")
        self.assertIn("the moon is wrong", shown["result"])
        self.assertEqual((self.lines(), self.step(run)["status"]), ("", "denied"))

    def test_command_is_edited_before_it_runs(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"})
        approval = self.pending(run, "approval")
        self.status(self.api.post(f"/approvals/{approval['id']}/decide", {"decision": "answer", "answer": "x"}), 422)
        self.decide(approval, decision="approve", arguments={"command": "echo other >> log"})
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        self.assertEqual((self.lines(), self.step(run)["arguments"]), ("other\n", {"command": "echo other >> log"}))

    def test_decision_survives_a_kill_right_after_it(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"})
        self.decide(self.pending(run, "approval"), decision="approve")
        self.restart()
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        self.assertEqual(self.lines(), "ran\n")

    def test_approval_is_withdrawn_when_its_run_ends(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"})
        approval = self.pending(run, "approval")
        self.api.ok("POST", f"/runs/{run}/cancel", {})
        poll("the withdrawal", lambda: self.api.read(f"/approvals/{approval['id']}")["status"] == "withdrawn")
        self.status(self.api.post(f"/approvals/{approval['id']}/decide", {"decision": "approve"}), 409, "conflict")
        self.assertEqual((self.lines(), self.api.read(f"/approvals?run_id={run}&status=pending")["items"]), ("", []))

    def test_policy_of_the_agent_counts(self):
        flags, model = self.script("script", COMMAND)
        self.server = self.node(*flags).start()
        self.api, self.work = self.server.client(), self.work_folder()
        project = self.api.create("/projects", {"name": "p", "folder": str(self.work)})["id"]
        self.api.create("/agents", {"name": "careful", "model": model, "tools": {"run_command": "ask"}})
        task = self.api.create("/agents/careful/tasks", {"title": "go", "project_id": project})["id"]
        run = poll("the run", lambda: self.api.read(f"/tasks/{task}").get("run_id"))
        approval = self.pending(run, "approval")
        why = self.api.read(f"/why/run/{run}")
        self.assertIn(f"troupe run approve {run}", why["reasons"][0]["remedy"])
        self.decide(approval, decision="approve")
        self.assertEqual(poll("the task", lambda: (t := self.api.read(f"/tasks/{task}"))["status"] in ("review", "done", "failed") and t)["status"], "review")
        self.assertEqual(self.lines(), "ran\n")

    def test_forbidden_tool_is_not_run(self):
        run = self.begin(COMMAND, tools={"run_command": "deny"})
        shown = self.api.wait_run(run)
        self.assertIn("not allowed", shown["result"])
        self.assertEqual((self.lines(), self.step(run)["status"]), ("", "denied"))

    # ---- questions

    def test_question_is_answered_after_a_restart(self):
        run = self.begin(QUESTION)
        self.assertEqual(self.pending(run, "question")["text"], "Which colour?")
        self.restart()
        approval = self.pending(run, "question")
        self.status(self.api.post(f"/approvals/{approval['id']}/decide", {"decision": "answer"}), 422, "invalid_request")
        self.assertEqual(self.decide(approval, decision="answer", answer="grün 🦊")["status"], "answered")
        self.assertEqual(self.api.wait_run(run)["result"], "It is grün 🦊.")

    # ---- cancellation

    def test_cancelled_command_leaves_no_process(self):
        mark = f"mark-{uuid.uuid4()}"
        run = self.begin(COMMAND.replace("echo ran >> log", f"(sh -c 'sleep 300; : {mark}' &) ; setsid sh -c 'sleep 301; : {mark}' & "
                                                            f"echo ran >> log; sh -c 'sleep 302; : {mark}'"))
        poll("the command", lambda: self.lines() == "ran\n")
        self.assertGreaterEqual(len(processes_with(mark)), 3)
        self.assertEqual(self.api.ok("POST", f"/runs/{run}/cancel", {"reason": "enough"})["status"], "cancelled")
        poll("the end of all processes", lambda: not processes_with(mark), 10)
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["error"]), ("cancelled", "cancelled: enough"))
        self.assertEqual(self.step(run)["status"], "failed")
        self.api.ok("POST", f"/runs/{run}/cancel", {})  # one that has ended stays as it is
        self.restart()
        again = self.api.read(f"/runs/{run}")
        for each in (again, shown):
            del each["updated_at"]  # moves when what the run left is gone
        self.assertEqual(again, shown)

    def test_run_cancelled_while_its_command_outlived_the_node(self):
        mark = f"mark-{uuid.uuid4()}"
        run = self.begin(COMMAND.replace("echo ran >> log", f"echo ran >> log; sh -c 'sleep 300; : {mark}'"))
        poll("the command", lambda: self.lines() == "ran\n")
        self.restart()
        self.assertEqual(self.api.ok("POST", f"/runs/{run}/cancel", {})["status"], "cancelled")
        poll("the end of all processes", lambda: not processes_with(mark), 10)
        self.assertEqual(self.lines(), "ran\n")

    def test_stop_of_the_node_ends_within_its_bound_and_the_run_goes_on(self):
        run = self.begin(COMMAND.replace("echo ran >> log", "echo ran >> log; sleep 2"))
        poll("the command", lambda: self.lines() == "ran\n")
        began = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - began, 15)
        self.server.start()
        self.api = self.server.client()
        shown = self.api.wait_run(run, until=("succeeded", "failed", "waiting"))
        self.assertEqual((shown["status"], self.lines()), ("succeeded", "ran\n"), shown)

    # ---- budgets

    def assert_exhausted(self, run, part):
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "failed", shown)
        self.assertIn(part, shown["error"])
        end = next(e for e in reversed(self.api.events_of(f"runs/{run}")) if e["kind"] == "run_failed")
        self.assertEqual(end["data"]["code"], "budget_exhausted")
        return shown

    def test_steps_have_a_budget(self):
        shown = self.assert_exhausted(self.begin(ENDLESS, limits={"steps": 2}), "2 steps")
        self.assertEqual((shown["step"], shown["used"]["steps"]), (2, 2))

    def test_tokens_have_a_budget(self):
        shown = self.assert_exhausted(self.begin(ENDLESS, limits={"tokens": 3000}), "token")
        self.assertLessEqual(shown["used"]["tokens"], 3000)

    def test_time_has_a_budget_also_within_a_command(self):
        mark = f"mark-{uuid.uuid4()}"
        run = self.begin(COMMAND.replace("echo ran >> log", f"echo ran >> log; sh -c 'sleep 300; : {mark}'"), limits={"time_ms": 1000})
        self.assert_exhausted(run, "1000 ms")
        poll("the end of all processes", lambda: not processes_with(mark), 10)

    def test_waiting_for_people_is_no_working_time(self):
        run = self.begin(COMMAND, tools={"run_command": "ask"}, limits={"time_ms": 5000})
        approval = self.pending(run, "approval")
        used = self.api.read(f"/runs/{run}")["used"]["time_ms"]
        self.restart()
        self.decide(approval, decision="approve")
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded")
        self.assertLess(shown["used"]["time_ms"] - used, 5000)

    def test_end_of_a_script_is_a_clear_failure(self):
        run = self.begin("rules:\n  - when: {step: 1}\n    call: [{tool: list_files, arguments: {}}]\n")
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "failed")
        end = next(e for e in reversed(self.api.events_of(f"runs/{run}")) if e["kind"] == "run_failed")
        self.assertEqual(end["data"]["code"], "script_exhausted")

    def test_broken_script_is_named_with_its_line(self):
        run = self.begin("rules:\n  - whem: {step: 1}\n    say: x\n")
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "failed")
        self.assertRegex(shown["error"], r"script\.yaml:2\b.*whem")
