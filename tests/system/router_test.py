"""Routes: two providers, one of which dies on the way; what the step says of it, also after a restart of the node."""

import json

from tests.system.model_test import ANSWER, KEY, Provider
from tests.system.node import NodeTest, poll

DOWN = {"status": 503, "error": {"message": "we are down"}}
CUT = {"cut_after": 3}
LONG = {"content": "a long answer of many words 🦊 " * 5}


class RouterTest(NodeTest):
    def prepare(self, first, second, policy="priority"):
        self.first, self.second = (self.provider(name, replies) for name, replies in (("first", first), ("second", second)))
        listed = [{"name": name, "wire": "openai", "base_url": p.url, "api_key": "env:MOCK_KEY",
                   "models": [{"name": "m", "input_price": price, "output_price": price}]}
                  for name, p, price in (("first", self.first, 1), ("second", self.second, 2))]
        routes = [{"name": "both", "policy": policy, "models": [{"model": "first/m"}, {"model": "second", "weight": 2}]}]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"model": {"providers": listed, "routes": routes}}))
        self.server = self.node("--config", config, environment={"MOCK_KEY": KEY}).start()
        self.api = self.server.client()

    def provider(self, name, conversations):
        folder = self.folder / name
        folder.mkdir()
        made = Provider(folder, conversations)
        self.addCleanup(made.close)
        return made

    def run_of(self, goal, **more):
        return self.api.create("/runs", {"goal": goal, "model": "route:both", **more})["id"]

    def steps(self, run):
        return [s for s in self.api.all(f"/runs/{run}/steps") if s["type"] == "model"]

    def health(self, name):
        return next(p["health"] for p in self.api.read("/providers")["items"] if p["name"] == name)

    def test_call_goes_on_to_the_other_before_its_first_token_and_the_step_says_why(self):
        self.prepare({"simple": [{**ANSWER, "faults": [DOWN]}]}, {"simple": [ANSWER]})
        run = self.run_of("simple", limits={"cost_micros": 1_000_000})
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", ANSWER["content"]), shown)
        route = self.steps(run)[0]["details"]["route"]
        self.assertEqual((route["route"], route["policy"], route["model"]), ("both", "priority", "second/m"), route)
        self.assertEqual([p["model"] for p in route["passed"]], ["first/m"], route)
        self.assertIn("we are down", route["passed"][0]["why"])
        step = self.steps(run)[0]
        self.assertEqual(shown["used"]["cost_micros"], 2 * (step["input_tokens"] + step["output_tokens"]))  # the second's price
        self.server.kill9()
        self.server.start()
        self.api = self.server.client()
        self.assertEqual(self.steps(run)[0]["details"]["route"], route)

    def test_provider_that_dies_mid_stream_is_not_hidden_and_the_run_goes_on(self):
        self.prepare({"mid": [{**LONG, "faults": [CUT]}]}, {"mid": [LONG]})
        run = self.run_of("mid")
        shown = self.api.wait_run(run)
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", LONG["content"]), shown)
        failed = [e["data"] for e in self.api.events_of(f"runs/{run}") if e["kind"] == "model_call_failed"]
        self.assertEqual(len(failed), 1)
        self.assertIn("route both, first/m", failed[0]["detail"])
        self.assertEqual(len(self.first.log("mid")), 2)  # one failure alone does not degrade it
        self.assertEqual(len(self.second.log("mid")), 0)

    def test_with_both_down_the_run_waits_and_names_each(self):
        self.prepare({"patience": [{**ANSWER, "faults": [DOWN] * 3}]}, {"patience": [{**ANSWER, "faults": [DOWN] * 3}]})
        run = self.run_of("patience")
        waiting = poll("the run waits", lambda: self.api.read(f"/runs/{run}")["waiting"])
        self.assertIn("first/m", waiting[0]["text"])
        self.assertIn("second/m", waiting[0]["text"])
        self.assertEqual(waiting[0]["code"], "model_unavailable")
        self.assertEqual(self.api.wait_run(run)["status"], "succeeded")
        self.assertEqual(self.health("first")["last_failure"]["code"], "model_unavailable")

    def test_routes_and_health_are_listed_and_unknown_routes_say_what_there_is(self):
        self.prepare({"x": [ANSWER]}, {"x": [ANSWER]}, "cheapest")
        models = {m["name"]: m for m in self.api.read("/models")["items"]}
        self.assertEqual(models["route:both"]["policy"], "cheapest")
        self.assertEqual(models["route:both"]["candidates"], [{"model": "first/m", "weight": 1}, {"model": "second/m", "weight": 2}])
        self.assertEqual((self.health("first")["status"], self.health("first")["calls_max"]), ("healthy", 32))
        self.assertIn("healthy", self.server.cli("provider", "list").stdout)
        run = self.api.create("/runs", {"goal": "x", "model": "route:nobody"})["id"]
        shown = self.api.wait_run(run)
        self.assertEqual(shown["status"], "failed")
        self.assertIn("route:both", shown["error"])
        self.assertEqual(self.api.wait_run(self.run_of("x"))["status"], "succeeded")
        shown = self.api.read("/supervision?prefix=/nodes/n1/providers/first&depth=0")
        self.assertEqual((shown["kind"], shown["status"]), ("provider", "running"))
        text = self.status(self.api.get("/metrics", base=""), 200).raw.decode()
        self.assertIn('troupe_model_calls_total{provider="first",outcome="ok"} 1', text)
        self.assertIn('troupe_model_provider_state{provider="second"} 0', text)
