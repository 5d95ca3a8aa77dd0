"""Retention in a cluster: what the owner of a history cuts is cut at all disks alike, and each node trims its own logs."""

import json

from tests.system.cluster import ClusterTest
from tests.system.node import poll
from tests.system.retention_test import SHORT, Tables, metric

UPDATES = 40


class Retention(ClusterTest):
    def setUp(self):
        super().setUp()
        self.members = [self.member(m.name, *SHORT, "--entity.idle_ms", 300) for m in self.members]

    def shown(self, node, task):
        """What it shows of the task, and of that nothing that another node would not."""
        api = node.client()
        return api.read(f"/tasks/{task}"), [m["content"] for m in api.all(f"/tasks/{task}/messages")]

    def test_what_is_cut_is_cut_at_all_disks_and_shown_by_nobody(self):
        api = self.start_all()[0].client()
        task = api.create("/tasks", {"title": "long lived"})["id"]
        for number in range(UPDATES):
            api.ok("PATCH", f"/tasks/{task}", {"description": f"text {number}"})
        api.create(f"/tasks/{task}/messages", {"content": "hello"})
        poll("its owner has cut the history", lambda: sum(metric(m, "events_cut") for m in self.members) >= UPDATES)
        for member in self.members:
            poll(f"{member.name} has trimmed", lambda m=member: metric(m, "records_trimmed") >= UPDATES)
        before = self.shown(self.members[0], task)
        self.assertEqual((before[0]["description"], before[1]), (f"text {UPDATES - 1}", ["hello"]))
        for member in self.members[1:]:
            self.assertEqual(self.shown(member, task), before)
        for member in self.members:
            self.assertEqual(metric(member, "failures"), 0)
            member.kill9()

        kept = []
        for member in self.members:
            member.environment["TROUPE_SECRETS_KEY"] = (self.cluster_file.parent / "secrets.key").read_text().strip()
            self.check_disk(member)
            found = json.loads(member.cli("journal", "verify", "--json").stdout)
            self.assertGreaterEqual(found["trimmed"], UPDATES, member.name)
            self.assertGreaterEqual(found["histories_cut"], 1, member.name)
            tables = Tables(member)
            kept.append({table: tables.rows(table, task) for table in (b"b", b"h")})
            tables.close()
        self.assertEqual(len(kept[0][b"b"]), 2)  # a mark and a state
        self.assertLess(len(kept[0][b"h"]), UPDATES)
        for member, rows in zip(self.members[1:], kept[1:]):
            self.assertEqual(rows, kept[0], f"{member.name} has another part of the history than n1")

        self.start_all()
        for member in self.members:
            self.assertEqual(self.shown(member, task), before)
        after = self.members[1].client().ok("PATCH", f"/tasks/{task}", {"title": "still here"})
        self.assertEqual(after["description"], before[0]["description"])
        for member in self.members:
            self.assertEqual(self.shown(member, task), (after, before[1]))
