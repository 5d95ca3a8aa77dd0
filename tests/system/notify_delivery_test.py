"""Notifications that leave the node: e-mails through a real mail server, webhooks, attempts, kills, dead letters."""

import email
import email.policy
import hashlib
import hmac
import json

from tests.system.mail_server import HookServer, MailServer
from tests.system.node import NodeTest, poll

PASSWORD = "walnut tram kettle orbit 41"


def read_mail(mail):
    return email.message_from_bytes(mail["raw"].encode("latin1"), policy=email.policy.default)


class DeliveryTest(NodeTest):
    """A person, to whom tasks are given by the administrator."""

    def begin(self, **settings):
        self.one = self.node()
        self.one.directory.mkdir()
        if settings:
            self.one.directory.joinpath("notifications.json").write_text(json.dumps({"retry_ms": 20, **settings}))
        self.one.start()
        self.admin = self.one.client()
        self.ada = self.admin.create("/users", {"email": "ada@example.org", "name": "Ada", "password": PASSWORD, "role": "owner"})["id"]
        self.log_in()

    def log_in(self):
        tokens = self.admin.create("/auth/login", {"email": "ada@example.org", "password": PASSWORD})
        self.api = self.one.client(tokens["access_token"])

    def again(self):
        """Killed, and started."""
        self.one.kill9()
        self.one.start()
        self.admin = self.one.client()
        self.log_in()

    def prefer(self, status=200, **wanted):
        return self.status(self.api.put("/notifications/preferences", wanted), status).json

    def give(self, title, priority="medium"):
        """And she is told."""
        task = self.admin.create("/tasks", {"title": title, "priority": priority, "assignees": [self.ada]})
        poll("she is told", lambda: [n for n in self.api.all("/notifications") if n.get("task_id") == task["id"]])
        return task

    def hooks(self):
        made = HookServer()
        self.addCleanup(made.stop)
        return made

    def mails(self):
        made = MailServer(self.folder)
        self.addCleanup(made.stop)
        return made

    def by_mail(self, server, **more):
        self.begin(smtp={"url": f"smtp://localhost:{server.port}", "from": "troupe@node.example", "user": "node",
                         "password": "secret:SMTP", "ca_file": str(server.certificate)}, **more)
        self.admin.ok("PUT", "/secrets/SMTP", {"value": "the password"})

    def delivery(self, at=0):
        """Of a notification, the newest first."""
        listed = self.api.all("/notifications")
        return listed[at]["deliveries"][0] if len(listed) > at else {}

    def wait_delivered(self, at=0):
        poll("it is delivered", lambda: self.delivery(at).get("status") == "delivered")
        return self.delivery(at)


class Webhooks(DeliveryTest):
    def test_a_notification_is_posted_with_a_signature_that_can_be_checked(self):
        hooks = self.hooks()
        self.begin(webhook_allow="127.0.0.0/8")
        self.prefer(channels=["in_app", "webhook"], webhook_url=hooks.url)
        task = self.give("Sum <it> up")
        shown = self.wait_delivered()
        path, headers, body = hooks.posts[0]
        self.assertEqual((path, shown["channel"], shown["attempts"], headers["Troupe-Delivery"]),
                         ("/hook", "webhook", 1, shown["delivery_id"]))
        said = json.loads(body)
        self.assertEqual((said["delivery_id"], said["notification"]["task_id"], said["notification"]["kind"]),
                         (shown["delivery_id"], task["id"], "assignment"))
        secret = self.api.read("/notifications/webhook-secret")["secret"]
        at, mac = (part.split("=")[1] for part in headers["Troupe-Signature"].split(","))
        self.assertEqual(hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest(), mac)
        self.prefer(channels=["in_app", "webhook"], webhook_url=hooks.url, webhook_secret_number=1)
        self.assertNotEqual(self.api.read("/notifications/webhook-secret")["secret"], secret)
        self.assertEqual(self.one.stop(), 0)
        self.assertNotIn(secret, self.one.log.read_text())
        self.check_disk(self.one)

    def test_a_kill_during_an_attempt_brings_the_same_delivery_again(self):
        hooks = self.hooks()
        self.begin(webhook_allow="127.0.0.0/8")
        self.prefer(channels=["in_app", "webhook"], webhook_url=hooks.url)
        hooks.held.clear()
        for n in range(3):
            self.give(f"t{n}")
        poll("the first is on its way", lambda: hooks.posts)
        self.again()
        poll("it came again", lambda: len(hooks.posts) >= 2)
        self.assertEqual(hooks.posts[0][2], hooks.posts[1][2])
        self.assertEqual(len(set(hooks.ids())), 1)
        hooks.held.set()
        for at in range(3):
            self.wait_delivered(at)
        # At least once on the wire; by its id each is there exactly once.
        self.assertEqual(set(hooks.ids()), {n["deliveries"][0]["delivery_id"] for n in self.api.all("/notifications")})
        self.assertEqual(len(set(hooks.ids())), 3)
        sent = len(hooks.posts)
        self.again()
        self.give("after")
        self.wait_delivered()
        self.assertEqual(len(hooks.posts), sent + 1)  # what was delivered does not come again
        self.assertEqual(self.one.stop(), 0)
        self.check_disk(self.one)

    def test_what_is_never_taken_is_a_dead_letter_that_can_be_tried_again(self):
        hooks = self.hooks()
        hooks.status = 302  # is not followed
        self.begin(webhook_allow="127.0.0.0/8")
        self.prefer(channels=["webhook"], webhook_url=hooks.url)
        self.give("t")
        dead = poll("it is given up", lambda: self.api.all("/notification-dead-letters"))[0]
        self.assertEqual((dead["attempts"], dead["channel"], dead["error"]), (8, "webhook", "It answered 302."))
        self.assertEqual([(path, h["Troupe-Delivery"]) for path, h, _ in hooks.posts], [("/hook", dead["id"])] * 8)
        self.assertEqual(self.delivery()["status"], "failed")
        self.again()
        self.assertEqual(self.api.all("/notification-dead-letters"), [dead])
        hooks.status = 204
        self.status(self.api.post(f"/notification-dead-letters/{dead['id']}/retry"), 200)
        self.assertEqual(self.wait_delivered()["attempts"], 9)
        self.assertEqual(self.api.all("/notification-dead-letters"), [])
        self.status(self.api.post(f"/notification-dead-letters/{dead['id']}/retry"), 404)
        hooks.status = 410  # for good, at once
        self.give("u")
        dead = poll("it is given up", lambda: self.api.all("/notification-dead-letters"))[0]
        self.assertEqual(dead["attempts"], 1)
        self.status(self.api.delete(f"/notification-dead-letters/{dead['id']}"), 200)
        self.assertEqual(self.api.all("/notification-dead-letters"), [])

    def test_who_left_the_organization_is_told_nothing_more(self):
        hooks = self.hooks()
        hooks.status = 500
        self.begin(webhook_allow="127.0.0.0/8", retry_ms=1500)
        self.prefer(channels=["webhook"], webhook_url=hooks.url)
        self.give("t")
        poll("it was tried", lambda: hooks.posts)
        tried = len(hooks.posts)
        organization = self.admin.read(f"/users/{self.ada}")["organizations"][0]["organization_id"]
        self.admin.create("/users", {"email": "bob@example.org", "name": "Bob", "password": PASSWORD, "role": "owner"})
        self.admin.ok("PUT", f"/organizations/{organization}/members/{self.ada}", {"status": "disabled"})
        poll("she has left", lambda: not self.admin.read(f"/users/{self.ada}")["organizations"][0]["active"])
        poll("it is given up", lambda: "does not belong to the organization any more" in self.one.log.read_text())
        self.assertEqual(len(hooks.posts), tried)

    def test_addresses_that_are_not_allowed_are_not_asked(self):
        hooks = self.hooks()
        self.begin(webhook_allow="public")
        self.prefer(channels=["webhook"], webhook_url=hooks.url)
        self.give("t")
        dead = poll("it is given up", lambda: self.api.all("/notification-dead-letters"))[0]
        self.assertEqual(dead["attempts"], 1)
        self.assertIn("not allowed", dead["error"])
        self.assertEqual(hooks.posts, [])


class Mails(DeliveryTest):
    def test_what_is_not_urgent_goes_as_one_email_over_tls_with_a_login(self):
        server = self.mails()
        self.by_mail(server, batch_ms=1500)
        self.prefer(channels=["in_app", "email"])
        for title in ("First", "Zweite größere Aufgabe"):
            self.give(title)
        self.give("Now", "urgent")
        for at in range(3):
            self.wait_delivered(at)
        poll("both are there", lambda: len(server.mails) == 2)
        for mail in server.mails:
            self.assertEqual((mail["from"], mail["to"], mail["secure"], mail["user"]),
                             ("troupe@node.example", ["ada@example.org"], True, "node"))
        first, second = (read_mail(mail) for mail in server.mails)
        self.assertIn("Now", first.get_content())
        self.assertEqual((second["Subject"], second["To"], second["From"]), ("2 notifications", "ada@example.org", "troupe@node.example"))
        self.assertIn("Zweite größere Aufgabe", second.get_content())
        self.assertEqual(second["Message-ID"], f"<{self.delivery(1)['delivery_id']}@node.example>")
        self.assertEqual(self.delivery(1)["delivery_id"], self.delivery(2)["delivery_id"])

    def test_a_kill_between_attempts_keeps_the_message_id_and_a_refusal_is_a_dead_letter(self):
        server = self.mails()
        self.by_mail(server, retry_ms=300)
        self.prefer(channels=["email"], batch_ms=0)
        server.refuse(data=451)
        self.give("t")
        poll("it was tried", lambda: server.mails)
        self.again()
        poll("it was tried again", lambda: len(server.mails) >= 2)
        server.refuse()
        self.wait_delivered()
        taken = [mail for mail in server.mails if mail["taken"]]
        self.assertEqual(len(taken), 1)
        self.assertEqual({read_mail(mail)["Message-ID"] for mail in server.mails}, {f"<{self.delivery()['delivery_id']}@node.example>"})
        server.refuse(mail=550)
        self.give("u")
        dead = poll("it is given up", lambda: self.api.all("/notification-dead-letters"))[0]
        self.assertEqual(dead["attempts"], 1)
        self.assertIn("550", dead["error"])
        self.assertEqual(self.one.stop(), 0)
        self.assertNotIn("the password", self.one.log.read_text())
        self.check_disk(self.one)

    def test_a_certificate_of_another_is_not_trusted(self):
        server = self.mails()
        self.begin(smtp={"url": f"smtp://localhost:{server.port}", "from": "troupe@node.example"})
        self.prefer(channels=["email"], batch_ms=0)
        self.give("t")
        poll("it says why", lambda: "TLS" in self.delivery().get("error", ""))
        self.assertEqual(server.mails, [])

    def test_templates_of_the_operator_are_used_and_wrong_ones_are_named(self):
        server = self.mails()
        templates = self.folder / "templates"
        templates.mkdir()
        templates.joinpath("assignment.txt").write_text("Subject: [{{priority}}] {{title}}\n\nFrom {{actor}}.\n")
        self.by_mail(server, templates=str(templates))
        self.prefer(channels=["email"], email="ada.l@elsewhere.example")
        self.give("t", "high")
        self.wait_delivered()
        mail = poll("it is there", lambda: server.mails)[0]
        self.assertEqual(mail["to"], ["ada.l@elsewhere.example"])
        self.assertTrue(read_mail(mail)["Subject"].startswith("[high] "))
        self.assertIn("From key/admin.", read_mail(mail).get_content())
        self.one.stop()
        templates.joinpath("assignment.txt").write_text("Subject: {{titel}}\n")
        status, said = self.one.refused()
        self.assertNotEqual(status, 0)
        self.assertIn("assignment.txt:1: there is nothing called 'titel' here", said)


class Refusals(DeliveryTest):
    def test_channels_that_are_not_set_up_say_so(self):
        self.begin()
        for channel, more, place in (("email", {}, "/channels"), ("webhook", {"webhook_url": "http://127.0.0.1:1/"}, "/channels")):
            wrong = self.prefer(422, channels=[channel], **more)
            self.assertEqual([e["pointer"] for e in wrong["errors"]], [place])
            self.assertIn("notifications.json", wrong["errors"][0]["message"])
        wrong = self.prefer(422, quiet={"start": "25:00", "end": "07:00"}, email="nobody", webhook_url="ftp://here")
        self.assertEqual([e["pointer"] for e in wrong["errors"]], ["/quiet/start", "/email", "/webhook_url"])
        self.assertEqual(self.api.read("/notifications/preferences"), {"muted": [], "at_least": "low"})
        self.one.stop()
        self.one.directory.joinpath("notifications.json").write_text('{"smtp": {"url": "mail:25", "from": "a@b"}}')
        status, said = self.one.refused()
        self.assertNotEqual(status, 0)
        self.assertIn("/smtp/url: expected smtp://HOST:PORT", said)

    def test_the_command_line_says_where_and_when(self):
        hooks = self.hooks()
        self.begin(webhook_allow="127.0.0.0/8")
        done = self.one.cli("notify", "preferences", "--channels", "in_app,webhook", "--kind", "review=none", "--webhook", hooks.url,
                            "--quiet", "22:00-07:00+02:00", "--batch-s", "5")
        self.assertEqual(done.returncode, 0, done)
        for said in ("in_app, webhook", "review     nowhere", "22:00 to 07:00 (+02:00)", "batch        5 s", hooks.url):
            self.assertIn(said, done.stdout)
        self.assertEqual(self.one.cli("notify", "preferences").stdout, done.stdout)
        self.assertEqual(self.one.cli("notify", "preferences", "--quiet", "none", "--kind", "noise=email").returncode, 2)
        self.assertTrue(self.one.cli("notify", "secret").stdout.startswith("whsec_"))
        self.assertIn("was delivered", self.one.cli("notify", "dead-letters").stderr)
        self.assertNotEqual(self.one.cli("notify", "retry", "none").returncode, 0)
