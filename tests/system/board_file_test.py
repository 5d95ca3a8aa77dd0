"""WORKING.md as a file: written when the board changes, read when somebody edits it; never half, nothing lost."""

import re

from tests.system.node import NodeTest, poll


class BoardFileTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "state" / "WORKING.md"
        self.file.parent.mkdir()
        self.one = self.node("--sandbox", "none", "--board.file", self.file).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def text(self):
        return self.file.read_text() if self.file.exists() else ""

    def has(self, *parts):
        poll(f"the file has {parts}", lambda: all(part in self.text() for part in parts))

    def column(self, key):
        text = self.text()
        at = text.find(f"[{key}]")
        return re.findall(r"^### (\w+)$", text[:at], re.M)[-1] if at >= 0 else None

    def save(self, text):
        self.file.write_text(text)

    def test_the_file_follows_the_board_and_comes_back_when_it_is_removed(self):
        self.api.create("/tasks", {"title": "First"})
        self.has("- [TASK-001] First")
        self.api.post("/tasks/TASK-001/status", {"status": "in_progress"})
        poll("it is moved", lambda: self.column("TASK-001") == "IN_PROGRESS")
        self.file.unlink()
        self.has("- [TASK-001] First")
        self.assertEqual([p.name for p in self.file.parent.iterdir()], ["WORKING.md"])

    def test_edits_become_commands_also_those_of_the_time_when_no_node_ran(self):
        self.api.create("/tasks", {"title": "First"})
        self.has("- [TASK-001] First")
        self.save(self.text().replace("- [TASK-001] First", "- [TASK-001] The first\n- Another one"))
        self.has("- [TASK-001] The first", "- [TASK-002] Another one")
        self.assertEqual(self.api.read("/tasks/TASK-001")["title"], "The first")
        self.one.kill9()
        self.save(self.text().replace("- [TASK-002] Another one", "- [TASK-002] Another one\n- While nobody looked"))
        self.one.start()
        self.api = self.one.client()
        self.has("- [TASK-003] While nobody looked")
        self.again()
        self.has("- [TASK-003] While nobody looked")
        self.assertEqual(len(self.api.all("/tasks")), 3)
        self.one.stop()
        self.check_disk(self.one)

    def test_a_kill_while_an_edit_is_taken_over_creates_nothing_twice(self):
        self.api.create("/tasks", {"title": "First"})
        self.has("- [TASK-001] First")
        titles = [f"Line {n}" for n in range(60)]
        self.save(self.text().replace("- [TASK-001] First", "\n".join(["- [TASK-001] First", *(f"- {t}" for t in titles)])))
        poll("it is being taken over", lambda: len(self.api.all("/tasks")) > 3)
        self.again()
        poll("all are there", lambda: {t["title"] for t in self.api.all("/tasks")} >= set(titles))
        self.has("Line 59")
        self.assertEqual(sorted(t["title"] for t in self.api.all("/tasks")), sorted(["First", *titles]))

    def test_what_cannot_be_taken_over_is_kept_with_the_reasons(self):
        self.api.create("/tasks", {"title": "First"})
        self.has("- [TASK-001] First")
        self.save(self.text().replace("- [TASK-001] First", "- [TASK-099] Whatever\n- [TASK-001] First"))
        kept = self.file.with_name("WORKING.md.rejected")
        poll("it is refused", kept.exists)
        self.assertIn("[TASK-099] Whatever", kept.read_text())
        self.assertIn("was not taken over", kept.read_text())
        poll("the board is shown again", lambda: "TASK-099" not in self.text())
        self.save("")
        poll("an empty file is none", lambda: "- [TASK-001] First" in self.text())
