"""What a model can reach with its tools: its project, and nothing else."""

import json
import os
import socket
import urllib.parse
from pathlib import Path

from tests.system.node import NodeTest, poll

SECRET = "sk-test-5up3r5ecret"


def script(*calls):
    """One call a step; the results are in the steps of the run."""
    rules = [{"when": {"step": n}, "call": [{"tool": tool, "arguments": arguments}]} for n, (tool, arguments) in enumerate(calls, 1)]
    return json.dumps({"rules": [*rules, {"call": [{"tool": "finish", "arguments": {"result": "done"}}]}]})


class SandboxTest(NodeTest):
    def results(self, *calls, folder=None, node=None):
        """Of each call: (status, content)."""
        flags, model = self.script("calls", script(*calls))
        node = node or self.node(*flags, environment={"OPENAI_API_KEY": SECRET, "TROUPE_MODEL_DEFAULT": "rehearsal"}).start()
        self.server, self.api = node, node.client()
        self.work = folder or self.work_folder()
        self.project = self.api.create("/projects", {"name": "p", "folder": str(self.work)})["id"]
        run = self.api.create("/runs", {"goal": "x", "project_id": self.project, "model": model})["id"]
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown.get("result")), ("succeeded", "done"), shown)
        steps = [s for s in self.api.all(f"/runs/{run}/steps") if s["type"] == "tool"][:-1]
        self.assertEqual(len(steps), len(calls))
        return [(s["status"], s["content"]) for s in steps]

    def test_command_sees_neither_the_node_nor_its_secrets(self):
        flags, _ = self.script("calls", script(("run_command", {"command": "true"})))
        node = self.node(*flags, environment={"OPENAI_API_KEY": SECRET, "TROUPE_MODEL_DEFAULT": "rehearsal"}).start()
        outside = self.work_folder("outside")
        (outside / "secret").write_text("outside secret")
        port = urllib.parse.urlsplit(node.url).port
        commands = ("env", f"cat {node.directory}/admin.key", f"cat {outside}/secret", f"echo x > {outside}/new", "cat /etc/shadow",
                    f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'; cat /proc/[0-9]*/cmdline",
                    "echo x > /usr/x && echo written", "mount -t tmpfs none /usr && echo mounted")
        said = self.results(*[("run_command", {"command": f"bash -c {json.dumps(c)}" if "/dev/tcp" in c else c}) for c in commands], node=node)
        for command, (status, content) in zip(commands, said):
            with self.subTest(command):
                self.assertEqual(status, "succeeded")
                for bad in (SECRET, node.key, "outside secret", "root:", "reached", "troupe serve", "written\n", "mounted\n"):
                    self.assertNotIn(bad, content.replace(command, ""))
        self.assertEqual([p.name for p in outside.iterdir()], ["secret"])

    def test_file_tools_do_not_follow_links_to_the_outside(self):
        outside, work = self.work_folder("outside"), self.work_folder()
        (outside / "secret").write_text("outside secret")
        (work / "link").symlink_to(outside)
        (work / "file").symlink_to(outside / "secret")
        os.mkfifo(work / "pipe")
        said = self.results(("read_file", {"path": "link/secret"}), ("read_file", {"path": "file"}), ("write_file", {"path": "link/new", "content": "x"}),
                            ("write_file", {"path": "file", "content": "x"}), ("edit_file", {"path": "file", "old_text": "outside", "new_text": "x"}),
                            ("read_file", {"path": str(outside / "secret")}), ("read_file", {"path": "/proc/self/environ"}),
                            ("read_file", {"path": "pipe"}), ("search_files", {"pattern": "outside secret"}), ("list_files", {"depth": 5}),
                            ("run_command", {"command": f"ln -s {outside} made; ln -s {outside}/secret made-file"}), ("read_file", {"path": "made-file"}),
                            ("write_file", {"path": "made/new", "content": "x"}))
        for status, content in said:
            self.assertNotIn("outside secret", content.replace("pattern", ""))
        self.assertEqual([s for s, _ in said[:3]], ["failed"] * 3)
        self.assertEqual({p.name: p.read_text() for p in outside.iterdir()}, {"secret": "outside secret"})
        names = [f["path"] for f in self.api.all(f"/projects/{self.project}/files")]
        self.assertFalse([n for n in names if n.startswith(("link", "made", "pipe"))], names)

    def test_node_that_keeps_its_data_within_the_project_keeps_it_to_itself(self):
        # `troupe serve` and then `troupe run start --project .` in the same folder
        work = self.work_folder()
        (work / "a.txt").write_text("a\n")
        flags, _ = self.script("calls", script(("run_command", {"command": "true"})))
        node = self.node(*flags)
        node.directory = work / ".troupe"
        node.start()
        said = self.results(("read_file", {"path": ".troupe/admin.key"}), ("run_command", {"command": "cat .troupe/admin.key; ls -a .troupe"}),
                            ("search_files", {"pattern": "[a-z]"}), ("list_files", {"depth": 9}),
                            ("write_file", {"path": ".troupe/identity.json", "content": "{}"}), ("write_file", {"path": "b.txt", "content": "b\n"}),
                            ("run_command", {"command": "rm -rf .troupe/db; mv .troupe x; ln -s .troupe y; ls -a"}),
                            ("read_file", {"path": "y/admin.key"}), ("write_file", {"path": "y/new", "content": "x"}),
                            ("list_files", {"path": "y"}), folder=work, node=node)
        for _, content in said:
            self.assertNotIn(node.key, content)
        self.assertIn(node.key, (work / ".troupe" / "admin.key").read_text())
        self.assertEqual([f["path"] for f in self.api.all(f"/projects/{self.project}/files")], [node.log.name, "a.txt", "b.txt"])
        node.kill9()
        node.start()
        self.assertEqual(node.client().read(f"/projects/{self.project}")["name"], "p")

    def test_folder_that_shares_files_with_the_data_of_the_node_is_refused(self):
        node = self.node().start()
        api = node.client()
        (self.folder / "link").symlink_to(node.directory)
        for folder in (self.folder, node.directory, node.directory / "db", self.folder / "link", Path("/")):
            reply = self.status(api.post("/projects", {"name": "p", "folder": str(folder)}), 422, "invalid_request")
            self.assertEqual([e["pointer"] for e in reply.json["errors"]], ["/folder"])
        self.assertEqual(api.all("/projects"), [])

    def test_command_has_bounds(self):
        said = self.results(("run_command", {"command": "yes | head -c 50000000"}), ("run_command", {"command": "sleep 60", "time_limit_ms": 300}),
                            ("run_command", {"command": "head -c 300 /dev/urandom"}), ("run_command", {"command": "kill -9 $$"}),
                            ("run_command", {"command": "exit 7", "working_directory": "none"}))
        self.assertLess(len(said[0][1]), 200000)
        self.assertIn("over its time limit", said[1][1])
        self.assertEqual([s for s, _ in said[2:4]], ["succeeded", "succeeded"])
        self.assertNotIn("exit code: 0", said[3][1])
        self.assertNotIn("exit code: 0", said[4][1])

    def test_folder_that_goes_away_is_a_clear_error(self):
        flags, model = self.script("calls", script(("write_file", {"path": "a", "content": "x"})))
        node = self.node(*flags).start()
        api, work = node.client(), self.work_folder()
        project = api.create("/projects", {"name": "p", "folder": str(work)})["id"]
        work.rmdir()
        shown = api.wait_run(api.create("/runs", {"goal": "x", "project_id": project, "model": model})["id"])
        self.assertEqual(shown["status"], "failed")
        self.assertIn(str(work), shown["error"])

    def test_listening_port_is_this_machine_only_unless_said_otherwise(self):
        node = self.node().start()
        port = urllib.parse.urlsplit(node.url).port
        table = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        local = [row[1] for row in table if row[1].endswith(f":{port:04X}") and row[3] == "0A"]
        self.assertEqual(local, [f"0100007F:{port:04X}"])
        self.assertTrue(poll("its own address", lambda: socket.create_connection(("127.0.0.1", port), 5).close() is None))
