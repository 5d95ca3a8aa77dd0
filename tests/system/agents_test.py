"""Agents over time: the configurations that they had."""

from tests.system.node import NodeTest, poll


class Versions(NodeTest):
    def test_each_configuration_is_kept_with_who_made_it(self):
        one = self.node("--sandbox", "none").start()
        api = one.client()
        agent = api.create("/agents", {"name": "scout", "role": "first"})["id"]
        for change in ({"role": "second"}, {"role": "second"}, {"role": "third"}):
            self.assertEqual(api.request("PATCH", f"/agents/{agent}", change).status, 200)
        api.post("/agents/scout/pause", None)  # changes no setting
        shown = api.get("/agents/scout/versions").json
        self.assertEqual([v["settings"]["role"] for v in shown["items"]], ["third", "second", "first"])
        self.assertIsNone(shown["next_cursor"])
        self.assertTrue(all(v["by"] and v["at"] for v in shown["items"]))

        pages, cursor = [], ""
        while cursor is not None:
            page = api.get("/agents/scout/versions?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
            pages, cursor = pages + page["items"], page["next_cursor"]
        self.assertEqual(pages, shown["items"])

        one.kill9()
        api = one.start().client()
        oldest = shown["items"][-1]
        self.assertEqual(api.get(f"/agents/{agent}/versions/{oldest['number']}").json, oldest)
        self.assertEqual(api.get(f"/agents/{agent}/versions/999").status, 404)

    def test_metrics_and_logs_tell_how_it_does(self):
        flags, model = self.script("two", '''
rules:
  - when: {goal_contains: good}
    call: [{tool: finish, arguments: {result: Fine.}}]
  - when: {goal_contains: bad}
    call: [{tool: give_up, arguments: {}}]
''')
        one = self.node("--sandbox", "none", *flags).start()
        api = one.client()
        api.create("/agents", {"name": "scout", "model": model})
        for title in ("good", "good too", "bad"):
            api.create("/agents/scout/tasks", {"title": title, "limits": {"steps": 2}})
        done = poll("all have ended", lambda: (m := api.read("/agents/scout/metrics"))["runs"] == 3 and not m["working"] and m)
        self.assertEqual((done["completed"], done["failed"], done["success_percent"]), (2, 1, 66))
        self.assertEqual([day["completed"] for day in done["days"]], [2])
        self.assertFalse(done["cut"])
        self.assertEqual(len(api.all("/agents/scout/runs")), 3)
        self.assertEqual([t["title"] for t in api.all("/agents/scout/tasks")], ["bad", "good too", "good"])
        self.assertEqual([t["title"] for t in api.read("/agents/scout/tasks?status=failed")["items"]], ["bad"])
        errors = api.read("/agents/scout/logs?level=error")["items"]
        self.assertTrue(errors and all(line["level"] == "error" for line in errors), errors)
        everything = api.read("/agents/scout/logs?limit=200")["items"]
        self.assertEqual(everything, sorted(everything, key=lambda line: line["at"], reverse=True))
        older = api.read(f"/agents/scout/logs?limit=200&before={everything[3]['at']}")["items"]
        self.assertTrue(all(line["at"] < everything[3]["at"] for line in older))
        one.kill9()
        one.start()
        self.assertEqual(one.client().read("/agents/scout/metrics"), done)


class Lifecycle(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("work", """
rules:
  - when: {goal_contains: hang}
    call: [{tool: ask_human, arguments: {question: "When?"}}]
  - when: {goal_contains: bad}
    call: [{tool: give_up, arguments: {}}]
  - call: [{tool: finish, arguments: {result: Fine.}}]
""")
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def agent(self, name="scout", **settings):
        return self.api.create("/agents", {"name": name, "model": self.model, **settings})["id"]

    def shown(self, name="scout"):
        return self.api.read(f"/agents/{name}")

    def test_older_settings_are_compared_and_come_back(self):
        self.agent(role="first", capabilities=["sql"])
        self.api.request("PATCH", "/agents/scout", {"role": "second", "retry": {"attempts": 3}, "name": "guard"})
        newest, oldest = [v["number"] for v in self.api.read("/agents/guard/versions")["items"]]
        changes = self.api.read(f"/agents/guard/versions/{oldest}/diff")["changes"]
        self.assertEqual({c["member"]: (c["from"], c["to"]) for c in changes},
                         {"name": ("scout", "guard"), "role": ("first", "second"), "retry": (None, {"attempts": 3, "backoff_ms": 10000})})
        self.assertEqual(self.api.read(f"/agents/guard/versions/{newest}/diff?to={newest}")["changes"], [])
        self.status(self.api.post(f"/agents/guard/versions/{oldest}/restore"), 200)
        settings = self.shown("guard")["settings"]
        self.assertEqual((settings["name"], settings["role"], settings.get("retry")), ("guard", "first", None))
        self.assertIn("role", self.one.cli("agent", "diff", "guard", str(newest)).stdout)
        self.assertEqual(self.api.get("/agents/guard/versions/999/diff").status, 404)

    def test_a_restart_begins_anew_what_is_in_work(self):
        self.agent()
        task = self.api.create("/agents/scout/tasks", {"title": "hang"})["id"]
        first = poll("it is at work", lambda: self.api.read(f"/tasks/{task}").get("run_id"))
        self.status(self.api.post("/agents/scout/restart"), 200)
        second = poll("it is begun anew", lambda: (run := self.api.read(f"/tasks/{task}").get("run_id")) != first and run)
        self.assertEqual(self.api.read(f"/runs/{first}")["status"], "cancelled")
        self.again()
        self.assertEqual(self.api.read(f"/tasks/{task}")["run_id"], second)
        self.assertIn("works", self.one.cli("agent", "restart", "scout").stdout)

    def test_what_fails_is_tried_again_and_then_another_agent_gets_it(self):
        self.agent(capabilities=["sql"], retry={"attempts": 2, "backoff_ms": 1}, limits={"steps": 1})
        self.agent("guard", capabilities=["sql"], limits={"steps": 1})
        self.api.post("/agents/guard/pause")
        task = self.api.create("/tasks", {"title": "bad", "capabilities": ["sql"]})["id"]
        self.api.post("/agents/guard/resume")
        done = poll("both have failed", lambda: (t := self.api.read(f"/tasks/{task}"))["status"] == "failed"
                    and t["agent_id"] == self.shown("guard")["id"] and t)
        self.assertEqual(len(self.api.all("/agents/scout/runs")), 2)
        self.assertEqual(len(self.api.all("/agents/guard/runs")), 1)
        said = [m["content"] for m in self.api.all(f"/tasks/{task}/messages")]
        self.assertTrue(any("Given to guard" in text for text in said), said)
        self.assertIn("error", done)

    def test_one_that_gives_no_sign_of_life_loses_its_queue_to_others(self):
        self.agent(capabilities=["sql"], heartbeat={"interval_ms": 1000, "external": True, "missed_max": 2})
        self.api.post("/agents/scout/pause")
        self.api.post("/agents/scout/resume")
        blocker = self.api.create("/agents/scout/tasks", {"title": "hang"})["id"]
        task = self.api.create("/tasks", {"title": "good", "capabilities": ["sql"]})["id"]
        self.agent("guard", capabilities=["sql"])
        self.again()
        done = poll("the other one has done it", lambda: (t := self.api.read(f"/tasks/{task}"))["status"] == "review" and t)
        self.assertEqual(done["agent_id"], self.shown("guard")["id"])
        silent = self.shown()
        self.assertEqual(silent["status"], "error")
        self.assertIn("heartbeats", silent["error"])
        self.assertIn("No sign of life of agent scout", [n["title"] for n in self.api.all("/notifications")])
        self.status(self.api.post("/agents/scout/heartbeat"), 200)
        self.assertEqual(self.shown()["status"], "busy")
        self.assertEqual(self.api.read(f"/tasks/{blocker}")["status"], "in_progress")

    def test_the_node_beats_through_kills_and_the_agent_does_what_it_is_to(self):
        self.agent(heartbeat={"interval_ms": 1000, "instructions": "Look around."})
        poll("it beats", lambda: self.shown()["heartbeats"] >= 1)
        self.again()
        poll("it goes on", lambda: self.shown()["heartbeats"] >= 3)
        runs = self.api.all("/agents/scout/runs")
        self.assertTrue(runs and all(run["goal"] == "Look around." for run in runs), runs)
        self.api.request("PATCH", "/agents/scout", {"heartbeat": {"interval_ms": 0}})
        self.assertNotIn("heartbeat_due", self.shown())
        refused = self.status(self.api.request("PATCH", "/agents/scout", {"heartbeat": {"interval_ms": 5}}), 422)
        self.assertEqual(refused.json["errors"][0]["pointer"], "/heartbeat/interval_ms")

    def test_what_waits_too_long_goes_to_another(self):
        self.agent(capabilities=["sql"], queue_timeout_ms=1)
        self.agent("guard", capabilities=["sql"])
        self.api.post("/agents/guard/pause")
        self.api.create("/agents/scout/tasks", {"title": "hang"})
        task = self.api.create("/tasks", {"title": "good", "capabilities": ["sql"]})["id"]
        self.api.post("/agents/guard/resume")
        poll("somebody decided", lambda: self.api.read(f"/tasks/{task}")["status"] in ("review", "inbox"))

    def test_agents_are_found_by_what_they_can_do_and_whether_they_are_free(self):
        self.agent(capabilities=["sql", "python"], kind="tester", role="qa")
        self.agent("guard", capabilities=["SQL"])
        self.api.create("/agents/guard/tasks", {"title": "hang"})
        names = lambda query: [a["settings"]["name"] for a in self.api.read(f"/agents?{query}")["items"]]
        self.assertEqual(names("capability=sql"), ["guard", "scout"])
        self.assertEqual(names("capability=sql,python"), ["scout"])
        self.assertEqual(names("capability=flying"), [])
        self.assertEqual((names("kind=tester"), names("role=QA")), (["scout"], ["scout"]))
        poll("guard is at work", lambda: names("free=true") == ["scout"])
        self.assertEqual(names("free=false&status=busy"), ["guard"])
