"""Children that are placed over three nodes: one place at a time, whoever dies, stands still or is drained."""

import json
import time
import unittest
from pathlib import Path

from tests.system.cluster import ClusterTest
from tests.system.examples_test import build_examples
from tests.system.node import poll

CHILDREN = 6
SECONDS_TO_MOVE = 5  # the lease of two seconds among them


class Placed(ClusterTest):
    @classmethod
    def setUpClass(cls):
        build_examples(cls, "collectors")
        cls.program = cls.built / "collectors"

    def setUp(self):
        super().setUp()
        self.notes = self.folder / "notes"
        for m in self.members:
            m.program = (self.program, self.notes, str(CHILDREN))

    def lines(self):
        """[(microseconds, process, term, child, what)], by time."""
        if not self.notes.exists():
            return []
        text = self.notes.read_text()
        parts = [line.split() for line in text[:text.rfind("\n") + 1].splitlines()]
        return sorted((int(t), int(p), int(term), child, what) for t, p, term, child, what in parts)

    def places(self, asked):
        """{child: the node that has it, or None}"""
        return {c["child"]: c.get("node") for c in asked.client().read("/cluster")["placed"]}

    def wait_until_all_run(self, asked, besides=(), seconds=30):
        """The time that it took; by the notes, not only by what the node says."""
        begun, names = time.monotonic(), {m.name: m.process.pid for m in self.members if m.process}

        def all_run():
            now = self.places(asked)
            if len(now) < CHILDREN or any(node is None or node in besides for node in now.values()):
                return None
            last = {}
            for _, process, _, child, what in self.lines():
                last[child] = (process, what)
            return now if all(last.get(c) == (names.get(node), "works") for c, node in now.items()) else None
        return poll("all children run", all_run, seconds), time.monotonic() - begun

    def check_one_at_a_time(self, frozen=()):
        """By the times of the machine: whoever has begun a child is the only one that works for it from then on."""
        killed = {}
        last = {}  # child -> (process, term, what)
        for at, process, term, child, what in self.lines():
            before = last.get(child)
            if before and before[0] != process:
                if what == "stopped" and process in frozen:
                    continue  # it woke up, and did nothing else
                self.assertEqual(what, "started", f"{child} works twice: {(at, process, term, child, what)} after {before}")
                self.assertGreater(term, before[1], f"{child}: an old term comes after a new one")
                if before[2] != "stopped":
                    killed.setdefault(before[0], []).append(child)
            last[child] = (process, term, what)
        return killed

    def test_children_move_when_their_node_dies_or_is_drained_and_run_once(self):
        n1, n2, n3 = self.start_all()
        now, _ = self.wait_until_all_run(n1)
        self.assertEqual({node: list(now.values()).count(node) for node in now.values()}, {"n1": 2, "n2": 2, "n3": 2})
        child = next(c for c, node in now.items() if node == "n2")
        entry = n1.client().read(f"/supervision?prefix=/nodes/n2/placed/collectors/{child}&depth=1")
        self.assertEqual((entry["kind"], entry["children"][0]["kind"]), ("placed", "collector"))

        victim = n2.process.pid
        n2.kill9()
        _, took = self.wait_until_all_run(n1, besides={"n2"})
        self.assertLess(took, SECONDS_TO_MOVE)
        n2.launch().ready()
        self.assertEqual(n1.cli("cluster", "drain", "n3").returncode, 0)
        now, took = self.wait_until_all_run(n1, besides={"n3"})
        self.assertLess(took, SECONDS_TO_MOVE)
        self.assertIn("n2", now.values())
        self.assertIn("collectors/c1", n1.cli("cluster", "status").stdout)
        self.assertEqual(n1.cli("cluster", "resume", "n3").returncode, 0)
        self.assertEqual(n1.stop(), 0)  # in order: nobody waits for its lease
        now, took = self.wait_until_all_run(n2, besides={"n1"})
        self.assertLess(took, SECONDS_TO_MOVE)
        self.assertIn("n3", now.values())
        self.assertEqual(set(self.check_one_at_a_time()), {victim})

    def test_a_node_that_stands_still_loses_its_children_and_does_nothing_for_them_when_it_wakes(self):
        n1, n2, n3 = self.start_all()
        self.wait_until_all_run(n1)
        for _ in range(2):
            n3.pause()
            try:
                _, took = self.wait_until_all_run(n1, besides={"n3"})
                self.assertLess(took, SECONDS_TO_MOVE)
            finally:
                n3.go_on()
            frozen = n3.process.pid
            poll("n3 is there again", lambda: next(
                n for n in n1.client().read("/cluster")["nodes"] if n["name"] == "n3")["status"] == "up")
            poll("n3 knows", lambda: self.places(n3) == self.places(n1))
            # What has run elsewhere stays: n3 gets some only when another one gives them away.
            self.assertNotIn("n3", self.places(n1).values())
            self.assertEqual(n1.cli("cluster", "drain", "n2").returncode, 0)
            now, _ = self.wait_until_all_run(n1, besides={"n2"})
            self.assertIn("n3", now.values())
            self.assertEqual(n1.cli("cluster", "resume", "n2").returncode, 0)
            self.check_one_at_a_time({frozen})
        self.assertIsNone(n3.process.poll())

    def test_a_child_that_fails_everywhere_is_shown_and_tried_again(self):
        n1, _, _ = self.start_all()
        self.wait_until_all_run(n1)
        fail = Path(f"{self.notes}.fail-c1")
        fail.touch()

        def failed_at_two():
            shown = next(c for c in n1.client().read("/cluster")["placed"] if c["child"] == "c1")
            return shown if shown["failures"] >= 3 else None
        shown = poll("it was given up at several nodes", failed_at_two)
        self.assertIn("somebody wants it to fail", shown["last_failure"], json.dumps(shown))
        fail.unlink()
        self.wait_until_all_run(n1, seconds=60)
        self.check_one_at_a_time()


if __name__ == "__main__":
    unittest.main()
