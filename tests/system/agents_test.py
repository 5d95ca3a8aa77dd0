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
