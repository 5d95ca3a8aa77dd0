"""A node alone that has data becomes the first of three, and so a cluster begins again with a backup of one of its nodes."""

import base64
import json
import shutil
import socket
import subprocess
import threading
import unittest
import urllib.request

from tests.system.cluster import Etcd, Member
from tests.system.identity_test import IdentityTest
from tests.system.node import TROUPE, poll

SHARDS = 8
BIG = bytes(range(256)) * 6000  # several pieces
ASKS = """
rules:
  - when: {step: 1}
    call: [{tool: write_file, arguments: {path: notes.txt, content: "kept"}}]
  - when: {step: 2}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {step: 3}
    call: [{tool: finish, arguments: {result: "It is blue."}}]
"""
WRITES = """
rules:
  - when: {step: 1}
    call: [{tool: write_file, arguments: {path: done.txt, content: "done"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "All is done."}}]
"""


class Gate:
    """The way of one node to etcd: at its `last` transaction it calls `then`, and lets nothing through any more."""

    def __init__(self, port):
        self.port, self.last, self.then, self.seen = port, None, None, 0
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one, _ = self.server.accept()
            except OSError:
                return
            other = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pass_on, args=(one, other, self.judge), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(other, one, lambda _: True), daemon=True).start()

    def judge(self, some):
        with self.lock:
            self.seen += some.count(b"/v3/kv/txn ")
            if self.last is None or self.seen < self.last:
                return True
            then, self.then = self.then, None
        if then:
            then()
        return False

    @staticmethod
    def pass_on(source, to, good):
        try:
            while some := source.recv(65536):
                if not good(some):
                    break
                to.sendall(some)
        except OSError:
            pass
        for one in (source, to):
            one.close()

    def end(self):
        self.server.close()


@unittest.skipUnless(shutil.which("etcd"), "there is no etcd on this machine")
class FromOne(IdentityTest):
    def setUp(self):
        super().setUp()
        self.etcd = Etcd(self.folder)
        self.addCleanup(self.etcd.end)
        asks, self.asks = self.script("asks", ASKS)
        _, self.writes = self.script("writes", WRITES)
        self.flags = (*asks, "--sandbox", "none", "--backup.directory", self.folder / "backups")

    def init(self, folder, *flags, etcd=None):
        return subprocess.run([TROUPE, "cluster", "init", self.folder / folder, "--insecure",
                               "--etcd", etcd or self.etcd.endpoints[0], *map(str, flags)],
                              capture_output=True, text=True, check=False)

    def refused(self, done, words):
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn(words, " ".join(done.stderr.split()), done)

    def made(self, folder, *flags, **more):
        done = self.init(folder, *flags, **more)
        self.assertEqual(done.returncode, 0, done)
        return self.folder / folder / "cluster.json"

    def alone(self, name, *flags):
        return self.node("--shards", SHARDS, *self.flags, *flags, name=name)

    def member(self, name, file, directory=None):
        made = Member(self.folder, directory or name, file, *self.flags)
        made.flags[made.flags.index("--cluster.name") + 1] = name
        self.nodes.append(made)
        return made

    def start(self, *members):
        for m in members:
            m.launch()
        for m in members:
            m.ready()

    def wait_for_all_contents(self, *members):
        for m in members:
            def has_all(m=m):
                said = m.client().read("/cluster")
                return said["status"] == "ok" and said["contents_complete"]

            try:
                poll(f"{m.name} has all contents", has_all)
            except AssertionError as why:
                raise AssertionError(f"{why}\n{m.log.read_text()[-3000:]}") from why

    def check_disks(self, file, *members):
        for m in members:
            if m.process:
                self.assertEqual(m.stop(), 0)
        for m in members:
            m.environment["TROUPE_SECRETS_KEY_FILE"] = str(file.parent / "secrets.key")
            self.check_disk(m)

    def keys_at_etcd(self, file):
        """Of the cluster, without its prefix."""
        said = json.loads(file.read_text())["etcd"]
        prefix = said["prefix"].encode()
        asked = json.dumps({"key": base64.b64encode(prefix).decode(), "keys_only": True,
                            "range_end": base64.b64encode(prefix[:-1] + bytes([prefix[-1] + 1])).decode()}).encode()
        with urllib.request.urlopen(f"{self.etcd.endpoints[0]}/v3/kv/range", asked, timeout=10) as answer:
            found = json.load(answer).get("kvs", [])
        return [base64.b64decode(one["key"])[len(prefix):].decode() for one in found]

    # ---- what a node alone has

    def fill(self, node):
        api = node.client()
        person, self.tokens = self.person(node, "ada@example.org", name="Ada")
        self.key = person.create("/api-keys", {"name": "mine"})
        gone = api.create("/users", {"email": "bob@example.org", "password": "three grey owls on a wire", "role": "member", "name": "Bob"})["id"]
        api.ok("DELETE", f"/users/{gone}?confirm=bob@example.org")
        poll("he is erased", lambda: api.read(f"/system/erasures/{gone}")["status"] == "done")
        api.ok("PUT", "/secrets/TOKEN", {"value": "hidden"})
        self.project = api.create("/projects", {"name": "old"})["id"]
        self.status(api.put(f"/projects/{self.project}/files/big", raw=BIG, headers={"Content-Type": "application/octet-stream"}), 200)
        self.task = api.create("/tasks", {"title": "talk"})["id"]
        for number in range(20):
            api.create(f"/tasks/{self.task}/messages", {"content": f"no. {number}"})
        agent = api.create("/agents", {"name": "worker", "role": "technical"})["id"]
        self.finished = api.create("/runs", {"goal": "write", "project_id": self.project, "agent_id": agent, "model": self.writes})["id"]
        self.waiting = api.create("/runs", {"goal": "ask", "project_id": self.project, "agent_id": agent, "model": self.asks})["id"]
        self.assertEqual(api.wait_run(self.finished)["status"], "succeeded")
        poll("the question", lambda: api.all(f"/approvals?run_id={self.waiting}&status=pending"))
        return {path: api.all(path) for path in self.LISTS} | {"file": gone}

    LISTS = ("/tasks", "/projects", "/agents", "/users", "/secrets", "/system/erasures")

    def check_contents(self, node, before):
        api = node.client(self.admin_key)
        self.assertEqual({path: api.all(path) for path in self.LISTS}, {path: before[path] for path in self.LISTS})
        self.assertEqual(len(api.all(f"/tasks/{self.task}/messages")), 20)
        self.assertEqual(api.get(f"/projects/{self.project}/files/big").raw, BIG)
        self.assertEqual(api.get(f"/projects/{self.project}/files/done.txt").raw, b"done")
        self.assertEqual(api.read(f"/runs/{self.finished}")["status"], "succeeded")
        self.assertNotIn("Bob", json.dumps([api.all("/events"), api.all("/users"), api.all("/audit")]))

    def check_logins(self, node):
        self.assertEqual(node.client(self.tokens["access_token"]).read("/auth/me")["user"]["email"], "ada@example.org")
        self.assertEqual(node.client(self.key["key"]).read("/auth/me")["kind"], "api_key")
        self.assertEqual(self.login(node, "ada@example.org")[0].read("/auth/me")["kind"], "user")

    def answer(self, node):
        api = node.client(self.admin_key)
        question = api.all(f"/approvals?run_id={self.waiting}&status=pending")[0]["id"]
        self.status(api.post(f"/approvals/{question}/decide", {"decision": "answer", "answer": "Blue."}), 200)
        self.assertEqual(api.wait_run(self.waiting, seconds=60)["result"], "It is blue.")

    # ---- tests

    def test_all_that_a_node_alone_had_is_at_the_others_when_it_is_gone(self):
        alone = self.alone("n1").start()
        before = self.fill(alone)
        self.admin_key = alone.key
        live = alone.stream("/events?since=start")
        seen = next(live)["id"]
        live.close()
        # What is no beginning.
        self.refused(self.init("c", "--from", alone.directory), "in use")
        alone.stop()
        self.refused(self.init("c", "--from", self.folder / "nowhere"), "holds no Troupe data")
        self.refused(self.init("c", "--from", alone.directory, "--shards", 3), "leave --shards out")
        other_key = self.folder / "other.key"
        subprocess.run([TROUPE, "secret", "new-key", other_key], check=True, capture_output=True)
        self.refused(self.init("c", "--from", alone.directory, "--secrets-key-file", other_key), "master key")
        shutil.copytree(alone.directory, self.folder / "copy")
        self.refused(self.init("c", "--from", self.folder / "copy"), "is a copy of another one")
        self.assertFalse((self.folder / "c").exists())

        file = self.made("c", "--from", alone.directory)
        n1, n2, n3 = (self.member(f"n{i}", file) for i in (1, 2, 3))
        self.start(n1, n2, n3)
        poll("every shard has all copies", lambda: n1.client().read("/cluster")["status"] == "ok")
        self.wait_for_all_contents(n2, n3)
        self.check_logins(n3)
        n1.kill9()
        self.check_contents(n2, before)
        self.check_logins(n2)
        following = n2.stream(f"/events?since={seen}")
        self.assertNotEqual(next(following)["id"], seen)
        following.close()
        self.answer(n3)
        self.assertEqual(n2.client().read("/secret-keys")["rewrapping"], False)
        n1.launch().ready()
        self.refused(self.init("again", "--from", n3.directory), "of a node of a cluster already")
        self.check_disks(file, n1, n2, n3)
        # Another etcd, or one that lost all: the first node does not begin once more with what it happens to have.
        said = json.loads(file.read_text())
        said["etcd"]["prefix"] += "other/"
        file.write_text(json.dumps(said))
        status, words = n1.refused()
        self.assertEqual(status, 1)
        self.assertIn("does not know key 1", words)

    def test_a_founder_that_is_killed_in_the_middle_goes_on_and_nobody_joins_before(self):
        alone = self.alone("n1").start()
        made = {self.organization(alone, f"organization {number}")["id"] for number in range(40)}  # each has a key
        self.admin_key = alone.key
        alone.stop()
        gate = Gate(self.etcd.places[0][1])
        self.addCleanup(gate.end)
        file = self.made("c", "--from", alone.directory, etcd=gate.url)
        n1, n2 = self.member("n1", file), self.member("n2", file)

        def killed_at(transaction):
            """How many of its keys are at etcd then, and whether there is a cluster."""
            gate.seen, gate.last, dead = 0, transaction, threading.Event()
            gate.then = lambda: (n1.process.kill(), dead.set())
            n1.launch()
            self.assertTrue(dead.wait(30), n1.log.read_text())
            n1.forget()
            there = self.keys_at_etcd(file)
            return len([k for k in there if k.startswith("keys/")]), "config" in there

        keys = len((n1.directory / "keys" / "keys-000000").read_text().splitlines())
        self.assertTrue(32 < keys <= 48, keys)
        self.assertEqual(killed_at(2), (16, False))
        self.assertEqual(killed_at(2), (32, False))
        self.assertEqual(killed_at(2), (keys, False))
        gate.last = None
        n2.launch()
        poll("it waits", lambda: "waiting for the cluster" in n2.log.read_text())
        self.assertEqual(self.keys_at_etcd(file).count("config"), 0)
        n2.kill9()
        self.assertEqual(killed_at(4), (keys, True))  # among the registers
        gate.last = None
        self.start(n1, n2)
        self.assertLessEqual(made, {o["id"] for o in n2.client(self.admin_key).all("/organizations")})
        poll("n2 has copies", lambda: all(n["shards_held"] == SHARDS for n in n1.client().read("/cluster")["nodes"]))
        self.check_disks(file, n1, n2)

    def test_a_backup_of_a_member_becomes_a_new_cluster(self):
        old = self.made("old", "--shards", SHARDS)
        olds = [self.member(f"n{i}", old, f"old{i}") for i in (1, 2, 3)]
        self.start(*olds)
        self.admin_key = olds[0].key
        before = self.fill(olds[0])
        backup = olds[1].client().create("/backups", {})
        for m in olds:
            m.kill9()
        back = self.member("n1", old, "back")
        done = back.cli("backup", "restore", self.folder / "backups" / backup["id"], "--data", back.directory)
        self.assertEqual(done.returncode, 0, done)
        # The old cluster does not take it.
        self.assertIn("another data directory", back.refused()[1])
        shutil.rmtree(back.directory)
        done = back.cli("backup", "restore", self.folder / "backups" / backup["id"], "--data", back.directory)
        self.assertEqual(done.returncode, 0, done)
        self.refused(self.init("new", "--from", back.directory), "--secrets-key-file")
        new = self.made("new", "--from", back.directory, "--secrets-key-file", old.parent / "secrets.key")
        self.assertNotEqual(json.loads(new.read_text())["etcd"]["prefix"], json.loads(old.read_text())["etcd"]["prefix"])
        self.admin_key = (new.parent / "admin.key").read_text().strip()
        n1, n2, n3 = self.member("n1", new, "back"), self.member("n2", new), self.member("n3", new)
        self.start(n1, n2, n3)
        poll("every shard has all copies", lambda: n1.client().read("/cluster")["status"] == "ok")
        self.wait_for_all_contents(n2, n3)
        n1.kill9()
        self.check_contents(n3, before)
        self.check_logins(n2)
        self.answer(n2)
        n1.launch().ready()
        self.check_disks(new, n1, n2, n3)
