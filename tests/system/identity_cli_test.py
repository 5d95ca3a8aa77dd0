"""People, keys and organizations at the command line, against a live node."""

import base64
import json
import os
import subprocess
import termios
import time

from tests.system.identity_test import totp
from tests.system.node import SECONDS_MAX, TROUPE, NodeTest, poll
from tests.system.terminal import Terminal

OK, FAILED, USAGE, NO_NODE, NOT_FOUND, REFUSED = range(6)
ADA, GRACE = "ada@example.org", "grace@example.org"
PASSWORD = "kestrel-umbrella-nine-teaspoons"


class Person:
    """Somebody at a machine with a home of its own."""

    def __init__(self, test, node, name):
        self.test, self.node = test, node
        self.home = test.folder / f"home-{name}"
        self.home.mkdir(exist_ok=True)
        self.logins = self.home / ".config" / "troupe" / "logins.json"
        self.environment = {**node.environment, "HOME": str(self.home), "TROUPE_URL": node.url}
        self.environment.pop("XDG_CONFIG_HOME", None)

    def launch(self, *arguments, **more):
        return subprocess.Popen([TROUPE, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.home, **more)

    def run(self, *arguments, code=OK, stdin="", **environment):
        done = subprocess.run([TROUPE, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=SECONDS_MAX,
                              env={**self.environment, **environment}, cwd=self.home, check=False)
        self.test.assertEqual(done.returncode, code, (arguments, done.stdout[-600:], done.stderr[-600:]))
        return done

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more).stdout)

    def items(self, *arguments, **more):
        return self.json(*arguments, **more)["items"]

    def log_in(self, email, *more, password=PASSWORD, **others):
        return self.run("login", email, "--password-file", "-", *more, stdin=password + "\n", **others)

    def tokens(self):
        (login,) = json.loads(self.logins.read_text())["logins"]
        return login

    def expire(self):
        """The access token is thought to have expired."""
        stored = json.loads(self.logins.read_text())
        stored["logins"][0]["renew_at"] = "2001-01-01T00:00:00.000Z"
        self.logins.write_text(json.dumps(stored))


class IdentityCliTest(NodeTest):
    def begin(self, *flags):
        self.node_ = self.node(*flags).start()
        self.admin = self.person("admin")
        self.admin.environment["TROUPE_KEY"] = self.node_.key
        return self.node_

    def person(self, name):
        return Person(self, self.node_, name)

    def make(self, email, *more, password=PASSWORD):
        return self.admin.json("user", "create", email, "--password-file", "-", *more, stdin=password + "\n")

    def logged_in(self, email, *more):
        self.make(email, *more)
        person = self.person(email.split("@")[0])
        person.log_in(email)
        return person

    # ---- two organizations

    def test_people_of_two_organizations_see_nothing_of_each_other(self):
        self.begin()
        other = self.admin.json("org", "create", "Other", "Company", "--slug", "other")
        ada = self.logged_in(ADA, "--role", "owner", "--name", "Ada")
        grace = self.logged_in(GRACE, "--role", "owner", "--org", "other")
        mine = ada.json("task", "create", "of ada")
        self.assertEqual([t["id"] for t in ada.items("task", "list")], [mine["id"]])
        self.assertEqual(grace.items("task", "list"), [])
        grace.run("task", "show", mine["id"], code=NOT_FOUND)
        for command in (("org", "show", "default"), ("org", "use", "default"), ("org", "members", "--org", "default"),
                        ("task", "list", "--org", "default"), ("org", "show", "no-such")):
            self.assertIn("no organization", grace.run(*command, code=NOT_FOUND).stderr)
        self.assertEqual([o["slug"] for o in grace.items("org", "list")], ["other"])
        self.assertEqual([o["slug"] for o in ada.items("org", "list")], ["default"])
        self.assertEqual([m["email"] for m in ada.items("org", "members")], [ADA])
        self.assertEqual({o["slug"] for o in self.admin.items("org", "list")}, {"default", "other"})
        me = grace.json("whoami")
        self.assertEqual((me["kind"], me["user"]["email"], me["organization_id"], me["role"]),
                         ("user", GRACE, other["id"], "owner"))
        for what in (GRACE, "Other Company (other)", "owner", self.node_.url, str(grace.logins)):
            self.assertIn(what, grace.run("whoami").stdout)
        for command in (("user", "list"), ("user", "show", ADA), ("user", "create", "x@example.org", "--generate"),
                        ("user", "disable", ADA)):
            grace.run(*command, code=REFUSED)

    def test_an_invitation_is_joined_used_and_taken_back(self):
        self.begin()
        self.admin.json("org", "create", "Other", "--slug", "other")
        ada = self.logged_in(ADA, "--role", "owner")
        grace = self.logged_in(GRACE, "--role", "owner", "--org", "other")
        ada.run("org", "invite", "nobody@example.org")
        invitation = ada.json("org", "invite", GRACE, "--role", "viewer", "--valid", "2h")
        self.assertEqual(len(ada.items("org", "invitations")), 2)
        self.assertNotIn(invitation["token"], ada.run("org", "invitations", "--json").stdout)
        ada.run("org", "revoke", "nobody@example.org")
        self.assertEqual([i["email"] for i in ada.items("org", "invitations")], [GRACE])
        grace.run("org", "join", "nonsense", code=NOT_FOUND)
        grace.run("org", "join", "-", stdin=invitation["token"] + "\n")
        grace.run("org", "use", "default")
        self.assertEqual(grace.json("whoami")["role"], "viewer")
        self.assertEqual(grace.json("whoami", "--org", "other")["role"], "owner")
        self.assertEqual(grace.json("whoami", TROUPE_ORG="other")["role"], "owner")
        grace.run("task", "create", "no", code=REFUSED)
        self.assertEqual(ada.json("org", "member", "set", GRACE, "--role", "operator")["role"], "operator")
        grace.run("task", "create", "yes")
        ada.run("org", "member", "set", GRACE, "--disable")
        grace.run("task", "list", code=NOT_FOUND)
        ada.run("org", "member", "set", GRACE, "--enable")
        grace.run("task", "list")
        ada.run("org", "member", "remove", GRACE)
        grace.run("task", "list", code=NOT_FOUND)
        self.assertIn("do not belong to default any more", grace.run("whoami").stderr)
        grace.run("org", "use", "other")
        self.assertEqual(grace.json("whoami")["role"], "owner")
        self.assertIn("owner", ada.run("org", "member", "remove", ADA, code=FAILED).stderr, "the last owner stays")

    def test_a_role_of_ones_own_counts_at_once(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        grace = self.logged_in(GRACE, "--role", "viewer")
        ada.run("role", "set", "clerk", "-p", "task:*", "--permission", "organization:read", "--description", "Writes tasks")
        self.assertEqual(ada.json("role", "show", "clerk")["permissions"], ["task:*", "organization:read"])
        self.assertIn("clerk", ada.run("role", "list").stdout)
        grace.run("task", "create", "no", code=REFUSED)
        ada.run("org", "member", "set", GRACE, "--role", "clerk")
        grace.run("task", "create", "yes")
        grace.run("run", "list", code=REFUSED)
        ada.run("role", "set", "clerk", "-p", "task:read")
        grace.run("task", "create", "no", code=REFUSED)
        ada.run("role", "remove", "clerk", code=FAILED)  # somebody has it
        ada.run("org", "member", "set", GRACE, "--role", "viewer")
        ada.run("role", "remove", "clerk")
        ada.run("role", "show", "clerk", code=NOT_FOUND)
        grace.run("role", "set", "mine", "-p", "*", code=REFUSED)

    # ---- keys

    def test_a_key_is_made_used_narrowed_and_revoked(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        made = ada.json("key", "create", "ci", "--scope", "task:*", "--expires", "90d")
        machine = self.person("machine")
        machine.environment["TROUPE_KEY"] = made["key"]
        machine.run("task", "create", "by key")
        machine.run("run", "list", code=REFUSED)
        me = machine.json("whoami")
        self.assertEqual((me["kind"], me["user"]["email"], me["permissions"]), ("api_key", ADA, ["task:*"]))
        self.assertIn("TROUPE_KEY", machine.run("whoami").stdout)
        self.assertIn("--key", ada.run("whoami", "--key", made["key"]).stdout)
        machine.run("logout", code=NOT_FOUND)
        shown = ada.run("key", "show", "ci").stdout + ada.run("key", "list").stdout + ada.run("key", "list", "--json").stdout
        self.assertNotIn(made["key"], shown)
        self.assertIn(made["id"], shown)
        ada.run("key", "revoke", made["id"][:13])
        machine.run("task", "list", code=REFUSED)
        ada.run("key", "revoke", "ci", code=NOT_FOUND)
        service = ada.json("key", "create", "mail", "--role", "viewer")
        self.assertEqual((service["owner"], service["role"]), ("service", "viewer"))
        machine.run("task", "list", TROUPE_KEY=service["key"])
        machine.run("task", "create", "no", code=REFUSED, TROUPE_KEY=service["key"])
        agent = ada.json("agent", "create", "scout")
        of_agent = ada.json("key", "create", "scout", "--agent", "scout")
        self.assertEqual(of_agent["owner"], f"agent/{agent['id']}")
        machine.run("task", "list", TROUPE_KEY=of_agent["key"])

    # ---- tokens

    def test_an_expired_token_is_renewed_by_itself(self):
        self.begin("--identity.access_token_ms", 1000)
        ada = self.logged_in(ADA, "--role", "owner")
        first = ada.tokens()
        claims = first["access_token"].split(".")[1]
        expires_at = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        poll("the token has expired", lambda: time.time() > expires_at)
        ada.run("task", "create", "later")
        second = ada.tokens()
        self.assertNotEqual(first["refresh_token"], second["refresh_token"])
        self.assertEqual(len(ada.items("sessions")), 1)
        # A token that the node refuses although its time has not come is renewed as well.
        second.update(access_token="nonsense", renew_at="2999-01-01T00:00:00.000Z")
        ada.logins.write_text(json.dumps({"logins": [second]}))
        ada.run("task", "list")
        self.assertEqual(ada.logins.stat().st_mode & 0o777, 0o600)
        self.assertEqual(ada.logins.parent.stat().st_mode & 0o777, 0o700)

    def test_processes_that_renew_at_once_do_not_end_the_session(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        for _ in range(5):
            before = ada.tokens()["refresh_token"]
            ada.expire()
            running = [ada.launch("task", "list") for _ in range(6)]
            for process in running:
                _, said = process.communicate(timeout=SECONDS_MAX)
                self.assertEqual(process.returncode, OK, said)
            self.assertNotEqual(ada.tokens()["refresh_token"], before)
        self.assertEqual(len(ada.items("sessions")), 1)

    def test_a_renewal_whose_answer_was_lost_is_repeated_without_harm(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        login = ada.tokens()
        # As if the process had been killed between the node's answer and its own writing.
        request = "11111111-1111-4111-8111-111111111111"
        body = json.dumps({"refresh_token": login["refresh_token"]}, separators=(",", ":")).encode()
        self.status(self.node_.client("").post("/auth/refresh", raw=body, headers={"Idempotency-Key": request}), 200)
        login.update(renewal_request=request, renew_at="2001-01-01T00:00:00.000Z")
        ada.logins.write_text(json.dumps({"logins": [login]}))
        ada.run("task", "list")
        self.assertEqual(ada.tokens()["renewal_request"], "")
        ada.expire()
        ada.run("task", "list")

    def test_a_token_used_twice_ends_the_session_and_says_to_log_in_again(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        stolen = ada.logins.read_text()
        ada.expire()
        ada.run("task", "list")
        latest = ada.tokens()
        ada.logins.write_text(stolen)
        ada.expire()
        said = ada.run("task", "list", code=REFUSED).stderr
        self.assertIn("troupe login", said)
        self.assertIn("token_reused", said)
        ada.logins.write_text(json.dumps({"logins": [latest]}))
        self.assertIn("troupe login", ada.run("task", "list", code=REFUSED).stderr)
        ada.log_in(ADA)
        ada.run("task", "list")

    def test_logging_out_ends_the_session_at_the_node(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        elsewhere = self.person("elsewhere")
        elsewhere.log_in(ADA)
        self.assertEqual(len(ada.items("sessions", "list")), 2)
        token = ada.tokens()["access_token"]
        self.status(self.node_.client(token).get("/tasks"), 200)
        ada.run("logout")
        self.status(self.node_.client(token).get("/tasks"), 401, "unauthenticated")
        self.assertNotIn(token, ada.logins.read_text())
        ada.run("task", "list", code=REFUSED)
        ada.run("logout", code=NOT_FOUND)
        elsewhere.run("task", "list")
        ada.log_in(ADA)
        (other,) = [s for s in ada.items("sessions") if s["id"] != ada.json("whoami")["session_id"]]
        ada.run("sessions", "end", other["id"])
        self.assertIn("troupe login", elsewhere.run("task", "list", code=REFUSED).stderr)
        elsewhere.log_in(ADA)
        ada.run("logout", "--everywhere")
        elsewhere.run("task", "list", code=REFUSED)
        elsewhere.run("logout")

    def test_a_node_that_is_gone_can_be_logged_out_of(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        self.assertEqual(self.node_.stop(), 0)
        ada.run("logout", "--everywhere", code=NO_NODE)
        self.assertIn("until it expires", ada.run("logout").stderr)
        ada.run("logout", code=NOT_FOUND)

    # ---- passwords

    def test_passwords_are_changed_by_their_owner_and_by_an_administrator(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        elsewhere = self.person("elsewhere")
        elsewhere.log_in(ADA)
        (ada.home / "old").write_text(PASSWORD + "\n")
        (ada.home / "new").write_text("seven-lanterns-and-a-canoe\n")
        ada.run("user", "password", "--current-file", "new", "--password-file", "new", code=REFUSED)
        ada.run("user", "password", "--current-file", "old", "--password-file", "new")
        ada.run("task", "list")
        elsewhere.run("task", "list", code=REFUSED)
        elsewhere.log_in(ADA, code=REFUSED)
        made = self.admin.json("user", "password", ADA, "--generate")
        ada.run("task", "list", code=REFUSED)
        elsewhere.log_in(ADA, password=made["password"])
        self.assertNotIn(made["password"], self.admin.run("user", "show", ADA, "--json").stdout)

    def test_a_disabled_account_does_nothing_until_it_is_enabled(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        key = ada.json("key", "create", "ci")["key"]
        self.assertEqual(self.admin.json("user", "disable", ADA)["status"], "disabled")
        ada.run("task", "list", code=REFUSED)
        ada.run("task", "list", "--key", key, code=REFUSED)
        ada.log_in(ADA, code=REFUSED)
        self.admin.run("user", "enable", ADA)
        ada.log_in(ADA)
        ada.run("task", "list", "--key", key)
        self.admin.run("user", "update", ADA, "--node-admin", "--name", "Countess")
        self.assertEqual(ada.json("user", "show", ADA)["name"], "Countess")
        ada.run("user", "update", ADA, "--no-node-admin")
        ada.run("user", "list", code=REFUSED)

    def test_too_many_wrong_passwords_say_how_long_to_wait_until_unlocked(self):
        self.begin()
        self.make(ADA, "--role", "owner")
        ada = self.person("ada")

        def limited():
            done = subprocess.run([TROUPE, "login", ADA, "--password-file", "-"], input="wrong", capture_output=True, text=True,
                                  env=ada.environment, timeout=SECONDS_MAX, check=False)
            self.assertIn(done.returncode, (FAILED, REFUSED), done)
            return done.stderr if "rate_limited" in done.stderr else None
        self.assertRegex(poll("attempts are limited", limited), r"try again in \d+ s")

    # ---- an account of one's own, and a second factor

    def test_who_may_register_does_and_who_may_not_is_told_which_setting(self):
        self.begin()
        ada = self.person("ada")
        refused = ada.run("register", ADA, "--password-file", "-", stdin=PASSWORD + "\n", code=REFUSED)
        for text in ("identity.registration", "off", "troupe org invite"):
            self.assertIn(text, refused.stderr)
        self.assertFalse(ada.logins.exists())
        self.node_.kill9()
        self.node_.flags = ["--identity.registration", "open"]
        self.begin_again()
        ada, grace = self.person("ada"), self.person("grace")
        ada.run("register", "nonsense", "--password-file", "-", stdin=PASSWORD + "\n", code=USAGE)
        ada.run("register", ADA, "--password-file", "-", stdin="short\n", code=FAILED)
        made = ada.run("register", ADA, "--name", "Ada", "--organization", "Acme", "--password-file", "-", stdin=PASSWORD + "\n")
        self.assertIn("Acme", made.stdout)
        self.assertNotIn(PASSWORD, made.stdout + made.stderr)
        self.assertEqual([o["slug"] for o in ada.items("org", "list")], ["acme"])
        self.assertEqual(ada.json("whoami")["role"], "owner")
        grace.run("register", ADA, "--password-file", "-", stdin=PASSWORD + "\n", code=FAILED)
        token = ada.json("org", "invite", GRACE)["token"]
        (grace.home / "pw").write_text(PASSWORD + "\n")
        grace.run("register", GRACE, "--password-file", "pw", "--invitation", "-", stdin=token + "\n")
        self.assertEqual(grace.json("whoami")["organization_id"], ada.json("whoami")["organization_id"])

    def begin_again(self):
        self.node_.start()
        self.admin = self.person("admin")
        self.admin.environment["TROUPE_KEY"] = self.node_.key

    def test_a_second_factor_is_enrolled_renewed_and_ended(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        ada.run("mfa", "confirm", "123456", code=FAILED)
        ada.run("mfa", "recovery-codes", "--password-file", "-", stdin=PASSWORD + "\n", code=FAILED)
        seed = ada.json("mfa", "enrol")["secret"]
        shown = ada.run("mfa", "enrol")
        self.assertIn("otpauth://", shown.stdout)
        self.assertIn("troupe mfa confirm", shown.stderr)
        ada.run("mfa", "confirm", "000000", code=REFUSED)
        seed = ada.json("mfa", "enrol")["secret"]
        codes = ada.json("mfa", "confirm", totp(seed))["recovery_codes"]
        ada.log_in(ADA, code=REFUSED)
        ada.log_in(ADA, "--code", codes[0])
        ada.run("mfa", "recovery-codes", "--password-file", "-", "--code", codes[0], stdin=PASSWORD + "\n", code=REFUSED)
        renewed = ada.json("mfa", "recovery-codes", "--password-file", "-", "--code", codes[1], stdin=PASSWORD + "\n")
        ada.log_in(ADA, "--code", codes[2], code=REFUSED)
        ada.log_in(ADA, "--code", renewed["recovery_codes"][0])
        ada.run("mfa", "disable", "--password-file", "-", stdin=PASSWORD + "\n", code=REFUSED)
        ada.run("mfa", "disable", "--password-file", "-", "--code", renewed["recovery_codes"][1], stdin=PASSWORD + "\n")
        ada.log_in(ADA)
        self.assertIn("for people", self.admin.run("mfa", "enrol", code=REFUSED).stderr)

    # ---- at a terminal

    def test_a_terminal_shows_a_code_to_scan_and_asks_for_what_it_gives(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        status, shown = self.at_terminal(ada, "mfa", "enrol", answers=[("Code that the authenticator", "\n")])
        self.assertEqual(status, OK, shown)
        self.assertIn("▀", shown)
        self.assertIn("troupe mfa confirm", shown)
        status, shown = self.at_terminal(ada, "mfa", "enrol", answers=[("Code that the authenticator", "000000\n")])
        self.assertEqual(status, REFUSED, shown)

    def at_terminal(self, person, *arguments, answers):
        """Runs a command at a terminal and types an answer when its prompt comes; (exit code, all that was shown)."""
        left = list(answers)
        try:
            terminal = Terminal(arguments, person.environment, person.home)
        except OSError as reason:
            self.skipTest(f"this machine gives no terminals: {reason}")
        with terminal:
            while terminal.read():
                if left and left[0][0].encode() in terminal.raw.rsplit(b"\n", 1)[-1]:
                    prompt, answer = left.pop(0)
                    if "assword" in prompt or "again" in prompt:
                        poll("typing is hidden", lambda: not termios.tcgetattr(terminal.master)[3] & termios.ECHO)
                    terminal.type(answer)
            return terminal.end(), terminal.shown

    def test_a_terminal_is_asked_and_shows_no_password(self):
        self.begin()
        status, shown = self.at_terminal(self.admin, "user", "create", ADA, "--role", "owner",
                                         answers=[("New password", PASSWORD + "\n"), ("again", PASSWORD + "\n")])
        self.assertEqual(status, OK, shown)
        self.assertNotIn(PASSWORD, shown)
        status, shown = self.at_terminal(self.admin, "user", "create", GRACE,
                                         answers=[("New password", PASSWORD + "\n"), ("again", PASSWORD + "x\n")])
        self.assertEqual(status, USAGE, shown)
        ada = self.person("ada")
        status, shown = self.at_terminal(ada, "login", answers=[("E-mail", ADA + "\n"), ("Password", PASSWORD + "\n")])
        self.assertEqual(status, OK, shown)
        self.assertNotIn(PASSWORD, shown)
        status, shown = self.at_terminal(ada, "login", answers=[(f"E-mail [{ADA}]", "\n"), ("Password", "\x03")])
        self.assertEqual(status, -2, shown)
        ada.run("whoami")

    # ---- nonsense

    def test_stupid_inputs_are_refused_with_a_sentence(self):
        self.begin()
        ada = self.logged_in(ADA, "--role", "owner")
        admin = self.admin
        for code, person, *command in (
                (USAGE, admin, "user", "create"),
                (USAGE, admin, "user", "create", "not an address", "--generate"),
                (FAILED, admin, "user", "create", "a@b@c", "--generate"),
                (FAILED, admin, "user", "create", ADA, "--generate"),
                (FAILED, admin, "user", "create", ADA.upper(), "--generate"),
                (FAILED, admin, "user", "create", "x@example.org", "--generate", "--role", "nobody"),
                (USAGE, admin, "user", "create", "x@example.org", "--generate", "--password-file", "-"),
                (USAGE, admin, "user", "create", "x@example.org", "--password-file", "none"),
                (USAGE, admin, "user", "update", ADA),
                (USAGE, admin, "user", "update", ADA, "--node-admin", "--no-node-admin"),
                (NOT_FOUND, admin, "user", "show", "nobody@example.org"),
                (NOT_FOUND, admin, "user", "show", "nobody"),
                (NOT_FOUND, admin, "user", "disable", "00000000-0000-7000-8000-000000000000"),
                (USAGE, admin, "user", "password"),
                (USAGE, admin, "org", "use", "default"),
                (FAILED, admin, "org", "create", "X", "--slug", "Not a slug!"),
                (FAILED, admin, "org", "create", "X", "--slug", "default"),
                (USAGE, admin, "org", "update"),
                (USAGE, admin, "org", "update", "--plan", "golden"),
                (REFUSED, ada, "org", "update", "--plan", "free"),
                (REFUSED, ada, "org", "create", "Mine"),
                (USAGE, ada, "org", "member", "set", ADA),
                (USAGE, ada, "org", "member"),
                (USAGE, ada, "org", "member", "sett", ADA),
                (NOT_FOUND, ada, "org", "member", "set", GRACE, "--role", "owner"),
                (FAILED, ada, "org", "member", "set", ADA, "--disable"),
                (FAILED, ada, "org", "invite", "nonsense"),
                (USAGE, ada, "org", "invite", GRACE, "--valid", "soon"),
                (FAILED, ada, "org", "invite", GRACE, "--valid", "9y"),
                (NOT_FOUND, ada, "org", "revoke", "nobody@example.org"),
                (USAGE, ada, "role", "set", "x"),
                (FAILED, ada, "role", "set", "x", "-p", "nonsense"),
                (FAILED, ada, "role", "set", "owner", "-p", "task:read"),
                (FAILED, ada, "role", "set", "X Y", "-p", "task:read"),
                (NOT_FOUND, ada, "role", "show", "../../users"),
                (NOT_FOUND, ada, "role", "remove", "none"),
                (FAILED, ada, "key", "create", ""),
                (FAILED, ada, "key", "create", "x", "--scope", "nonsense"),
                (USAGE, ada, "key", "create", "x", "--expires", "yesterday"),
                (FAILED, ada, "key", "create", "x", "--agent", "nobody"),
                (FAILED, ada, "key", "create", "x", "--role", "nobody"),
                (NOT_FOUND, ada, "key", "revoke", "none"),
                (NOT_FOUND, ada, "sessions", "end", "00000000-0000-7000-8000-000000000000"),
                (USAGE, ada, "sessions", "end"),
                (USAGE, ada, "login", "--code"),
                (NOT_FOUND, ada, "task", "list", "--org", "../x y"),
                (FAILED, ada, "task", "list", "--org", "x\ny"),
                (REFUSED, ada, "task", "list", "--key", "nonsense"),
        ):
            with self.subTest(command=command):
                done = person.run(*command, code=code, stdin="")
                self.assertRegex(done.stderr, r"error: \S|Commands|member")
                self.assertNotIn("internal", done.stderr)
        for stdin, code in (("", USAGE), ("\n", USAGE), ("wrong", REFUSED), ("x" * 5000, FAILED)):
            ada.run("login", ADA, "--password-file", "-", stdin=stdin, code=code)
        ada.run("login", ADA, "--password-file", "-", "--org", "no-such", stdin=PASSWORD, code=FAILED)
        self.assertEqual(ada.json("whoami")["user"]["email"], ADA)
