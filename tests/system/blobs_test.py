"""Contents of files: large ones up and down in bounded memory, kills in the middle, and the collection of what nothing
names."""

import hashlib
import http.client
import json
import os
import random
import shutil
import unittest
from pathlib import Path

from tests.system.node import SECONDS_MAX, NodeTest, poll, sanitizers

MIB = 1 << 20
LARGE_BYTES = 100 * MIB
GROWTH_MAX = 64 * MIB  # of the node while it takes and gives LARGE_BYTES: memory tables, pieces, buffers
# jemalloc keeps what was freed for ten seconds, in each of its arenas: up to 55 MiB here, which nobody holds.
GIVE_BACK = {"MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}
COLLECT = ("--blobs.grace_ms", "1000", "--blobs.collect_every_ms", "200")


def content(size, seed):
    """Bytes that nothing can shrink."""
    return random.Random(seed).randbytes(size)


def resident_bytes_max(node):
    """Since `forget_resident_bytes_max`, as the kernel saw it."""
    for line in Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def forget_resident_bytes_max(node):
    Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", encoding="ascii")


class BlobTest(NodeTest):
    def begin(self, *flags, **more):
        self.server = self.node(*flags, **more).start()
        self.api = self.server.client()
        self.project = self.api.create("/projects", {"name": "p"})["id"]
        return self.server

    def path(self, name):
        return f"/projects/{self.project}/files/{name}"

    def put(self, name, raw, **more):
        """An upload that takes longer than the grace is refused in so many words, and is sent again."""
        def stored():
            reply = self.api.put(self.path(name), raw=raw, **more)
            return None if reply.status == 404 and "send it again" in reply.json["detail"] else reply
        return self.status(poll(f"{name} is stored", stored), 200).json

    def metric(self, name):
        text = self.api.get("/metrics", base="").raw.decode()
        return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)

    def test_large_contents_go_up_and_down_in_little_memory(self):
        node = self.begin(environment=GIVE_BACK)
        self.put("warm", content(2 * MIB, 0))
        forget_resident_bytes_max(node)
        before = resident_bytes_max(node)
        for round_ in range(2):
            raw = content(LARGE_BYTES, round_ + 1)
            made = self.put(f"large{round_}", raw)
            self.assertEqual((made["bytes"], made["sha256"]), (LARGE_BYTES, hashlib.sha256(raw).hexdigest()))
            got = self.status(self.api.get(self.path(f"large{round_}")), 200)
            self.assertEqual(got.headers["content-length"], str(LARGE_BYTES))
            self.assertTrue(got.raw == raw)
        if not sanitizers():
            self.assertLess(resident_bytes_max(node) - before, GROWTH_MAX, f"{before >> 20} MiB before")
        node.stop()
        self.check_disk(node)

    def test_cli_streams_and_takes_standard_input(self):
        node = self.begin()
        raw = content(40 * MIB, 7)
        source = self.folder / "source"
        source.write_bytes(raw)
        self.assertEqual(node.cli("project", "put", "p", "a", source).returncode, 0)
        fetched = self.folder / "fetched"
        os.system(f"TROUPE_DATA={node.directory} {node.program[0]} project cat p a > {fetched}")
        self.assertTrue(fetched.read_bytes() == raw)
        done = node.cli("project", "put", "p", "b", "-", stdin="from a pipe\n")
        self.assertIn("12 B", done.stdout, done)
        self.assertEqual(self.api.get(self.path("b")).raw, b"from a pipe\n")
        folder = self.work_folder()
        shutil.copy(source, folder / "large")
        (folder / "empty").touch()
        self.assertEqual(node.cli("project", "import", folder, "--name", "imported").returncode, 0)
        imported = next(p for p in self.api.all("/projects") if p["name"] == "imported")
        self.assertEqual((imported["files"], imported["bytes"]), (2, 40 * MIB))

    def test_range_and_etag_of_a_file(self):
        self.begin()
        raw = content(3 * MIB + 5, 3)
        etag = f'"{self.put("a", raw)["sha256"]}"'
        part = self.status(self.api.get(self.path("a"), headers={"Range": f"bytes={MIB - 1}-{2 * MIB}"}), 206)
        self.assertTrue(part.raw == raw[MIB - 1:2 * MIB + 1])
        self.assertEqual(part.headers["content-range"], f"bytes {MIB - 1}-{2 * MIB}/{len(raw)}")
        self.status(self.api.get(self.path("a"), headers={"Range": f"bytes={len(raw)}-"}), 416)
        self.status(self.api.get(self.path("a"), headers={"If-None-Match": etag}), 304)

    def half_an_upload(self, name, raw):
        connection = http.client.HTTPConnection(self.api.host, self.api.port, timeout=SECONDS_MAX)
        connection.putrequest("PUT", "/api/v1" + self.path(name))
        connection.putheader("Authorization", f"Bearer {self.api.key}")
        connection.putheader("Content-Length", str(len(raw)))
        connection.endheaders()
        connection.send(raw[:len(raw) // 2])
        return connection

    def test_half_an_upload_leaves_nothing_whoever_leaves(self):
        node = self.begin()
        raw = content(20 * MIB, 4)
        kept = content(9 * MIB, 5)
        self.put("kept", kept)
        self.half_an_upload("half", raw).close()
        self.status(self.api.get(self.path("half")), 404)
        connection = self.half_an_upload("half", raw)
        node.kill9()
        connection.close()
        self.check_disk(node)
        self.assertEqual([f.name for f in node.directory.iterdir() if "upload" in f.name], [])
        node.start()
        self.api = node.client()
        self.status(self.api.get(self.path("half")), 404)
        self.assertTrue(self.api.get(self.path("kept")).raw == kept)
        self.put("half", raw)
        self.assertTrue(self.api.get(self.path("half")).raw == raw)

    def test_upload_that_was_answered_is_there_after_a_kill(self):
        node = self.begin(*COLLECT)
        contents = {}
        for i in range(12):
            contents[f"f{i}"] = content(3 * MIB + i, i)
            self.put(f"f{i}", contents[f"f{i}"])
            if i % 3 == 2:
                node.kill9()
                self.check_disk(node)
                node.start()
                self.api = node.client()
        for name, raw in contents.items():
            self.assertTrue(self.api.get(self.path(name)).raw == raw, name)

    def test_what_nothing_names_is_collected_and_the_rest_stays_over_kills(self):
        node = self.begin(*COLLECT)
        self.put("kept", content(5 * MIB, 1))
        self.put("twice", content(4 * MIB, 2))
        self.put("again", content(4 * MIB, 2))
        for i in range(20):
            self.put("changed", content(4 * MIB, 100 + i))
        self.status(self.api.delete(self.path("twice")), 204)  # "again" has the same content
        poll("the 19 former contents are gone", lambda: self.metric("troupe_blobs") == 3)
        for _ in range(3):  # a collector that is killed again and again
            self.status(self.api.delete(self.path("changed")), 204)
            self.put("changed", content(6 * MIB, 7))
            node.kill9()
            self.check_disk(node)
            node.start()
            self.api = node.client()
        poll("three are left", lambda: self.metric("troupe_blobs") == 3)
        self.assertTrue(self.api.get(self.path("kept")).raw == content(5 * MIB, 1))
        self.assertTrue(self.api.get(self.path("again")).raw == content(4 * MIB, 2))
        self.assertTrue(self.api.get(self.path("changed")).raw == content(6 * MIB, 7))
        self.status(self.api.delete(f"/projects/{self.project}"), 204)
        poll("all are gone", lambda: self.metric("troupe_blobs_collected_total") > 0 and self.metric("troupe_blobs") == 0)
        node.stop()
        self.check_disk(node)

    def test_flipped_byte_of_a_content_is_found_by_its_name(self):
        node = self.begin()
        name = self.put("a", content(20 * MIB, 9))["sha256"]
        node.stop()
        self.check_disk(node)
        files = sorted((node.directory / "db").glob("*.blob"), key=lambda f: f.stat().st_size)
        self.assertTrue(files)
        with open(files[-1], "r+b") as file:
            file.seek(files[-1].stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x10]))
        done = node.cli("journal", "verify", "--json")
        found = json.loads(done.stdout)
        self.assertEqual((done.returncode, found["ok"], found["blobs_damaged"]), (1, False, 1), done)
        self.assertIn(name, found["first_bad"]["detail"])

    def test_restore_to_a_moment_whose_contents_are_gone_is_refused(self):
        node = self.begin(*COLLECT)
        self.put("a", content(2 * MIB, 1))
        moment = self.api.read(f"/projects/{self.project}")["updated_at"]
        self.put("a", content(2 * MIB, 2))
        poll("the first content is gone", lambda: self.metric("troupe_blobs_collected_total") >= 1)
        backup = self.api.create("/backups", {})["id"]
        node.stop()
        done = node.cli("backup", "restore", backup, "--data", self.folder / "then", "--until", moment)
        self.assertEqual(done.returncode, 4, done)
        self.assertIn("had been collected", done.stderr)
        self.assertFalse((self.folder / "then" / "identity.json").exists())
        done = node.cli("backup", "restore", backup, "--data", self.folder / "now")
        self.assertEqual(done.returncode, 0, done)


if __name__ == "__main__":
    unittest.main()
