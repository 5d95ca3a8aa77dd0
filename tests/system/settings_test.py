"""Settings of organizations and their security policies, against the real node."""

import json
import time

from tests.system import secret_test
from tests.system.identity_test import OTHER_PASSWORD, PASSWORD, IdentityTest, totp
from tests.system.node import stream
from tests.system.shim import ShimCase

VALUE = "sup3rs3cret-ünd-lang-genug"
HOME, AWAY = "192.0.2.7", "198.51.100.9"


class SettingsCase(IdentityTest):
    files_with = secret_test.SecretTest.files_with

    def begin(self, *flags, **more):
        self.node_ = self.node("--identity.registration", "open", *flags, **more).start()
        self.acme = self.organization(self.node_, "Acme", slug="acme")
        self.organization(self.node_, "Other", slug="other")
        self.owner, self.tokens = self.person(self.node_, "owner@example.org", organization="acme")
        return self.node_

    def at(self, path="", organization="acme"):
        return f"/organizations/{organization}/settings{path}"

    def set(self, client, values, status=200, code=None, headers=None, **more):
        return self.status(client.request("PATCH", self.at(), {"values": values, **more}, headers=headers), status, code)

    def drain(self, live):
        """Returns when the stream ends; one that stays fails by its time-out."""
        for _ in live:
            pass

    def again(self):
        """After a kill: the same people."""
        self.node_.kill9()
        self.node_.start()
        self.owner = self.node_.client(key=self.owner.key)


class SettingsTest(SettingsCase):
    def test_versions_diff_and_roll_back_last_over_a_kill(self):
        self.begin()
        self.assertEqual(self.owner.read(self.at())["version"], 0)
        first = self.set(self.owner, {"mail.from": "a@acme.example", "mail.retries": 3}, why="first")
        self.assertEqual((first.json["version"], len(first.json["changes"])), (1, 2))
        self.set(self.owner, {"mail.from": "b@acme.example", "mail.retries": None}, why="second",
                 headers={"If-Match": first.headers["etag"]})
        self.set(self.owner, {"mail.from": "c"}, 412, "precondition_failed", headers={"If-Match": first.headers["etag"]})
        self.again()
        versions = self.owner.all(self.at("/versions"))
        self.assertEqual([(v["version"], v["why"], v["changes"]) for v in versions], [(2, "second", 2), (1, "first", 2)])
        self.assertEqual({v["by"] for v in versions}, {"user/" + self.tokens["user"]["id"]})
        diff = self.owner.read(self.at("/diff?from=1&to=2"))["changes"]
        self.assertEqual(diff, [{"place": "values", "key": "mail.from", "before": "a@acme.example", "after": "b@acme.example"},
                                {"place": "values", "key": "mail.retries", "before": 3}])
        self.assertEqual(self.owner.read(self.at("/diff"))["changes"], diff)
        tried = self.owner.create(self.at("/rollback"), {"version": 1, "dry_run": True})
        self.assertEqual((tried["dry_run"], tried["version"], self.owner.read(self.at())["version"]), (True, 3, 2))
        back = self.owner.create(self.at("/rollback"), {"version": 1, "why": "oh"}, headers={"Idempotency-Key": "once"})
        self.again()
        repeated = self.owner.create(self.at("/rollback"), {"version": 1, "why": "oh"}, headers={"Idempotency-Key": "once"})
        self.assertEqual(back, repeated)
        self.assertEqual(self.owner.read(self.at())["values"], {"mail.from": "a@acme.example", "mail.retries": 3})
        shown = self.owner.read(self.at("/versions/3"))
        self.assertEqual((shown["what"], shown["restores"]), ("rollback", 1))
        self.status(self.owner.get(self.at("/versions/4")), 404, "not_found")
        self.status(self.owner.post(self.at("/rollback"), {"version": 9}), 404, "not_found")
        lines = [x["action"] for x in self.owner.all("/audit") if x["kind"] == "settings"]
        self.assertEqual(lines.count("settings_changed"), 3)
        self.assertEqual(self.node_.stop(), 0)
        self.check_disk(self.node_)

    def test_profiles_templates_export_and_import(self):
        self.begin()
        self.owner.ok("PUT", "/secrets/MAIL", {"value": VALUE}, headers={"X-Organization": "acme"})
        self.set(self.owner, {"mail.from": "a", "mail.key": "secret:MAIL", "mail.other": "secret:NONE"})
        self.set(self.owner, {"mail.from": "p"}, profile="production")
        effective = self.owner.read(self.at("/effective?profile=production"))
        self.assertEqual((effective["values"]["mail.from"], effective["overridden"]), ("p", ["mail.from"]))
        self.assertEqual(effective["missing_secrets"], ["NONE"])
        self.assertEqual(self.owner.read(self.at("/effective?profile=staging"))["values"]["mail.from"], "a")
        self.owner.ok("PUT", self.at("/templates/new-team"), {"values": {"mail.retries": 5}})
        self.status(self.owner.put(self.at("/templates/security-strict"), {"values": {"a": 1}}), 422, "invalid_request")
        self.owner.create(self.at("/templates/new-team/apply"), {"profile": "staging"})
        self.assertEqual(self.owner.read(self.at("/effective?profile=staging"))["values"]["mail.retries"], 5)
        self.status(self.owner.post(self.at("/templates/nothing/apply")), 404, "not_found")
        names = [t["name"] for t in self.owner.all(self.at("/templates"))]
        self.assertEqual(names, ["security-baseline", "security-admins", "security-strict", "new-team"])
        exported = self.owner.read(self.at("/export"))
        other, _ = self.person(self.node_, "other@example.org", organization="other")
        wrong = {**exported, "profiles": {**exported["profiles"], "production": {"security.mfa.required": True}}}
        refused = self.status(other.post(self.at("/import", "other"), {"document": wrong}), 422, "invalid_request")
        self.assertEqual(refused.json["errors"][0]["pointer"], "/profiles/production/security.mfa.required")
        self.assertEqual(other.read(self.at("", "other"))["version"], 0, "nothing of it was taken")
        tried = other.create(self.at("/import", "other"), {"document": exported, "dry_run": True})
        self.assertEqual((tried["version"], other.read(self.at("", "other"))["version"]), (1, 0))
        other.create(self.at("/import", "other"), {"document": exported})
        again = other.read(self.at("/export", "other"))
        self.assertEqual([again[k] for k in ("values", "profiles", "templates")],
                         [exported[k] for k in ("values", "profiles", "templates")])
        self.owner.ok("DELETE", self.at("/templates/new-team"))
        self.status(self.owner.delete(self.at("/templates/new-team")), 404, "not_found")
        self.status(self.owner.delete(self.at("/templates/security-strict")), 409, "conflict")

    def test_nobody_of_another_organization_and_no_role_without_the_permission(self):
        self.begin()
        stranger, _ = self.person(self.node_, "stranger@example.org", organization="other")
        member, _ = self.person(self.node_, "member@example.org", role="member", organization="acme")
        self.set(self.owner, {"a": 1})
        for path in ("", "/versions", "/versions/1", "/diff", "/effective", "/export", "/templates", "/known"):
            self.status(stranger.get(self.at(path)), 404, "not_found")
            self.status(member.get(self.at(path)), 403, "forbidden")
        self.set(stranger, {"a": 2}, 404, "not_found")
        self.set(member, {"a": 2}, 403, "forbidden")
        self.assertEqual(stranger.read(self.at("", "other"))["values"], {})
        self.assertEqual(self.owner.read(self.at())["values"], {"a": 1})

    def test_a_sealed_value_is_nowhere_in_plain_text_and_comes_back_with_its_version(self):
        self.begin("--log.level", "trace")
        for key in ("k1", "k1"):
            self.set(self.owner, {"mail.password": {"secret": VALUE}, "mail.from": "findable marker"},
                     headers={"Idempotency-Key": key})
        self.assertEqual(self.owner.read(self.at())["values"]["mail.password"], {"redacted": True})
        self.set(self.owner, {"mail.password": {"secret": "another-v4lue"}})
        self.owner.create(self.at("/rollback"), {"version": 1})
        self.set(self.owner, {"mail.password": {"redacted": True}, "b": 1})
        for bad in ({"secret": VALUE, "x": 1}, {"a": {"secret": VALUE}}, {"sealed": "s1.1.x"}):
            refused = self.set(self.owner, {"mail.password": bad}, 422, "invalid_request")
            self.assertNotIn(VALUE, refused.raw.decode())
        self.set(self.owner, {"mail.none": {"redacted": True}}, 422, "invalid_request")
        self.owner.ok("PUT", "/organizations/acme/settings/templates/t", {"values": {"a": "secret:MAIL"}})
        admin = self.node_.client()
        shown = json.dumps([self.owner.read(self.at(p)) for p in ("", "/versions/1", "/versions/2", "/diff?from=1&to=2",
                                                                  "/effective", "/export")]
                           + [self.owner.read(f"/audit/{x['id']}")
                              for x in self.owner.all("/audit")] + admin.all("/events"), ensure_ascii=False)
        for hidden in (VALUE, "another-v4lue", "sealed\":"):
            self.assertNotIn(hidden, shown)
        self.assertIn("findable marker", shown)
        done = self.node_.cli("backup", "create")
        self.assertEqual(done.returncode, 0, done)
        self.node_.kill9()
        self.assertTrue(self.files_with("settings"), "kinds are plain, so that the search proves something")
        for text in (VALUE, "another-v4lue", "findable marker"):
            self.assertEqual(self.files_with(text), [])
        self.node_.start()
        self.assertEqual(self.node_.stop(), 0)
        self.check_disk(self.node_)

    def test_the_command_line(self):
        self.begin()
        def cli(*words, status=0, **more):
            done = self.node_.cli("settings", *words, "--org", "acme", **more)
            self.assertEqual(done.returncode, status, done)
            return done.stdout + done.stderr
        self.assertIn("Nothing is set", cli("show"))
        self.assertIn("Version 1", cli("set", "mail.from=a@x", "mail.retries=3", "--why", "the first"))
        cli("set", "--sealed", "mail.password", stdin=VALUE + "\n")
        cli("set", "mail.retries=5", "--profile", "production")
        shown = cli("show")
        self.assertNotIn(VALUE, shown)
        self.assertIn("(sealed)", shown)
        self.assertEqual(cli("show", "mail.retries", "--profile", "production").strip(), "5")
        self.assertIn("the first", cli("versions"))
        self.assertIn("mail.retries", cli("diff", "2", "3"))
        self.assertIn("nothing was changed", cli("rollback", "1", "--dry-run"))
        cli("rollback", "1")
        self.assertNotIn("mail.password", cli("show"))
        file = self.folder / "settings.json"
        cli("export", file)
        cli("unset", "mail.retries")
        cli("import", file, "--replace")
        self.assertEqual(cli("show", "mail.retries").strip(), "3")
        self.assertIn("security-strict", cli("templates"))
        cli("save", "mine", "x=1")
        cli("apply", "mine", "--profile", "production")
        self.assertIn("production", cli("profile"))
        self.assertIn("x", cli("profile", "production"))
        cli("forget", "mine")
        self.assertIn("security.mfa.required", cli("known"))
        cli("set", "nonsense", status=2)
        cli("show", "nothing", status=4)
        cli("set", "security.nonsense=1", status=1)


class PolicyTest(SettingsCase):
    """What the settings `security.…` ask is asked of everybody, from the answer on."""

    def from_(self, client, address):
        """The same caller from another address; the node trusts this machine as a proxy."""
        class From:
            def request(_, method, path, body=None, headers=None):
                return client.request(method, path, body, headers={"X-Forwarded-For": address, **(headers or {})})
        return From()

    def test_allowed_addresses_bind_people_and_keys_and_end_streams(self):
        self.begin("--edge.trusted_proxies", "127.0.0.0/8")
        key = self.owner.create("/api-keys", {"name": "ci"})["key"]
        caller = self.node_.client(key=key)
        home, away = self.from_(self.owner, HOME), self.from_(self.owner, AWAY)
        allowed = {"security.addresses.allowed": ["192.0.2.0/24", "2001:db8::/32"]}
        self.set(away, allowed, 409, "would_lock_out")
        self.set(self.from_(caller, AWAY), allowed, 409, "would_lock_out")
        self.assertEqual(self.owner.read(self.at())["version"], 0)
        live = stream(self.node_.url, self.owner.key, "/events?since=start")  # from 127.0.0.1
        self.node_.client().create("/tasks", {"title": "t"}, headers={"X-Organization": "acme"})
        next(live)
        self.set(home, allowed)
        self.drain(live)
        for client in (self.owner, caller):
            for address, status in ((HOME, 200), ("2001:db8::9", 200), (AWAY, 403), ("2001:db9::9", 403)):
                reply = self.status(self.from_(client, address).request("GET", "/tasks"), status)
                if status == 403:
                    self.assertEqual(reply.code, "address_not_allowed")
        self.status(away.request("GET", "/auth/me"), 200)
        self.status(away.request("GET", "/auth/profile"), 200)
        self.status(away.request("POST", "/api-keys", {"name": "x"}), 403, "address_not_allowed")
        told = self.status(away.request("GET", "/auth/permissions?permission=task:read"), 200).json
        self.assertEqual(told["allowed"], False)
        self.assertIn("networks", told["reason"])
        other, _ = self.person(self.node_, "other@example.org", organization="other")
        self.status(self.from_(other, AWAY).request("GET", "/tasks"), 200)  # another organization's policy
        self.again()
        self.status(self.owner.get("/tasks"), 403, "address_not_allowed")
        self.status(self.from_(self.owner, HOME).request("GET", "/tasks"), 200)
        self.set(self.from_(self.owner, HOME), {"security.addresses.allowed": [AWAY]}, 409, "would_lock_out")
        self.set(self.from_(self.owner, HOME), {"security.addresses.allowed": [AWAY]}, force=True)
        self.status(self.from_(self.owner, HOME).request("GET", "/tasks"), 403, "address_not_allowed")
        self.set(self.node_.client(), {"security.addresses.allowed": None})  # the node's administrator always gets in
        self.status(self.owner.get("/tasks"), 200)

    def test_a_second_factor_is_asked_for_and_can_be_enrolled_meanwhile(self):
        self.begin()
        boss, _ = self.person(self.node_, "admin@example.org", role="admin", organization="acme")
        viewer, _ = self.person(self.node_, "viewer@example.org", role="viewer", organization="acme")
        self.set(self.owner, {"security.mfa.roles": ["owner"]}, 409, "would_lock_out")
        self.set(self.node_.client(), {"security.mfa.roles": ["owner"]})
        refused = self.status(self.owner.get("/tasks"), 403, "second_factor_required")
        self.assertIn("/auth/mfa/enroll", refused.json["detail"])
        self.status(self.owner.post("/api-keys", {"name": "a way around"}), 403, "second_factor_required")
        self.status(boss.get("/tasks"), 200)
        seed = self.owner.create("/auth/mfa/enroll", {})["secret"]
        self.owner.create("/auth/mfa/enable", {"code": totp(seed)})
        self.status(self.owner.get("/tasks"), 403, "second_factor_required")  # this session has shown no code yet
        self.status(self.owner.post("/auth/step-up", {"password": PASSWORD, "code": totp(seed, 1)}), 200)
        self.status(self.owner.get("/tasks"), 200)
        self.again()
        self.status(self.owner.get("/tasks"), 200)
        self.set(self.owner, {"security.mfa.required": True})
        for client in (boss, viewer):
            self.status(self.node_.client(key=client.key).get("/tasks"), 403, "second_factor_required")
        self.owner.create(self.at("/rollback"), {"version": 0})
        self.status(self.node_.client(key=viewer.key).get("/tasks"), 200)

    def test_passwords_are_as_long_as_the_strictest_organization_asks_and_no_former_one_comes_back(self):
        self.begin()
        self.set(self.owner, {"security.password.length_min": 24, "security.password.history": 2})
        def change(client, old, new, status, code=None):
            body = {"current_password": old, "new_password": new}
            return self.status(client.post("/auth/change-password", body), status, code)
        short = change(self.owner, PASSWORD, "thirteen blue ships", 422, "invalid_request")
        self.assertIn("24", short.json["detail"])
        same = change(self.owner, PASSWORD, PASSWORD, 422, "invalid_request")
        self.assertIn("one of the last", same.json["detail"])
        owner = self.node_.client(key=change(self.owner, PASSWORD, OTHER_PASSWORD, 200).json["access_token"])
        self.node_.kill9()
        self.node_.start()
        owner = self.node_.client(key=owner.key)
        change(owner, OTHER_PASSWORD, PASSWORD, 422, "invalid_request")
        third = "nineteen green bottles on a wall"
        owner = self.node_.client(key=change(owner, OTHER_PASSWORD, third, 200).json["access_token"])
        change(owner, third, PASSWORD, 200)  # the last two are others
        admin = self.node_.client()
        self.status(admin.put("/users/owner@example.org", {"password": "thirteen blue ships"}), 422, "invalid_request")
        invited = admin.create("/organizations/acme/invitations", {"email": "new@example.org"})
        anyone = self.node_.client(key="")
        joining = {"email": "new@example.org", "password": "thirteen blue ships", "invitation": invited["token"]}
        self.status(anyone.post("/auth/register", joining), 422, "invalid_request")
        self.status(anyone.post("/auth/register", {**joining, "password": OTHER_PASSWORD}), 201)
        free = {"email": "free@example.org", "password": "thirteen blue ships", "organization": "Free"}
        self.status(anyone.post("/auth/register", free), 201)  # nobody's policy but the node's


class ClockTest(ShimCase, SettingsCase):
    """Policies that time breaks; the clock of the node is the test's."""

    def setUp(self):
        super().setUp()
        self.ahead = 0

    def later(self, minutes):
        self.ahead += minutes * 60
        (self.shim / "clock.new").write_text(str(self.ahead))
        (self.shim / "clock.new").rename(self.shim / "clock")
        time.sleep(1.1)  # the shim looks once a second

    def test_sessions_end_after_their_lifetime_and_after_a_rest(self):
        self.begin(environment=self.environment)
        self.set(self.owner, {"security.session.lifetime_minutes": 30, "security.session.idle_minutes": 5})
        self.status(self.owner.get("/tasks"), 200)
        self.later(4)
        self.status(self.owner.get("/tasks"), 200)
        self.later(4)
        self.status(self.owner.get("/tasks"), 200)  # it was used meanwhile
        self.later(6)
        self.status(self.owner.get("/tasks"), 401, "session_too_old")
        self.status(self.owner.get("/auth/me"), 200)
        self.status(self.owner.get("/tasks"), 401, "session_too_old")  # asking again is no way back
        anyone = self.node_.client(key="")
        self.status(anyone.post("/auth/refresh", {"refresh_token": self.tokens["refresh_token"]}), 401, "session_too_old")
        quiet, _ = self.login(self.node_, "owner@example.org", organization="acme")
        live = stream(self.node_.url, quiet.key, "/events?since=start")
        self.node_.client().create("/tasks", {"title": "t"}, headers={"X-Organization": "acme"})
        next(live)
        self.later(6)
        self.drain(live)  # to look is no use
        busy, tokens = self.login(self.node_, "owner@example.org", organization="acme")
        for _ in range(7):
            self.later(4)
            self.status(busy.get("/tasks"), 200)
            fresh = anyone.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
            tokens = self.status(fresh, 200).json
            busy = self.node_.client(key=tokens["access_token"])
        self.later(4)
        self.status(busy.get("/tasks"), 401, "session_too_old")  # 32 minutes, however busy
        self.status(anyone.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401, "session_too_old")

    def test_an_old_password_opens_the_own_account_only(self):
        self.begin(environment=self.environment)
        self.set(self.owner, {"security.password.age_max_days": 1})
        for _ in range(2):  # a step of more than a day would be refused
            self.later(13 * 60)
            self.node_.client().create("/tasks", {"title": "t"})
        owner, _ = self.login(self.node_, "owner@example.org", organization="acme")
        refused = self.status(owner.get("/tasks"), 403, "password_expired")
        self.assertIn("change-password", refused.json["detail"])
        changed = self.status(owner.post("/auth/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}), 200)
        self.status(self.node_.client(key=changed.json["access_token"]).get("/tasks"), 200)
