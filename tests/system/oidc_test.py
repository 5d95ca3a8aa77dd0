"""Logging in at a real issuer of OpenID Connect: npm's `oidc-provider` on loopback."""

import json
import re
import time
import urllib.parse

from tests.system.identity_cli_test import Person
from tests.system.identity_test import PASSWORD, IdentityTest, totp
from tests.system.node import SECONDS_MAX, NodeTest, free_port, poll
from tests.system.oidc_issuer import SECRET, Browser, Forger, Issuer, link_in, query_of

LOOPBACK = "http://127.0.0.1:1/"  # of a program that is not there: the test is the browser


def changed(url, **values):
    """The URL with other values in its query; None takes one away."""
    parts = urllib.parse.urlsplit(url)
    query = {name: value for name, value in {**query_of(url), **values}.items() if value is not None}
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))


class OidcTest(IdentityTest):
    def logged(self, request, *words):
        """The log says the reason that the answer to this request kept to itself."""
        def found():
            lines = [line for line in self.server.log.read_text().splitlines() if f"request {request}" in line]
            return all(any(word in line for line in lines) for word in words)
        poll(f"the log tells {words} of {request}", found)

    def not_told(self, login, provider, *words):
        reply = self.status(self.enter(Browser(), login, provider), 503)
        text = reply.raw.decode()
        self.assertIn(provider, text)
        self.assertIn(reply.headers["x-request-id"], text)
        for word in (*words, self.issuer.url):
            self.assertNotIn(word, text)
        self.logged(reply.headers["x-request-id"], *words)

    def begin(self, *providers, before=None, settings=None, **more):
        """A node with these issuers: dicts over that of `acme`. All of them are the one real issuer unless they say so."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        providers = providers or ({},)
        names = [p.get("name", "acme") for p in providers]
        self.issuer = Issuer(self.folder, self.url, names)
        self.addCleanup(self.issuer.stop)
        self.issuer.start()
        (self.folder / "secret").write_text(SECRET + "\n")
        standard = {"name": "acme", "issuer": self.issuer.url, "client_id": "troupe", "client_secret": "env:ACME_SECRET",
                    "organization": "acme", "role": "member", **more}
        listed = [{k: v for k, v in {**standard, **p}.items() if v is not None} for p in providers]
        config = self.folder / "troupe.yaml"
        config.write_text(json.dumps({"identity": {"oidc": listed, **(settings or {})}}))  # JSON is YAML, too
        self.server = self.node("--config", config, "--listen", f"127.0.0.1:{port}", "--edge.access_log", "true",
                                environment={"ACME_SECRET": SECRET})
        if before:
            before()
        self.server.start()
        self.assertEqual(self.server.url, self.url)
        self.acme = self.organization(self.server, "Acme")
        return self.server

    # ---- what a browser does

    def start(self, browser, provider="acme", **query):
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        reply = self.status(browser.get(f"{self.url}/api/v1/auth/oidc/{provider}/start{asked}"), 302)
        return reply.headers["location"]

    def arrive(self, browser, login, provider="acme", **query):
        """The callback's URL, which the browser has not opened yet."""
        return browser.come_back(self.start(browser, provider, **query), login)

    def enter(self, browser, login, provider="acme", **query):
        return browser.get(self.arrive(browser, login, provider, **query))

    def logged_in(self, login, provider="acme"):
        browser = Browser()
        self.status(self.enter(browser, login, provider), 302)
        return browser

    def api(self, browser, path, method="GET", **more):
        return browser.request(method, f"{self.url}/api/v1{path}", **{"Accept": "application/json", **more})

    def me(self, browser):
        return self.status(self.api(browser, "/auth/me"), 200).json

    def refused(self, login, status, *words, provider="acme", browser=None):
        """A page for the person, which says all of these words."""
        reply = self.status(self.enter(browser or Browser(), login, provider), status)
        self.assertTrue(reply.headers["content-type"].startswith("text/html"), reply)
        for word in words:
            self.assertIn(word, reply.raw.decode())

    def continued(self, browser, url, check):
        """Where the page leads that asks whether a program may log in; nothing goes there by itself."""
        reply = self.status(browser.get(url), 200)
        text = reply.raw.decode()
        self.assertTrue(reply.headers["content-type"].startswith("text/html"), reply)
        self.assertIn("default-src 'none'", reply.headers["content-security-policy"])
        self.assertNotIn("location", reply.headers)
        self.assertNotIn("refresh", text + str(reply.headers).lower())
        self.assertRegex(check, r"^[A-Z]{4}-[A-Z]{4}$")
        for word in ("continue only if you just ran", check):
            self.assertIn(word, text)
        return link_in(reply)

    def tokens(self, login, provider="acme"):
        """What a program gets: the answer to its POST of what came to its loopback address."""
        anyone = self.server.client(key="")
        begun = anyone.create(f"/auth/oidc/{provider}/start", {"redirect": LOOPBACK})
        browser = Browser()
        local = self.continued(browser, browser.come_back(begun["authorization_url"], login), begun["check"])
        self.assertTrue(local.startswith(LOOPBACK + "?code="), local)
        came = query_of(local)
        return anyone.post(f"/auth/oidc/{provider}/callback", {**came, "binding": begun["binding"]})


class EnteringTest(OidcTest):
    def test_a_person_who_comes_for_the_first_time_gets_an_account_a_role_and_a_session(self):
        node = self.begin({"title": "Acme Corporation"})
        listed = node.client(key="").read("/auth/oidc")["items"]
        self.assertEqual(listed, [{"name": "acme", "title": "Acme Corporation", "issuer": self.issuer.url}])
        ada = Browser()
        url = self.start(ada, redirect="/docs?a=1")
        asked = query_of(url)
        self.assertEqual((asked["response_type"], asked["code_challenge_method"], asked["scope"]),
                         ("code", "S256", "openid email profile"))
        self.assertEqual(asked["max_age"], "900")
        url = ada.come_back(url, "ada")
        node.kill9()  # nothing is lost with it
        node.start()
        reply = self.status(ada.get(url), 302)
        self.assertEqual(reply.headers["location"], "/docs?a=1")
        me = self.me(ada)
        self.assertEqual((me["user"]["email"], me["user"]["name"], me["role"], me["organization_id"]),
                         ("ada@example.org", "Ada Lovelace", "member", self.acme["id"]))
        self.assertEqual([s["methods"] for s in self.api(ada, "/auth/sessions").json["items"]], [["oidc"]])
        self.status(self.api(ada, "/auth/logout", "POST"), 403)
        csrf = self.status(self.api(ada, "/auth/refresh", "POST", body={}), 200).json["csrf_token"]
        self.status(self.api(ada, "/auth/logout", "POST", **{"X-CSRF-Token": csrf}), 204)
        again = self.logged_in("ada")
        self.assertEqual(self.me(again)["user"]["id"], me["user"]["id"])
        (identity,) = self.api(again, "/auth/profile/identities").json["items"]
        self.assertEqual((identity["issuer"], identity["subject"], identity["provider"], identity["email"]),
                         (self.issuer.url, "ada", "acme", "ada@example.org"))
        # No password opens such an account.
        self.status(node.client(key="").post("/auth/login", {"email": "ada@example.org", "password": " "}), 401)
        log = node.log.read_text()
        self.assertIn("/auth/oidc/acme/callback", log)
        for secret in (query_of(url)["code"], query_of(url)["state"], SECRET, csrf):
            self.assertNotIn(secret, log)

    def test_the_issuer_is_asked_for_a_login_within_the_time_of_stepping_up(self):
        self.begin(settings={"step_up_ms": 1500})
        ada = self.logged_in("ada")
        asked = self.start(ada)
        self.assertEqual(query_of(asked)["max_age"], "1")
        # The issuer remembers her; whoever takes `max_age` away brings a login that is too old, or names no time.
        url = ada.come_back(changed(asked, max_age=None), "ada")
        reply = self.status(ada.get(url, Accept="application/json"), 401, "invalid_credentials")
        self.assertIn("auth_time", reply.json["detail"])
        self.logged_in("ada")

    def test_public_clients_secrets_of_files_and_of_the_node_and_other_algorithms_work(self):
        node = self.begin({"name": "public", "client_id": "public", "client_secret": None},
                          {"name": "file", "client_id": "ed25519", "client_secret": f"file:{self.folder}/secret"},
                          {"name": "vault", "client_secret": "secret:ACME_OIDC"})
        self.assertEqual(self.me(self.logged_in("ada", "public"))["role"], "member")
        self.assertEqual(self.me(self.logged_in("ada", "file"))["user"]["email"], "ada@example.org")
        self.not_told("ada", "vault", "ACME_OIDC")
        node.client().ok("PUT", "/secrets/ACME_OIDC", {"value": SECRET})
        self.assertEqual(self.me(self.logged_in("ada", "vault"))["user"]["email"], "ada@example.org")

    def test_keys_of_the_issuer_that_change_are_fetched_again(self):
        self.begin()
        self.logged_in("ada")
        self.issuer.stop()
        self.issuer.start()
        self.assertEqual(self.me(self.logged_in("ada"))["user"]["email"], "ada@example.org")

    def test_a_program_logs_in_by_its_loopback_address(self):
        node = self.begin()
        tokens = self.status(self.tokens("ada"), 200).json
        self.assertEqual(node.client(key=tokens["access_token"]).read("/auth/me")["user"]["email"], "ada@example.org")
        anyone = node.client(key="")
        for redirect in ("http://evil.example/", "http://localhost:1/", "https://127.0.0.1:1/", "http://127.0.0.1:1@evil/",
                         "http://127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1:1/?a", "/docs"):
            self.status(anyone.post("/auth/oidc/acme/start", {"redirect": redirect}), 422, "invalid_request")
        begun = anyone.create("/auth/oidc/acme/start", {"redirect": LOOPBACK})
        browser = Browser()
        came = query_of(link_in(browser.get(browser.come_back(begun["authorization_url"], "ada"))))
        other = anyone.create("/auth/oidc/acme/start", {"redirect": LOOPBACK})
        self.status(anyone.post("/auth/oidc/acme/callback", {**came, "binding": other["binding"]}), 403, "forbidden")
        self.status(anyone.post("/auth/oidc/acme/callback", {**came, "binding": begun["binding"]}), 200)
        self.status(anyone.post("/auth/oidc/acme/callback", {**came, "binding": begun["binding"]}), 401,
                    "invalid_credentials")


class RefusalTest(OidcTest):
    def test_what_was_changed_on_the_way_is_refused(self):
        self.begin({}, {"name": "twin"})
        ada = Browser()
        url = self.arrive(ada, "ada")
        state = query_of(url)["state"]
        cookies = {origin: dict(jar) for origin, jar in ada.cookies.items()}

        def tried(status, expected, **values):
            ada.cookies = {origin: dict(jar) for origin, jar in cookies.items()}
            reply = ada.get(changed(url, **values), Accept="application/json")
            return self.status(reply, status, expected)
        middle = len(state) // 2
        tried(422, "invalid_request", state=state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1:])
        tried(422, "invalid_request", state=None)
        tried(422, "invalid_request", state="")
        tried(422, "invalid_request", code=None)
        tried(401, "invalid_credentials", iss="http://127.0.0.1:2")
        tried(401, "invalid_credentials", iss=None)
        tried(401, "invalid_credentials", error="server_error")
        tried(403, "forbidden", error="access_denied")
        tried(401, "invalid_credentials", code="made-up")
        ada.cookies = {origin: dict(jar) for origin, jar in cookies.items()}
        self.status(ada.get(url.replace("/acme/", "/twin/"), Accept="application/json"), 422, "invalid_request")
        self.status(ada.get(url.replace("/acme/", "/other/"), Accept="application/json"), 404, "not_found")
        self.status(Browser().get(url, Accept="application/json"), 403, "forbidden")
        self.assertNotIn("__Host-troupe-access", ada.cookies[urllib.parse.urlsplit(self.url).netloc])
        tried(302, None)
        tried(401, "invalid_credentials")  # once more, with the cookie that the browser has forgotten
        self.status(self.api(Browser(), "/auth/me"), 401)

    def test_what_an_issuer_adds_is_passed_over_and_its_refusal_is_told(self):
        self.begin()
        ada = Browser()
        url = changed(self.arrive(ada, "ada"), session_state="x", hd="example.org")
        self.status(ada.get(url), 302)
        eve = Browser()
        url = eve.come_back(self.start(eve), "ada", consent="no")
        self.assertEqual(query_of(url)["error"], "access_denied")
        reply = self.status(eve.get(url), 403)
        self.assertIn("acme", reply.raw.decode())

    def test_nobody_is_sent_to_another_host(self):
        self.begin()
        for path in ("//evil.example", "https://evil.example/", "/\\evil.example", "evil", "/a\tb", ""):
            reply = Browser().get(f"{self.url}/api/v1/auth/oidc/acme/start?" + urllib.parse.urlencode({"redirect": path}),
                                  Accept="application/json")
            self.status(reply, 422, "invalid_request")
        self.status(self.api(Browser(), "/auth/oidc/nobody/start"), 404, "not_found")

    def test_issuers_that_are_not_what_they_should_be_are_named(self):
        def localhost(url):
            return url.replace("127.0.0.1", "localhost")
        self.begin()
        providers = [{"name": "foreign", "issuer": localhost(self.issuer.url)},
                     {"name": "down", "issuer": f"http://127.0.0.1:{free_port()}"},
                     {"name": "wrong", "client_secret": "env:WRONG_SECRET"},
                     {"name": "unset", "client_secret": "env:NO_SUCH_VARIABLE"}]
        common = {"issuer": self.issuer.url, "client_id": "troupe"}
        (self.folder / "troupe.yaml").write_text(json.dumps({"identity": {"oidc": [{**common, **p} for p in providers]}}))
        for client in self.issuer.settings["clients"]:
            client["redirect_uris"] = [f"{self.url}/api/v1/auth/oidc/{p['name']}/callback" for p in providers]
        self.server.kill9()
        self.issuer.stop()
        self.issuer.start()
        self.server.environment["WRONG_SECRET"] = "wrong"
        self.server.start()
        for name, word in (("foreign", "another issuer"), ("down", "connect")):
            reply = self.status(self.api(Browser(), f"/auth/oidc/{name}/start"), 503, "unavailable")
            self.assertIn(name, reply.json["detail"])
            for secret in (word, "127.0.0.1", "localhost"):
                self.assertNotIn(secret, reply.json["detail"])
            self.logged(reply.headers["x-request-id"], word)
        self.not_told("ada", "wrong", "client_secret")
        self.not_told("ada", "unset", "NO_SUCH_VARIABLE")

    def test_a_configuration_that_cannot_work_is_refused_with_its_line(self):
        config = self.folder / "troupe.yaml"
        config.write_text("identity:\n  oidc:\n    - name: acme\n      issuer: http://login.example.org\n"
                          "      client_id: troupe\n      client_secret: hunter22\n")
        status, said = self.node("--config", config).refused()
        self.assertNotEqual(status, 0)
        self.assertIn("troupe.yaml:4", said)
        self.assertIn("https://", said)
        self.assertIn("troupe.yaml:6", said)
        self.assertNotIn("hunter22", said)
        config.write_text("identity:\n  registration: open\n  oidc:\n    - name: acme\n      client_id: troupe\n"
                          "      issuer: https://login.example.org\n      link_by_email: true\n")
        status, said = self.node("--config", config).refused()
        self.assertNotEqual(status, 0)
        self.assertIn("link_by_email does not go with", said)
        self.assertIn("a colleague's first login", said)


class ForgerTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.forger = Forger()
        self.addCleanup(self.forger.stop)
        providers = [{"name": "acme", "issuer": self.forger.url, "client_id": "troupe", "client_secret": "env:ACME_SECRET"}]
        self.server = self.node("--identity.oidc", json.dumps(providers), environment={"ACME_SECRET": SECRET})

    def start(self, browser):
        return browser.get(self.server.url + "/api/v1/auth/oidc/acme/start", Accept="application/json")

    def judged(self, header, secret=b""):
        """The node's word on a token that says everything as it should be, but for its signature."""
        browser = Browser()
        asked = query_of(self.status(self.start(browser), 302).headers["location"])
        now = int(time.time())
        claims = {"iss": self.forger.url, "aud": "troupe", "sub": "ada", "nonce": asked["nonce"], "iat": now, "exp": now + 60}
        self.forger.tokens = lambda: json.dumps(
            {"token_type": "Bearer", "access_token": "x", "id_token": Forger.token(header, claims, secret)}).encode()
        back = f"{asked['redirect_uri']}?" + urllib.parse.urlencode({"code": "x", "state": asked["state"]})
        reply = self.status(browser.get(back, Accept="application/json"), 401, "invalid_credentials")
        self.assertNotIn("x-login-ticket", reply.headers)
        return reply.json["detail"]

    def test_forged_tokens_are_refused_and_cost_the_issuer_little(self):
        self.server.start()
        self.assertIn("not accepted", self.judged({"alg": "none"}))
        self.assertIn("not accepted", self.judged({"alg": "HS256"}, SECRET.encode()))
        for n in range(8):
            self.assertIn("not signed", self.judged({"alg": "RS256", "kid": f"k{n}"}, b"any"))
        self.assertLess(self.forger.asked["/jwks"], 8)
        self.assertEqual(self.forger.asked["/.well-known/openid-configuration"], 1)

    def test_descriptions_that_are_too_large_or_of_others_are_refused_and_not_asked_for_again_at_once(self):
        self.server.start()
        self.forger.description = lambda d: json.dumps({**d, "more": "x" * (1 << 20)}).encode()
        for _ in range(10):
            self.assertIn("acme", self.status(self.start(Browser()), 503, "unavailable").json["detail"])
        self.assertLess(self.forger.asked["/.well-known/openid-configuration"], 10)

    def test_endpoints_without_tls_elsewhere_are_refused(self):
        self.server.start()
        self.forger.description = lambda d: json.dumps({**d, "token_endpoint": "http://login.example.org/token"}).encode()
        reply = self.status(self.start(Browser()), 503, "unavailable")
        self.assertNotIn("https", reply.json["detail"])
        poll("the log says it", lambda: "an endpoint, or has one without https" in self.server.log.read_text())


class PeopleTest(OidcTest):
    def test_who_is_not_known_and_has_no_verified_address_stays_out(self):
        self.begin()
        self.refused("eve", 403, "not verified")
        self.refused("nobody", 403, "no e-mail address")
        self.assertEqual(self.server.client().all("/users"), [])

    def test_without_an_organization_only_people_who_are_known_enter(self):
        node = self.begin({"organization": None, "role": None, "link_by_email": True})
        self.refused("grace", 403, "ask an administrator")
        self.person(node, "ada@example.org")
        self.assertEqual(self.me(self.logged_in("ada"))["role"], "owner")
        self.assertEqual(len(node.client().all("/users")), 1)

    def test_an_account_with_the_same_address_is_not_opened_unless_the_configuration_says_so(self):
        node = self.begin()
        self.person(node, "ada@example.org")
        self.refused("ada", 409, "log in by password")
        self.assertEqual(len(node.client().all("/users")), 1)

    def test_an_address_alone_opens_no_account_that_is_worth_more_or_is_disabled(self):
        node = self.begin(link_by_email=True)
        self.person(node, "ada@example.org", organization="acme", node_admin=True)
        client, _ = self.person(node, "ida@example.org", organization="acme")
        client.create("/auth/mfa/enable", {"code": totp(client.create("/auth/mfa/enroll", {})["secret"])})
        for name in ("ada", "ida"):
            self.refused(name, 409, "log in by password")
        mara, _ = self.person(node, "mara@example.org", organization="acme")
        self.status(node.client().put("/users/mara@example.org", {"status": "disabled"}), 200)
        self.refused("mara", 403, "disabled")
        self.status(node.client().put("/users/mara@example.org", {"status": "active"}), 200)
        mara, _ = self.login(node, "mara@example.org")
        self.assertEqual(mara.all("/auth/profile/identities"), [])  # nothing was linked on the way
        self.logged_in("mara")
        self.assertEqual(len(mara.all("/auth/profile/identities")), 1)

    def test_only_people_of_the_allowed_domains_enter(self):
        self.begin(domains=["example.org"])
        self.refused("mallory", 403, "example.org")
        self.refused("eve", 403, "example.org")
        self.assertEqual(self.me(self.logged_in("ada"))["role"], "member")

    def test_disabled_people_stay_out_and_organizations_that_are_suspended_take_nobody(self):
        node = self.begin()
        self.logged_in("ada")
        self.status(node.client().put("/users/ada@example.org", {"status": "disabled"}), 200)
        self.refused("ada", 403, "disabled")
        self.status(node.client().put("/users/ada@example.org", {"status": "active"}), 200)
        self.logged_in("ada")
        self.status(node.client().put("/organizations/acme", {"status": "suspended"}), 200)
        self.refused("grace", 403, "suspended")
        self.assertEqual([u["email"] for u in node.client().all("/users")], ["ada@example.org"])

    def test_the_second_factor_is_asked_for_unless_the_issuer_did(self):
        node = self.begin()
        secrets = {}
        for name in ("ada", "grace"):
            tokens = self.status(self.tokens(name), 200).json
            client = node.client(key=tokens["access_token"])
            secrets[name] = client.create("/auth/mfa/enroll", {})["secret"]
            client.create("/auth/mfa/enable", {"code": totp(secrets[name])})
        grace = self.logged_in("grace")  # `amr` says mfa
        self.assertIn(["oidc", "mfa"], [s["methods"] for s in self.api(grace, "/auth/sessions").json["items"]])
        ada = Browser()
        reply = self.status(self.enter(ada, "ada", redirect="/docs"), 302)
        self.assertEqual(reply.headers["location"], "/docs?login=mfa_required")
        self.status(self.api(ada, "/auth/me"), 401)
        self.status(self.api(ada, "/auth/oidc/mfa", "POST", body={"code": "000000"}), 401, "invalid_credentials")
        self.status(self.api(Browser(), "/auth/oidc/mfa", "POST", body={"code": "000000"}), 401, "unauthenticated")
        done = self.api(ada, "/auth/oidc/mfa", "POST", body={"code": totp(secrets["ada"], 1)})
        self.assertIsNone(self.status(done, 200).json.get("access_token"))
        self.assertEqual(self.me(ada)["user"]["email"], "ada@example.org")
        self.assertIn(["oidc", "otp"], [s["methods"] for s in self.api(ada, "/auth/sessions").json["items"]])
        self.status(self.api(ada, "/auth/oidc/mfa", "POST", body={"code": totp(secrets["ada"], 1)}), 401, "unauthenticated")
        program = self.status(self.tokens("ada"), 401, "mfa_required")
        ticket = program.headers["x-login-ticket"]
        self.status(self.api(Browser(), "/auth/oidc/mfa", "POST", body={"code": "000000", "ticket": ticket}), 401)
        self.status(self.api(Browser(), "/auth/oidc/mfa", "POST", body={"code": "000000", "ticket": ticket[:-4]}), 401,
                    "unauthenticated")

    def test_identities_are_linked_and_unlinked_in_the_profile(self):
        node = self.begin()
        _, tokens = self.person(node, "ada@example.org", organization="acme")
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        ada = Browser()
        begun = self.status(self.api(ada, "/auth/oidc/acme/link", "POST", body={"redirect": "/docs"}, **bearer), 200).json
        url = ada.come_back(begun["authorization_url"], "mallory")  # whatever its address is
        self.status(Browser().get(url), 403)
        reply = self.status(ada.get(url), 302)
        self.assertEqual(reply.headers["location"], "/docs?linked=acme")
        (identity,) = self.api(ada, "/auth/profile/identities", **bearer).json["items"]
        self.assertEqual(identity["subject"], "mallory")
        here = self.logged_in("mallory")
        self.assertEqual(self.me(here)["user"]["email"], "ada@example.org")
        # It is nobody else's any more.
        _, others = self.person(node, "grace@example.org", organization="acme")
        grace = Browser()
        begun = self.api(grace, "/auth/oidc/acme/link", "POST", body={},
                         Authorization=f"Bearer {others['access_token']}").json
        self.status(grace.get(grace.come_back(begun["authorization_url"], "mallory")), 409)
        one = f"/auth/profile/identities/{identity['id']}"
        self.status(self.api(grace, one, "DELETE", Authorization=f"Bearer {others['access_token']}"), 404, "not_found")
        self.status(self.api(ada, one, "DELETE", **bearer), 204)
        self.status(self.api(ada, one, "DELETE", **bearer), 404, "not_found")
        self.refused("mallory", 403, "unlinked")
        begun = self.api(ada, "/auth/oidc/acme/link", "POST", body={}, **bearer).json
        self.status(ada.get(ada.come_back(begun["authorization_url"], "mallory")), 302)  # its person asks
        self.logged_in("mallory")

    def linked(self, tokens, login):
        """The identity of the issuer's login, linked in the profile of whoever has the tokens."""
        browser, bearer = Browser(), {"Authorization": f"Bearer {tokens['access_token']}"}
        begun = self.status(self.api(browser, "/auth/oidc/acme/link", "POST", body={}, **bearer), 200).json
        self.status(browser.get(browser.come_back(begun["authorization_url"], login)), 302)
        items = self.api(browser, "/auth/profile/identities", **bearer).json["items"]
        return next(i for i in items if i["subject"] == login)

    def test_what_is_no_address_is_not_kept(self):
        node = self.begin()
        _, tokens = self.person(node, "ada@example.org", organization="acme")
        self.assertEqual(self.linked(tokens, "odd").get("email", ""), "")
        self.assertEqual(self.me(self.logged_in("odd"))["user"]["email"], "ada@example.org")

    def test_who_is_linked_enters_though_the_issuer_tells_nothing_of_the_person(self):
        node = self.begin()
        self.refused("mute", 503, "acme")  # nobody can say who this is
        _, tokens = self.person(node, "ada@example.org", organization="acme")
        self.linked(tokens, "mute")
        self.assertEqual(self.me(self.logged_in("mute"))["user"]["email"], "ada@example.org")

    def test_a_link_ends_with_the_session_that_began_it(self):
        node = self.begin()
        _, tokens = self.person(node, "ada@example.org", organization="acme")

        def begun(bearer):
            browser = Browser()
            asked = self.api(browser, "/auth/oidc/acme/link", "POST", body={}, Authorization=f"Bearer {bearer}")
            return browser, browser.come_back(self.status(asked, 200).json["authorization_url"], "mallory")

        def refused(browser, url):
            reply = self.status(browser.get(url, Accept="application/json"), 401, "unauthenticated")
            self.assertIn("session is over", reply.json["detail"])
        late = begun(tokens["access_token"])
        self.status(node.client(key=tokens["access_token"]).post("/auth/logout"), 204)
        refused(*late)
        for change in ({"password": PASSWORD}, {"status": "disabled"}):  # the first ends all sessions
            client, tokens = self.login(node, "ada@example.org")
            late = begun(tokens["access_token"])
            self.status(node.client().put("/users/ada@example.org", change), 200)
            refused(*late)
        self.status(node.client().put("/users/ada@example.org", {"status": "active"}), 200)
        client, _ = self.login(node, "ada@example.org")
        self.assertEqual(client.all("/auth/profile/identities"), [])

    def test_the_last_way_to_log_in_stays(self):
        node = self.begin()
        client = node.client(key=self.status(self.tokens("ada"), 200).json["access_token"])
        (identity,) = client.all("/auth/profile/identities")
        self.status(client.delete(f"/auth/profile/identities/{identity['id']}"), 409, "conflict")
        self.status(node.client().put("/users/ada@example.org", {"password": PASSWORD}), 200)
        client, _ = self.login(node, "ada@example.org")
        self.status(client.delete(f"/auth/profile/identities/{identity['id']}"), 204)
        self.refused("ada", 403, "unlinked")


class CliTest(OidcTest):
    def opened(self, process):
        """The address that the program asks to open, and the letters that it shows."""
        check = ""
        for line in process.stderr:
            if found := re.search(r"the page shows (\S+)\.", line):
                check = found[1]
            if found := re.search(r"http://\S+/auth\?\S+", line):
                return found[0], check
        raise AssertionError("the program named no address")

    def test_a_person_logs_in_with_the_browser_of_its_machine(self):
        node = self.begin()
        ada = Person(self, node, "ada")
        process = ada.launch("login", "--oidc", "acme", "--json")
        try:
            browser = Browser()
            url, check = self.opened(process)
            local = self.continued(browser, browser.come_back(url, "ada"), check)
            self.assertTrue(local.startswith("http://127.0.0.1:"), local)
            self.status(browser.get(changed(local, state="forged")), 404)
            self.assertIn("terminal", self.status(browser.get(local), 200).raw.decode())
            out, said = process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(process.returncode, 0, said)
        answer = json.loads(out)
        self.assertEqual(answer["user"]["email"], "ada@example.org")
        self.assertNotIn("access_token", answer)
        self.assertIn("ada@example.org", ada.run("whoami").stdout)
        self.assertEqual(ada.logins.stat().st_mode & 0o777, 0o600)

    def test_what_goes_wrong_is_said(self):
        node = self.begin()
        ada = Person(self, node, "ada")
        self.assertIn("identity.oidc", ada.run("login", "--oidc", "other", code=4).stderr)
        ada.run("login", "ada@example.org", "--oidc", "acme", code=2)
        process = ada.launch("login", "--oidc", "acme")
        try:
            browser = Browser()
            url, check = self.opened(process)
            browser.get(self.continued(browser, browser.come_back(url, "ada", consent="no"), check))
            _, said = process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(process.returncode, 5)
        self.assertIn("access_denied", said)
        self.assertFalse(ada.logins.exists())
