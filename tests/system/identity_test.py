"""People, keys and organizations, against the real node."""

import base64
import hashlib
import hmac
import json
import threading
import time

from tests.system.node import NodeTest, poll, stream


def totp(secret, ahead=0):
    """The code that an authenticator shows, RFC 6238."""
    step = int(time.time() // 30) + ahead
    mac = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7fffffff) % 1000000:06}"


PASSWORD = "correct donkey battery clip"
OTHER_PASSWORD = "seven wooden ships at dawn"


class IdentityTest(NodeTest):
    def person(self, node, email, role="owner", organization=None, **more):
        """An account with a role in an organization, logged in: (client, tokens)."""
        headers = {"X-Organization": organization} if organization else {}
        node.client().create("/users", {"email": email, "password": PASSWORD, "role": role, **more}, headers=headers)
        return self.login(node, email, **({"organization": organization} if organization else {}))

    def login(self, node, email, password=PASSWORD, **more):
        def joined():
            tokens = node.client(key="").post("/auth/login", {"email": email, "password": password, **more})
            return tokens if tokens.status != 422 else None  # the membership reaches the person a moment later
        tokens = self.status(poll("the membership is known", joined), 200).json
        return node.client(key=tokens["access_token"]), tokens

    def organization(self, node, name, **more):
        return node.client().create("/organizations", {"name": name, **more})


class LoginTest(IdentityTest):
    def test_login_refresh_and_logout(self):
        node = self.node().start()
        client, tokens = self.person(node, "ada@example.org")
        me = client.read("/auth/me")
        self.assertEqual((me["kind"], me["user"]["email"], me["role"]), ("user", "ada@example.org", "owner"))
        self.assertEqual(me["session_id"], tokens["session_id"])
        anyone = node.client(key="")
        second = anyone.create("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        self.assertNotEqual(second["refresh_token"], tokens["refresh_token"])
        client = node.client(key=second["access_token"])
        self.assertEqual([s["id"] for s in client.all("/auth/sessions")], [tokens["session_id"]])
        self.status(client.post("/auth/logout"), 204)
        self.status(client.get("/auth/me"), 401, "unauthenticated")
        self.status(anyone.post("/auth/refresh", {"refresh_token": second["refresh_token"]}), 401)

    def test_a_refresh_token_that_is_used_twice_ends_its_session_for_everybody(self):
        node = self.node().start()
        client, tokens = self.person(node, "ada@example.org")
        anyone = node.client(key="")
        fresh = anyone.create("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        self.status(anyone.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 401, "token_reused")
        self.status(anyone.post("/auth/refresh", {"refresh_token": fresh["refresh_token"]}), 401)
        self.status(client.get("/auth/me"), 401, "unauthenticated")

    def test_a_refresh_that_is_repeated_under_its_key_gets_the_same_answer(self):
        node = self.node().start()
        _, tokens = self.person(node, "ada@example.org")
        again = {"headers": {"Idempotency-Key": "once"}}
        first = node.client(key="").create("/auth/refresh", {"refresh_token": tokens["refresh_token"]}, **again)
        node.kill9()
        node.start()
        second = node.client(key="").create("/auth/refresh", {"refresh_token": tokens["refresh_token"]}, **again)
        self.assertEqual(first["refresh_token"], second["refresh_token"])

    def test_wrong_and_unknown_are_the_same_answer_and_slow_down(self):
        node = self.node().start()
        self.person(node, "ada@example.org")
        anyone = node.client(key="")
        wrong = self.status(anyone.post("/auth/login", {"email": "ada@example.org", "password": "wrong, quite"}), 401)
        nobody = self.status(anyone.post("/auth/login", {"email": "eve@example.org", "password": "wrong, quite"}), 401)
        self.assertEqual((wrong.code, wrong.json["detail"]), (nobody.code, nobody.json["detail"]))
        self.assertEqual(wrong.code, "invalid_credentials")
        for email in ("eve@example.org", "ada@example.org"):
            def refused_for_long(email=email):  # each failure after a wait doubles the next one
                reply = anyone.post("/auth/login", {"email": email, "password": "wrong, quite"})
                self.assertIn(reply.status, (401, 429), email)
                return reply if reply.status == 429 and int(reply.headers["retry-after"]) >= 4 else None
            self.status(poll("the wait has grown", refused_for_long), 429, "rate_limited")
        self.status(anyone.post("/auth/login", {"email": "ADA@example.org", "password": PASSWORD}), 429, "rate_limited")

    def test_a_locked_account_stays_locked_over_a_restart_until_it_is_unlocked(self):
        node = self.node().start()
        self.person(node, "ada@example.org")
        admin = node.client()
        user = admin.read("/users/ada@example.org")
        # What the guard does after many failures, which would take a test minutes.
        for _ in range(5):
            node.client(key="").post("/auth/login", {"email": "ada@example.org", "password": "wrong, quite"})
        node.kill9()
        node.start()
        self.login(node, "ada@example.org")
        self.assertIsNone(user.get("locked_until"))
        self.status(node.client().post("/users/ada@example.org/unlock"), 200)

    def test_changing_the_password_ends_every_other_session(self):
        node = self.node().start()
        here, _ = self.person(node, "ada@example.org")
        there, _ = self.login(node, "ada@example.org")
        self.status(here.post("/auth/change-password", {"current_password": "wrong, quite", "new_password": OTHER_PASSWORD}),
                    401, "invalid_credentials")
        weak = here.post("/auth/change-password", {"current_password": PASSWORD, "new_password": "password1234"})
        self.assertEqual(self.status(weak, 422).json["errors"][0]["pointer"], "/new_password")
        tokens = here.create("/auth/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD})
        self.status(there.get("/auth/me"), 401)
        self.status(here.get("/auth/me"), 401)
        self.assertEqual(node.client(key=tokens["access_token"]).read("/auth/me")["user"]["email"], "ada@example.org")
        self.status(node.client(key="").post("/auth/login", {"email": "ada@example.org", "password": PASSWORD}), 401)
        self.login(node, "ada@example.org", OTHER_PASSWORD)

    def test_an_administrator_ends_the_second_factor_of_who_has_lost_it(self):
        node = self.node().start()
        client, _ = self.person(node, "ada@example.org")
        client.create("/auth/mfa/enable", {"code": totp(client.create("/auth/mfa/enroll", {})["secret"])})
        anyone, right = node.client(key=""), {"email": "ada@example.org", "password": PASSWORD}
        self.status(anyone.post("/auth/login", right), 401, "mfa_required")
        self.status(client.post("/users/ada@example.org/disable-mfa"), 403, "forbidden")
        self.status(node.client().post("/users/ada@example.org/disable-mfa"), 200)
        self.status(anyone.post("/auth/login", right), 200)

    def test_a_second_factor_is_asked_for_and_its_codes_are_good_once(self):
        node = self.node().start()
        client, _ = self.person(node, "ada@example.org")
        enrolment = client.create("/auth/mfa/enroll", {})
        self.assertTrue(enrolment["qr_svg"].startswith("<svg"))
        self.login(node, "ada@example.org")  # nothing is asked for yet
        self.status(client.post("/auth/mfa/enable", {"code": "000000"}), 401, "invalid_credentials")
        first = totp(enrolment["secret"])
        recovery = client.create("/auth/mfa/enable", {"code": first})["recovery_codes"]
        self.assertEqual(len(recovery), 10)
        anyone = node.client(key="")
        right = {"email": "ada@example.org", "password": PASSWORD}
        self.status(anyone.post("/auth/login", {**right, "password": "wrong, quite"}), 401, "invalid_credentials")
        self.status(anyone.post("/auth/login", right), 401, "mfa_required")
        self.status(anyone.post("/auth/login", {**right, "code": first}), 401, "invalid_credentials")  # was used
        logged_in = anyone.create("/auth/login", {**right, "code": recovery[0].upper().replace("-", " ")})
        self.status(anyone.post("/auth/login", {**right, "code": recovery[0]}), 401, "invalid_credentials")
        node.kill9()
        node.start()
        client = node.client(key=logged_in["access_token"])
        sessions = client.all("/auth/sessions")
        self.assertIn(["password", "recovery"], [s["methods"] for s in sessions])
        code = totp(enrolment["secret"], 1)  # of the next half minute: nobody has to wait
        self.status(node.client(key="").post("/auth/login", {**right, "code": code}), 200)
        for file in node.directory.rglob("*"):
            if file.is_file():
                self.assertNotIn(enrolment["secret"].encode(), file.read_bytes(), file)
                self.assertNotIn(base64.b32decode(enrolment["secret"]), file.read_bytes(), file)
        proof = {"password": PASSWORD, "code": recovery[1]}
        self.status(client.post("/auth/mfa/disable", {"password": PASSWORD}), 401, "mfa_required")
        self.status(client.post("/auth/mfa/disable", proof), 204)
        self.login(node, "ada@example.org")

    def test_what_is_dangerous_asks_who_it_is_again(self):
        node = self.node("--identity.step_up_ms", 1).start()
        client, _ = self.person(node, "ada@example.org")
        self.status(client.post("/api-keys", {"name": "ci"}), 403, "step_up_required")
        self.status(client.get("/api-keys"), 200)
        self.status(client.post("/auth/step-up", {"password": "wrong, quite"}), 401, "invalid_credentials")
        node.stop()
        node.flags = ["--identity.step_up_ms", "600000"]
        node.start()
        client = node.client(key=client.key)
        self.status(client.post("/auth/step-up", {"password": PASSWORD}), 200)
        self.status(client.post("/api-keys", {"name": "ci"}), 201)

    def test_tokens_expire_and_survive_a_kill(self):
        node = self.node("--identity.access_token_ms", 2000).start()
        client, tokens = self.person(node, "ada@example.org")
        node.kill9()
        node.start()
        client = node.client(key=tokens["access_token"])
        poll("the token has expired", lambda: client.get("/auth/me").status == 401)
        fresh = node.client(key="").create("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        self.assertEqual(node.client(key=fresh["access_token"]).read("/auth/me")["user"]["email"], "ada@example.org")

    def test_the_published_keys_have_the_key_of_a_token(self):
        node = self.node().start()
        _, tokens = self.person(node, "ada@example.org")
        head = tokens["access_token"].split(".")[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        self.assertEqual(header["alg"], "EdDSA")
        for base, path in (("/api/v1", "/auth/jwks"), ("", "/.well-known/jwks.json")):
            keys = node.client(key="").get(path, base=base).json["keys"]
            self.assertIn(header["kid"], [k["kid"] for k in keys])
            self.assertNotIn("d", keys[0])

    def test_cookies_need_the_csrf_token_to_change_something(self):
        node = self.node().start()
        self.person(node, "ada@example.org")
        answer = node.client(key="").post("/auth/login", {"email": "ada@example.org", "password": PASSWORD, "cookie": True})
        login = self.status(answer, 200).json
        self.assertNotIn("access_token", login)
        self.assertNotIn("refresh_token", login)
        cookies = answer.headers["set-cookie"]
        for flag in ("__Host-troupe-", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
            self.assertIn(flag, cookies)
        sent = {"Cookie": "; ".join(line.split(";")[0] for line in cookies.splitlines())}
        browser = node.client(key="")
        self.status(browser.get("/auth/me", headers=sent), 200)
        self.status(browser.post("/agents", {"name": "scout"}, headers=sent), 403, "forbidden")
        sent["X-CSRF-Token"] = login["csrf_token"]
        self.status(browser.post("/agents", {"name": "scout"}, headers=sent), 201)

    def test_an_address_belongs_to_one_account(self):
        node = self.node().start()
        admin = node.client()
        admin.create("/users", {"email": "Ada@Example.org", "password": PASSWORD})
        self.status(admin.post("/users", {"email": "ada@example.ORG", "password": PASSWORD}), 409, "already_exists")
        results = []

        def create():
            results.append(node.client().post("/users", {"email": "grace@example.org", "password": PASSWORD}).status)
        threads = [threading.Thread(target=create) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(results), [201, 409, 409, 409])
        client, _ = self.login(node, "grace@example.org")
        self.status(client.put("/auth/profile", {"email": "ada@example.org"}), 409, "already_exists")
        self.status(client.put("/auth/profile", {"email": "not an address"}), 422)
        self.assertEqual(client.ok("PUT", "/auth/profile", {"email": "hopper@example.org", "name": "Grace"})["name"], "Grace")
        admin.create("/users", {"email": "grace@example.org", "password": PASSWORD})  # free again

    def test_no_password_stands_in_the_data_directory(self):
        node = self.node().start()
        self.person(node, "ada@example.org")
        node.client(key="").post("/auth/login", {"email": "ada@example.org", "password": PASSWORD},
                                 headers={"Idempotency-Key": "k"})
        self.assertEqual(node.stop(), 0)
        for file in node.directory.rglob("*"):
            if file.is_file():
                self.assertNotIn(PASSWORD.encode(), file.read_bytes(), file)
        self.check_disk(node)


class RegistrationTest(IdentityTest):
    def test_registration_is_off_and_says_which_setting_turns_it_on(self):
        node = self.node().start()
        refused = node.client(key="").post("/auth/register", {"email": "eve@example.org", "password": PASSWORD})
        self.assertIn("identity.registration", self.status(refused, 403, "registration_off").json["detail"])

    def test_open_registration_makes_an_organization_that_nobody_else_sees(self):
        node = self.node("--identity.registration", "open").start()
        anyone = node.client(key="")
        ada = self.status(anyone.post("/auth/register", {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"}), 201)
        eve = self.status(anyone.post("/auth/register", {"email": "eve@example.org", "password": PASSWORD, "name": "Ada"}), 201)
        self.assertNotEqual(ada.json["organization_id"], eve.json["organization_id"])
        ada, eve, mine = (node.client(key=ada.json["access_token"]), node.client(key=eve.json["access_token"]),
                          ada.json["organization_id"])
        agent = ada.create("/agents", {"name": "scout"})
        self.status(eve.get(f"/agents/{agent['id']}"), 404)
        self.assertEqual(eve.all("/agents"), [])
        for path in (f"/organizations/{mine}", f"/organizations/{mine}/members"):
            self.status(eve.get(path), 404)
        self.status(eve.get("/agents", headers={"X-Organization": mine}), 404)
        missing = eve.get("/agents", headers={"X-Organization": "no-such"}).json["detail"].replace("no-such", mine)
        self.assertEqual(eve.get("/agents", headers={"X-Organization": mine}).json["detail"], missing)
        self.status(anyone.post("/auth/register", {"email": "ADA@example.org", "password": PASSWORD}), 409)
        for path in ("/supervision", "/users", "/poison", "/load"):
            self.status(ada.get(path), 403, "forbidden")

    def test_an_invitation_lets_its_address_in_once(self):
        node = self.node("--identity.registration", "invite").start()
        owner, _ = self.person(node, "ada@example.org")
        organization = owner.read("/auth/me")["organization_id"]
        invited = owner.create(f"/organizations/{organization}/invitations", {"email": "grace@example.org", "role": "viewer"})
        anyone = node.client(key="")
        self.status(anyone.post("/auth/register", {"email": "eve@example.org", "password": PASSWORD}), 403)
        self.status(anyone.post("/auth/register", {"email": "eve@example.org", "password": PASSWORD,
                                                   "invitation": invited["token"]}), 422)
        grace = anyone.create("/auth/register", {"email": "grace@example.org", "password": PASSWORD,
                                                 "invitation": invited["token"]})
        self.assertEqual(grace["organization_id"], organization)
        client = node.client(key=grace["access_token"])
        self.assertEqual(client.read("/auth/me")["role"], "viewer")
        self.status(client.post("/agents", {"name": "x"}), 403, "forbidden")
        self.status(anyone.post("/auth/register", {"email": "grace@example.org", "password": PASSWORD,
                                                   "invitation": invited["token"]}), 422)
        self.assertEqual(owner.all(f"/organizations/{organization}/invitations"), [])


class RoleTest(IdentityTest):
    def test_a_change_of_role_counts_at_once_for_the_same_token(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        member, tokens = self.person(node, "grace@example.org", role="viewer")
        organization = owner.read("/auth/me")["organization_id"]
        user = tokens["user"]["id"]
        path = f"/organizations/{organization}/members/{user}"
        self.status(member.post("/agents", {"name": "one"}), 403)
        for role, status in (("admin", 201), ("viewer", 403), ("operator", 201)):
            owner.ok("PUT", path, {"role": role})
            self.status(member.post("/agents", {"name": f"by-{role}"}), status)
        owner.ok("PUT", path, {"status": "disabled"})
        self.status(member.get("/agents"), 403)
        owner.ok("PUT", path, {"status": "active"})
        self.status(member.get("/agents"), 200)
        self.status(owner.delete(path), 204)
        self.status(member.get("/agents"), 403)
        node.client().ok("PUT", f"/users/{user}", {"status": "disabled"})
        self.status(member.get("/auth/me"), 401)

    def test_roles_of_ones_own_and_no_way_to_more_than_one_has(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        admin, _ = self.person(node, "grace@example.org", role="admin")
        organization = owner.read("/auth/me")["organization_id"]
        at = f"/organizations/{organization}"
        owner.ok("PUT", f"{at}/roles/auditor", {"description": "Looks.", "permissions": ["*:read"]})
        auditor, tokens = self.person(node, "eve@example.org", role="auditor")
        self.status(auditor.get("/secrets"), 200)
        self.status(auditor.post("/agents", {"name": "x"}), 403)
        self.status(owner.delete(f"{at}/roles/auditor"), 409)
        reason = auditor.read("/auth/permissions?permission=agent:write")
        self.assertFalse(reason["allowed"])
        self.assertIn("auditor", reason["reason"])
        # An administrator makes neither owners nor roles with more than it has, nor touches an owner.
        ada = owner.read("/auth/me")["user"]["id"]
        eve = tokens["user"]["id"]
        self.status(admin.put(f"{at}/members/{eve}", {"role": "owner"}), 403)
        self.status(admin.put(f"{at}/roles/everything", {"permissions": ["*"]}), 403)
        self.status(admin.delete(f"{at}/members/{ada}"), 403)
        self.status(admin.post(f"{at}/invitations", {"email": "x@example.org", "role": "owner"}), 403)
        self.status(admin.put(f"{at}/members/{eve}", {"role": "operator"}), 200)
        self.status(owner.put(f"{at}/members/{ada}", {"role": "viewer"}), 409, "conflict")  # the last owner

    def test_a_live_stream_ends_with_the_right_to_it(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        member, tokens = self.person(node, "grace@example.org", role="member")
        organization = owner.read("/auth/me")["organization_id"]
        made = owner.create("/api-keys", {"name": "ci"})
        by_key = stream(node.url, made["key"], "/events?since=start")
        by_role = stream(node.url, member.key, "/events?since=start")
        owner.create("/agents", {"name": "scout"})
        for events in (by_key, by_role):
            self.assertEqual(next(e for e in events if "agents/" in e["data"]["channel"])["event"], "agent_created")
        owner.ok("PUT", f"/organizations/{organization}/members/{tokens['user']['id']}", {"role": "operator"})
        self.assertEqual(list(by_role)[-1]["event"], "closed")  # other rights: what it may see is judged anew
        self.status(owner.delete(f"/api-keys/{made['id']}"), 204)
        self.assertEqual(list(by_key)[-1]["event"], "closed")

    def test_a_role_without_rights_over_oneself_traps_nobody(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        organization = owner.read("/auth/me")["organization_id"]
        owner.ok("PUT", f"/organizations/{organization}/roles/clerk", {"permissions": ["task:read"]})
        clerk, _ = self.person(node, "grace@example.org", role="clerk")
        self.status(clerk.get("/agents"), 403)
        self.status(clerk.get("/auth/sessions"), 200)
        self.status(clerk.post("/auth/logout"), 204)

    def test_owners_of_organizations_do_not_touch_what_is_the_nodes(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        owner.ok("PUT", "/secrets/ONE", {"value": "1"})
        self.status(owner.post("/secret-keys/rotate", {"master": True}), 403, "forbidden")
        self.status(owner.post("/secret-keys/rotate", {}), 200)
        self.status(node.client().post("/secret-keys/rotate", {"master": True}), 200)

    def test_an_organization_that_is_suspended_is_read_and_not_changed(self):
        node = self.node().start()
        acme = self.organization(node, "Acme")
        client, _ = self.person(node, "ada@example.org", organization=acme["slug"])
        client.create("/agents", {"name": "scout"})
        self.status(client.put(f"/organizations/{acme['id']}", {"status": "suspended"}), 403)
        node.client().ok("PUT", f"/organizations/{acme['slug']}", {"status": "suspended"})
        self.status(client.get("/agents"), 200)
        self.status(client.post("/agents", {"name": "second"}), 403, "organization_suspended")
        node.client().ok("PUT", f"/organizations/{acme['slug']}", {"status": "active"})
        self.status(client.post("/agents", {"name": "second"}), 201)

    def test_slugs_and_domains_are_unique(self):
        node = self.node().start()
        admin = node.client()
        first = self.organization(node, "Acme", domain="acme.example")
        self.assertEqual(first["slug"], "acme")
        self.assertNotEqual(self.organization(node, "Acme")["slug"], "acme")
        self.status(admin.post("/organizations", {"name": "Other", "slug": "acme"}), 409, "already_exists")
        self.status(admin.post("/organizations", {"name": "Other", "domain": "ACME.example"}), 409)
        self.status(admin.post("/organizations", {"name": "Other", "slug": "No Slug"}), 422)
        admin.ok("PUT", "/organizations/acme", {"domain": "acme.test"})
        second = self.organization(node, "Second", domain="acme.example")
        self.assertEqual(admin.read("/organizations/second")["id"], second["id"])


class ApiKeyTest(IdentityTest):
    def test_a_key_does_what_its_owner_may_within_its_scopes_until_it_is_revoked(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        made = owner.create("/api-keys", {"name": "ci", "scopes": ["agent:*"]})
        key = node.client(key=made["key"])
        self.assertEqual(key.read("/auth/me")["kind"], "api_key")
        key.create("/agents", {"name": "scout"})
        self.status(key.get("/tasks"), 403, "forbidden")
        self.status(key.post("/api-keys", {"name": "wider"}), 403)
        shown = poll("its use is noted", lambda: (lambda d: d if d.get("last_used_at") else None)(owner.read(f"/api-keys/{made['id']}")))
        self.assertNotIn("key", shown)
        self.assertEqual(shown["last_used_from"], "127.0.0.1")
        for file in node.directory.rglob("*"):
            if file.is_file():
                self.assertNotIn(made["key"].encode(), file.read_bytes(), file)
        node.kill9()
        node.start()
        key, owner = node.client(key=made["key"]), self.login(node, "ada@example.org")[0]
        self.status(key.get("/agents"), 200)
        self.status(owner.delete(f"/api-keys/{made['id']}"), 204)
        self.status(key.get("/agents"), 401, "unauthenticated")
        self.assertEqual(owner.all("/api-keys"), [])

    def test_the_key_of_an_agent_is_its_identity(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        agent = owner.create("/agents", {"name": "scout"})
        made = owner.create("/api-keys", {"name": "scout's", "agent": "scout"})
        self.assertEqual((made["owner"], made["role"]), (f"agent/{agent['id']}", "agent"))
        key = node.client(key=made["key"])
        key.create("/tasks", {"title": "found something"})
        self.status(key.post("/agents", {"name": "another"}), 403)
        member, _ = self.person(node, "grace@example.org", role="member")
        self.status(member.post("/api-keys", {"name": "x", "agent": "scout"}), 403)
        self.status(member.get(f"/api-keys/{made['id']}"), 404)
        mine = member.create("/api-keys", {"name": "mine"})
        self.assertEqual([k["id"] for k in member.all("/api-keys")], [mine["id"]])
        self.assertEqual(len(owner.all("/api-keys")), 2)

    def test_a_repeated_creation_gives_the_same_key(self):
        node = self.node().start()
        owner, _ = self.person(node, "ada@example.org")
        again = {"headers": {"Idempotency-Key": "once"}}
        first = owner.create("/api-keys", {"name": "ci"}, **again)
        self.assertEqual(owner.create("/api-keys", {"name": "ci"}, **again)["key"], first["key"])
        self.status(owner.post("/api-keys", {"name": "other"}, **again), 422, "idempotency_mismatch")
