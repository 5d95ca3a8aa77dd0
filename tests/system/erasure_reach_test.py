"""How far an erasure reaches: copies in an object store, a restore to a moment before it, runs under way, and people of an
issuer of OpenID Connect."""

import json
import shutil
import time
from pathlib import Path

from tests.system.backup_remote_test import PLACE
from tests.system.backup_test import at
from tests.system.erasure_test import ORGANIZATION, OTHER, ErasureCase
from tests.system.node import poll
from tests.system.oidc_test import OidcTest
from tests.system.s3_server import S3Server
from tests.system.sandbox_test import script

ASKING = json.dumps({"rules": [
    {"when": {"step": 1}, "call": [{"tool": "ask_human", "arguments": {"question": f"{ORGANIZATION} question?"}}]},
    {"call": [{"tool": "finish", "arguments": {"result": "done"}}]}]})


class ReachTest(ErasureCase):
    def two(self):
        """An organization that goes, one that stays, with an owner each."""
        gone = self.organization(self.server, f"{ORGANIZATION} name", slug=f"{ORGANIZATION}-slug")
        stays = self.organization(self.server, f"{OTHER} name", slug=f"{OTHER}-slug")
        owner, _ = self.member("ada@example.org", gone["slug"])
        other, _ = self.member("olga@example.org", stays["slug"])
        return gone, owner, other

    def processes(self, words):
        """The arguments of those that run this node's commands."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += [line] if words in (line := file.read_bytes().decode(errors="replace")) and str(self.folder) in line else []
            except OSError:  # it has ended
                continue
        return found

    def test_copies_in_an_object_store_cannot_be_read_any_more(self):
        s3 = S3Server()
        self.addCleanup(s3.stop)
        self.begin()
        self.server.stop()
        self.server.environment.update(s3.environment)
        self.server.flags += ["--backup.s3.place", PLACE]
        self.admin = self.server.start().client()
        gone, owner, other = self.two()
        task = owner.create("/tasks", {"title": f"{ORGANIZATION} title"})["id"]
        kept = other.create("/tasks", {"title": f"{OTHER} title"})["id"]
        backup = self.admin.create("/backups", {})["id"]
        poll("the copy", lambda: self.admin.read(f"/backups/{backup}")["copy"] == PLACE)
        keys = {name: body for name, body in s3.objects.items() if "/keys/" in name}
        self.assertNotEqual(keys, {})
        self.erased(f"/organizations/{gone['id']}", gone["slug"], gone["id"])
        changed = [name for name, body in keys.items() if s3.objects.get(name) != body]
        self.assertNotEqual(changed, [], "the keys beside the copies are as they were")
        self.assertEqual([name for name, body in s3.objects.items() if ORGANIZATION.encode() in body], [])
        self.server.kill9()

        elsewhere = self.node(name="elsewhere", environment=s3.environment)
        done = elsewhere.cli("backup", "fetch", backup, "--from", PLACE, "--to", self.folder / "fetched")
        self.assertEqual(done.returncode, 0, done)
        done = elsewhere.cli("backup", "restore", f"{self.folder}/fetched/", "--data", elsewhere.directory)
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(self.server.directory / "secrets.key", elsewhere.directory)
        api = elsewhere.start().client()
        self.status(api.get(f"/tasks/{task}", headers={"X-Organization": gone["id"]}), 404)
        self.assertEqual(self.shown_with(api, ORGANIZATION), [])
        self.assertEqual(self.login(elsewhere, "olga@example.org")[0].read(f"/tasks/{kept}")["title"], f"{OTHER} title")

    def test_a_restore_to_a_moment_before_the_erasure_brings_nothing_back(self):
        self.begin()
        gone, owner, other = self.two()
        owner.create("/tasks", {"title": f"{ORGANIZATION} title"})
        kept = other.create("/tasks", {"title": f"{OTHER} title"})["id"]
        time.sleep(0.02)
        moment = at(time.time())
        time.sleep(0.02)
        other.create("/tasks", {"title": f"{OTHER} late"})
        self.erased(f"/organizations/{gone['id']}", gone["slug"], gone["id"])
        backup = self.admin.create("/backups", {})["id"]
        self.server.kill9()
        node = self.node(name="restored")
        done = self.server.cli("backup", "restore", self.backups / backup, "--until", moment, "--data", node.directory,
                               "--secrets-key-file", self.server.directory / "secrets.key")
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(self.server.directory / "secrets.key", node.directory)
        self.assertEqual(self.files_with(ORGANIZATION, under=(node.directory,)), [])
        api = node.start().client()
        self.status(api.get("/tasks", headers={"X-Organization": gone["id"]}), 404)
        self.assertEqual(self.shown_with(api, ORGANIZATION), [])
        self.assertEqual([t["id"] for t in self.login(node, "olga@example.org")[0].all("/tasks")], [kept])
        self.assertEqual(self.files_with(ORGANIZATION, under=(node.directory,)), [])
        self.check_node(node)

    def test_runs_under_way_end_with_their_organization(self):
        self.begin()
        asks = self.script("asking", ASKING)[1]
        works = self.script("working", script(("run_command", {"command": f"echo {ORGANIZATION} begins; sleep 600"})))[1]
        gone, owner, other = self.two()
        project = owner.create("/projects", {"name": f"{ORGANIZATION} project"})["id"]
        waiting = owner.create("/runs", {"goal": f"{ORGANIZATION} goal", "model": asks})["id"]
        busy = owner.create("/runs", {"goal": f"{ORGANIZATION} goal", "model": works, "project_id": project})["id"]
        theirs = other.create("/runs", {"goal": f"{OTHER} goal", "model": asks})["id"]
        owner.wait_run(waiting, until=("waiting",))
        poll("the command runs", lambda: any(s["status"] == "started" and s["tool"] for s in owner.all(f"/runs/{busy}/steps")))
        poll("its process", lambda: self.processes(f"{ORGANIZATION} begins"))
        self.erased(f"/organizations/{gone['id']}", gone["slug"], gone["id"])
        self.assertEqual(self.processes(f"{ORGANIZATION} begins"), [])
        for run in (waiting, busy):
            self.status(self.admin.get(f"/runs/{run}", headers={"X-Organization": gone["id"]}), 404)
        other.wait_run(theirs, until=("waiting",))
        question = poll("the question", lambda: other.all(f"/approvals?run_id={theirs}&status=pending"))[0]["id"]
        self.status(other.post(f"/approvals/{question}/decide", {"decision": "answer", "answer": "yes"}), 200)
        self.assertEqual(other.wait_run(theirs)["status"], "succeeded")
        self.server.kill9()
        self.server.start()
        api = self.server.client()
        self.status(api.get(f"/runs/{busy}", headers={"X-Organization": gone["id"]}), 404)
        self.assertEqual(self.shown_with(api, ORGANIZATION), [])
        self.assertEqual(self.login(self.server, "olga@example.org")[0].read(f"/runs/{theirs}")["status"], "succeeded")


class LinkedTest(OidcTest):
    def test_an_erased_person_comes_back_from_the_issuer_as_somebody_new(self):
        node = self.begin()
        first = self.me(self.logged_in("ada"))["user"]["id"]
        admin = node.client()
        email = "ada@example.org"
        self.status(admin.delete(f"/users/{first}?confirm={email}"), 202)
        poll("the erasure", lambda: admin.read(f"/system/erasures/{first}")["status"] == "done")
        self.status(admin.get(f"/users/{first}"), 404)
        node.kill9()
        node.start()
        again = self.me(self.logged_in("ada"))["user"]
        self.assertNotEqual(again["id"], first)
        self.assertEqual(again["email"], email)
