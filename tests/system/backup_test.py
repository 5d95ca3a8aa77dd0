"""Backups of a node that works: what was acknowledged before is in them, also as of a moment, and halves are none."""

import collections
import concurrent.futures
import datetime
import http.client
import json
import shutil
import threading
import time

from tests.system.node import NodeTest, new_key, poll


def at(seconds):
    """Wall-clock seconds as the API writes times."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Writers:
    """Threads that create tasks until the node is gone or `stop` is called: (id, sent, acknowledged) of each."""

    def __init__(self, node, count=4):
        self.acknowledged, self.ended = [], threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(count)
        self.threads = [self.pool.submit(self.write, node, n) for n in range(count)]

    def write(self, node, number):
        api = node.client()
        for count in range(1 << 30):
            if self.ended.is_set():
                return
            sent = time.time()
            try:
                made = api.create("/tasks", {"title": f"{number}-{count}", "description": "x" * 500})
            except (OSError, http.client.HTTPException):
                return
            self.acknowledged.append((made["id"], sent, time.time()))

    def wait(self, count):
        poll(f"{count} more tasks", lambda goal=len(self.acknowledged) + count: len(self.acknowledged) >= goal)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.result(30)
        self.pool.shutdown()


class BackupTest(NodeTest):
    def restore(self, node, backup, name="restored", *flags):
        """The node of a restored folder, which does not run yet; its disk is checked. Backups leave the master key out."""
        restored = self.node(name=name)
        done = node.cli("backup", "restore", backup, "--data", restored.directory, "--json", *flags)
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(node.directory / "secrets.key", restored.directory)
        self.check_disk(restored)
        return restored, json.loads(done.stdout)

    def refused(self, node, *arguments, status, words):
        done = node.cli(*arguments)
        self.assertEqual(done.returncode, status, done)
        self.assertIn(words, " ".join(done.stderr.split()), done)

    def ids(self, api):
        return [t["id"] for t in api.all("/tasks")]

    def test_backup_under_load_holds_all_that_was_acknowledged_before(self):
        node = self.node().start()
        api = node.client()
        writers = Writers(node)
        writers.wait(200)
        before = [made[0] for made in list(writers.acknowledged)]
        backup = api.create("/backups", {})
        writers.wait(50)
        after = len(writers.acknowledged)
        node.kill9()
        writers.stop()
        self.assertGreater(after, len(before))

        begin = time.monotonic()
        restored, told = self.restore(node, backup["id"])
        restored.start()
        self.assertLess(time.monotonic() - begin, 300)
        self.assertEqual((told["records"], told["records_cut"]), (backup["records"], 0))
        self.assertNotEqual(restored.key, node.key, "keys are not part of a backup")
        self.status(restored.client(key=node.key).get("/tasks"), 401, "unauthenticated")
        api = restored.client()
        there = self.ids(api)
        self.assertEqual(set(before) - set(there), set())
        self.assertEqual(len(there), len(set(there)))
        self.assertEqual(api.read(f"/tasks/{before[0]}")["id"], before[0])
        made = api.create("/tasks", {"title": "the life after"})["id"]
        restored.kill9()
        restored.start()
        self.assertEqual(restored.client().read(f"/tasks/{made}")["title"], "the life after")
        restored.kill9()
        self.check_disk(restored)

    def test_point_in_time_is_exactly_what_had_happened_by_then(self):
        node = self.node("--snapshot.events", 7, "--shards", 5).start()
        api = node.client()
        task = api.create("/tasks", {"title": "first"})["id"]
        agent = api.create("/agents", {"name": "early", "role": "technical"})["id"]
        for n in range(30):
            api.create(f"/tasks/{task}/messages", {"content": f"early {n}"})
        first_key, second_key = {"Idempotency-Key": new_key()}, {"Idempotency-Key": new_key()}
        kept = api.create("/tasks", {"title": "kept"}, headers=first_key)
        early = {path: api.all(path) for path in ("/tasks", "/agents", f"/tasks/{task}/messages")}
        time.sleep(0.02)
        moment = at(time.time())
        time.sleep(0.02)
        for n in range(30):
            api.create(f"/tasks/{task}/messages", {"content": f"late {n}"})
        api.create("/agents", {"name": "late", "role": "technical"})
        self.status(api.put(f"/tasks/{kept['id']}", {"title": "changed"}), 200)
        self.status(api.post(f"/tasks/{task}/assign", {"agent_id": agent}), 200)
        late = api.create("/tasks", {"title": "late"}, headers=second_key)
        backup = api.create("/backups", {})
        node.kill9()

        whole, _ = self.restore(node, backup["id"], "whole")
        self.assertIn(late["id"], self.ids(whole.start().client()))
        whole.kill9()
        restored, told = self.restore(node, backup["id"], "restored", "--until", moment)
        self.assertGreater(told["records_cut"], 30)
        api = restored.start().client()
        self.assertEqual({path: api.all(path) for path in early}, early)
        self.status(api.get(f"/tasks/{late['id']}"), 404, "not_found")
        self.assertEqual(api.create("/tasks", {"title": "kept"}, headers=first_key), kept)
        again = api.create("/tasks", {"title": "late"}, headers=second_key)
        self.assertNotEqual(again["created_at"], late["created_at"], "it was never made")
        api.create(f"/tasks/{task}/messages", {"content": "goes on"})
        self.assertEqual(len(api.all(f"/tasks/{task}/messages")), 31)
        restored.kill9()
        self.check_disk(restored)

    def test_point_in_time_under_load_lies_between_sent_and_acknowledged(self):
        node = self.node("--shards", 7).start()
        writers = Writers(node)
        writers.wait(150)
        moment = int(time.time() * 1000) / 1000
        writers.wait(150)
        backup = node.client().create("/backups", {})
        writers.stop()
        node.kill9()
        restored, _ = self.restore(node, backup["id"], "restored", "--until", at(moment))
        there = set(self.ids(restored.start().client()))
        self.assertEqual({i for i, _, acknowledged in writers.acknowledged if acknowledged < moment} - there, set())
        self.assertEqual({i for i, sent, _ in writers.acknowledged if sent > moment + 0.001} & there, set())
        self.assertGreaterEqual(len(there), 150)

    def test_work_goes_on_in_the_restored_node(self):
        flags, model = self.script("long", """
rules:
  - when: {step: 1}
    call: [{tool: write_file, arguments: {path: notes.txt, content: "kept\\n"}}]
  - when: {step: 2}
    call: [{tool: ask_human, arguments: {question: "May I go on?"}}]
  - when: {step: 3}
    call: [{tool: read_file, arguments: {path: notes.txt}}]
  - when: {step: 4}
    call: [{tool: finish, arguments: {result: "Done."}}]
""")
        node = self.node(*flags).start()
        api = node.client()
        project = api.create("/projects", {"name": "p"})["id"]
        run = api.create("/runs", {"goal": "long", "project_id": project, "model": model})["id"]
        api.wait_run(run, until=("waiting",))
        poll("the question", lambda: api.all(f"/approvals?run_id={run}&status=pending"))
        backup = api.create("/backups", {})
        node.kill9()
        restored, _ = self.restore(node, backup["id"])
        restored.flags = [str(f) for f in flags]
        api = restored.start().client()
        self.assertEqual(api.get(f"/projects/{project}/files/notes.txt").raw, b"kept\n")
        question = api.all(f"/approvals?run_id={run}&status=pending")[0]["id"]
        self.status(api.post(f"/approvals/{question}/decide", {"decision": "answer", "answer": "Yes."}), 200)
        self.assertEqual(api.wait_run(run)["status"], "succeeded")
        folder = restored.directory / "projects" / project
        self.assertEqual((folder / "notes.txt").read_text(), "kept\n", "a working folder is made again from the journal")

    def test_damaged_backup_is_refused_with_its_place(self):
        node = self.node().start()
        api = node.client()
        for n in range(50):
            api.create("/tasks", {"title": f"t{n}"})
        backup = api.create("/backups", {})
        node.kill9()
        copy = self.folder / "copy"  # files of the backup are the database's own
        shutil.copytree(backup["directory"], copy)
        self.assertEqual(node.cli("backup", "verify", copy).returncode, 0)
        largest = max(backup["files"], key=lambda f: f["bytes"])["path"]
        content = bytearray((copy / largest).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / largest).write_bytes(content)
        target = self.folder / "restored"
        self.refused(node, "backup", "verify", copy, status=1, words=largest)
        self.refused(node, "backup", "restore", copy, "--data", target, status=1, words=largest)
        (copy / largest).unlink()
        self.refused(node, "backup", "restore", copy, "--data", target, status=1, words=largest)
        (copy / "manifest.json").unlink()
        self.refused(node, "backup", "restore", copy, "--data", target, status=4, words="manifest.json")
        self.assertEqual(list(target.iterdir()), [])
        self.restore(node, backup["id"], target.name)  # an empty folder is as good as none

    def test_nothing_is_restored_over_data(self):
        node = self.node().start()
        api = node.client()
        task = api.create("/tasks", {"title": "there"})["id"]
        backup = api.create("/backups", {})["id"]
        node.kill9()
        self.refused(node, "backup", "restore", backup, "--data", node.directory, "--from", node.directory / "backups",
                     status=1, words="not empty")
        self.assertEqual(self.ids(node.start().client()), [task])
        self.refused(node, "backup", "restore", backup, "--until", "yesterday", "--data", self.folder / "new", status=2, words="--until")
        self.refused(node, "backup", "restore", backup, status=2, words="--data")
        self.assertFalse((self.folder / "new").exists())

    def test_kill_in_the_middle_leaves_no_half_backup(self):
        node = self.node("--shards", 5).start()
        folder, hits, made = node.directory / "backups", 0, []
        for number in range(12):
            api = node.client()
            api.create("/tasks", {"title": f"t{number}", "description": "x" * 5000})
            asking = threading.Thread(target=lambda: self.ask_for_backup(node, made))
            asking.start()
            half = None
            end = time.monotonic() + 10
            while half is None and asking.is_alive() and time.monotonic() < end:
                half = next(folder.glob(".creating-*"), None) if folder.exists() else None
            time.sleep(0.002 * number)
            node.kill9()
            asking.join()
            hits += half is not None and half.exists()
            node.start()
            listed = node.client().all("/backups")
            self.assertEqual(set(made) - {b["id"] for b in listed}, set(), "what was answered is there")
            for backup in listed[:2]:
                self.assertEqual(node.cli("backup", "verify", backup["directory"]).returncode, 0)
        self.assertGreater(hits, 0, "none was killed in the middle")
        node.client().create("/backups", {})
        self.assertEqual(list(folder.glob(".creating-*")), [])

    @staticmethod
    def ask_for_backup(node, made):
        try:
            made.append(node.client().create("/backups", {})["id"])
        except (OSError, http.client.HTTPException):
            pass  # the node was killed

    def test_backups_keep_room_on_the_disk(self):
        full = self.node().start()
        full.stop()
        full.flags = ["--storage.free_bytes_min", str(1 << 40)]  # more than this disk has
        api = full.start().client()
        self.status(api.post("/backups"), 507, "storage_full")
        self.assertEqual(api.all("/backups"), [])

    def test_schedule_keeps_the_newest_and_leaves_those_of_people(self):
        backups = self.folder / "elsewhere"
        node = self.node("--backup.every_ms", 150, "--backup.keep", 2, "--backup.directory", backups).start()
        api = node.client()
        mine = api.create("/backups", {})
        self.assertEqual((mine["made_by"], mine["directory"]), ("person", str(backups / mine["id"])))
        seen = collections.OrderedDict()

        def scheduled():
            seen.update((b["id"], b) for b in api.all("/backups") if b["made_by"] == "schedule")
            return len(seen) >= 5
        poll("five backups on schedule", scheduled)
        node.kill9()
        node.flags = ["--backup.directory", str(backups)]
        api = node.start().client()
        left = [b["id"] for b in api.all("/backups", limit=1)]
        self.assertIn(mine["id"], left)
        self.assertLessEqual(len(left), 4, "two, the person's, and one that a kill kept from its deletion")
        for name in left:
            self.assertEqual(node.cli("backup", "verify", name, "--from", backups).returncode, 0)

    def test_api_and_command_line(self):
        node = self.node().start()
        api = node.client()
        self.assertEqual(api.all("/backups"), [])
        key = {"Idempotency-Key": new_key()}
        reply = self.status(api.post("/backups", headers=key), 201)
        first = reply.json
        self.assertEqual(reply.headers["location"], f"/api/v1/backups/{first['id']}")
        self.assertEqual(api.create("/backups", {}, headers=key), first)
        self.assertEqual(api.read(f"/backups/{first['id']}"), first)
        self.status(api.get("/backups/nothing"), 404, "not_found")
        self.status(api.get("/backups/..%2Fbackups"), 404, "not_found")
        self.status(api.delete("/backups/nothing"), 404, "not_found")
        self.status(node.client(key="").get("/backups"), 401)

        done = node.cli("backup", "create", "--json")
        second = json.loads(done.stdout)
        self.assertEqual([b["id"] for b in json.loads(node.cli("backup", "list", "--json").stdout)["items"]], [second["id"], first["id"]])
        self.assertIn(first["id"], node.cli("backup", "list").stdout)
        self.assertIn(second["directory"], node.cli("backup", "show", second["id"]).stdout)
        self.assertTrue(json.loads(node.cli("backup", "verify", second["id"], "--json").stdout)["ok"])
        self.assertEqual(node.cli("backup", "show", "nothing").returncode, 4)
        self.assertEqual(node.cli("backup", "delete", second["id"]).returncode, 0)
        self.assertEqual(node.cli("backup", "delete", second["id"]).returncode, 4)
        self.status(api.delete(f"/backups/{first['id']}"), 204)
        self.assertEqual(api.all("/backups"), [])

    def test_request_that_ran_out_of_time_is_asked_again_with_its_key(self):
        node = self.node().start()
        key = new_key()
        reply = node.client().post("/backups", headers={"Idempotency-Key": key, "X-Request-Timeout-Ms": "1"})
        self.assertIn((reply.status, reply.json.get("code")), ((504, "deadline_exceeded"), (201, None)))
        made = node.client().create("/backups", {}, headers={"Idempotency-Key": key})
        self.assertEqual([b["id"] for b in node.client().all("/backups")], [made["id"]])


class ExportTest(NodeTest):
    def test_export_holds_every_record_beside_a_running_node(self):
        node = self.node("--shards", 5).start()
        api = node.client()
        for n in range(10):
            api.create("/tasks", {"title": f"t{n}"})
        api.create("/agents", {"name": "a", "role": "technical"})

        def export(*flags):
            done = node.cli("journal", "export", *flags)
            self.assertEqual(done.returncode, 0, done)
            return [json.loads(line) for line in done.stdout.splitlines()]
        everything = export()
        verified = json.loads(node.cli("journal", "verify", "--json").stdout)
        self.assertEqual(len(everything), verified["records"])
        self.assertEqual(everything, sorted(everything, key=lambda r: (r["shard"], r["seq"])))
        made = [r for r in everything if r["type"] == "task_created"]
        self.assertEqual({r["payload"]["title"] for r in made}, {f"t{n}" for n in range(10)})
        self.assertEqual({r["principal"] for r in made}, {"key/admin"})
        self.assertEqual(export("--kind", "task"), [r for r in everything if r["kind"] == "task"])
        middle = len(everything) // 2
        last = everything[middle - 1]
        self.assertEqual(export("--since", f"{last['shard']}:{last['seq']}"), everything[middle:])
        self.assertEqual(node.cli("journal", "export", "--since", "7").returncode, 2)
        self.assertEqual(node.cli("journal", "export", self.folder / "nothing").returncode, 1)
