"""Backups in an object store: copied by the node, fetched and restored where there is nothing but the keys."""

import json
import shutil
from pathlib import Path

from tests.system.node import NodeTest, poll
from tests.system.s3_server import S3Server

PLACE = "s3://backups/troupe/node-1"


class RemoteBackupTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.s3 = S3Server()
        self.addCleanup(self.s3.stop)

    def begin(self, *flags):
        node = self.node("--backup.s3.place", PLACE, *flags, environment=self.s3.environment)
        return node.start()

    def copied(self, api, backup):
        poll("the copy", lambda: api.read(f"/backups/{backup['id']}")["copy"] == PLACE)

    def test_lost_machine_is_restored_from_the_bucket(self):
        node = self.begin()
        api = node.client()
        task = api.create("/tasks", {"title": "kept elsewhere"})["id"]
        backup = api.create("/backups", {})
        self.copied(api, backup)
        node.kill9()
        elsewhere = self.node(name="elsewhere", environment=self.s3.environment)
        listed = elsewhere.cli("backup", "list", "--from", PLACE, "--json")
        self.assertEqual([b["id"] for b in json.loads(listed.stdout)["items"]], [backup["id"]], listed)
        fetched = self.folder / "fetched"
        done = elsewhere.cli("backup", "fetch", backup["id"], "--from", PLACE, "--to", fetched)
        self.assertEqual(done.returncode, 0, done)
        done = elsewhere.cli("backup", "restore", f"{fetched}/", "--data", elsewhere.directory)
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(node.directory / "secrets.key", elsewhere.directory)  # backups leave it out
        self.assertEqual(elsewhere.start().client().read(f"/tasks/{task}")["title"], "kept elsewhere")

    def test_second_backup_sends_only_what_is_new_and_delete_takes_its_own(self):
        node = self.begin()
        api = node.client()
        first = api.create("/backups", {})
        self.copied(api, first)
        before = set(self.s3.objects)
        api.create("/tasks", {"title": "more"})
        second = api.create("/backups", {})
        self.copied(api, second)
        self.assertTrue(before < set(self.s3.objects))
        self.status(api.delete(f"/backups/{second['id']}"), 204)
        self.assertEqual(set(self.s3.objects), before)

    def test_service_that_is_down_loses_no_backup_and_says_why(self):
        self.s3.broken = True
        node = self.begin()
        api = node.client()
        backup = api.create("/backups", {})
        self.assertEqual(backup["copy"], "")
        poll("an attempt", lambda: self.s3.requests > 1)
        poll("the log", lambda: "SlowDown" in node.log.read_text())
        self.s3.broken = False
        again = api.create("/backups", {})
        self.copied(api, again)
        self.copied(api, backup)

    def test_backup_that_cannot_be_copied_stops_no_other(self):
        self.s3.broken = True
        node = self.begin()
        api = node.client()
        broken = api.create("/backups", {})
        next(Path(broken["directory"]).glob("db/MANIFEST-*")).unlink()
        self.s3.broken = False
        api.create("/tasks", {"title": "later"})
        good = api.create("/backups", {})
        self.copied(api, good)
        self.assertEqual(api.read(f"/backups/{broken['id']}")["copy"], "")
        poll("the log", lambda: "MANIFEST" in node.log.read_text())

    def test_schedule_keeps_as_many_copies_as_backups(self):
        node = self.begin("--backup.every_ms", 300, "--backup.keep", 2)
        api = node.client()
        made = lambda: {b["id"] for b in api.all("/backups")}
        first = poll("a backup", made)
        poll("others", lambda: not made() & first and len(made()) == 2)
        node.stop()
        manifests = [key for key in self.s3.objects if key.startswith("troupe/node-1/manifests/")]
        self.assertLessEqual(len(manifests), 3)  # the stop may come between a copy and the end of an older one
        self.assertGreaterEqual(len(manifests), 1)

    def test_wrong_key_and_wrong_bucket_are_named(self):
        node = self.node(environment={**self.s3.environment, "AWS_SECRET_ACCESS_KEY": "other"})
        for place, words in (("s3://backups/x", "SignatureDoesNotMatch"), ("s3://others/x", "SignatureDoesNotMatch")):
            done = node.cli("backup", "list", "--from", place)
            self.assertNotEqual(done.returncode, 0, done)
            self.assertIn(words, done.stderr)
        node = self.node(name="second", environment=self.s3.environment)
        done = node.cli("backup", "list", "--from", "s3://others/x")
        self.assertIn("NoSuchBucket", done.stderr)
        done = node.cli("backup", "list", "--from", "s3:/backups")
        self.assertEqual(done.returncode, 2, done)
        node = self.node(name="third")
        done = node.cli("backup", "list", "--from", "s3://backups/x")
        self.assertIn("AWS_ACCESS_KEY_ID", done.stderr)
