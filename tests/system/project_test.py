"""What a project keeps of a folder, what it refuses, and what a run says it changed."""

import shutil
import subprocess
import unittest

from tests.system.node import NodeTest, poll
from tests.system.sandbox_test import script

FILE_BYTES_MAX = 128 << 20


class ProjectTest(NodeTest):
    def begin(self, *calls):
        """A node whose model makes these calls, and a managed project."""
        flags, self.model = self.script("calls", script(*calls))
        self.server = self.node(*flags).start()
        self.api = self.server.client()
        self.project = self.api.create("/projects", {"name": "p"})["id"]

    def start_run(self):
        return self.api.create("/runs", {"goal": "x", "project_id": self.project, "model": self.model})["id"]

    def steps(self, run):
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        return [s for s in self.api.all(f"/runs/{run}/steps") if s["type"] == "tool"][:-1]

    def files(self):
        return [f["path"] for f in self.api.all(f"/projects/{self.project}/files")]

    def put(self, path, content, status=201, code=None):
        self.status(self.api.post(f"/projects/{self.project}/files", {"path": path, "content": content}), status, code)

    def test_data_of_git_is_no_part_of_a_project(self):
        self.begin(("write_file", {"path": ".git/hooks/pre-commit", "content": "#!/bin/sh\n", "executable": True}),
                   ("run_command", {"command": "mkdir .git; echo kept > .git/config"}), ("edit_file", {"path": ".git/config", "old_text": "kept", "new_text": "x"}),
                   ("read_file", {"path": ".git/config"}), ("write_file", {"path": "a", "content": "a\n"}))
        self.put(".git/config", "x", 422, "path_outside_project")
        self.put("sub/.git/config", "x", 422, "path_outside_project")
        steps = self.steps(self.start_run())
        self.assertEqual([s["status"] for s in steps], ["failed", "succeeded", "failed", "succeeded", "succeeded"], steps)
        self.assertIn("git's own data", steps[0]["content"])
        self.assertEqual(steps[3]["content"], "kept\n")
        self.assertEqual(self.files(), ["a"])

    def test_name_that_no_file_can_have_is_refused_and_runs_go_on(self):
        self.begin(("run_command", {"command": "ls"}))
        self.put("n" * 256, "x", 422, "invalid_request")
        self.put("n" * 255, "x")
        self.assertIn("n" * 255, self.steps(self.start_run())[0]["content"])

    def test_what_cannot_be_saved_is_told_to_the_model_and_shown_in_the_diff(self):
        self.begin(("run_command", {"command": f"truncate -s {FILE_BYTES_MAX + 1} large; printf x > \"$(printf 'odd\\377')\"; echo a > a"}),
                   ("run_command", {"command": "echo b > b"}))
        run = self.start_run()
        first, second = self.steps(run)
        self.assertIn("large was not saved: It has 134217729 bytes", first["content"])
        self.assertIn("odd\ufffd was not saved: ", first["content"])
        self.assertNotIn("not saved", second["content"])
        self.assertEqual(self.files(), ["a", "b"])
        self.assertIn('"large" was not saved', self.diff(run))

    def diff(self, run):
        done = self.server.cli("run", "diff", run)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    @unittest.skipUnless(shutil.which("git"), "no git on this machine")
    def test_diff_of_a_run_is_applied_by_git(self):
        self.begin(("run_command", {"command": "rm gone; echo 2 > kept; mkdir made; echo new > made/new; touch empty"}))
        copy = self.work_folder("copy")
        for path in ("gone", "kept"):
            self.put(path, "1\n")
            (copy / path).write_text("1\n")
        diff = self.diff(self.finished())
        subprocess.run(["git", "init", "-q", "."], cwd=copy, check=True)
        done = subprocess.run(["git", "apply", "-"], cwd=copy, input=diff, text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, (done.stderr, diff))
        shutil.rmtree(copy / ".git")
        self.assertEqual({str(p.relative_to(copy)): p.read_text() for p in copy.rglob("*") if p.is_file()}, {"kept": "2\n", "made/new": "new\n", "empty": ""})

    def finished(self):
        run = self.start_run()
        self.steps(run)
        return run

    def test_project_that_is_deleted_under_a_run_leaves_nothing_on_the_disk(self):
        self.begin(("run_command", {"command": "echo a > a; touch begun; until [ -e go ]; do sleep 0.05; done"}))
        folders = self.server.directory / "projects"
        folder = folders / self.project
        run = self.start_run()
        poll("the command", (folder / "begun").exists)
        self.status(self.api.delete(f"/projects/{self.project}"), 204)
        (folder / "go").touch()
        self.api.wait_run(run)
        self.assertEqual(list(folders.iterdir()), [])

    def test_project_that_is_deleted_without_a_run_leaves_nothing_after_the_next_start(self):
        self.begin(("write_file", {"path": "a", "content": "a\n"}))
        self.finished()
        self.status(self.api.delete(f"/projects/{self.project}"), 204)
        self.server.stop()
        self.server.start()
        self.assertEqual(list((self.server.directory / "projects").iterdir()), [])
