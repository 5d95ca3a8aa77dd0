"""Plans, limits and usage of organizations, against the real node."""

import csv
import datetime
import http.client
import io
import json
import shutil
import threading
import time

from tests.system.node import NodeTest, new_key, poll

THREADS = 8


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def away_from_midnight():
    """Limits by the day are looked at in one day."""
    while datetime.datetime.now(datetime.timezone.utc).strftime("%H:%M") in ("23:58", "23:59"):
        time.sleep(1)


class Organization:
    """An organization, by the administrator's key."""

    def __init__(self, node, slug, **changes):
        self.node, self.slug, self.client = node, slug, node.client()
        found = self.client.get(f"/organizations/{slug}")
        self.id = (found.json if found.status == 200
                   else self.client.create("/organizations", {"name": slug, "slug": slug}))["id"]
        if changes:
            self.change(**changes)

    def again(self):
        return Organization(self.node, self.slug)

    def request(self, verb, path, body=None, **more):
        headers = {"X-Organization": self.slug, **more.pop("headers", {})}
        return self.client.request(verb, path, body, headers=headers, **more)

    def change(self, **members):
        return self.client.ok("PATCH", f"/organizations/{self.slug}", members)

    def task(self, key=None):
        return self.request("POST", "/tasks", {"title": "t"}, headers={"Idempotency-Key": key or new_key()})

    def all(self, path):
        items, cursor = [], ""
        while cursor is not None:
            page = self.request("GET", f"{path}?limit=200" + (f"&cursor={cursor}" if cursor else "")).json
            items, cursor = items + page["items"], page["next_cursor"]
        return items

    def limit(self, name):
        limits = self.client.read(f"/organizations/{self.slug}/limits")["limits"]
        return next(x for x in limits if x["name"] == name)

    def usage(self):
        return self.client.read(f"/organizations/{self.slug}/usage?from={today()}")["total"]


class PlansTest(NodeTest):
    def setUp(self):
        super().setUp()
        away_from_midnight()

    def test_a_limit_is_refused_with_what_it_is_and_a_change_counts_at_once(self):
        acme = Organization(self.node("--plans.free", "tasks_per_day=3, agents=1").start(), "acme")
        for _ in range(3):
            self.status(acme.task(), 201)
        refused = self.status(acme.task(), 429, "quota_exceeded")
        for words in ("plan free", "3 tasks a day", "3 are in use", "T00:00:00"):
            self.assertIn(words, refused.json["detail"])
        self.assertEqual(refused.json["errors"][0]["pointer"], "/limits/tasks_per_day")
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        shown = acme.limit("tasks_per_day")
        self.assertEqual((shown["max"], shown["used"], shown["own"]), (3, 3, False))
        acme.change(limits={"tasks_per_day": 4})
        self.status(acme.task(), 201)
        self.status(acme.task(), 429)
        self.assertTrue(acme.limit("tasks_per_day")["own"])
        acme.change(limits={}, plan="enterprise")
        self.status(acme.task(), 201)
        self.assertIsNone(acme.limit("tasks_per_day").get("max"))
        # Others have limits of their own, and the node's organization has none.
        other = Organization(acme.node, "other")
        self.status(other.task(), 201)
        self.assertEqual(other.limit("tasks_per_day")["used"], 1)

    def test_a_repeat_takes_nothing(self):
        acme = Organization(self.node("--plans.free", "tasks_per_day=1").start(), "acme")
        key = new_key()
        for _ in range(3):
            self.status(acme.task(key), 201)
        self.assertEqual(acme.usage()["tasks"], 1)

    def test_agents_make_room_when_they_go_and_a_refused_one_leaves_its_name(self):
        acme = Organization(self.node("--plans.free", "agents=1").start(), "acme")
        self.status(acme.request("POST", "/agents", {"name": "scout"}), 201)
        self.status(acme.request("POST", "/agents", {"name": "guard"}), 429, "quota_exceeded")
        self.status(acme.request("DELETE", "/agents/scout"), 204)
        self.status(acme.request("POST", "/agents", {"name": "guard"}), 201)
        self.assertEqual((acme.usage()["agents_created"], acme.usage()["agents_most"]), (2, 1))

    def test_files_are_bounded_by_their_bytes(self):
        acme = Organization(self.node("--plans.free", "storage_bytes=1kB").start(), "acme")
        project = acme.request("POST", "/projects", {"name": "p"}).json["id"]

        def put(name, size):
            return acme.request("PUT", f"/projects/{project}/files/{name}", raw=b"x" * size,
                                headers={"Content-Type": "application/octet-stream"})
        self.assertLess(put("a", 900).status, 300)
        self.status(put("b", 101), 429, "quota_exceeded")
        self.assertLess(put("b", 100).status, 300)
        self.assertLess(put("a", 900).status, 300)  # the same size in its place
        made = acme.request("POST", f"/projects/{project}/files", {"path": "c", "content": "x"})
        self.status(made, 429, "quota_exceeded")
        self.assertEqual(acme.limit("storage_bytes")["used"], 1000)
        self.status(acme.request("DELETE", f"/projects/{project}"), 204)
        self.assertEqual(acme.limit("storage_bytes")["used"], 0)
        self.assertEqual(acme.usage()["storage_bytes_most"], 1000)

    def test_a_run_over_the_tokens_of_the_day_fails_and_says_so(self):
        acme = Organization(self.node("--plans.free", "tokens_per_day=1").start(), "acme")
        wish = {"goal": "say something", "model": "rehearsal"}
        run = self.status(acme.request("POST", "/runs", wish), 201).json["id"]
        ended = poll("the end of the run", lambda: (lambda r: r if r["status"] == "failed" else None)(
            acme.request("GET", f"/runs/{run}").json))
        self.assertIn("tokens of models a day", ended["error"])
        acme.change(plan="enterprise")
        run = acme.request("POST", "/runs", wish).json["id"]
        ended = poll("the end of the run", lambda: (lambda r: r if r["status"] in ("succeeded", "failed") else None)(
            acme.request("GET", f"/runs/{run}").json))
        used = acme.usage()
        self.assertEqual(used["tokens"], ended["used"]["tokens"])
        self.assertEqual(used["models"][0]["tokens_in"] + used["models"][0]["tokens_out"], used["tokens"])
        self.assertEqual(acme.limit("tokens_per_day")["used"], used["tokens"])  # nothing is reserved any more

    def test_a_trial_ends_by_itself_and_then_nothing_begins(self):
        acme = Organization(self.node().start(), "acme")
        past = "2001-01-01T00:00:00Z"
        self.status(acme.client.request("PATCH", "/organizations/acme", {"status": "trial", "trial_ends_at": past}), 422)
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)).isoformat()
        acme.change(status="trial", trial_ends_at=soon)
        poll("the end of the trial", lambda: acme.client.read("/organizations/acme")["status"] == "suspended")
        self.status(acme.task(), 403, "organization_suspended")
        acme.change(status="active")
        self.status(acme.task(), 201)

    def test_an_invoice_has_a_line_for_what_was_used(self):
        acme = Organization(self.node("--plans.prices", "pro=20.00, task=0.50", "--plans.currency", "EUR").start(), "acme",
                            plan="pro")
        for _ in range(3):
            self.status(acme.task(), 201)
        month = today()[:7]
        invoice = acme.client.read(f"/organizations/acme/invoices/{month}")
        self.assertEqual([(x["kind"], x["quantity"], x["amount_micros"]) for x in invoice["lines"]],
                         [("plan", 1, 20_000_000), ("tasks", 3, 1_500_000)])
        self.assertEqual((invoice["total_micros"], invoice["currency"], invoice["status"]), (21_500_000, "EUR", "open"))
        table = acme.client.get(f"/organizations/acme/invoices/{month}?format=csv")
        self.assertEqual(table.headers["content-type"], "text/csv")
        rows = list(csv.DictReader(io.StringIO(table.raw.decode())))
        self.assertEqual([(r["kind"], r["amount"]) for r in rows], [("plan", "20.00"), ("tasks", "1.50"), ("total", "21.50")])
        for period in ("2026", "2999-01", "2026-13"):
            self.status(acme.client.get(f"/organizations/acme/invoices/{period}"), 422)
        for query in ("from=yesterday", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01"):
            self.status(acme.client.get(f"/organizations/acme/usage?{query}"), 422)

    def test_the_command_line_shows_and_changes_all_of_it(self):
        node = self.node("--plans.prices", "task=0.50").start()
        acme = Organization(node, "acme")
        acme.task()

        def cli(*words, code=0):
            done = node.cli(*words)
            self.assertEqual(done.returncode, code, done)
            return done.stdout
        cli("org", "update", "acme", "--limits", "agents=7,storage_bytes=2GB", "--plan", "pro")
        limits = cli("org", "limits", "acme")
        for words in ("pro", "agents", "7", "its own", "tasks_per_day"):
            self.assertIn(words, limits)
        self.assertEqual(json.loads(cli("org", "usage", "acme", "--json"))["total"]["tasks"], 1)
        self.assertIn(today(), cli("org", "usage", "acme"))
        self.assertIn("0.50", cli("org", "invoice", "acme"))
        self.assertTrue(cli("org", "invoice", "acme", "--csv").startswith("period,organization,kind"))
        cli("org", "update", "acme", "--limits", "cats=7", code=2)
        cli("org", "usage", "acme", "--from", "yesterday", code=2)
        cli("org", "invoice", "acme", "--period", "yesterday", code=2)
        cli("org", "update", "acme", "--status", "trial", "--trial-ends", "14d")
        self.assertIn("trial", cli("org", "limits", "acme"))

    def test_a_node_that_was_taken_back_to_a_moment_holds_what_is_there(self):
        node = self.node("--plans.free", "agents=5").start()
        acme = Organization(node, "acme")
        for name in ("one", "two"):
            self.status(acme.request("POST", "/agents", {"name": name}), 201)
        moment = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        time.sleep(0.01)  # so that what comes is later than the moment
        self.status(acme.request("DELETE", "/agents/one"), 204)
        for name in ("three", "four", "five"):
            self.status(acme.request("POST", "/agents", {"name": name}), 201)
        self.assertEqual(acme.limit("agents")["used"], 4)
        backup = acme.client.create("/backups", {})["id"]
        for flags, there in (((), 4), (("--until", moment), 2)):
            again = self.node("--plans.free", "agents=5", name=f"restored-{there}")
            done = node.cli("backup", "restore", backup, "--data", again.directory, *flags)
            self.assertEqual(done.returncode, 0, done)
            shutil.copy(node.directory / "secrets.key", again.directory)
            acme = Organization(again.start(), "acme")
            self.assertEqual(acme.limit("agents")["used"], there)
            for n in range(5 - there):
                self.status(acme.request("POST", "/agents", {"name": f"new-{n}"}), 201)
            self.status(acme.request("POST", "/agents", {"name": "more"}), 429, "quota_exceeded")

    def create_until(self, acme, stop, answers):
        """Creates tasks from several connections until `stop()` or the node is gone. What was answered is noted."""
        def work():
            mine = Organization(acme.node, acme.slug)
            try:
                while not stop():
                    answers.append(mine.task().status)
            except (http.client.HTTPException, OSError):
                pass  # the node was killed
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for t in threads:
            t.start()
        return threads

    def test_kills_in_the_middle_of_creations_neither_lose_a_place_nor_give_one_too_many(self):
        limit = 400
        node = self.node("--plans.free", f"tasks_per_day={limit}").start()
        acme = Organization(node, "acme")
        created = 0
        for life in range(6):
            answers = []
            threads = self.create_until(acme, lambda: False, answers)
            poll("creations", lambda a=answers, n=20 + 7 * life: a.count(201) >= n)
            node.kill9()
            for t in threads:
                t.join()
            created += answers.count(201)
            node.start()
            acme = acme.again()
            there = len(acme.all("/tasks"))
            self.assertGreaterEqual(there, created)  # what was answered is there; what was in work may be
            self.assertLess(there, limit)
            self.assertEqual((acme.usage()["tasks"], acme.limit("tasks_per_day")["used"]), (there, there))
            created = there
        answers = []
        for t in self.create_until(acme, lambda: 429 in answers, answers):
            t.join()
        self.assertEqual(set(answers), {201, 429})
        self.assertEqual(created + answers.count(201), limit)
        self.assertEqual(len(acme.all("/tasks")), limit)
        self.assertEqual(acme.usage()["tasks"], limit)
        self.status(acme.task(), 429, "quota_exceeded")
        node.stop()
        self.check_disk(node)
