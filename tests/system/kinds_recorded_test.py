"""Kinds of agents with a model: recorded from a provider over its wire, then played from the cassette, with a kill."""

import json
import shutil
from pathlib import Path

from tests.system.model_test import KEY, Provider
from tests.system.node import NodeTest, poll

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures/kinds"


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def says(text, *calls):
    return {"content": text, "tool_calls": list(calls)}


MEDIAN = "def median(numbers):\n    ordered = sorted(numbers)\n    return ordered[len(ordered) // 2]\n"
EVEN = ("    return ordered[len(ordered) // 2]\n",
        "    middle = len(ordered) // 2\n    if len(ordered) % 2:\n        return ordered[middle]\n"
        "    return (ordered[middle - 1] + ordered[middle]) / 2\n")
MEDIAN_TEST = """import unittest

from median import median


class MedianTest(unittest.TestCase):
    def test_odd(self):
        self.assertEqual(median([3, 1, 2]), 2)

    def test_even(self):
        self.assertEqual(median([4, 1, 2, 3]), 2.5)
"""
MEASURED = {"language": "python", "files": 3, "lines": 17, "code_lines": 13, "functions": 3, "decisions": 1, "complexity": 4}
GENERATED = {"code": ["median.py"], "tests": ["tests/test_median.py"], "language": "python",
             "analysis": "Sorted, then the middle one, or the mean of the two in the middle.", "metadata": {"measures": [MEASURED]}}
WRITE_MEDIAN = [
    says("First the code and its test.", call("write_file", path="median.py", content=MEDIAN),
         call("write_file", path="tests/test_median.py", content=MEDIAN_TEST), call("write_file", path="tests/__init__.py", content="")),
    says("It is done.", call("finish", result="Written.", output=GENERATED)),  # nothing was run: refused
    says("Then I run them.", call("run_tests")),
    says("An even count has two in the middle.", call("edit_file", path="median.py", old_text=EVEN[0], new_text=EVEN[1])),
    says("Again.", call("run_tests")),
    says("The figures.", call("measure_code")),
    says("Now it is.", call("finish", result="median.py is written and tested.", output=GENERATED))]

PATCH = """--- a/interval.cpp
+++ b/interval.cpp
@@ -8,3 +8,3 @@

 // Wrong on purpose: `high` belongs to the interval.
-bool contains(int low, int high, int number) { return number >= low && number < high; }
+bool contains(int low, int high, int number) { return number >= low && number <= high; }
"""
FIXED = {"error_analysis": "interval.cpp:11 leaves out `high`; the test `bounds` showed it.",
         "suggested_fixes": [{"file": "interval.cpp", "line": 11, "change": PATCH}], "fixed_code": PATCH, "confidence": 0.95}
FIX_INTERVAL = [
    says("I make it fail.", call("run_tests")),
    says("Where is it?", call("parse_errors", text="interval_test.cpp:15: 3 belongs to [1, 3]"), call("read_file", path="interval.cpp")),
    says("The bound is left out.", call("apply_patch", patch=PATCH)),
    says("I run them again.", call("run_tests")),
    says("Mended.", call("finish", result="The upper bound belongs to the interval now.", output=FIXED))]

MORE = """'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const { slug } = require('../slug.js');

test('several blanks are one dash', () => {
  assert.strictEqual(slug('a   b'), 'a-b');
});
"""
COUNTS = {"framework": "node_test", "total": 4, "passed": 2, "failed": 1, "skipped": 1}
TEST_SLUG = [
    says("What is there?", call("run_tests")),
    says("Runs of blanks have no test.", call("write_file", path="test/blanks.test.js", content=MORE)),
    says("Again.", call("run_tests")),
    says("The product is wrong.", call("finish", success=False, result="A dash stays at the end: slug.js:5.", output={
        "tests": ["test/blanks.test.js"], "test_count": 4, "test_results": COUNTS}))]

CASES = {
    "generator": ("python", "code_generator", WRITE_MEDIAN, {"requirements": "The median of a list of numbers.", "language": "python"}),
    "debugger": ("cpp", "debugger", FIX_INTERVAL, {"auto_fix": True}),
    "tester": ("javascript", "tester", TEST_SLUG, {"execute": True})}


class RecordedKinds(NodeTest):
    def setUp(self):
        super().setUp()
        self.provider = Provider(self.folder, {name: case[2] for name, case in CASES.items()})
        listed = [{"name": "there", "wire": "openai", "base_url": self.provider.url, "api_key": "env:THERE_KEY", "models": [{"name": "m"}]}]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"model": {"providers": listed, "cassettes": str(self.work_folder("tapes"))}}))
        self.one = self.node("--config", config, environment={"THERE_KEY": KEY}).start()
        self.api = self.one.client()

    def begin(self, name, model, folder):
        fixture, kind, _, parameters = CASES[name]
        work = self.work_folder(folder)
        if kind != "code_generator":
            shutil.copytree(FIXTURES / fixture, work, dirs_exist_ok=True)
        project = self.api.create("/projects", {"name": folder, "folder": str(work)})["id"]
        body = {"goal": name, "model": model, "kind": kind, "project_id": project, "parameters": parameters, "on_unknown": "retry"}
        return work, self.api.create("/runs", body)["id"]

    def play(self, name):
        """Recorded, then played by a node that is killed meanwhile: (folder, run) of each."""
        _, run = self.begin(name, f"record:{name}/there/m", f"{name}-recorded")
        recorded = self.api.wait_run(run)
        self.provider.close()
        work, run = self.begin(name, f"cassette:{name}", f"{name}-played")
        poll("it works", lambda: len(self.api.all(f"/runs/{run}/steps")) > 1)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        played = self.api.wait_run(run)
        for member in ("status", "result", "error", "output"):
            self.assertEqual(played.get(member), recorded.get(member), (recorded, played))
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)
        return work, played, self.api.all(f"/runs/{run}/steps")

    def test_a_generator_writes_tests_and_mends_until_they_pass(self):
        work, run, steps = self.play("generator")
        self.assertEqual((run["status"], run["output"]), ("succeeded", GENERATED), run)
        self.assertIn(EVEN[1], (work / "median.py").read_text())
        refused = next(s for s in steps if s.get("tool") == "finish")
        self.assertIn("run_tests", refused["content"])
        measured = next(s for s in steps if s.get("tool") == "measure_code")
        self.assertEqual(measured["details"]["languages"], [MEASURED], measured)
        outcomes = [s["details"]["verified"] for s in steps if s.get("tool") == "run_tests"]
        self.assertEqual(outcomes, [False, True], steps)

    def test_a_debugger_mends_and_shows_it(self):
        work, run, steps = self.play("debugger")
        self.assertEqual((run["status"], run["output"]["confidence"]), ("succeeded", 0.95), run)
        self.assertIn("number <= high", (work / "interval.cpp").read_text())
        self.assertEqual([s["details"]["verified"] for s in steps if s.get("tool") == "run_tests"], [False, True], steps)

    def test_a_tester_writes_what_is_missing_and_reports_what_fails(self):
        work, run, steps = self.play("tester")
        self.assertEqual((run["status"], run["output"]["test_results"]), ("failed", COUNTS), run)
        self.assertTrue((work / "test/blanks.test.js").exists())
        self.assertEqual((work / "slug.js").read_text(), (FIXTURES / "javascript/slug.js").read_text())
        counted = [[s["details"]["report"][k] for k in ("total", "failed")] for s in steps if s.get("tool") == "run_tests"]
        self.assertEqual(counted, [[3, 1], [4, 1]], steps)
