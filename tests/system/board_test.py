"""The board: tasks that hang together, messages, notifications, activities, WORKING.md; through kills of the node."""

import concurrent.futures
import re

from tests.system.node import NodeTest, poll


class BoardTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.one = self.node("--sandbox", "none").start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def task(self, title, **more):
        return self.api.create("/tasks", {"title": title, **more})

    def move(self, key, *statuses):
        for status in statuses:
            self.status(self.api.post(f"/tasks/{key}/status", {"status": status}), 200)

    def text(self):
        return self.api.read("/state/working-md")["content"]

    def edit(self, text, status=200):
        return self.status(self.api.put("/state/working-md", {"content": text}), status)

    def test_numbers_go_on_after_a_kill_and_none_is_given_twice(self):
        keys = {self.task(f"before {n}")["key"] for n in range(20)}
        self.again()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            clients = [self.one.client() for _ in range(8)]
            made = pool.map(lambda n: clients[n % 8].create("/tasks", {"title": f"at once {n}"})["key"]
                            if n < 8 else None, range(8))
            keys |= set(made)
        self.assertEqual(keys, {f"TASK-{n:03}" for n in range(1, 29)})
        self.one.stop()
        self.check_disk(self.one)

    def test_work_waits_for_what_it_depends_on_through_kills(self):
        flags, model = self.script("done", 'rules:\n  - call: [{tool: finish, arguments: {result: "Done."}}]\n')
        self.one.stop()
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        agent = self.api.create("/agents", {"name": "scout", "model": model})["id"]
        first = self.task("first")
        whole = self.task("whole")
        waiting = self.task("second", agent_id=agent, depends_on=[first["id"]], parent_id=whole["id"])
        self.again()
        self.assertEqual(self.api.read(f"/tasks/{waiting['key']}")["waiting_for"], [first["id"]])
        self.assertEqual(self.api.read("/agents/scout")["queued"], [])
        self.move(first["key"], "in_progress", "review", "done")
        self.again()
        poll("the agent works on it", lambda: self.api.read(f"/tasks/{waiting['key']}")["status"] == "review")
        self.assertEqual(self.api.read(f"/tasks/{waiting['key']}")["result"], "Done.")
        self.move(waiting["key"], "done")
        poll("the parent knows", lambda: self.api.read(f"/tasks/{whole['key']}")["subtasks"]["done"] == 1)
        told = poll("its owner is told", lambda: self.api.all("/notifications"))
        self.assertEqual([(n["kind"], n["task_id"]) for n in told], [("review", waiting["id"])])
        self.one.stop()
        self.check_disk(self.one)

    def test_the_best_agent_is_chosen_and_it_is_said_why(self):
        for name, capabilities in (("snake", ["python", "sql"]), ("gopher", ["go"]), ("second", ["python"])):
            self.api.create("/agents", {"name": name, "capabilities": capabilities, "model": "rehearsal"})
            self.status(self.api.post(f"/agents/{name}/pause"), 200) if name == "second" else None
        task = self.task("query", capabilities=["SQL"])
        self.assertEqual(task["agent_id"], self.api.read("/agents/snake")["id"])
        said = poll("why is said", lambda: self.api.all(f"/tasks/{task['key']}/messages"))
        self.assertRegex(said[0]["content"], r"Given to snake \(score 80\): has SQL; 1 of 1 places free")
        refused = self.status(self.api.post("/tasks", {"title": "fly", "capabilities": ["flying"]}), 409)
        self.assertIn("snake lacks flying", refused.json["detail"])
        other = self.task("later")
        names = [c["name"] for c in self.api.read(f"/tasks/{other['key']}/candidates?capabilities=python")["items"]]
        self.assertEqual(names, ["snake", "gopher", "second"])
        self.assertIn("snake", self.one.cli("task", "candidates", other["key"], "--limit", "1").stdout)
        self.status(self.api.post(f"/tasks/{other['key']}/assign", {"capabilities": ["go"]}), 200)
        self.assertEqual(self.api.read(f"/tasks/{other['key']}")["agent_id"], self.api.read("/agents/gopher")["id"])
        self.assertNotIn("fly", [t["title"] for t in self.api.all("/tasks")])

    def test_messages_are_kept_edited_and_told_of(self):
        self.api.create("/agents", {"name": "scout"})
        task = self.task("talk")
        said = self.api.create(f"/tasks/{task['key']}/messages", {"content": "Look, @scout"})
        self.assertEqual([m["name"] for m in said["mentions"]], ["scout"])
        self.again()
        self.status(self.api.put(f"/messages/{said['id']}", {"content": "Look again"}), 200)
        self.status(self.api.post(f"/messages/{said['id']}/reactions", {"reaction": "👍"}), 200)
        self.again()
        shown = self.api.read(f"/messages/{said['id']}")
        self.assertEqual((shown["content"], shown["reactions"]), ("Look again", {"👍": ["key/admin"]}))
        self.assertEqual(self.api.all(f"/tasks/{task['key']}/messages"), [shown])

    def test_other_organizations_see_nothing(self):
        task = self.task("mine")
        said = self.api.create(f"/tasks/{task['id']}/messages", {"content": "secret words"})
        other = self.api.create("/organizations", {"name": "Other", "slug": "other"})["id"]
        there = {"X-Organization": other}
        for path in (f"/messages/{said['id']}", f"/tasks/{task['key']}", f"/activities/task/{task['id']}"):
            self.status(self.api.get(path, headers=there), 404)
        for path in ("/board", "/activities", "/state/working-md", "/notifications"):
            shown = self.api.get(path, headers=there).raw
            self.assertNotIn(b"secret words", shown)
            self.assertNotIn(b"mine", shown)
        self.assertEqual(self.api.request("POST", "/tasks", {"title": "theirs"}, headers=there).json["key"], "TASK-001")

    def test_what_happened_is_read_as_lines(self):
        task = self.task("sums")
        self.move(task["key"], "in_progress")
        lines = [a["text"] for a in self.api.read("/activities?kind=task")["items"]]
        self.assertEqual(lines, ["key/admin moved TASK-001 sums from inbox to in_progress", "key/admin created TASK-001 sums"])
        newest = self.api.read("/activities/task/TASK-001?limit=1")
        self.assertEqual(len(newest["items"]), 1)
        rest = self.api.read(f"/activities/task/TASK-001?cursor={newest['next_cursor']}")
        self.assertEqual([a["event_type"] for a in rest["items"]], ["task_created"])
        self.assertEqual(self.api.read("/activities?q=MOVED")["items"][0]["event_type"], "task_moved")
        self.assertEqual(self.api.read("/activities?severity=error")["items"], [])

    def test_an_edited_text_changes_the_board(self):
        self.api.create("/agents", {"name": "main", "role": "technical", "model": "rehearsal"})
        self.status(self.api.post("/agents/main/pause"), 200)
        for title in ("Research", "Fix it", "Ship it"):
            self.task(title)
        text = self.text()
        self.assertIn("- [TASK-002] Fix it\n", text)
        text = text.replace("- [TASK-001] Research\n", "- Something new\n")
        text = text.replace("- [TASK-002] Fix it\n", "").replace("### ASSIGNED\n", "### ASSIGNED\n- [TASK-002] @main - Fix it well\n")
        text = text.replace("### IN_PROGRESS\n", "### IN_PROGRESS\n- [TASK-001] Research\n")
        shown = self.edit(text).json["content"]
        self.assertIn("### INBOX\n- [TASK-003] Ship it\n- [TASK-004] Something new\n", shown)
        self.assertIn("### ASSIGNED\n- [TASK-002] @agent:technical:main - Fix it well\n", shown)
        self.assertIn("### IN_PROGRESS\n- [TASK-001] Research\n", shown)
        self.again()
        self.assertEqual(self.api.read("/tasks/TASK-002")["title"], "Fix it well")
        plain = self.api.get("/state/working-md", headers={"Accept": "text/markdown"})
        self.assertEqual(plain.headers["content-type"], "text/markdown; charset=utf-8")

    def test_titles_that_a_line_cannot_show_do_not_lock_the_text(self):
        for title in ("   ", "\u0001", "✅", "@" + "a" * 299):
            self.api.create("/tasks", {"title": title})
        self.api.create("/goals", {"title": "x" * 300, "from_template": "bugfix"})
        poll("its tasks are there", lambda: len(self.api.all("/tasks")) == 7)
        text = self.api.read("/state/working-md")["content"]
        self.edit(text.replace("(no title)", "one", 1))
        self.assertEqual(self.api.read("/tasks/TASK-001")["title"], "one")
        self.assertTrue(all(len(t["title"]) <= 300 for t in self.api.all("/tasks")))

    def test_what_others_changed_meanwhile_is_merged_or_refused_with_both_sides(self):
        for title in ("one", "two"):
            self.task(title)
        poll("it is long ago", lambda: "TASK-002" in self.text() and self.settled())
        text = self.text()
        self.move("TASK-001", "in_progress")
        self.edit(text.replace("] one", "] uno"))  # the one changed its place, the other its title
        one = self.api.read("/tasks/TASK-001")
        self.assertEqual((one["status"], one["title"]), ("in_progress", "uno"))
        refused = self.edit(text.replace("] one", "] eins").replace("] two", "] zwei"), 409)
        self.assertRegex(refused.json["errors"][0]["message"], 'TASK-001, the title: yours "eins", now "uno", before "one"')
        self.assertEqual(self.api.read("/tasks/TASK-002")["title"], "two")  # as a whole or not at all
        line = text.splitlines().index("- [TASK-001] one") + 1
        self.assertEqual(refused.json["errors"][0]["pointer"], f"/lines/{line}")
        self.edit(text.replace("- [TASK-001] one\n", ""), 422)
        self.edit(text.replace("] one", "] @nobody - one"), 422)
        self.edit(text + "\x00", 200)  # behind the tasks nothing is read

    def settled(self):
        """What the text says to be up to date at is after all that was done."""
        shown = self.api.read("/state/working-md")
        return shown["updated_at"] > max(t["updated_at"] for t in self.api.all("/tasks"))

    def test_circles_that_two_requests_close_at_once_are_broken(self):
        pairs = [(self.task(f"a{n}")["id"], self.task(f"b{n}")["id"]) for n in range(20)]

        def tie(task, other, member):
            client = self.one.client()
            reply = client.request("PATCH", f"/tasks/{task}", {member: [other] if member == "depends_on" else other})
            client.close()
            self.assertIn(reply.status, (200, 409), reply)
            return reply.status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = [pool.submit(tie, *args, ("depends_on", "parent_id")[n % 2]) for n, (a, b) in enumerate(pairs) for args in ((a, b), (b, a))]
            taken = [f.result() for f in done]
        both = [n for n in range(len(pairs)) if taken[2 * n] == taken[2 * n + 1] == 200]

        def whole():
            shown = {t["id"]: t for t in self.api.all("/tasks")}
            return not any(b in shown[a].get("depends_on", []) and a in shown[b].get("depends_on", []) or
                           shown[a].get("parent_id") == b and shown[b].get("parent_id") == a for a, b in pairs)
        poll("no circle is left", whole)
        for n in both:  # and it is said
            said = [m["content"] for task in pairs[n] for m in self.api.all(f"/tasks/{task}/messages")]
            self.assertTrue(any("closed a circle" in text for text in said), said)

    def test_the_text_of_an_earlier_time_is_shown_and_restored(self):
        for title in ("one", "two", "three"):
            self.task(title)
        self.move("TASK-002", "in_progress")
        poll("it is long ago", self.settled)
        then = self.api.read("/state/working-md")
        at = then["updated_at"]
        self.api.ok("PUT", "/tasks/TASK-001", {"title": "uno"})
        self.move("TASK-002", "review")
        self.move("TASK-002", "done")
        self.move("TASK-003", "cancelled")
        self.task("four")
        self.again()
        tasks = lambda text: text[text.index("### INBOX"):text.index("## Recent")]
        past = self.api.read(f"/state/working-md?at={at}")
        self.assertEqual(tasks(past["content"]), tasks(then["content"]))
        lines = self.api.read("/state/working-md/history?limit=50")["items"]
        self.assertEqual(len(lines), 9)  # 4 made, 4 moved, 1 retitled
        self.assertIn("done", lines[2]["text"])
        self.assertEqual([line["at"] for line in lines], sorted((line["at"] for line in lines), reverse=True))
        self.status(self.api.post("/state/working-md/restore", {"at": at}), 200)
        now = {t["key"]: (t["title"], t["status"]) for t in self.api.all("/tasks")}
        self.assertEqual(now, {"TASK-001": ("one", "inbox"), "TASK-002": ("two", "in_progress"), "TASK-003": ("three", "inbox"),
                               "TASK-004": ("four", "inbox")})
        self.status(self.api.post("/state/working-md/restore", {"at": at}), 200)  # again: nothing is left to do
        self.assertEqual(len(self.api.read("/state/working-md/history?limit=50")["items"]), 9 + 4)
        self.status(self.api.get("/state/working-md?at=then"), 422)
        self.assertIn("one", self.one.cli("working-md", "show", "--at", at).stdout)
        self.assertIn("TASK-002", self.one.cli("working-md", "history").stdout)
        self.assertEqual(self.one.cli("working-md", "restore", at).returncode, 0)
        self.assertEqual(self.one.cli("working-md", "restore", "then").returncode, 2)

    def test_fifty_editors_at_once_lose_nothing(self):
        for n in range(50):
            self.task(f"task {n:02}")
        poll("it is long ago", self.settled)
        text = self.text()

        def change(n):
            client = self.one.client()
            edited = re.sub(rf"(\[TASK-{n + 1:03}\]) .*", rf"\1 changed {n:02}", text)
            return self.status(client.put("/state/working-md", {"content": edited}), 200)

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            list(pool.map(change, range(50)))
        titles = {t["key"]: t["title"] for t in self.api.all("/tasks")}
        self.assertEqual(titles, {f"TASK-{n + 1:03}": f"changed {n:02}" for n in range(50)})
