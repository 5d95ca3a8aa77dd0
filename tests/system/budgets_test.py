"""Limits by the day of money and tokens: many calls at once cannot overspend them, also across a kill -9."""

import threading

from tests.system.model_test import KEY, Provider
from tests.system.node import RUN_ENDS, NodeTest, poll
from tests.system.plans_test import Organization, away_from_midnight

RUNS = 64
MODEL = "openai/test-model"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 1000}


class BudgetsTest(NodeTest):
    def setUp(self):
        super().setUp()
        away_from_midnight()
        slow = {"content": "done and done", "usage": USAGE, "delay_ms": 100}
        hang = {"content": "never", "faults": [{"hang": True}] * RUNS}
        self.provider = Provider(self.folder, {"count": [slow], "hang": [hang]})
        self.addCleanup(self.provider.close)
        self.one = self.node("--model.openai.base_url", self.provider.url, "--model.prices", "openai/test-model=1.00/1.00",
                             environment={"OPENAI_API_KEY": KEY}).start()
        self.api = self.one.client()

    def spent(self):
        return Organization(self.one, "default").usage()

    def start_many(self, goal, agent):
        """So many runs, begun from threads; their ids."""
        ids = [None] * RUNS

        def begin(number):
            ids[number] = self.one.client().create("/runs", {"goal": f"{goal} {number}", "agent_id": agent})["id"]
        threads = [threading.Thread(target=begin, args=(n,)) for n in range(RUNS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return ids

    def ends(self, ids):
        return poll("the end of all runs", lambda: (lambda runs: runs if all(r["status"] in RUN_ENDS for r in runs) else None)(
            [self.api.read(f"/runs/{i}") for i in ids]))

    def agent(self, **limits):
        return self.api.create("/agents", {"name": "spender", "model": MODEL, "limits_per_day": limits})["id"]

    def test_64_runs_at_once_stay_below_the_money_of_their_agents_day(self):
        limit = 60_000
        runs = self.ends(self.start_many("count", self.agent(cost_micros=limit)))
        good = [r for r in runs if r["status"] == "succeeded"]
        refused = [r for r in runs if r["status"] == "failed"]
        self.assertEqual(len(good) + len(refused), RUNS)
        self.assertGreater(len(good), 0)
        self.assertGreater(len(refused), 0, "the test shows nothing")
        for r in refused:
            self.assertIn("The agent may use 60000 millionths", r["error"])
        self.assertEqual(len(self.provider.log("count")), len(good), "who was refused asked nobody")
        used = sum(r["used"]["cost_micros"] for r in runs)
        self.assertLessEqual(used, limit)
        self.assertEqual(self.spent()["cost_micros"], used)
        # Another agent has a day of its own, and this one's next limit counts for its next runs.
        other = self.api.create("/agents", {"name": "other", "model": MODEL, "limits_per_day": {"cost_micros": limit}})["id"]
        for agent in (other, "spender"):
            if agent == "spender":
                self.api.ok("PATCH", "/agents/spender", {"limits_per_day": {"cost_micros": 1_000_000}})
                agent = self.api.read("/agents/spender")["id"]
            run = self.api.create("/runs", {"goal": "count once more", "agent_id": agent})["id"]
            self.assertEqual(self.api.wait_run(run)["status"], "succeeded")

    def test_64_runs_at_once_stay_below_the_money_of_the_organizations_day(self):
        limit = 60_000
        Organization(self.one, "default", limits={"cost_micros_per_day": limit})
        agent = self.api.create("/agents", {"name": "spender", "model": MODEL})["id"]
        runs = self.ends(self.start_many("count", agent))
        states = {r["status"] for r in runs}
        self.assertEqual(states, {"succeeded", "failed"})
        self.assertLessEqual(self.spent()["cost_micros"], limit)
        shown = Organization(self.one, "default").limit("cost_micros_per_day")
        self.assertEqual((shown["max"], shown["used"]), (limit, self.spent()["cost_micros"]))

    def test_calls_that_a_kill_9_cut_off_count_as_spent_and_the_limit_holds(self):
        limit = 60_000
        ids = self.start_many("hang", self.agent(cost_micros=limit))
        poll("calls that hang", lambda: len(self.provider.log("hang")) > 2)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        for i in ids:
            self.api.request("POST", f"/runs/{i}/cancel", {"reason": "the test ends"})
        runs = self.ends(ids)
        used = sum(r["used"]["cost_micros"] for r in runs)
        self.assertGreater(used, 0, "what was cut off counts")
        self.assertLessEqual(self.spent()["cost_micros"], limit)

    def test_tokens_of_the_day_and_what_is_wrong_with_limits(self):
        agent = self.agent(tokens=12_000)
        first = self.api.wait_run(self.api.create("/runs", {"goal": "count one", "agent_id": agent})["id"])
        self.assertEqual(first["status"], "succeeded")
        for number in range(12):
            run = self.api.wait_run(self.api.create("/runs", {"goal": f"count {number}", "agent_id": agent})["id"])
            if run["status"] == "failed":
                break
        self.assertIn("tokens of models a day", run["error"])
        wrong = self.api.request("POST", "/agents", {"name": "x", "limits_per_day": {"cost_micros": -1}})
        self.status(wrong, 422)
        unpriced = {"name": "y", "model": "openai/of-no-price", "limits_per_day": {"cost_micros": 5}}
        run = self.api.create("/runs", {"goal": "x", "agent_id": self.api.create("/agents", unpriced)["id"]})["id"]
        self.assertIn("model.prices", self.api.wait_run(run)["error"])
        shown = self.api.read(f"/agents/{agent}")["settings"]["limits_per_day"]
        self.assertEqual(shown, {"tokens": 12_000, "cost_micros": 0})
