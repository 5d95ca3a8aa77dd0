"""New programs for one node after the other, by cluster-configs/systemd/upgrade, under load; and its way back."""

import http.server
import json
import os
import signal
import subprocess
import tarfile
import threading
import urllib.request
from pathlib import Path

from tests.system.cluster import ClusterTest, Member, Writers
from tests.system.node import BUILD, REPOSITORY, SECONDS_MAX, TROUPE, NodeTest, poll

UPGRADE = REPOSITORY / "cluster-configs" / "systemd" / "upgrade"
WORKS = f'exec "{TROUPE}" "$@"\n'
ENDS_AT_ONCE = f'[ "$1" != --version ] || exec "{TROUPE}" --version\nexit 1\n'
NEVER_READY = f'[ "$1" != --version ] || exec "{TROUPE}" --version\nexec sleep 1000\n'
ENDS_AT_N2 = 'case "$*" in *"--cluster.name n2"*) exit 1;; esac\n' + WORKS
OLDER = 'echo troupe 0.0.1\n'


class Kept(Member):
    """A node that a thread starts again whenever it ends, as systemd does; so `restart` is to end it."""

    def __init__(self, folder, name, cluster_file, *flags, **more):
        super().__init__(folder, name, cluster_file, *flags, **more)
        self.programs = folder / "opt" / name
        self.program = (self.programs / "current" / "troupe", "serve")
        self.url = f"http://127.0.0.1:{self.edge_port}"
        self.ending, self.thread = threading.Event(), None

    def launch(self):
        self.thread = threading.Thread(target=self.keep)
        self.thread.start()
        return self

    def keep(self):
        while not self.ending.is_set():
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen([*self.program, "--data", self.directory, *self.flags], stdout=log, stderr=log,
                                                env=self.environment)
            (self.programs / "pid").write_text(str(self.process.pid))
            self.process.wait()
            self.ending.wait(0.2)

    def answers(self):
        try:
            return self.client("").get("/health/ready", base="", seconds=2).status == 200
        except OSError:
            return False

    def ready(self, seconds=60):
        poll(f"{self.name} is ready", self.answers, seconds)
        return self

    def kill9(self):
        """For good."""
        self.ending.set()
        while self.thread and self.thread.is_alive():
            if self.process:
                self.process.kill()
            self.thread.join(0.1)

    def release(self):
        """What the program that runs was started as."""
        words = Path(f"/proc/{self.process.pid}/environ").read_bytes().split(b"\0")
        return next((word[len(b"RELEASE="):].decode() for word in words if word.startswith(b"RELEASE=")), None)


class Complaining(http.server.BaseHTTPRequestHandler):
    """In front of a node: what it says, and with its new programs a failure that it did not have."""

    node = None  # of a class made of this one

    def do_GET(self):
        asked = urllib.request.Request(self.node.url + self.path, headers={"Authorization": self.headers["Authorization"]})
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                status, said = answer.status, json.load(answer)
        except OSError:
            status, said = 503, {}
        if "/system/failures" in self.path and self.node.release() == "new":
            said["items"].append({"fingerprint": "00000000000000ff", "module": "storage", "text": "the disk is on fire"})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_):
        """Says nothing."""


class Upgrade(ClusterTest):
    def setUp(self):
        super().setUp()
        for node in self.members:
            self.programs("old", WORKS, node.programs)
            (node.programs / "current").symlink_to("old")
        self.start_all()
        self.until_ok()
        self.pids = [node.process.pid for node in self.members]

    def member(self, name, *flags):
        made = Kept(self.folder, name, self.cluster_file, "--sandbox", "none", *flags)
        self.nodes.append(made)
        return made

    def programs(self, name, script, folder=None):
        """A folder with a program that says in its environment which one it is."""
        made = (folder or self.folder) / name
        made.mkdir(parents=True)
        (made / "troupe").write_text(f"#!/bin/sh\nexport RELEASE={name}\n{script}")
        (made / "troupe").chmod(0o755)
        return made

    def until_ok(self):
        def is_ok():
            view = self.members[1].client().read("/cluster")
            return view["status"] == "ok" and all(n["status"] == "up" and n["shards_led"] > 0 for n in view["nodes"])
        poll("the cluster is ok, and all lead", is_ok, seconds=60)

    def words(self, folder, *more, nodes=None):
        nodes = nodes or [f"{node.name}={node.url}" for node in self.members]
        # The pid is read anew, since one that ends by itself has another one each time.
        restart = f"kill -TERM $(cat {self.folder}/opt/{{node}}/pid) || true"
        return [UPGRADE, folder, *nodes, "--key-file", self.cluster_file.parent / "admin.key", "--shell", "sh -c",
                "--restart", restart, "--link", f"{self.folder}/opt/{{node}}/current", "--canary-seconds", "2",
                "--watch-seconds", "1", "--ready-seconds", "30", *more]

    def upgrade(self, *words, **more):
        return subprocess.run([str(w) for w in self.words(*words, **more)], capture_output=True, text=True, timeout=SECONDS_MAX * 4,
                              check=False)

    def until_said(self, sentence, *words):
        """The program, when it has said that."""
        started = subprocess.Popen([str(w) for w in self.words(*words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(SECONDS_MAX, started.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        self.addCleanup(started.stdout.close)
        self.addCleanup(started.stderr.close)
        said = []
        for line in started.stdout:
            said.append(line)
            if sentence in line:
                return started
        self.fail(f"it never said {sentence!r}: {said} {started.stderr.read()}")

    def has_gone_back(self):
        n1 = self.members[0]
        self.assertEqual([node.release() for node in self.members], ["old"] * 3)
        self.assertEqual([node.process.pid for node in self.members[1:]], self.pids[1:], "the others were touched")
        self.assertEqual(os.readlink(n1.programs / "current"), "old")
        self.assertFalse((n1.programs / "current.before").is_symlink())
        self.until_ok()

    def test_each_node_in_turn_and_no_request_fails_that_is_sent_again(self):
        new = self.programs("new", WORKS)
        planned = self.upgrade(new, "--dry-run")
        self.assertEqual(planned.returncode, 0, planned)
        self.assertRegex(planned.stdout, r"n1: old -> new-\w+, then watched for 2 s \(canary\)")
        self.assertEqual([node.process.pid for node in self.members], self.pids)
        load = Writers(self.members)
        try:
            load.wait_for(10)
            done = self.upgrade(new)
            self.assertEqual(done.returncode, 0, done)
            load.wait_for(10)
        finally:
            load.stop()
        self.assertIn("All 3 nodes have new-", done.stdout)
        self.assertEqual([node.release() for node in self.members], ["new"] * 3)
        self.until_ok()
        load.check(self, self.members)
        pids = [node.process.pid for node in self.members]
        again = self.upgrade(new)
        self.assertEqual((again.returncode, [node.process.pid for node in self.members]), (0, pids), again)

    def test_a_canary_that_does_not_fare_well_goes_back_and_the_others_are_not_touched(self):
        for name, script in (("ends", ENDS_AT_ONCE), ("sleeps", NEVER_READY)):
            with self.subTest(name):
                done = self.upgrade(self.programs(name, script), "--ready-seconds", "4")
                self.assertEqual(done.returncode, 1, done)
                self.assertRegex(done.stderr, rf"Stopped: n1 did not fare well with {name}-\w+, and has old again: .* is ready")
                self.has_gone_back()
        new = self.programs("new", WORKS)
        with self.subTest("dies while it is watched"):
            tool = self.until_said("is watched", new, "--canary-seconds", "20")
            os.kill(self.members[0].process.pid, signal.SIGKILL)
            _, said = tool.communicate(timeout=SECONDS_MAX * 2)
            self.assertEqual(tool.returncode, 1, said)
            self.assertIn("has old again: n1 ended, and was started again", said)
            self.has_gone_back()
        with self.subTest("has a failure that nobody had before"):
            done = self.upgrade(new, nodes=[f"n1={self.complaining(self.members[0])}", "n2=" + self.members[1].url])
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("there is a new failure, 00000000000000ff, at n1, storage: the disk is on fire", done.stderr)
            self.has_gone_back()

    def complaining(self, node):
        front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Front", (Complaining,), {"node": node}))
        thread = threading.Thread(target=front.serve_forever)
        thread.start()
        self.addCleanup(lambda: (front.shutdown(), front.server_close(), thread.join()))
        return f"http://127.0.0.1:{front.server_port}"

    def test_a_node_after_the_canary_goes_back_alone(self):
        done = self.upgrade(self.programs("new", ENDS_AT_N2), "--ready-seconds", "6")
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stderr, r"Stopped: n2 did not fare well with new-\w+, and has old again: ")
        self.assertEqual([node.release() for node in self.members], ["new", "old", "old"])
        self.assertEqual(self.members[2].process.pid, self.pids[2])
        self.until_ok()

    def test_the_same_command_goes_on_where_it_was_stopped(self):
        new = self.programs("new", WORKS)
        tool = self.until_said("n1: restarts", new)
        tool.kill()
        tool.communicate()
        self.assertTrue((self.members[0].programs / "current.before").is_symlink())
        done = self.upgrade(new)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual([node.release() for node in self.members], ["new"] * 3)
        self.until_ok()

    def test_what_cannot_go_well_is_refused_before_anything_is_changed(self):
        new, older = self.programs("new", WORKS), self.programs("older", OLDER)
        broken = self.programs("broken", WORKS)
        (broken / "troupe").chmod(0o644)
        n1, n2 = (f"{node.name}={node.url}" for node in self.members[:2])
        for words, nodes, sentence in (
                ((new,), [n1, "n9=http://127.0.0.1:1"], 'no node "n9"; it has n1, n2, n3'),
                ((new,), [n2.replace("n2", "n1")], f"{self.members[1].url} is not that of n1"),
                ((new,), ["n1"], "is no NODE=URL"),
                ((new, "--link", "/nowhere/current"), [n1], "no symlink /nowhere/current"),
                ((new, "--key-file", "/nowhere"), [n1], "/nowhere"),
                ((broken,), [n1], "not executable"),
                ((older,), [n1], "0.0.1 is older: give --older"),
                ((self.folder / "nothing",), [n1], "is not there")):
            done = self.upgrade(*words, nodes=nodes)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("Refused: ", done.stderr)
            self.assertIn(sentence, done.stderr)
        self.members[1].cli("cluster", "drain", "n2")
        self.assertIn("n2 is draining", self.upgrade(new).stderr)
        self.members[1].cli("cluster", "resume", "n2")
        self.members[2].kill9()
        poll("n3 is down", lambda: self.members[0].client().read("/cluster")["status"] == "degraded")
        done = self.upgrade(new)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("n3 is down", done.stderr)
        self.assertEqual([node.process.pid for node in self.members[:2]], self.pids[:2])
        self.assertTrue(all(node.release() == "old" for node in self.members[:2]))


class Release(NodeTest):
    def test_what_a_pipeline_makes_is_what_upgrade_takes(self):
        made = subprocess.run([REPOSITORY / "cluster-configs/ci/make-release", self.folder / "out", BUILD], capture_output=True,
                              text=True, timeout=SECONDS_MAX * 4, check=False)
        self.assertEqual(made.returncode, 0, made)
        packed = Path(made.stdout.strip())
        subprocess.run(["sha256sum", "--check", "--quiet", f"{packed.name}.sha256"], cwd=packed.parent, check=True)
        with tarfile.open(packed) as tar:
            self.assertEqual(sorted(tar.getnames()), ["troupe", "troupe-runner"])
            tar.extractall(self.folder / "new")
        said = subprocess.run([self.folder / "new" / "troupe", "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(packed.name, f"troupe-{said.split()[-1]}.tar.gz")
