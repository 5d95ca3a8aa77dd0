"""Retention over the real program: histories are cut, logs are trimmed, the disk stays small, and nothing that is
shown changes, also after kill -9 and with a damaged snapshot."""

import concurrent.futures
import ctypes
import itertools
import json
import random
import shutil
import uuid

from tests.system.node import NodeTest, poll, new_key

SHORT = ("--dedup.window_ms", 1000, "--retention.history_ms", 1500, "--retention.log_ms", 1500, "--snapshot.events", 5)
FAMILIES = ("default", "log", "derived", "blobs")


class Tables:
    """The database of a node that does not run, through RocksDB's C interface."""

    def __init__(self, node):
        self.rocks = ctypes.CDLL("librocksdb.so.7.8")
        for name in ("options_create", "open_column_families", "readoptions_create", "writeoptions_create",
                     "create_iterator_cf", "iter_key", "iter_value"):
            getattr(self.rocks, "rocksdb_" + name).restype = ctypes.c_void_p
        self.rocks.rocksdb_iter_valid.restype = ctypes.c_ubyte
        options = ctypes.c_void_p(self.rocks.rocksdb_options_create())
        names = (ctypes.c_char_p * 4)(*[name.encode() for name in FAMILIES])
        each = (ctypes.c_void_p * 4)(*[options.value] * 4)
        self.handles = (ctypes.c_void_p * 4)()
        self.error = ctypes.c_char_p()
        self.db = ctypes.c_void_p(self.rocks.rocksdb_open_column_families(
            options, str(node.directory / "db").encode(), 4, names, each, self.handles, ctypes.byref(self.error)))
        self.check()

    def check(self):
        if self.error.value:
            raise AssertionError(self.error.value)

    def rows(self, table, entity_id):
        """(key, value) of the derived rows of that table that belong to the entity, in order."""
        options = ctypes.c_void_p(self.rocks.rocksdb_readoptions_create())
        self.rocks.rocksdb_readoptions_set_total_order_seek(options, 1)
        at = ctypes.c_void_p(self.rocks.rocksdb_create_iterator_cf(self.db, options, ctypes.c_void_p(self.handles[2])))
        self.rocks.rocksdb_iter_seek_to_first(at)
        found, size = [], ctypes.c_size_t()
        while self.rocks.rocksdb_iter_valid(at):
            key = ctypes.string_at(self.rocks.rocksdb_iter_key(at, ctypes.byref(size)), size.value)
            if key[2:3] == table and uuid.UUID(entity_id).bytes in key:
                found.append((key, ctypes.string_at(self.rocks.rocksdb_iter_value(at, ctypes.byref(size)), size.value)))
            self.rocks.rocksdb_iter_next(at)
        self.rocks.rocksdb_iter_destroy(at)
        return found

    def put(self, key, value):
        options = ctypes.c_void_p(self.rocks.rocksdb_writeoptions_create())
        self.rocks.rocksdb_put_cf(self.db, options, ctypes.c_void_p(self.handles[2]), key, ctypes.c_size_t(len(key)), value,
                                  ctypes.c_size_t(len(value)), ctypes.byref(self.error))
        self.check()

    def close(self):
        for handle in self.handles:
            self.rocks.rocksdb_column_family_handle_destroy(ctypes.c_void_p(handle))
        self.rocks.rocksdb_close(self.db)


def metric(node, name):
    text = node.client().request("GET", "/metrics", base="").raw.decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"troupe_retention_{name}_total"))


class RetentionTest(NodeTest):
    def wait_for_rounds(self, node, count=2):
        """All that is old enough now is gone afterwards."""
        goal = metric(node, "rounds") + count
        poll(f"{count} rounds of retention", lambda: metric(node, "rounds") >= goal)

    def verify(self, node):
        done = node.cli("journal", "verify", "--json")
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)

    def test_what_is_cut_changes_nothing_that_is_shown(self):
        node = self.node(*SHORT, "--entity.idle_ms", 300).start()
        api = node.client()
        task = api.create("/tasks", {"title": "long lived"})["id"]
        for number in range(40):
            api.ok("PATCH", f"/tasks/{task}", {"description": f"text {number}"})
        api.create(f"/tasks/{task}/messages", {"content": "hello"})
        old = api.read("/events?limit=1")["next_cursor"]
        self.assertTrue(old)
        poll("the history is cut", lambda: metric(node, "events_cut") >= 40)
        poll("the log is trimmed", lambda: metric(node, "records_trimmed") >= 40)
        before = api.read(f"/tasks/{task}")

        key = new_key()
        again = [api.ok("PATCH", f"/tasks/{task}", {"priority": "high"}, headers={"Idempotency-Key": key}) for _ in range(2)]
        self.assertEqual(*again)

        first = api.read(f"/events?after={old}")["items"][0]
        self.assertEqual(first["kind"], "reset", first)
        self.assertEqual(next(node.stream(f"/events?since={old}"))["event"], "reset")
        resumed = api.read(f"/events?after={first['id']}")["items"]
        self.assertNotIn("reset", [e["kind"] for e in resumed])

        node.kill9()
        self.check_disk(node)
        found = self.verify(node)
        self.assertGreaterEqual(found["trimmed"], 40)
        self.assertGreaterEqual(found["histories_cut"], 1)

        tables = Tables(node)
        bases, snapshots = tables.rows(b"b", task), tables.rows(b"s", task)
        self.assertEqual((len(bases), bool(snapshots)), (2, True))  # a mark and a state
        key, value = snapshots[-1]
        tables.put(key, value[:-1] + bytes([value[-1] ^ 1]))
        tables.close()
        self.assertEqual(json.loads(node.cli("journal", "verify", "--json").stdout)["snapshots_damaged"], 1)

        api = node.start().client()
        after = api.ok("PATCH", f"/tasks/{task}", {"title": "still here"})
        self.assertEqual(after["title"], "still here")
        self.assertEqual((after["description"], after["messages"]), (before["description"], before["messages"]))
        self.assertEqual([m["content"] for m in api.all(f"/tasks/{task}/messages")], ["hello"])
        self.assertEqual(node.stop(), 0)
        self.assertEqual(node.cli("views", "check").returncode, 0)

    def test_a_restore_before_what_is_kept_is_refused(self):
        node = self.node(*SHORT).start()
        api = node.client()
        task = api.create("/tasks", {"title": "a"})
        api.ok("PATCH", f"/tasks/{task['id']}", {"title": "b"})
        titles = itertools.count()

        def refused():  # as soon as the task's own part of the log is trimmed
            kept = api.ok("PATCH", f"/tasks/{task['id']}", {"title": f"c{next(titles)}"})
            backup = api.create("/backups", {})["id"]
            done = node.cli("backup", "restore", backup, "--until", task["created_at"], "--data", self.folder / "early")
            if done.returncode == 0:
                shutil.rmtree(self.folder / "early")
                return None
            return kept, backup, done
        kept, backup, done = poll("the log is trimmed", refused)
        self.assertIn("no way back", " ".join(done.stderr.split()), done)
        self.assertFalse((self.folder / "early" / "identity.json").exists())
        late = self.node(name="late")
        done = node.cli("backup", "restore", backup, "--until", kept["updated_at"], "--data", late.directory)
        self.assertEqual(done.returncode, 0, done)
        shutil.copy(node.directory / "secrets.key", late.directory)  # backups leave it out
        self.check_disk(late)
        self.assertEqual(late.start().client().read(f"/tasks/{task['id']}")["title"], kept["title"])

    def test_the_disk_stays_small_under_steady_load(self):
        node = self.node(*SHORT, "--entity.idle_ms", 1000)
        api = node.start().client()
        tasks = [api.create("/tasks", {"title": f"task {n}"})["id"] for n in range(4)]
        numbers, sizes, written = random.Random(1), [], 0

        def work(task, texts):
            client = node.client()
            for text in texts:
                client.ok("PATCH", f"/tasks/{task}", {"description": text})

        rounds, updates, size = 14, 60, 8000
        with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
            for _ in range(rounds):
                texts = [[numbers.randbytes(size // 2).hex() for _ in range(updates)] for _ in tasks]
                for done in [pool.submit(work, task, each) for task, each in zip(tasks, texts)]:
                    done.result()
                written += len(tasks) * updates * size
                goal = len(tasks) * (updates - 1)
                poll("what is old is cut", lambda goal=goal: metric(node, "events_cut") >= goal)
                poll("what is old is trimmed", lambda goal=goal: metric(node, "records_trimmed") >= goal)
                node.kill9()
                node.start()  # what waited in memory and in the write-ahead log is in tables now
                sizes.append(sum(f.stat().st_size for f in (node.directory / "db").iterdir()))
        self.assertLess(max(sizes[-4:]), 0.6 * written, (sizes, written))  # log and history have it twice at first
        self.assertLess(sizes[-1], 3 * max(sizes[:4]), sizes)
        node.kill9()
        self.check_disk(node)
        api = node.start().client()
        self.assertEqual([api.read(f"/tasks/{t}")["description"] for t in tasks], [each[-1] for each in texts])
