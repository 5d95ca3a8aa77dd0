"""Goals: a roadmap becomes tasks, agents do them, QA checks them by running tests, what is wrong is mended; through kills
of the node."""

import json
import shutil
from pathlib import Path

from tests.system.identity_test import IdentityTest
from tests.system.node import SECONDS_MAX, poll

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures/kinds"
WRONG = "def parse(text):\\n    return []\\n\\n\\ndef count(text):\\n    return 3\\n"
RIGHT = "def parse(text):\\n    return [1, 2, 3, 5]\\n\\n\\ndef count(text):\\n    return 3\\n"

# The first attempt is wrong; whoever is told what a check found does it right.
BUILDER = f'''
rules:
  - when: {{last_tool: write_file}}
    call: [{{tool: finish, arguments: {{result: "Written."}}}}]
  - when: {{step: 1, goal_contains: "Parse ranges", goal_matches: "A check found this"}}
    call: [{{tool: write_file, arguments: {{path: ranges.py, content: "{RIGHT}"}}}}]
  - when: {{step: 1, goal_contains: "Parse ranges"}}
    call: [{{tool: write_file, arguments: {{path: ranges.py, content: "{WRONG}"}}}}]
  - call: [{{tool: finish, arguments: {{result: "Nothing to do."}}}}]
'''

ROADMAP = """# Ranges

## Phase 1
- [ ] Parse ranges
  - Capability: code
  - Acceptance: all tests pass

## Phase 2
- [ ] Release notes
  - Capability: code
  - Depends on: Parse ranges
"""

PLAN = {"tasks": [{"id": "b", "title": "Second", "depends_on": ["a"], "capabilities": ["code"]},
                  {"id": "a", "title": "First", "capabilities": ["code"]}]}
PLANNER = f'''
rules:
  - when: {{goal_contains: "Plan me"}}
    call: [{{tool: finish, arguments: {{result: "Planned.", output: {json.dumps(PLAN)}}}}}]
  - call: [{{tool: finish, arguments: {{result: "Done."}}}}]
'''


class GoalsTest(IdentityTest):
    def start(self, name, script, *more):
        flags, self.model = self.script(name, script)
        self.one = self.node(*flags, *more).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def goal(self, id):
        return self.api.read(f"/goals/{id}")

    def until(self, what, id, true, seconds=4 * SECONDS_MAX):
        def holds():
            shown = self.goal(id)
            return shown if true(shown) else None
        try:
            return poll(what, holds, seconds)
        except AssertionError:
            raise AssertionError(f"{what}: {self.goal(id)} {self.api.all('/tasks')}") from None

    def test_the_loop_runs_from_roadmap_to_done_through_kills(self):
        self.start("builder", BUILDER)
        work = self.work_folder()
        shutil.copytree(FIXTURES / "python", work, dirs_exist_ok=True)
        project = self.api.create("/projects", {"name": "ranges", "folder": str(work)})["id"]
        self.api.create("/agents", {"name": "technical", "capabilities": ["code"], "model": self.model})
        self.api.create("/agents", {"name": "qa", "kind": "tester", "capabilities": ["qa"], "model": "rehearsal"})
        goal = self.api.create("/goals", {"title": "Ranges", "roadmap": ROADMAP, "project_id": project, "verify": True})["id"]
        self.until("the first task is checked", goal, lambda g: g["tasks"][0]["checks"] >= 1)
        self.again()
        self.until("what was found is mended", goal, lambda g: g["tasks"][0]["checks"] >= 2)
        self.again()
        done = self.until("the goal is reached", goal, lambda g: g["status"] == "done")
        self.assertEqual(done["progress"], {"total": 2, "done": 2, "percent": 100})
        self.assertEqual([t["checks"] for t in done["tasks"]], [2, 1])
        self.assertIn("return [1, 2, 3, 5]", (work / "ranges.py").read_text())
        titles = sorted(t["title"] for t in self.api.all("/tasks"))
        self.assertEqual(titles, ["Check: TASK-001 Parse ranges", "Check: TASK-001 Parse ranges",
                                  "Check: TASK-002 Release notes", "Mend: TASK-001 Parse ranges", "Parse ranges",
                                  "Release notes"])
        self.assertIn("[TASK-001]", self.api.read("/state/working-md")["content"].split("### DONE")[1])
        told = [n["title"] for n in self.api.all("/notifications")]
        self.assertIn("Reached: Ranges", told)
        self.one.stop()
        self.check_disk(self.one)

    def test_a_model_breaks_it_down_and_agents_are_made_within_limits(self):
        self.start("planner", PLANNER)
        goal = self.api.create("/goals", {"title": "Plan me", "model": self.model, "agents_max": 1})["id"]
        done = self.until("it is in review", goal, lambda g: [t.get("status") for t in g["tasks"]][:1] == ["review"])
        self.assertEqual([t["title"] for t in done["tasks"]], ["First", "Second"])
        self.assertEqual(len(done["agents_made"]), 1)
        made = self.api.read(f"/agents/{done['agents_made'][0]}")
        self.assertEqual((made["settings"]["name"], made["settings"]["capabilities"]), ("code-1", ["code"]))
        for key in ("TASK-001", "TASK-002"):
            poll("it is in review", lambda: self.api.read(f"/tasks/{key}")["status"] == "review")
            self.status(self.api.post(f"/tasks/{key}/status", {"status": "done"}), 200)
        self.until("the goal is reached", goal, lambda g: g["status"] == "done")

    def test_who_makes_no_agents_has_none_made(self):
        self.start("planner", PLANNER)
        member, _ = self.person(self.one, "eve@example.org", "member")
        self.status(member.post("/agents", {"name": "mine"}), 403)
        wish = {"title": "Up", "from_template": "bugfix"}
        self.status(member.post("/goals", {**wish, "agents_max": 1}), 403)
        self.status(member.post("/goals", wish), 201)
        self.assertEqual(self.api.all("/agents"), [])

    def test_what_nobody_can_do_is_a_blocker_that_is_told(self):
        self.start("planner", PLANNER)
        goal = self.api.create("/goals", {"title": "Up", "from_template": "bugfix"})["id"]
        shown = self.until("it is blocked", goal, lambda g: g["status"] == "blocked" and all(t.get("key") for t in g["tasks"]))
        self.assertIn("it needs qa", shown["tasks"][0]["blocker"])
        poll("its maker is told", lambda: len(self.api.all("/notifications")) == 3)
        printed = self.one.cli("goal", "show", goal).stdout
        self.assertIn("it needs qa", printed)
        self.api.create("/agents", {"name": "all", "capabilities": ["qa", "code"], "model": self.model})
        self.status(self.api.post("/tasks/TASK-001/assign", {"capabilities": ["qa"]}), 200)
        self.until("somebody does it", goal, lambda g: not g["tasks"][0].get("blocker"))
        self.status(self.api.post(f"/goals/{goal}/cancel"), 200)
        poll("its tasks are cancelled", lambda: {t["status"] for t in self.api.all("/tasks")} == {"cancelled"})

    def test_a_deleted_goal_is_given_up_through_a_kill_and_its_tasks_stay(self):
        self.start("planner", PLANNER)
        goal = self.api.create("/goals", {"title": "Up", "from_template": "bugfix"})["id"]
        shown = self.until("it is blocked", goal, lambda g: g["status"] == "blocked" and all(t.get("key") for t in g["tasks"]))
        self.assertEqual(self.one.cli("goal", "delete", goal).returncode, 0)
        self.again()
        self.status(self.api.get(f"/goals/{goal}"), 404, "not_found")
        self.assertEqual(self.api.all("/goals"), [])
        poll("its tasks are cancelled", lambda: {t["status"] for t in self.api.all("/tasks")} == {"cancelled"})
        self.assertEqual(len(self.api.all("/tasks")), len(shown["tasks"]))
        self.status(self.api.request("DELETE", f"/goals/{goal}"), 404, "not_found")

    def test_the_command_line_sets_and_shows_goals(self):
        self.start("planner", PLANNER)
        roadmap = self.folder / "ROADMAP.md"
        roadmap.write_text(ROADMAP)
        self.assertIn("Parse ranges", self.one.cli("goal", "plan", roadmap).stdout)
        made = self.one.cli("bootstrap", "--model", self.model)
        self.assertEqual(made.returncode, 0, made)
        self.assertIn("qa is made", made.stderr)
        again = self.one.cli("bootstrap", "--model", self.model, "--roadmap", roadmap)
        self.assertIn("technical is there already", again.stderr)
        self.assertIn("Parse ranges", again.stdout)
        listed = self.one.cli("goal", "list").stdout
        self.assertIn("Roadmap", listed)
        roadmap.write_text("- [ ] A\n  - Priority: huge\n")
        wrong = self.one.cli("goal", "plan", roadmap)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("line 2", wrong.stderr)
