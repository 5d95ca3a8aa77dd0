"""A run watched at a terminal: its state under it, and keys that act at once."""

import termios

from tests.system.node import NodeTest, poll
from tests.system.terminal import Terminal

WAITING = """
rules:
  - when: {step: 1}
    say: I look.
    call: [{tool: run_command, arguments: {command: "seq 1 40"}}]
  - when: {step: 2}
    call: [{tool: run_command, arguments: {command: "touch begun; while [ ! -e go ]; do sleep 0.05; done"}}]
  - when: {step: 3}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {step: 4}
    call: [{tool: finish, arguments: {result: "It is ${result}."}}]
"""
OK, FAILED, INTERRUPTED = 0, 1, 130


class LiveViewTest(NodeTest):
    def setUp(self):
        super().setUp()
        flags, model = self.script("waiting", WAITING)
        self.server = self.node(*flags).start()
        self.api = self.server.client()
        self.work = self.work_folder()
        project = self.api.create("/projects", {"name": "work", "folder": str(self.work)})["id"]
        self.run_id = self.api.create("/runs", {"goal": "x", "model": model, "project_id": project, "limits": {"steps": 9}})["id"]

    def watch(self):
        try:
            return Terminal(["run", "watch", self.run_id], {**self.server.environment, "TROUPE_DATA": str(self.server.directory), "TERM": "xterm"})
        except OSError as reason:
            self.skipTest(f"this machine gives no terminals: {reason}")

    def test_keys_show_leave_and_cancel(self):
        with self.watch() as t:
            t.read_until("c cancel  o output  q leave")
            t.read_until("1/9 steps")
            poll("keys are taken as they are", lambda: not termios.tcgetattr(t.master)[3] & (termios.ECHO | termios.ICANON))
            t.type("o")
            t.read_until("touch begun")
            self.assertNotIn("\n    20\n", t.shown)
            t.type("o")
            t.read_until("as the model read it")
            t.read_until("\n    20\n")
            t.type("q")
            self.assertEqual(t.end(), INTERRUPTED, t.shown)
            self.assertIn("The run goes on.", t.shown)
        self.assertEqual(self.api.read(f"/runs/{self.run_id}")["status"], "running")
        with self.watch() as t:
            t.read_until("q leave")
            t.type("c")
            t.read_until("Cancel this run?")
            t.type("n")
            t.type("c")
            t.type("y")
            self.assertEqual(t.end(), FAILED, t.shown)
            self.assertIn("cancelled", t.shown)
        self.assertEqual(self.api.read(f"/runs/{self.run_id}")["status"], "cancelled")

    def test_a_question_takes_a_line_and_keys_come_back(self):
        with self.watch() as t:
            t.read_until("touch begun")
            (self.work / "go").touch()
            t.read_until("answer> ")
            poll("lines are taken", lambda: termios.tcgetattr(t.master)[3] & termios.ICANON)
            t.type("blue cq\n")
            self.assertEqual(t.end(), OK, t.shown)
            self.assertIn("It is blue cq.", t.shown)
