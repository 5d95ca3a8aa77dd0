"""Limits of requests a second, against the real node."""

from tests.system.identity_test import IdentityTest


class RateTest(IdentityTest):
    def test_a_caller_has_its_burst_and_is_told_what_is_left(self):
        node = self.node("--limits.caller_per_second", 1, "--limits.caller_burst", 5).start()
        client = node.client()
        left = [int(client.get("/tasks?limit=1").headers["ratelimit-remaining"]) for _ in range(2)]
        self.assertEqual(left[0], 4)
        self.assertLessEqual(left[1], 4)
        late = next(r for r in (client.get("/tasks?limit=1") for _ in range(1000)) if r.status != 200)
        self.status(late, 429, "rate_limited")
        self.assertEqual(late.headers["ratelimit-limit"], "5")
        self.assertEqual(late.headers["ratelimit-remaining"], "0")
        self.assertGreaterEqual(int(late.headers["retry-after"]), 1)
        self.assertGreaterEqual(int(late.headers["ratelimit-reset"]), 1)
        self.status(node.client(key="").get("/health", base=""), 200)

    def test_one_organization_takes_nothing_from_another(self):
        node = self.node("--limits.organization_per_second", 1, "--limits.organization_burst", 5).start()
        admin = node.client()
        acme, _ = self.organization(node, "Acme"), self.organization(node, "Other")
        of_acme = {"headers": {"X-Organization": "acme"}}
        next(r for r in (admin.get("/tasks", **of_acme) for _ in range(1000)) if r.status == 429)
        self.status(admin.get("/tasks", headers={"X-Organization": "other"}), 200)
        self.assertEqual(acme["slug"], "acme")

    def test_who_tries_keys_is_slowed_down_and_who_has_one_is_not(self):
        node = self.node("--limits.address_per_second", 1, "--limits.address_burst", 5).start()
        thief = node.client(key="trp_no-such-key-at-all")
        statuses = [thief.get("/tasks").status for _ in range(50)]
        self.assertEqual(statuses[:5], [401] * 5)
        self.assertIn(429, statuses)
        self.assertLess(statuses.count(401), 25)
        self.status(node.client().get("/tasks"), 200)

    def test_without_limits_nothing_is_said_of_them(self):
        node = self.node().start()
        self.assertNotIn("ratelimit-limit", node.client().get("/tasks").headers)
