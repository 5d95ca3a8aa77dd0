"""Agents over time: the configurations that they had."""

from tests.system.node import NodeTest


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
