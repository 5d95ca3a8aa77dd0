"""Erasing people and organizations: afterwards nothing of them can be read anywhere, and nothing of others is touched."""

import http.client
import json
import random
import shutil
import threading
import time

from tests.system.identity_test import PASSWORD, IdentityTest
from tests.system.node import Client, new_key, poll
from tests.system.sandbox_test import script

ORGANIZATION = "zephyrine"  # in all that its people wrote
PERSON = "quillback"
OTHER = "harbinger"
ADDRESS = "127.0.77.31"


class FromAddress(Client):
    """From an address and a program that can be found again."""

    def __init__(self, url, key, program):
        super().__init__(url, key)
        self.program = program

    def request(self, method, path, body=None, headers=None, **more):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30, source_address=(ADDRESS, 0))
        return super().request(method, path, body, {"User-Agent": self.program, **(headers or {})}, **more)


class ErasureCase(IdentityTest):
    def begin(self, *flags):
        made, self.model = self.script("calls", script(("write_file", {"path": "by-run", "content": "written"}), ("run_command", {"command": "ls"})))
        self.backups = self.folder / "backups"
        self.server = self.node(*made, "--backup.directory", self.backups, *flags).start()
        self.admin = self.server.client()

    def member(self, email, organization, role="owner", program="test"):
        """A person of an organization whose requests come from a place of their own."""
        _, tokens = self.person(self.server, email, role, organization, name=f"{email} name")
        client = FromAddress(self.server.url, tokens["access_token"], program)
        self.server.clients.append(client)
        return client, tokens["user"]["id"]

    def join(self, organization, email, client):
        """Somebody becomes an owner by an invitation."""
        invited = self.admin.create(f"/organizations/{organization['id']}/invitations", {"email": email, "role": "owner"})
        client.ok("POST", "/invitations/accept", {"token": invited["token"]})

    def fill(self, owner, text):
        """Something of each kind."""
        project = owner.create("/projects", {"name": f"{text} project"})["id"]
        self.status(owner.post(f"/projects/{project}/files", {"path": f"{text}/small", "content": f"{text} content"}), 201)
        large = (f"{text} large\n" * 200_000).encode()
        self.status(owner.put(f"/projects/{project}/files/{text}/large", raw=large, headers={"Content-Type": "application/octet-stream"}), 200)
        agent = owner.create("/agents", {"name": f"{text} agent", "role": "technical"})["id"]
        task = owner.create("/tasks", {"title": f"{text} title", "description": f"{text} description"}, headers={"Idempotency-Key": f"{text} key"})["id"]
        owner.create(f"/tasks/{task}/messages", {"content": f"{text} message"})
        owner.ok("PUT", f"/secrets/{text.upper()}", {"value": f"{text} value"})
        run = owner.create("/runs", {"goal": f"{text} goal", "project_id": project, "model": self.model})["id"]
        self.assertEqual(owner.wait_run(run)["status"], "succeeded")
        owner.create("/api-keys", {"name": f"{text} key"})
        return {"project": project, "agent": agent, "task": task, "run": run}

    LISTS = ("/projects", "/agents", "/tasks", "/runs", "/secrets", "/api-keys", "/auth/sessions")

    def all_of(self, client, made):
        """All that a member sees of what `fill` made."""
        out = {path: client.all(path) for path in (*self.LISTS, f"/projects/{made['project']}/files", f"/runs/{made['run']}/steps",
                                                   f"/tasks/{made['task']}/messages")}
        out["content"] = client.get(f"/projects/{made['project']}/files/{OTHER}/large").raw
        out["events"] = len(client.all("/events"))
        out["/audit"] = [line["id"] for line in client.all("/audit")]
        return out

    def files_with(self, *texts, under=None):
        """(file, what stands there) of all that can still be found on the disk."""
        found = []
        for root in under or (self.server.directory, self.backups):
            for path in root.rglob("*"):
                if path.is_file():
                    raw = path.read_bytes()
                    for text in texts:
                        at = raw.lower().find(text.lower().encode())
                        if at >= 0:
                            found.append((path.relative_to(self.folder).as_posix(), raw[max(0, at - 60):at + 60]))
        return found

    def shown_with(self, api, *texts):
        """What the node still tells its administrator."""
        found = []
        for path in ("/system/audit?details=true", "/audit?details=true", "/users", "/organizations", "/poison", "/events", "/system/erasures"):
            found += [(path, item) for item in api.all(path) if any(text in json.dumps(item) for text in texts)]
        return found

    def erased(self, path, confirm, id, client=None):
        """Erases, and waits for the end of it."""
        asked = (client or self.admin).delete(f"{path}?confirm={confirm}")
        self.assertEqual(self.status(asked, 202).json["id"], id)
        return self.wait_done(id)

    def wait_done(self, id):
        def done():
            shown = self.admin.read(f"/system/erasures/{id}")
            return shown if shown["status"] in ("done", "refused") else None
        shown = poll("the erasure has ended", done)
        self.assertEqual(shown["status"], "done", shown)
        return shown

    def check_node(self, node):
        """The audit log of the node, then its disk."""
        api = node.client()
        anchor = api.read("/system/audit/anchor")
        found = api.ok("POST", "/system/audit/verify", {"chains": anchor["chains"]})
        self.assertEqual((found["bad"], found["anchored"]), ([], len(anchor["chains"])), found)
        file = self.folder / "anchor.json"
        file.write_text(json.dumps(anchor))
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)
        done = node.cli("audit", "verify", node.directory, "--anchor", file)
        self.assertEqual(done.returncode, 0, done)

    def restored(self, backup, name):
        node = self.node(name=name)
        done = self.server.cli("backup", "restore", self.backups / backup, "--data", node.directory)
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(self.server.directory / "secrets.key", node.directory)
        return node


class ErasureTest(ErasureCase):
    # ---- organizations

    def test_an_erased_organization_is_nowhere_and_others_are_as_they_were(self):
        self.begin()
        gone = self.organization(self.server, f"{ORGANIZATION} name", slug=f"{ORGANIZATION}-slug", domain=f"{ORGANIZATION}.example")
        stays = self.organization(self.server, f"{OTHER} name", slug=f"{OTHER}-slug")
        owner, _ = self.member("ada@example.org", gone["slug"])
        member, _ = self.member("grace@example.org", gone["slug"], "member")
        other, _ = self.member("olga@example.org", stays["slug"])
        owner.create(f"/organizations/{gone['id']}/invitations", {"email": f"new@{ORGANIZATION}.example", "role": "viewer"})
        owner.ok("PUT", f"/organizations/{gone['id']}/roles/{ORGANIZATION}-role", {"description": f"{ORGANIZATION} role", "permissions": ["task:read"]})
        self.fill(owner, ORGANIZATION)
        kept = self.fill(other, OTHER)
        before = self.all_of(other, kept)
        key = owner.create("/api-keys", {"name": "later"})
        backup = self.admin.create("/backups", {})["id"]
        late = owner.create("/tasks", {"title": f"{ORGANIZATION} after the backup"})["id"]
        self.assertNotEqual(self.shown_with(self.admin, ORGANIZATION), [])

        path = f"/organizations/{gone['id']}"
        self.status(owner.delete(path), 422, "invalid_request")
        self.status(owner.delete(f"{path}?confirm={stays['slug']}"), 422, "invalid_request")
        self.status(other.delete(f"{path}?confirm={gone['slug']}"), 404, "not_found")
        self.status(member.delete(f"{path}?confirm={gone['slug']}"), 403, "forbidden")
        default = self.admin.read("/auth/me")["organization_id"]
        slug = self.admin.read(f"/organizations/{default}")["slug"]
        self.status(self.admin.delete(f"/organizations/{default}?confirm={slug}"), 409, "conflict")
        self.assertEqual(owner.read(f"/tasks/{late}")["id"], late)
        self.assertEqual(self.admin.all("/system/erasures"), [])

        shown = self.erased(path, gone["slug"], gone["id"], client=owner)
        self.assertEqual((shown["subject"], shown["contents"] > 2, shown["entities"] > 5), ("organization", True, True), shown)
        self.assertIn(owner.get("/tasks").status, (401, 403))
        self.assertIn(self.server.client(key=key["key"]).get("/tasks").status, (401, 403))
        self.status(self.admin.get("/tasks", headers={"X-Organization": gone["id"]}), 404)
        self.status(self.admin.get("/tasks", headers={"X-Organization": gone["slug"]}), 404)
        self.status(self.admin.get(path), 404)
        self.assertEqual({o["id"] for o in self.admin.all("/organizations")}, {default, stays["id"]})
        self.assertEqual(self.login(self.server, "grace@example.org")[0].read("/auth/me").get("organization_id"), None)
        self.assertEqual(self.all_of(other, kept), before)
        self.assertEqual(self.shown_with(self.admin, ORGANIZATION), [])
        self.status(self.admin.delete(f"{path}?confirm={gone['slug']}"), 404)  # it is gone
        self.assertEqual(self.admin.all("/system/erasures"), [shown])
        self.assertEqual(self.files_with(ORGANIZATION), [])

        anew = self.organization(self.server, f"{OTHER} too", slug=gone["slug"], domain=f"{ORGANIZATION}.example")
        self.assertNotEqual(anew["id"], gone["id"])
        self.check_node(self.server)

        node = self.restored(backup, "restored")
        self.assertEqual(self.files_with(ORGANIZATION, under=(node.directory,)), [])
        node.start()
        api = node.client()
        self.status(api.get("/tasks", headers={"X-Organization": gone["id"]}), 404)
        self.status(api.get(path), 404)
        self.assertEqual({o["id"] for o in api.all("/organizations")}, {default, stays["id"]})
        there = self.login(node, "olga@example.org")[0]
        self.assertEqual({p: there.all(p) for p in self.LISTS[:-1]}, {p: before[p] for p in self.LISTS[:-1]})
        self.assertEqual(there.get(f"/projects/{kept['project']}/files/{OTHER}/large").raw, before["content"])
        self.assertEqual(self.shown_with(api, ORGANIZATION), [])
        self.assertEqual(self.login(node, "grace@example.org")[0].read("/auth/me").get("organization_id"), None)
        again = self.organization(node, "again", slug=gone["slug"], domain=f"{ORGANIZATION}.example")
        self.assertNotEqual(again["id"], gone["id"])
        self.check_node(node)
        self.assertEqual(self.files_with(ORGANIZATION, under=(node.directory,)), [])

    # ---- people

    def test_an_erased_person_is_nowhere_and_others_are_as_they_were(self):
        self.begin()
        one, two = (self.organization(self.server, name, slug=name) for name in ("first-one", "second-one"))
        email = f"{PERSON}@example.org"
        owner, _ = self.member("olga@example.org", one["slug"])
        person, id = self.member(email, one["slug"], "admin", f"{PERSON} program")
        self.join(two, email, person)
        second, _ = self.login(self.server, email)
        key = person.create("/api-keys", {"name": f"{PERSON} key"})
        person.create("/auth/mfa/enroll", {})
        person.ok("PUT", "/auth/profile", {"name": f"{PERSON} the second"})
        wrong = FromAddress(self.server.url, "", "somebody")  # who fails to log in is nobody: that line keeps its address
        self.server.clients.append(wrong)
        for _ in range(2):
            self.status(wrong.post("/auth/login", {"email": email, "password": "wrong, quite"}), 401)
        work = person.create("/tasks", {"title": "work that stays"})["id"]
        kept = self.fill(owner, OTHER)
        before = self.all_of(owner, kept)
        backup = self.admin.create("/backups", {})["id"]
        self.assertNotEqual(self.shown_with(self.admin, PERSON), [])
        done_by = f"audit?details=true&principal=user/{id}"
        self.assertIn((ADDRESS, f"{PERSON} program"), {(line["address"], line["user_agent"]) for line in owner.all(f"/{done_by}")})

        path = f"/users/{id}"
        self.status(self.admin.delete(path), 422, "invalid_request")
        self.status(self.admin.delete(f"{path}?confirm=olga@example.org"), 422, "invalid_request")
        self.status(owner.delete(f"{path}?confirm={email}"), 403, "forbidden")
        self.status(person.delete(f"/auth/profile?confirm={email}"), 409, "conflict")  # the only owner of the second one
        self.status(self.admin.delete(f"{path}?confirm={email}"), 409, "conflict")
        self.status(self.server.client(key=key["key"]).delete(f"/auth/profile?confirm={email}"), 403, "forbidden")
        self.status(self.admin.delete(f"/users/{new_key()}?confirm={email}"), 404, "not_found")
        olga = self.admin.read("/users/olga@example.org")["id"]
        self.join(two, "olga@example.org", owner)

        shown = self.erased("/auth/profile", email, id, client=person)
        self.assertEqual((shown["subject"], shown["contents"], shown["entities"] >= 4), ("user", 0, True), shown)
        for client in (person, second, self.server.client(key=key["key"])):
            self.status(client.get("/auth/me"), 401)
        login = {"email": email, "password": PASSWORD}
        self.status(self.server.client(key="").post("/auth/login", login), 401, "invalid_credentials")
        self.status(self.admin.get(path), 404)
        self.status(self.admin.get(f"/users/{email}"), 404)
        for organization in (one, two):
            members = [m["user_id"] for m in self.admin.all(f"/organizations/{organization['id']}/members")]
            self.assertEqual(members, [olga])
        self.assertEqual(owner.read(f"/tasks/{work}")["title"], "work that stays")
        after = self.all_of(owner, kept)
        self.assertEqual([p for p in before if p not in ("/audit", "events", "/api-keys") and after[p] != before[p]], [])
        self.assertEqual(self.shown_with(self.admin, PERSON), [])
        self.assertEqual([line for line in owner.all("/audit?details=true") if PERSON in json.dumps(line)], [])
        for client, lines in ((owner, f"/{done_by}"), (self.admin, f"/system/{done_by}")):
            self.assertEqual({(line["address"], line["user_agent"]) for line in client.all(lines)}, {("", "")})
        self.assertEqual(self.files_with(PERSON), [])
        self.status(self.admin.delete(f"{path}?confirm={email}"), 404)

        anew, fresh = self.member(email, one["slug"], "viewer")
        self.assertNotEqual(fresh, id)
        self.assertEqual(anew.all("/auth/sessions")[0]["address"], "127.0.0.1")
        self.check_node(self.server)

        node = self.restored(backup, "restored")
        self.assertEqual(self.files_with(PERSON, under=(node.directory,)), [])
        node.start()
        api = node.client()
        self.status(api.get(path), 404)
        self.status(node.client(key="").post("/auth/login", login), 401, "invalid_credentials")
        self.assertEqual(self.shown_with(api, PERSON), [])
        for organization, owners in ((one, [olga]), (two, [])):  # Olga came into the second one after the backup
            self.assertEqual([m["user_id"] for m in api.all(f"/organizations/{organization['id']}/members")], owners)
        self.assertNotEqual(api.create("/users", {"email": email, "password": PASSWORD, "role": "viewer"})["id"], id)
        there = self.login(node, "olga@example.org", organization=one["slug"])[0]
        self.assertEqual({p: there.all(p) for p in self.LISTS[:-2]}, {p: before[p] for p in self.LISTS[:-2]})
        self.check_node(node)
        self.assertEqual(self.files_with(PERSON, under=(node.directory,)), [])

    # ---- kills

    def test_a_kill_at_any_moment_delays_an_erasure_and_never_loses_it(self):
        self.begin("--shards", "16")
        stays = self.organization(self.server, OTHER, slug=OTHER)
        other, _ = self.member("olga@example.org", stays["slug"])
        kept = self.fill(other, OTHER)
        before = self.all_of(other, kept)
        generator = random.Random(7)
        for number in range(12):
            with self.subTest(round=number):
                if number % 2 == 0:
                    slug = f"{ORGANIZATION}-{number}"
                    id = self.organization(self.server, slug, slug=slug)["id"]
                    for n in range(20):
                        self.admin.create("/tasks", {"title": f"{ORGANIZATION} {n}"}, headers={"X-Organization": id})
                    path = f"/organizations/{id}?confirm={slug}"
                else:
                    email = f"{PERSON}{number}@example.org"
                    _, id = self.member(email, stays["slug"], "viewer")
                    path = f"/users/{id}?confirm={email}"
                delay = generator.random() * 0.25
                killer = threading.Timer(delay, self.server.process.kill)
                killer.start()
                try:
                    self.admin.delete(path)
                except (OSError, http.client.HTTPException):
                    pass  # the answer did not come
                killer.join()
                self.server.kill9()
                self.server.start()
                self.admin = self.server.client()
                again = self.admin.delete(path)  # a repeat of whoever does not know
                self.assertIn(again.status, (202, 404), again)
                self.wait_done(id)
                self.status(self.admin.get(path.partition("?")[0]), 404)
                self.server.kill9()
                self.server.start()
                self.admin = self.server.client()
                self.wait_done(id)
        other = self.login(self.server, "olga@example.org")[0]
        after = self.all_of(other, kept)
        self.assertEqual([p for p in before if p not in ("/audit", "events", "/auth/sessions") and after[p] != before[p]], [])
        self.assertEqual(self.shown_with(self.admin, ORGANIZATION, PERSON), [])
        self.assertEqual(self.files_with(ORGANIZATION, PERSON), [])
        self.check_node(self.server)
