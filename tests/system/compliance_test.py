"""The compliance monitor, against the real node."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

from tests.system.identity_test import PASSWORD, totp
from tests.system.node import NodeTest, new_key, poll

ORGANIZATION_CHECKS = {
    "mfa_members", "mfa_administrators", "password_age", "keys_end", "keys_used", "keys_owned", "retention_histories",
    "retention_logs", "backups_recent", "backups_elsewhere", "encryption_transport", "encryption_secrets",
    "encryption_at_rest", "audit_chain", "audit_elsewhere"}
NODE_CHECKS = {
    "mfa_administrators", "password_age", "master_key", "admin_key", "retention_histories", "retention_logs",
    "backups_recent", "backups_elsewhere", "backups_verified", "encryption_transport", "encryption_secrets",
    "encryption_at_rest", "audit_chain", "audit_elsewhere"}


class ComplianceTest(NodeTest):
    def begin(self, *flags):
        self.server = self.node(*flags).start()
        self.admin = self.server.client()
        return self.server

    def person(self, email, role, organization="default"):
        self.admin.create("/users", {"email": email, "password": PASSWORD, "role": role},
                          headers={"X-Organization": organization})
        return self.log_in(email)

    def log_in(self, email, **more):
        anyone = self.server.client(key="")
        login = anyone.create("/auth/login", {"email": email, "password": PASSWORD, **more})
        return self.server.client(key=login["access_token"])

    def evaluated(self, client, path="/organizations/default/compliance"):
        begun = self.status(client.post(path + "/evaluate"), 202).json
        number = begun.get("evaluating") or begun["latest"]["number"]

        def done():
            document = client.read(path)
            latest = document.get("latest")
            return latest if latest and latest["number"] >= number and "evaluating" not in document else None
        return poll(f"evaluation {number} is done", done)

    def check(self, evaluation, name):
        (found,) = [c for c in evaluation["checks"] if c["id"] == name]
        self.assertEqual(bool(found["remedy"]), found["result"] in ("warn", "fail"), found)
        return found

    def result(self, evaluation, name):
        return self.check(evaluation, name)["result"]

    def test_what_is_found_follows_what_is_there(self):
        self.begin()
        empty = self.admin.read("/organizations/default/compliance")
        self.assertNotIn("latest", empty)
        ada = self.person("ada@example.org", "owner")
        self.person("grace@example.org", "member")
        open_key = ada.create("/api-keys", {"name": "for ever"})
        ended = ada.create("/api-keys", {"name": "ends", "expires_at": "2099-01-01T00:00:00.000Z"})
        first = self.evaluated(ada)
        self.assertEqual({c["id"] for c in first["checks"]}, ORGANIZATION_CHECKS)
        self.assertEqual(self.result(first, "mfa_members"), "fail")
        self.assertEqual({s["name"] for s in self.check(first, "mfa_members")["subjects"]}, {"ada@example.org", "grace@example.org"})
        self.assertEqual([s["name"] for s in self.check(first, "mfa_administrators")["subjects"]], ["ada@example.org"])
        self.assertEqual([s["name"] for s in self.check(first, "keys_end")["subjects"]], ["for ever"])
        self.assertEqual(self.result(first, "keys_owned"), "pass")
        self.assertEqual(self.result(first, "encryption_transport"), "not_applicable")
        self.assertEqual(self.result(first, "backups_recent"), "fail")
        self.assertEqual(self.result(first, "audit_chain"), "pass")
        self.assertEqual(self.result(first, "encryption_at_rest"), "pass")
        for secret in (open_key["key"], ended["key"], PASSWORD):
            self.assertNotIn(secret, json.dumps(first))

        ada.create("/auth/mfa/enable", {"code": totp(ada.create("/auth/mfa/enroll", {})["secret"])})
        self.admin.create("/backups", {})
        self.status(ada.delete(f"/api-keys/{open_key['id']}"), 204)
        second = self.evaluated(ada)
        self.assertEqual(self.result(second, "mfa_members"), "warn")
        for name in ("mfa_administrators", "keys_end", "backups_recent"):
            self.assertEqual(self.result(second, name), "pass", name)
        self.assertEqual(self.result(second, "backups_elsewhere"), "fail")
        self.assertGreater(second["score"], first["score"])
        self.assertEqual(second["number"], first["number"] + 1)

        self.admin.create("/users", {"email": "zoe@example.org", "password": PASSWORD, "role": "member"})
        zoe = self.log_in("zoe@example.org")
        hers = zoe.create("/api-keys", {"name": "of zoe"})
        self.status(self.admin.put("/organizations/default/members/zoe@example.org", {"status": "disabled"}), 200)
        third = self.evaluated(ada)
        self.assertEqual([s["id"] for s in self.check(third, "keys_owned")["subjects"]], [f"api_key/{hers['id']}"])

        history = ada.all("/organizations/default/compliance/history", limit=2)
        self.assertEqual([(e["number"], e["score"]) for e in history],
                         [(e["number"], e["score"]) for e in (third, second, first)])
        table = ada.get("/organizations/default/compliance/export?format=csv&number=1")
        self.assertIn("attachment", table.headers["content-disposition"])
        rows = list(csv.DictReader(io.StringIO(table.raw.decode())))
        self.assertEqual({r["check"]: r["result"] for r in rows}, {c["id"]: c["result"] for c in first["checks"]})
        self.assertEqual(ada.read("/organizations/default/compliance/export")["number"], third["number"])

    def test_the_node_judges_its_own_keys_backups_and_log(self):
        self.begin()
        path = "/system/compliance"
        first = self.evaluated(self.admin, path)
        self.assertEqual({c["id"] for c in first["checks"]}, NODE_CHECKS)
        self.assertEqual((self.result(first, "admin_key"), self.result(first, "master_key")), ("pass", "pass"))
        self.assertEqual(self.result(first, "backups_verified"), "not_applicable")
        (self.server.directory / "admin.key").chmod(0o644)
        self.admin.create("/backups", {})
        second = self.evaluated(self.admin, path)
        self.assertEqual(self.result(second, "admin_key"), "fail")
        self.assertEqual(self.result(second, "backups_verified"), "pass")
        backup = self.admin.read("/backups")["items"][0]
        file = next(f for f in sorted((self.server.directory / "backups" / backup["id"] / "db").iterdir()) if f.suffix == ".sst")
        whole = file.read_bytes()
        file.unlink()  # a hard link: the node's own file stays as it is
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        third = self.evaluated(self.admin, path)
        self.assertEqual(self.result(third, "backups_verified"), "fail")
        self.assertLess(third["score"], second["score"])

    def test_an_evaluation_that_was_asked_for_is_done_whatever_is_killed(self):
        self.begin()
        for _ in range(5):
            begun = self.status(self.admin.post("/organizations/default/compliance/evaluate",
                                                headers={"Idempotency-Key": new_key()}), 202).json
            self.server.kill9()
            self.server.start()
            self.admin = self.server.client()
            wanted = begun.get("evaluating") or begun["latest"]["number"]

            def done(wanted=wanted):
                document = self.admin.read("/organizations/default/compliance")
                return "evaluating" not in document and document["latest"]["number"] == wanted
            poll(f"evaluation {wanted} is done after the kill", done)
        numbers = [e["number"] for e in self.admin.all("/organizations/default/compliance/history")]
        self.assertEqual(numbers, list(range(len(numbers), 0, -1)), "each once, none lost")
        self.server.stop()
        self.check_disk(self.server)

    def test_it_evaluates_by_itself_and_stops_when_told(self):
        self.begin("--compliance.every_ms", "200")
        self.evaluated(self.admin, "/system/compliance")
        poll("the node and its organization evaluate themselves", lambda: all(
            len(self.admin.all(path + "/history")) > 2 for path in ("/system/compliance", "/organizations/default/compliance")))
        reasons = {e["reason"] for e in self.admin.all("/organizations/default/compliance/history")}
        self.assertEqual(reasons, {"schedule"})
        scheduled = self.admin.read("/organizations/default/compliance")["latest"]
        self.assertEqual(self.result(scheduled, "audit_chain"), "pass", "the node's verification counts")
        self.server.kill9()
        self.server.flags = ["--compliance.every_ms", "0"]
        self.server.start()
        self.admin = self.server.client()
        poll("there is no next one", lambda: all(
            "next_at" not in self.admin.read(path) for path in ("/system/compliance", "/organizations/default/compliance")))

    def test_strangers_and_nonsense_are_refused(self):
        self.begin()
        self.admin.create("/organizations", {"name": "Other", "slug": "other"})
        stranger = self.person("eve@example.org", "owner", "other")
        member = self.person("grace@example.org", "member")
        base = "/organizations/default/compliance"
        for verb, path in (("GET", ""), ("POST", "/evaluate"), ("GET", "/history"), ("GET", "/export")):
            self.status(stranger.request(verb, base + path), 404, "not_found")
            self.status(member.request(verb, base + path), 403, "forbidden")
            self.status(stranger.request(verb, "/system/compliance" + path), 403, "forbidden")
            self.status(self.server.client(key="wrong").request(verb, base + path), 401)
        self.status(self.admin.get("/organizations/nobody/compliance"), 404)
        self.status(self.admin.get(base + "/export"), 404, "not_found")
        self.evaluated(self.admin)
        for query in ("number=0", "number=x", "number=-1", "number=99999999999999999999", "format=xml", "colour=red"):
            self.assertIn(self.admin.get(f"{base}/export?{query}").status, (400, 422), query)
        self.status(self.admin.get(base + "/export?number=77"), 404, "not_found")
        self.assertIn(self.admin.get(base + "/history?cursor=nonsense").status, (400, 422))
        # Whoever reads the organization's events does not see who has no second factor.
        self.assertEqual([e for e in self.admin.all("/events") if "compliance" in e["channel"]], [])

    def test_the_command_line_shows_evaluates_and_exports(self):
        self.begin()
        self.assertIn("not evaluated yet", self.server.cli("compliance", "show").stdout)
        self.person("ada@example.org", "owner")
        shown = self.server.cli("compliance", "evaluate", "--evidence")
        self.assertEqual(shown.returncode, 0, shown)
        for text in ("of 100", "ada@example.org", "troupe mfa enrol", "share_percent: 0"):
            self.assertIn(text, shown.stdout)
        self.assertEqual(self.server.cli("compliance", "evaluate", "--node").returncode, 0)
        history = json.loads(self.server.cli("compliance", "history", "--json").stdout)["items"]
        self.assertEqual([e["number"] for e in history], [1])
        target = self.folder / "out.csv"
        self.assertEqual(self.server.cli("compliance", "export", "--out", target).returncode, 0)
        self.assertEqual(len(list(csv.DictReader(io.StringIO(target.read_text())))), len(ORGANIZATION_CHECKS))
        self.assertEqual(self.server.cli("compliance", "export", "--number", "9").returncode, 4)
        self.assertEqual(self.server.cli("compliance", "export", "--number", "nine").returncode, 2)
        self.assertEqual(json.loads(self.server.cli("compliance", "export", "--format", "json").stdout)["number"], 1)


class BoundsTest(NodeTest):
    """Of sessions and keys of a person."""

    def begin(self, *flags):
        self.server = self.node(*flags).start()
        self.admin = self.server.client()
        self.admin.create("/users", {"email": "ada@example.org", "password": PASSWORD, "role": "owner"})

    def log_in(self):
        login = self.server.client(key="").create("/auth/login", {"email": "ada@example.org", "password": PASSWORD})
        return self.server.client(key=login["access_token"])

    def test_one_login_too_many_ends_the_oldest_session(self):
        self.begin("--identity.sessions_max", "3")
        sessions = [self.log_in() for _ in range(3)]
        for each in sessions:
            self.status(each.get("/auth/me"), 200)
        sessions.append(self.log_in())
        self.status(sessions[0].get("/auth/me"), 401, "unauthenticated")
        for each in sessions[1:]:
            self.status(each.get("/auth/me"), 200)
        self.assertEqual(len(sessions[-1].all("/auth/sessions")), 3)

    def test_many_at_the_same_time_do_not_pass_the_bounds(self):
        self.begin("--identity.sessions_max", "2", "--identity.api_keys_max", "5")
        with ThreadPoolExecutor(12) as threads:
            logins = list(threads.map(lambda _: self.log_in(), range(4)))  # more at once count as guessing
            self.assertEqual(sorted(each.get("/auth/me").status for each in logins), [200, 200, 401, 401])
            ada = self.log_in()
            clients = [self.server.client(key=ada.key) for _ in range(12)]
            statuses = list(threads.map(lambda c: c.post("/api-keys", {"name": "k"}).status, clients))
        self.assertLessEqual(set(statuses), {201, 409})
        self.assertEqual(len(ada.all("/api-keys")), statuses.count(201))
        self.assertLessEqual(statuses.count(201), 5)

    def test_a_key_too_many_says_what_to_do(self):
        self.begin("--identity.api_keys_max", "2")
        ada = self.log_in()
        key = new_key()
        first = ada.create("/api-keys", {"name": "one"}, headers={"Idempotency-Key": key})
        ada.create("/api-keys", {"name": "two"})
        refused = self.status(ada.post("/api-keys", {"name": "three"}), 409, "too_many_keys")
        self.assertIn("identity.api_keys_max", refused.json["detail"])
        self.assertEqual(ada.create("/api-keys", {"name": "one"}, headers={"Idempotency-Key": key})["key"], first["key"])
        for _ in range(2):  # services have a bound of their own
            ada.create("/api-keys", {"name": "service", "role": "viewer"})
        self.status(ada.post("/api-keys", {"name": "service", "role": "viewer"}), 409, "too_many_keys")
        self.status(ada.delete(f"/api-keys/{first['id']}"), 204)
        ada.create("/api-keys", {"name": "three"})
