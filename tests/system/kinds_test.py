"""Kinds of agents on real projects, without a language model, also over kills."""

import json
import shutil
import unittest
from pathlib import Path

from tests.system import node_tools
from tests.system.node import RUN_ENDS, NodeTest, poll

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures/kinds"


class Kinds(NodeTest):
    def setUp(self):
        super().setUp()
        self.one = self.node().start()
        self.api = self.one.client()

    def project(self, name):
        work = self.work_folder(name)
        shutil.copytree(FIXTURES / name, work, dirs_exist_ok=True)
        return work, self.api.create("/projects", {"name": name, "folder": str(work)})["id"]

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done)

    def begin(self, kind, project, **more):
        return self.api.create("/runs", {"goal": "Do it.", "model": "rehearsal", "kind": kind, "project_id": project, **more})["id"]

    def test_a_tester_runs_the_tests_of_each_language(self):
        for name, framework, counts in (("python", "unittest", (3, 1, 1, 1)), ("javascript", "node_test", (3, 1, 1, 1)),
                                        ("cpp", "ctest", (2, 1, 1, 0))):
            work, project = self.project(name)
            before = sorted(p.relative_to(work) for p in work.rglob("*"))
            done = self.ended(self.begin("tester", project))
            self.assertEqual(done["status"], "failed", done)  # a test fails: that is no success
            results = done["output"]["test_results"]
            self.assertEqual((results["framework"], *(results[k] for k in ("total", "passed", "failed", "skipped"))),
                             (framework, *counts), done)
            self.assertIn("needs a language model", done["error"] + done.get("result", ""))
            self.assertEqual(sorted(p.relative_to(work) for p in work.rglob("*")), before)

    def test_an_agent_that_tests_gets_a_task_and_verifies_what_passes(self):
        work, project = self.project("python")
        (work / "ranges.py").write_text("def parse(text):\n    return [1, 2, 3, 5]\n\n\ndef count(text):\n    return 3\n")
        self.api.create("/agents", {"name": "tester", "kind": "tester", "model": "rehearsal"})
        task = self.api.create("/agents/tester/tasks", {"title": "Test it", "project_id": project, "parameters": {"execute": True}})

        def in_review():
            shown = self.api.read(f"/tasks/{task['id']}")
            return shown if shown["status"] == "review" else None
        done = poll("the task is done", in_review)
        self.assertEqual((done["output"]["test_count"], done["output"]["test_results"]["failed"]), (3, 0), done)
        reply = self.api.post("/agents/tester/tasks", {"title": "Test it", "project_id": project, "parameters": {"speed": 1}})
        self.assertEqual((reply.status, reply.json["errors"][0]["pointer"]), (422, "/parameters/speed"), reply)

    def test_a_tester_that_is_killed_never_makes_figures_up(self):
        _, project = self.project("cpp")
        run = self.begin("tester", project)
        poll("the tests run", lambda: len(self.api.all(f"/runs/{run}/steps")) > 1)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        done = self.ended(run)
        # What the node's death cut is no result; what the runner still finished is the right one.
        self.assertIn(done["output"]["test_count"], (0, 2), done)
        self.assertEqual(done["status"], "failed", done)
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)

    def test_an_auditor_finds_the_same_also_after_kills(self):
        work, project = self.project("python")
        (work / "load.py").write_text("import pickle\npages = pickle.load(stream)\n")
        runs = [self.begin("security_auditor", project, parameters={"write_report": True}) for _ in range(3)]
        for _ in range(2):
            self.one.kill9()
            self.one.start()
            self.api = self.one.client()
        for run in runs:
            done = self.ended(run)
            self.assertEqual(done["status"], "succeeded", done)
            self.assertEqual({k: done["output"][k] for k in ("errors", "warnings", "notes", "complete")},
                             {"errors": 1, "warnings": 0, "notes": 0, "complete": True}, done)
        report = json.loads((work / "security-audit.sarif").read_text())
        found = [(r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for r in report["runs"][0]["results"]]
        self.assertEqual(found, [("call-deserializes", "load.py")])
        self.assertIn("Security audit", (work / "security-audit.md").read_text())

    def test_tools_of_a_kind_are_offered_to_its_runs_only(self):
        flags, model = self.script("other", "rules: [{when: {tools_available: [run_tests]}, say: I have it.}, {say: I have it not.}]")
        self.one.stop()
        self.one = self.node(*flags).start()
        self.api = self.one.client()
        _, project = self.project("python")
        done = self.ended(self.begin("custom", project, model=model))
        self.assertEqual(done["result"], "I have it not.", done)


class Sarif(unittest.TestCase):
    def test_the_report_is_sarif_by_its_schema(self):
        self.assertEqual(node_tools.schema("sarif-2.1.0.json", FIXTURES / "security-audit.sarif"), [])
