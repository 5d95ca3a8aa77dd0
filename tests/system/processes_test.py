"""Processes that runs start and that go on beside: their output and input, and that nothing of them is left."""

import json
import uuid
from pathlib import Path

from tests.system.node import NodeTest, poll


def call(tool, **arguments):
    return {"tool": tool, "arguments": arguments}


def script(*steps):
    return json.dumps({"name": "s", "rules": [{"when": {"step": n}, "call": [c]} for n, c in enumerate(steps, 1)]})


class Processes(NodeTest):
    def setUp(self):
        super().setUp()
        self.mark = uuid.uuid4().hex  # found in the command lines of what is at work
        self.echo = f"echo ready; while read line; do echo \"got $line\"; echo \"$line\" >> lines; done # {self.mark}"

    def begin(self, *steps, **more):
        flags, model = self.script("s", script(*steps))
        self.one = self.node(*flags).start()
        self.api = self.one.client()
        self.work = self.work_folder()
        project = self.api.create("/projects", {"name": "p", "folder": str(self.work)})["id"]
        self.run_id = self.api.create("/runs", {"goal": "x", "model": model, "project_id": project, **more})["id"]

    def at_work(self):
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if self.mark.encode() in words:
                found.append(int(folder.name))
        return found

    def calls(self):
        return [s for s in self.api.all(f"/runs/{self.run_id}/steps") if s["type"] == "tool"]

    def test_a_run_talks_with_a_process(self):
        self.begin(call("process_start", name="echo", command=self.echo, wait_for="ready", wait_ms=20_000),
                   call("process_start", name="echo", command="true"),
                   call("process_input", name="echo", text="hello\n"),
                   call("process_output", name="echo", since=6, wait_for="got hello", wait_ms=20_000),
                   call("process_output", name="other"),
                   call("process_stop", name="echo"),
                   call("process_output", name="echo"),
                   call("process_start", name="short", command="echo out; exit 3", wait_for="never", wait_ms=20_000),
                   call("finish", result="Done."))
        self.assertEqual(self.api.wait_run(self.run_id)["status"], "succeeded")
        start, again, _, output, other, stop, gone, short = [s["content"] for s in self.calls()][:8]
        self.assertEqual(start, "echo is at work\noutput:\nready\nnext: 6\n")
        self.assertIn("at work already", again)
        self.assertEqual(output, "echo is at work\noutput:\ngot hello\nnext: 16\n")
        self.assertIn("There are: echo.", other)
        self.assertIn("it was ended\noutput:\nready\ngot hello\n", stop)
        self.assertIn("none is at work", gone)
        self.assertIn("it ended with exit code 3\noutput:\nout\n", short)
        self.assertEqual((self.work / "lines").read_text(), "hello\n")
        self.assertEqual(self.at_work(), [])

    def test_it_ends_with_its_run(self):
        self.begin(call("process_start", name="echo", command=self.echo, wait_for="ready", wait_ms=20_000), call("finish", result="Done."))
        self.api.wait_run(self.run_id)
        poll("nothing is left", lambda: not self.at_work())

    def test_it_ends_with_a_node_that_is_killed(self):
        self.begin(call("process_start", name="echo", command=self.echo, wait_for="ready", wait_ms=20_000),
                   call("run_command", command="while [ ! -e go ]; do sleep 0.05; done"),
                   call("process_output", name="echo"), call("finish", result="Done."), on_unknown="retry")
        poll("it waits", lambda: len(self.calls()) == 2)
        self.assertNotEqual(self.at_work(), [])
        self.one.kill9()
        poll("nothing is left", lambda: not self.at_work())
        (self.work / "go").touch()
        self.one.start()
        self.api = self.one.client()
        self.assertEqual(self.api.wait_run(self.run_id)["status"], "succeeded")
        self.assertIn("none is at work", self.calls()[2]["content"])

    def test_who_may_not_run_commands_starts_no_process(self):
        self.begin(call("process_start", name="echo", command=self.echo), call("finish", result="Done."), tools={"run_command": "deny"})
        self.api.wait_run(self.run_id)
        self.assertIn("the rule \"run_command\" denies it", self.calls()[0]["content"])
        self.assertEqual(self.at_work(), [])
