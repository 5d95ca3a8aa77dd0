"""`troupe bench` against a real node: what it says adds up, and it leaves nothing behind. How fast the machine is judges nobody."""

import json

from tests.system.node import NodeTest


class BenchTest(NodeTest):
    def test_it_measures_each_request_and_leaves_nothing(self):
        node = self.node().start()
        ran = node.cli("bench", "--seconds", "1", "--connections", "3", "--json")
        told = json.loads(ran.stdout)
        self.assertEqual((told["first_error"], told["all"]["errors"], told["connections"]), ("", 0, 3), told)
        self.assertEqual(len(told["requests"]), 7)
        self.assertEqual(sum(line["count"] for line in told["requests"]), told["all"]["count"])
        for line in told["requests"]:
            self.assertGreater(line["count"], 0, line)
            self.assertTrue(0 < line["p50_ms"] <= line["p95_ms"] <= line["p99_ms"] <= line["largest_ms"], line)
        self.assertEqual(ran.returncode, 0 if told["all"]["per_second"] >= 1000 and told["all"]["p95_ms"] < 200 else 1)
        self.assertEqual(node.client().all("/tasks"), [])

    def test_a_node_that_goes_ends_it_with_what_was_seen(self):
        node = self.node().start()
        self.assertEqual(node.cli("bench", "--connections", "0").returncode, 2)
        self.assertEqual(node.cli("bench", "--key", "wrong").returncode, 5)
        node.kill9()
        gone = node.cli("bench", "--seconds", "1")
        self.assertEqual(gone.returncode, 3, gone)
