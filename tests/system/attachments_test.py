"""Files of tasks: they survive, are served as downloads only, and belong to one organization."""

import hashlib

from tests.system.identity_test import IdentityTest
from tests.system.node import poll

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
PAGE = b"<html><script>alert(document.domain)</script></html>"
READER = """
delay_ms: 2
rules:
  - when: {last_tool: say_on_task}
    call: [{tool: finish, arguments: {result: "Read."}}]
  - when: {last_tool: read_attachment, last_result_contains: "no text"}
    call: [{tool: say_on_task, arguments: {text: "It says: walrus."}}]
  - when: {last_tool: read_attachment, last_result_contains: walrus}
    call: [{tool: read_attachment, arguments: {number: 2}}]
  - when: {last_tool: read_task, last_result_contains: "please hurry"}
    call: [{tool: read_attachment, arguments: {number: 1}}]
  - when: {step: 1}
    call: [{tool: read_task, arguments: {}}]
"""
LONG = """
rules:
  - when: {last_tool: read_attachment, last_result_contains: "the first of 100000 bytes"}
    call: [{tool: finish, arguments: {result: "There is more."}}]
  - call: [{tool: read_attachment, arguments: {number: 1}}]
"""
RAW = {"Content-Type": "application/octet-stream"}


class AttachmentsTest(IdentityTest):
    def begin(self, *flags):
        self.one = self.node(*flags).start()
        self.api = self.one.client()
        self.task = self.api.create("/tasks", {"title": "t"})["id"]

    def attach(self, name, raw, status=201, task=None, **more):
        return self.status(self.api.post(f"/tasks/{task or self.task}/attachments?name={name}", raw=raw,
                                         headers={**RAW, **more}), status)

    def content(self, number, status=200, **headers):
        return self.status(self.api.get(f"/tasks/{self.task}/attachments/{number}", headers=headers), status)

    def test_files_are_kept_through_a_kill_and_served_as_downloads_only(self):
        self.begin()
        large = hashlib.sha256(b"x").digest() * 100_000  # 3.2 MB: several pieces
        for name, raw in (("pixel.png", PNG), ("page.html", PAGE), ("gro%C3%9F%20%22x%22.bin", large), ("empty", b"")):
            self.attach(name, raw)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        listed = self.api.all(f"/tasks/{self.task}/attachments")
        self.assertEqual([(a["number"], a["name"], a["media_type"], a["bytes"]) for a in listed],
                         [(1, "pixel.png", "image/png", len(PNG)), (2, "page.html", "text/plain; charset=utf-8", len(PAGE)),
                          (3, 'groß "x".bin', "application/octet-stream", len(large)), (4, "empty", "text/plain; charset=utf-8", 0)])
        for number, raw in enumerate((PNG, PAGE, large, b""), 1):
            got = self.content(number)
            self.assertEqual(got.raw, raw)
            self.assertEqual(got.headers["x-content-type-options"], "nosniff")
            self.assertTrue(got.headers["content-disposition"].startswith("attachment; "), got.headers)
            self.assertIn("sandbox", got.headers["content-security-policy"])
        self.assertTrue(self.content(3).headers["content-disposition"].endswith("gro%C3%9F%20%22x%22.bin"))
        piece = self.content(3, 206, Range="bytes=2000000-2000009")
        self.assertEqual((piece.raw, piece.headers["content-range"]), (large[2000000:2000010], f"bytes 2000000-2000009/{len(large)}"))
        self.content(3, 416, Range="bytes=9999999-")
        self.content(1, 304, **{"If-None-Match": self.content(1).headers["etag"]})
        self.assertEqual(self.one.stop(), 0)
        self.check_disk(self.one)

    def test_messages_name_files_and_say_so_when_they_are_gone(self):
        self.begin()
        self.attach("notes.txt", b"abc")
        said = self.api.create(f"/tasks/{self.task}/messages", {"content": "see there", "attachments": [1]})
        self.assertEqual([(a["number"], a["name"]) for a in said["attachments"]], [(1, "notes.txt")])
        wrong = self.status(self.api.post(f"/tasks/{self.task}/messages", {"content": "x", "attachments": [7]}), 422)
        self.assertEqual(wrong.json["errors"][0]["pointer"], "/attachments/0")
        self.status(self.api.delete(f"/tasks/{self.task}/attachments/1"), 204)
        self.content(1, 404)
        self.status(self.api.delete(f"/tasks/{self.task}/attachments/1"), 404)
        self.assertEqual(self.api.all(f"/tasks/{self.task}/messages")[0]["attachments"], said["attachments"])
        self.assertEqual(self.attach("again.txt", b"d").json["number"], 2)
        self.status(self.api.delete(f"/tasks/{self.task}"), 204)
        self.status(self.api.get(f"/tasks/{self.task}/attachments"), 404)

    def test_what_makes_no_sense_is_refused_and_nothing_is_counted(self):
        self.begin()
        for name in ("", "..", "a%2Fb", "a%5Cb", "a%0Ab", "x" * 256):
            refused = self.attach(name, b"abc", 422)
            self.assertEqual(refused.json["errors"][0]["pointer"], "name", name)
        self.attach("a", b"abc", 404, task="00000000-0000-7000-8000-000000000000")
        once = self.attach("a", b"abc", **{"Idempotency-Key": "k1"}).json
        self.assertEqual(self.attach("a", b"abc", **{"Idempotency-Key": "k1"}).json, once)
        self.attach("a", b"other", 422, **{"Idempotency-Key": "k1"})
        self.attach("b", b"abc", 422, **{"Idempotency-Key": "k1"})
        self.assertEqual(len(self.api.all(f"/tasks/{self.task}/attachments")), 1)
        for number in ("0", "2", "x", "-1", "99999999999999999999999"):
            self.content(number, 404)

    def test_the_plan_of_the_organization_counts_them_and_others_see_nothing(self):
        self.begin("--plans.free", "storage_bytes=1kB")
        small = self.organization(self.one, "small")
        theirs, _ = self.person(self.one, "eve@example.org", organization=small["id"])
        task = theirs.create("/tasks", {"title": "t"})["id"]
        self.attach("mine", b"abc")
        self.status(theirs.get(f"/tasks/{self.task}/attachments/1"), 404)
        self.api = theirs
        self.attach("a", b"x" * 900, task=task)
        self.attach("b", b"x" * 200, 429, task=task)
        self.status(theirs.delete(f"/tasks/{task}/attachments/1"), 204)
        poll("there is room again", lambda: theirs.post(f"/tasks/{task}/attachments?name=b", raw=b"x" * 200, headers=RAW).status == 201)

    def test_the_command_line_brings_and_fetches_them(self):
        self.begin()
        key = self.api.read(f"/tasks/{self.task}")["key"]
        mine = self.folder / "report.bin"
        mine.write_bytes(PNG)
        self.assertIn("The file is put to the task.", self.one.cli("task", "attach", key, str(mine)).stdout)
        said = self.one.cli("task", "comment", key, "look", "--attach", str(mine))
        self.assertEqual(said.returncode, 0, said)
        self.assertIn("report.bin", self.one.cli("task", "attachments", key).stdout)
        self.assertIn("file 2: report.bin", self.one.cli("task", "messages", key).stdout)
        other = self.folder / "other.bin"
        self.assertIn("is written", self.one.cli("task", "download", key, "1", str(other)).stdout)
        self.assertEqual(other.read_bytes(), PNG)
        self.assertIn("removed", self.one.cli("task", "detach", key, "1").stdout)
        self.assertEqual(self.one.cli("task", "download", key, "1", str(other)).returncode, 4)
        self.assertEqual(other.read_bytes(), PNG)  # a refusal leaves what is there
        self.assertNotEqual(self.one.cli("task", "attach", key, "nowhere.txt").returncode, 0)

    def test_a_date_is_taken_back_with_null(self):
        self.begin()
        self.assertIn("due", self.api.ok("PUT", f"/tasks/{self.task}", {"due": "2030-01-01T00:00:00Z"}))
        self.assertIn("due", self.api.ok("PUT", f"/tasks/{self.task}", {"title": "u"}))
        self.assertNotIn("due", self.api.ok("PATCH", f"/tasks/{self.task}", {"due": None}))
        key = self.api.read(f"/tasks/{self.task}")["key"]
        self.one.cli("task", "edit", key, "--due", "2030-01-01")
        self.assertIn("due", self.api.read(f"/tasks/{self.task}"))
        self.assertEqual(self.one.cli("task", "edit", key, "--due", "none").returncode, 0)
        self.one.kill9()
        self.one.start()
        self.assertNotIn("due", self.one.client().read(f"/tasks/{self.task}"))

    def test_an_agent_reads_what_people_said_and_put_there_and_answers(self):
        flags, model = self.script("reader", READER)
        self.begin("--sandbox", "none", *flags)
        self.attach("notes.txt", b"the walrus lives")
        self.attach("pixel.png", PNG)
        self.api.create(f"/tasks/{self.task}/messages", {"content": "please hurry"})
        agent = self.api.create("/agents", {"name": "scout", "model": model})["id"]
        self.status(self.api.post(f"/tasks/{self.task}/assign", {"agent_id": agent}), 200)
        done = poll("it is read", lambda: [t for t in [self.api.read(f"/tasks/{self.task}")] if t["status"] in ("review", "failed")])[0]
        self.assertEqual((done["status"], done.get("result")), ("review", "Read."), done)
        said = self.api.all(f"/tasks/{self.task}/messages")
        self.assertEqual([(m["author"], m["type"], m["content"]) for m in said],
                         [("key/admin", "comment", "please hurry"), (f"agent/{agent}", "status_update", "It says: walrus.")])
        alone = self.api.create("/runs", {"goal": "x", "model": model})["id"]
        self.assertNotEqual(self.api.wait_run(alone).get("result"), "Read.")  # without a task there is nothing to read

    def test_an_agent_is_told_that_a_long_file_goes_on(self):
        flags, model = self.script("long", LONG)
        self.begin("--sandbox", "none", *flags)
        self.attach("long.txt", ("x" + "ä" * 50_000)[:-1].encode() + b"y")
        agent = self.api.create("/agents", {"name": "scout", "model": model})["id"]
        self.status(self.api.post(f"/tasks/{self.task}/assign", {"agent_id": agent}), 200)
        poll("it is read", lambda: self.api.read(f"/tasks/{self.task}").get("result") == "There is more.")
