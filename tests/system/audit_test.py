"""The audit log of a real node: who did what, when and from where, and that nobody can change it unseen."""

import csv
import hashlib
import hmac
import http.server
import io
import json
import socket
import subprocess
import threading

from tests.system.identity_test import OTHER_PASSWORD, PASSWORD, IdentityTest
from tests.system.node import TROUPE, poll


class AuditTest(IdentityTest):
    def setUp(self):
        super().setUp()
        self.one = self.node(name="audited").start()
        self.api = self.one.client()

    def lines(self, client=None, path="/audit", **filters):
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return (client or self.api).all(f"{path}?{query}" if query else path)

    def audit(self, *arguments, code=0):
        done = subprocess.run([TROUPE, "audit", *arguments], capture_output=True, text=True,
                              env={"TROUPE_DATA": str(self.one.directory), "PATH": "/usr/bin:/bin"}, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_a_change_says_who_when_and_from_where(self):
        task = self.api.post("/tasks", {"title": "watched"}, headers={"User-Agent": "auditor/1.0", "X-Request-Id": "req-1"}).json
        line, = self.lines(entity=task["id"])
        self.assertEqual((line["action"], line["principal"], line["kind"]), ("task_created", "key/admin", "task"))
        self.assertEqual((line["address"], line["user_agent"], line["request_id"]), ("127.0.0.1", "auditor/1.0", "req-1"))
        self.assertEqual((line["result"], line["version"]), ("success", 1))
        self.assertNotIn("details", line)
        self.assertEqual(self.api.read(f"/audit/{line['id']}")["details"]["title"], "watched")
        self.assertEqual(self.api.read(f"/audit?entity={task['id']}&details=true")["items"][0]["details"]["title"], "watched")

    def test_filters_and_pages(self):
        for number in range(7):
            self.api.create("/tasks", {"title": f"t{number}"})
        page = self.api.read("/audit?kind=task&limit=3")
        self.assertEqual(len(page["items"]), 3)
        self.assertEqual(len(self.lines(kind="task")), 7)
        times = [line["at"] for line in self.lines(kind="task", order="oldest")]
        self.assertEqual(times, sorted(times))
        self.assertEqual(self.lines(kind="task", until="2020-01-01T00:00:00Z"), [])
        for bad in ("from=yesterday", "result=maybe", "cursor=rubbish", "limit=0", "nonsense=1"):
            self.status(self.api.get(f"/audit?{bad}"), 422)
        self.status(self.api.get("/audit/1-2-3"), 404)
        self.status(self.api.get("/audit/rubbish"), 404)

    def test_every_refusal_is_there_with_who_asked_for_what(self):
        viewer, _ = self.person(self.one, "eve@example.org", role="viewer")
        for _ in range(3):
            self.status(viewer.post("/tasks", {"title": "no"}), 403, "forbidden")
        self.status(viewer.get("/audit"), 403, "forbidden")
        def counted():
            by_path = {}
            for line in self.lines(result="denied", details="true"):
                refusal = line["details"]["refusal"]
                by_path[refusal["path"]] = by_path.get(refusal["path"], 0) + refusal["count"]
            return by_path if sum(by_path.values()) >= 4 else None
        self.assertEqual(poll("the refusals", counted), {"/tasks": 3, "/audit": 1})
        who = f"user/{viewer.read('/auth/me')['user']['id']}"
        for line in self.lines(result="denied", details="true"):
            self.assertEqual((line["principal"], line["address"]), (who, "127.0.0.1"))
            self.assertEqual(line["details"]["refusal"]["code"], "forbidden")
        # Who may see events may not see refusals.
        self.assertNotIn("request_denied", json.dumps(self.api.all("/events")))

    def test_strangers_and_wrong_passwords_are_in_the_log_of_the_node(self):
        self.person(self.one, "ada@example.org")
        anyone = self.one.client(key="")
        self.status(anyone.get("/tasks"), 401)
        self.status(anyone.post("/auth/login", {"email": "ada@example.org", "password": "wrong password here"}), 401)
        poll("the stranger", lambda: self.lines(path="/system/audit", result="denied"))
        failed = poll("the wrong password", lambda: self.lines(path="/system/audit", result="failure"))
        self.assertEqual((failed[0]["action"], failed[0]["principal"]), ("login_failed", "nobody"))
        everything = json.dumps(self.lines(path="/system/audit", details="true"))
        self.assertNotIn("wrong password here", everything)
        self.assertIn("session_opened", everything)

    def test_no_hash_and_no_ciphertext_is_ever_shown(self):
        ada, _ = self.person(self.one, "ada@example.org")
        self.status(ada.post("/auth/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}), 200)
        ada, _ = self.login(self.one, "ada@example.org", OTHER_PASSWORD)
        ada.create("/api-keys", {"name": "k"})
        ada.create("/auth/mfa/enroll", {})
        self.status(ada.put("/secrets/TOKEN", {"value": "hush"}), 200)
        seen = ""
        for path in ("/audit", "/system/audit"):
            seen += json.dumps(self.lines(path=path, details="true"))
            seen += self.api.get(f"{path}/export?format=json").raw.decode() + self.api.get(f"{path}/export?format=csv").raw.decode()
        for action in ("password_changed", "api_key_created", "mfa_begun", "secret_set"):
            self.assertIn(action, seen)
        for hidden in ("argon2", "sealed", "\"hash\"", "password_hash"):
            self.assertNotIn(hidden, seen)

    def test_who_joins_by_registering_is_in_the_log_of_the_organization(self):
        self.one.stop()
        node = self.node("--identity.registration", "invite", name="audited").start()
        other = self.organization(node, "Other")
        owner, _ = self.person(node, "olga@example.org", organization=other["id"])
        token = owner.create(f"/organizations/{other['id']}/invitations", {"email": "new@example.org", "role": "viewer"})["token"]
        self.status(node.client(key="").post("/auth/register", {"email": "new@example.org", "password": PASSWORD,
                                                                "invitation": token}), 201)
        self.assertIn("invitation_closed", {line["action"] for line in self.lines(owner)})

    def test_an_organization_sees_its_own_and_no_other(self):
        other = self.organization(self.one, "Other")
        owner, _ = self.person(self.one, "olga@example.org", organization=other["id"])
        task = owner.create("/tasks", {"title": "theirs"})
        self.assertEqual(len(self.lines(owner, entity=task["id"])), 1)
        self.assertEqual(self.lines(entity=task["id"]), [])
        # Who changed its members, which is no entity of its own, is in its log all the same.
        self.status(owner.post(f"/organizations/{other['id']}/invitations", {"email": "x@example.org", "role": "viewer"}), 201)
        actions = {line["action"] for line in self.lines(owner)}
        self.assertTrue(any("invit" in action for action in actions), actions)
        self.status(owner.get("/system/audit"), 403, "forbidden")
        line = self.lines(kind="task")
        self.assertEqual(line, [])

    def test_exports(self):
        self.api.create("/tasks", {"title": "=1+1"})
        rows = list(csv.DictReader(io.StringIO(self.api.get("/audit/export?format=csv&kind=task").raw.decode())))
        self.assertEqual([row["action"] for row in rows], ["task_created"])
        self.assertEqual(len(self.api.get("/audit/export?format=json&kind=task").json), 1)
        pdf = self.api.get("/audit/export?format=pdf")
        self.assertEqual(pdf.headers["content-type"], "application/pdf")
        self.assertTrue(pdf.raw.startswith(b"%PDF"))
        self.status(self.api.get("/audit/export?format=xml"), 422)

    def test_the_log_is_whole_after_kill_9_and_a_change_of_it_shows(self):
        for number in range(20):
            self.api.create("/tasks", {"title": f"t{number}"})
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        self.assertEqual(len(self.lines(kind="task")), 20)
        anchor = self.one.directory.parent / "anchor.json"
        self.audit("anchor", "--out", str(anchor))
        self.assertIn("nothing was changed or taken out", self.audit("verify", "--anchor", str(anchor)))
        found = json.loads(self.audit("verify", "--json"))
        self.assertTrue(found["good"] and found["lines"] >= 20 and found["compared"] >= 20, found)
        self.one.stop()
        self.assertIn("nothing was changed or taken out", self.audit("verify", str(self.one.directory), "--anchor", str(anchor)))
        forged = json.loads(anchor.read_text())
        forged["chains"][0]["chain"] = "00" * 32
        anchor.write_text(json.dumps(forged))
        self.assertIn("not the one that the anchor names",
                      self.audit("verify", str(self.one.directory), "--anchor", str(anchor), code=1))

    def test_the_command_line_shows_it(self):
        task = self.api.create("/tasks", {"title": "seen"})
        self.assertIn("task_created", self.audit("list", "--entity", task["id"]))
        line, = json.loads(self.audit("list", "--entity", task["id"], "--json"))["items"]
        self.assertIn("seen", self.audit("show", line["id"]))
        self.assertIn("task_created", self.audit("export", "--kind", "task"))
        self.audit("show", "1-2-3", code=4)


class AuditStreamTest(IdentityTest):
    """Lines go to outside systems as they come, each at least once, also over a crash."""

    def receiver(self):
        """A webhook that refuses while `refusing`: (url, lines that it took, raw requests, state)."""
        state = {"refusing": False, "lines": [], "requests": []}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                state["requests"].append((dict(self.headers), body))
                if not state["refusing"]:
                    state["lines"] += json.loads(body)["lines"]
                self.send_response(503 if state["refusing"] else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/hook", state

    def test_a_webhook_gets_every_line_also_what_it_refused_and_what_came_before_a_crash(self):
        url, state = self.receiver()
        node = self.node("--audit.webhook_url", url, environment={"TROUPE_AUDIT_WEBHOOK_SECRET": "s3cret"}).start()
        first = node.client().create("/tasks", {"title": "first"})["id"]
        poll("the first line", lambda: first in {line["entity_id"] for line in state["lines"]})
        headers, body = state["requests"][-1]
        seconds, mac = (part.split("=", 1)[1] for part in headers["Troupe-Signature"].split(","))
        self.assertEqual(mac, hmac.new(b"s3cret", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest())
        line = next(line for line in state["lines"] if line["entity_id"] == first)
        self.assertEqual(line["details"]["title"], "first")
        state["refusing"] = True
        wanted = {node.client().create("/tasks", {"title": f"t{number}"})["id"] for number in range(30)}
        seen = len(state["requests"])
        poll("a refused attempt", lambda: len(state["requests"]) > seen)
        node.kill9()
        state["refusing"] = False
        node.start()
        poll("the others", lambda: wanted <= {line["entity_id"] for line in state["lines"]})
        self.assertEqual([line["entity_id"] for line in state["lines"]].count(first), 1)  # its place was remembered
        chains = {}
        for line in state["lines"]:
            chains.setdefault((line["organization_id"], line["shard"]), []).append(line["number"])
        for numbers in chains.values():
            self.assertEqual(numbers, sorted(numbers))
        self.assertNotIn("audit_sink", {line["kind"] for line in state["lines"]})

    def test_a_syslog_server_gets_a_message_a_line(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        node = self.node("--audit.syslog", f"tcp://127.0.0.1:{taken.getsockname()[1]}").start()
        task = node.client().create("/tasks", {"title": "logged"})["id"]
        connection, _ = taken.accept()
        connection.settimeout(30)
        data = b""
        while task.encode() not in data or not data.endswith(b"}"):
            data += connection.recv(65536)
        connection.close()
        messages = []
        while data:
            size, data = data.split(b" ", 1)
            messages.append(data[:int(size)].decode())
            data = data[int(size):]
        message = next(m for m in messages if task in m and "task_created" in m)
        self.assertRegex(message, r"^<109>1 \d{4}-\d\d-\d\dT\S+Z \S+ troupe - task_created - \{")
        self.assertEqual(json.loads(message[message.index("{"):])["details"]["title"], "logged")

    def test_a_place_that_is_none_is_refused_at_the_start(self):
        status, said = self.node("--audit.syslog", "localhost").refused()
        self.assertEqual(status, 2, said)
        self.assertIn("audit.syslog", said)
