"""What must not work: damaged requests, wrong configurations, folders that cannot be used, damaged journals."""

import json
import random
import shutil
import socket
import urllib.parse

from tests.system.node import NodeTest, poll


class RawTest(NodeTest):
    """Bytes on the wire. One node for all; it has to answer the others after each."""

    @classmethod
    def setUpClass(cls):
        cls.shared = NodeTest("run")
        cls.shared.setUp()
        cls.addClassCleanup(cls.shared.tidy)
        cls.server = cls.shared.node().start()

    def setUp(self):
        super().setUp()
        self.api = self.server.client()
        self.addCleanup(self.api.close)
        self.addCleanup(self.healthy)

    def healthy(self):
        self.assertIsNone(self.server.process.poll(), "the node ended")
        self.assertEqual(self.api.get("/health", base="").status, 200)

    def send(self, data, seconds=10):
        """All that the node answers until it closes, or stops sending."""
        address = urllib.parse.urlsplit(self.server.url)
        with socket.create_connection((address.hostname, address.port), seconds) as wire:
            try:
                wire.sendall(data)
                wire.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has refused already
            out = b""
            try:
                while piece := wire.recv(65536):
                    out += piece
            except ConnectionResetError:
                pass
            return out

    def refused(self, data, *statuses):
        answer = self.send(data)
        self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:200])
        self.assertIn(int(answer.split()[1]), statuses, (data[:200], answer[:400]))
        if b"application/problem+json" in answer:
            self.assertTrue(json.loads(answer.partition(b"\r\n\r\n")[2])["detail"])
        return answer

    def head(self, start="POST /api/v1/tasks HTTP/1.1", *lines):
        return "\r\n".join([start, "Host: x", f"Authorization: Bearer {self.server.key}", *lines, "", ""]).encode()

    def test_bytes_that_are_no_request_are_answered_and_the_connection_closed(self):
        for data in (b"\0\1\2\3\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
                     b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
                     b"GET\r\n\r\n", b"G" * 20000 + b"\r\n\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
                     b"GET health HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                     self.head("POST /api/v1/tasks HTTP/1.1", "Content-Length: -1"),
                     self.head("POST /api/v1/tasks HTTP/1.1", "Content-Length: 99999999999999999999999"),
                     self.head("POST /api/v1/tasks HTTP/1.1", "Content-Length: 3", "Content-Length: 4") + b"abcd",
                     self.head("POST /api/v1/tasks HTTP/1.1", "Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n"):
            with self.subTest(data[:60]):
                self.refused(data, 400, 413, 414, 431, 505)

    def test_length_and_chunks_together_are_no_way_to_hide_a_request(self):
        hidden = b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
        data = self.head("POST /api/v1/tasks HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(hidden) + 5}",
                         "Transfer-Encoding: chunked") + b"0\r\n\r\n" + hidden
        self.assertEqual(self.refused(data, 400).count(b"\r\nServer: "), 1)

    def test_headers_have_a_bound(self):
        for lines in (["X-Big: " + "a" * 200000], [f"X-{n}: a" for n in range(20000)]):
            self.refused(self.head("GET /api/v1/tasks HTTP/1.1", *lines), 400, 413, 431)
        self.refused(self.head("GET /" + "a" * 200000 + " HTTP/1.1"), 400, 413, 414, 431)

    def test_bodies_have_a_bound(self):
        task = self.api.create("/tasks", {"title": "big"})["id"]
        self.status(self.api.post(f"/tasks/{task}/messages", {"content": "x" * 65536}), 201)
        self.status(self.api.post(f"/tasks/{task}/messages", {"content": "x" * 65537}), 422, "invalid_request")
        json_type = "Content-Type: application/json"
        big = b'{"title":"' + b"x" * (1 << 20) + b'"}'
        self.refused(self.head("POST /api/v1/tasks HTTP/1.1", json_type, f"Content-Length: {len(big)}") + big, 413)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(big[i:i + 65536]), big[i:i + 65536]) for i in range(0, len(big), 65536))
        self.refused(self.head("POST /api/v1/tasks HTTP/1.1", json_type, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n", 413)

    def test_upload_has_a_bound_of_its_own(self):
        project = self.api.create("/projects", {"name": "big"})["id"]
        raw = {"Content-Type": "application/octet-stream"}
        content = random.Random(1).randbytes(128 << 20)
        self.status(self.api.request("PUT", f"/projects/{project}/files/a", raw=content, headers=raw), 200)
        self.assertEqual(self.api.get(f"/projects/{project}/files/a").raw, content)
        try:
            self.status(self.api.request("PUT", f"/projects/{project}/files/b", raw=content + b"x", headers=raw), 413)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused by its header, before the whole body was read
        self.assertEqual([f["path"] for f in self.api.all(f"/projects/{project}/files")], ["a"])

    def test_body_that_is_no_json_is_refused_with_its_place(self):
        for body in (b"", b"{", b'{"title":"x"', b'{"title":"x"}}', b"nul", b'{"title":"\xff\xfe"}', b'{"title":"a\0b"}',
                     b'{"title":"\xed\xa0\x80"}', b'{"title":"\\ud800"}', b'{"title":"x","a":' + b"[" * 100000, b"[" * 1000 + b"]" * 1000,
                     b'{"a":' * 1000 + b"1" + b"}" * 1000, b'{"title":01}', b'{"title":1e99999}', b"\xef\xbb\xbf{}", b"'x'",
                     b'{"title":"x","title":"y"}', b'[{"title":"x"}]', b'"x"', b"7"):
            with self.subTest(body[:40]):
                reply = self.api.request("POST", "/tasks", raw=body, headers={"Content-Type": "application/json"})
                self.assertIn(reply.status, (400, 422), reply)
                self.assertIn(reply.code, ("malformed_json", "invalid_request"))

    def test_other_media_types_are_refused(self):
        for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
            reply = self.api.request("POST", "/tasks", raw=b'{"title":"x"}', headers={"Content-Type": kind})
            self.status(reply, 415, "unsupported_media_type")
        for kind in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"):
            self.status(self.api.request("POST", "/tasks", raw=b'{"title":"x"}', headers={"Content-Type": kind}), 201)

    def test_odd_paths_lead_nowhere(self):
        for path in ("/%zz", "/tasks/%", "/tasks/%00", "//tasks", "/tasks/../../health", "/tasks/%2e%2e/x", "/tasks/", "/tasks//x",
                     "/projects/%2F", "/agents/%F0%9F%A6%8A", "/agents/" + "a" * 5000):
            self.assertIn(self.api.get(path).status, (400, 404), path)

    def test_text_of_all_kinds_comes_back_as_it_was(self):
        for text in ("🦊 ä \u0001 \u007f \u2028 \ufeff", "\\\"/\b\f\n\r\t", "a\u0000b".replace("\u0000", ""), "</script><!--", "\U0010ffff"):
            task = self.api.create("/tasks", {"title": text})
            self.assertEqual(self.api.read(f"/tasks/{task['id']}")["title"], text)

    def test_random_damage_is_never_an_internal_error(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        good = [self.head("POST /api/v1/tasks HTTP/1.1", "Content-Type: application/json", "Content-Length: 13") + b'{"title":"x"}',
                self.head("GET /api/v1/tasks?limit=3&sort=created_at HTTP/1.1"),
                self.head("POST /api/v1/tasks HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")
                + b'5\r\n{"tit\r\n8\r\nle":"x"}\r\n0\r\n\r\n',
                self.head("GET /api/v1/events HTTP/1.1", "Accept: text/event-stream", "Last-Event-ID: AAAA"),
                self.head("GET /api/v1/ws HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") + b"\x81\x85\0\0\0\0hello"]
        for number in range(400):
            data = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(data))
                kind = dice.randrange(4)
                if kind == 0:
                    data[at] = dice.randrange(256)
                elif kind == 1:
                    del data[at:at + dice.randint(1, 10)]
                elif kind == 2:
                    data[at:at] = dice.randbytes(dice.randint(1, 10))
                else:
                    data[at:at] = data[at:at + dice.randint(1, 40)]
                data = data or bytearray(b"x")
            if b"text/event-stream" in data or b"websocket" in data:
                answer = self.send_and_leave(bytes(data))
            else:
                answer = self.send(bytes(data))
            for line in answer.split(b"HTTP/1.1 ")[1:]:
                self.assertNotEqual(line[:3], b"500", (seed, number, bytes(data), answer))
        self.assertNotIn("exception", self.server.log.read_text(errors="replace"), seed)

    def send_and_leave(self, data):
        """A stream does not end: only its beginning is read."""
        address = urllib.parse.urlsplit(self.server.url)
        with socket.create_connection((address.hostname, address.port), 10) as wire:
            try:
                wire.sendall(data)
                wire.settimeout(0.02)
                return wire.recv(65536)
            except OSError:
                return b""


class StartTest(NodeTest):
    """Starts that must be refused, each with a sentence that says what to do, and nothing changed."""

    def test_a_limit_of_money_needs_the_price_of_the_model(self):
        wish = {"goal": "x", "model": "openai/m", "limits": {"cost_micros": 1}}
        node = self.node("--model.openai.base_url", "http://127.0.0.1:9/v1").start()
        api = node.client()
        shown = api.wait_run(api.create("/runs", wish)["id"])
        self.assertEqual(shown["status"], "failed")
        self.assertIn("model.prices", shown["error"])
        node.stop()
        node.flags += ["--model.prices", "openai/m=1/2"]
        api = node.start().client()
        run = api.create("/runs", wish)["id"]  # its budget does not take the first call
        self.assertIn("cost", api.wait_run(run)["error"])

    def refused_with(self, node, status, *parts):
        code, said = node.refused()
        self.assertEqual(code, status, said)
        for part in parts:
            self.assertIn(str(part), said)
        self.assertNotIn("troupe ready", said)
        return said

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            node = self.node("--listen", address)
            self.refused_with(node, 1, address, "--listen")
        node.start()
        self.assertIn(str(node.directory / "admin.key"), node.log.read_text(), "the first start that serves says where the key is")

    def test_address_that_is_none(self):
        for address in ("127.0.0.1", "127.0.0.1:99999", "localhost:x", ":::", "256.1.1.1:80"):
            self.assertIn(self.node("--listen", address, name=f"d{abs(hash(address))}").refused()[0], (1, 2), address)

    def test_data_directory_in_use(self):
        first = self.node().start()
        task = first.client().create("/tasks", {"title": "mine"})["id"]
        second = self.node()
        self.refused_with(second, 1, "in use", first.directory)
        self.assertEqual(first.client().read(f"/tasks/{task}")["title"], "mine")
        self.assertEqual(first.cli("status").returncode, 0, "the second one took nothing from the first")
        first.kill9()
        second.start()
        self.assertEqual(second.client().read(f"/tasks/{task}")["title"], "mine")

    def test_directory_that_cannot_be_one(self):
        (self.folder / "file").write_text("x")
        self.refused_with(self.node(name="file"), 1, self.folder / "file", "--data")
        below = self.node(name="below")
        below.directory = self.folder / "file" / "data"
        self.assertEqual(self.start_below(below)[0], 1)
        self.assertEqual((self.folder / "file").read_text(), "x")

    def start_below(self, node):
        result = node.cli("serve", "--data", node.directory, "--listen", "127.0.0.1:0")
        self.assertIn(str(self.folder / "file"), result.stderr)
        return result.returncode, result.stderr

    def test_directory_of_a_newer_version(self):
        node = self.node().start()
        self.assertEqual(node.stop(), 0)
        file = node.directory / "identity.json"
        text = file.read_text()
        for change, parts in (({"format": 999}, ("999", "newer")), ({"shards": 0}, (file,)), ({"hash": "md5"}, (file, "md5"))):
            file.write_text(json.dumps({**json.loads(text), **change}))
            self.refused_with(node, 1, *parts)
        for broken in ("", "{", "[]", "\0" * 100):
            file.write_text(broken)
            self.refused_with(node, 1, file)
        file.unlink()
        self.refused_with(node, 1, "identity.json")
        file.write_text(text)
        node.start()

    def test_count_of_shards_cannot_change(self):
        node = self.node("--shards", "16").start()
        self.assertEqual(node.client().read("/status")["shards"], 16)
        self.assertEqual(node.stop(), 0)
        other = self.node("--shards", "32")
        self.refused_with(other, 1, "16", "32")
        self.node().start()

    def test_broken_configuration_is_named_with_its_line(self):
        file = self.folder / "troupe.yaml"
        for text, line, part in (("log:\n  level: loud\n", 2, "loud"), ("log:\n  levle: info\n", 2, "levle"),
                                 ("# fine\n\nshards: many\n", 3, "many"), ("log: [\n", 2, ""), ("a: b\n", 1, "a"),
                                 ("shards: 4\nshards: 8\n", 2, "shards"), ("edge:\n  threads: -1\n", 2, "threads"),
                                 ("sandbox: jail\n", 1, "jail")):
            with self.subTest(text):
                file.write_text(text)
                said = self.refused_with(self.node("--config", file), 2, part)
                self.assertRegex(said, rf"troupe\.yaml:{line}\b")
        self.assertFalse((self.folder / "data").exists())

    def test_broken_flags_and_variables_are_named(self):
        for flags, part in ((("--bogus", "1"), "--bogus"), (("--shards", "x"), "--shards"), (("--shards",), "--shards"),
                            (("--log.level", "loud"), "--log.level"), (("extra",), "extra"), (("--config", "/no/file"), "/no/file"),
                            (("--model.openai.api_key", "secret-key"), "api_key"), (("--model.default", "nothing"), "nothing")):
            with self.subTest(flags):
                code, said = self.node(*flags).refused()
                self.assertEqual(code, 2, said)
                self.assertIn(part, said)
                self.assertNotIn("secret-key", said)
        code, said = self.node(environment={"TROUPE_SHARDS": "x"}).refused()
        self.assertEqual(code, 2, said)
        self.assertIn("TROUPE_SHARDS", said)

    def test_key_file_that_is_damaged_is_no_open_door(self):
        node = self.node().start()
        self.assertEqual(node.stop(), 0)
        (node.directory / "admin.key").write_text("")
        code, said = 0, ""
        try:
            node.start()
        except AssertionError as error:
            said = str(error)
            self.assertIn("admin.key", said)
            return
        for key in ("", " ", "x"):
            self.assertEqual(node.client(key).get("/tasks").status, 401)


class DamageTest(NodeTest):
    """A flipped bit on the disk is found, or does no harm; it never makes less of the data."""

    def fill(self, node):
        """What is in the node: {path: JSON} of every list and document."""
        api = node.client()
        tasks = [api.create("/tasks", {"title": f"t{n}"})["id"] for n in range(12)]
        for number in range(600):
            api.create(f"/tasks/{tasks[number % 12]}/messages", {"content": f"message {number} " + "x" * 300})
        paths = ["/tasks", "/tasks?status=inbox&sort=created_at"] + [f"/tasks/{t}" for t in tasks] + [f"/tasks/{t}/messages?limit=200" for t in tasks]
        return {path: api.read(path) for path in paths}

    def damage(self, node, files, positions, data, mask=None):
        """Each position of each file with a flipped bit. How it ended: {file: Counter-like list of words}."""
        self.assertTrue(files)
        whole = self.folder / "whole"
        if not whole.exists():
            shutil.copytree(node.directory, whole, ignore=shutil.ignore_patterns("place.json"))  # copies are meant
        ends = {}
        for file in files:
            size = (whole / file).stat().st_size
            self.assertGreater(size, 0, file)
            for at in positions(size):
                with self.subTest(file=str(file), at=at, size=size):
                    shutil.rmtree(node.directory)
                    shutil.copytree(whole, node.directory)
                    content = bytearray((node.directory / file).read_bytes())
                    content[at] ^= mask or 1 << (at % 8)
                    (node.directory / file).write_bytes(content)
                    ends[file, at] = self.outcome(node, data)
        return ends

    def outcome(self, node, data):
        node.launch()
        line = node.process.stdout.readline().decode().strip()
        if not line:
            code = node.process.wait(30)
            said = node.log.read_text(errors="replace").splitlines()[-3:]
            node.forget()
            self.assertEqual(code, 1, said)
            self.assertRegex("\n".join(said), "(?i)damage|corrupt|checksum|lost|does not fit")
            verified = node.cli("journal", "verify", "--data", node.directory, "--json")
            self.assertNotEqual(verified.returncode, 0, "start-up refuses it, verify does not")
            return "refused"
        node.url = line.removeprefix("troupe ready ")
        api, shown = node.client(), []
        for path, before in data.items():
            reply = api.get(path)
            if reply.status < 500:
                self.assertEqual((reply.status, reply.json if reply.status == 200 else reply.raw), (200, before), f"{path}: silently other data")
            else:
                shown.append(path)
                self.assertTrue(reply.json["detail"])
        node.kill9()
        if shown:
            checks = [node.cli(*command, "--data", node.directory, "--json") for command in (("journal", "verify"), ("views", "check"))]
            self.assertNotEqual([c.returncode for c in checks], [0, 0], f"reads fail ({shown}), all checks are content")
            return "shown"
        return "harmless"

    def test_flipped_bit_in_the_write_ahead_log(self):
        node = self.node().start()
        data = self.fill(node)
        node.kill9()
        newest = max((node.directory / "db").glob("*.log"), key=lambda f: f.stat().st_mtime)
        ends = self.damage(node, [newest.relative_to(node.directory)], lambda size: [size * n // 24 for n in range(24)], data)
        self.assertIn("refused", ends.values())

    def test_flipped_bit_at_the_end_of_the_write_ahead_log(self):
        # The last block is where a database takes damage for the end that a power cut tore off.
        node = self.node().start()
        data = self.fill(node)
        node.kill9()
        newest = max((node.directory / "db").glob("*.log"), key=lambda f: f.stat().st_mtime)
        size = newest.stat().st_size
        begin = size - size % 32768
        headers, at, content = [], begin, newest.read_bytes()
        while at + 7 <= size:  # checksum 4, length 2, type 1
            headers.append(at)
            at += 7 + int.from_bytes(content[at + 4:at + 6], "little")
        middle = headers[len(headers) // 2]
        newest = newest.relative_to(node.directory)
        ends = self.damage(node, [newest], lambda _: [middle + n for n in range(7)] + [middle + 20], data)
        self.assertEqual(set(ends.values()), {"refused"})
        ends = self.damage(node, [newest], lambda _: [middle + 5], data, mask=0x40)  # a length beyond the end of the file
        self.assertEqual(set(ends.values()), {"refused"})

    def test_write_ahead_log_that_is_gone(self):
        node = self.node().start()
        data = self.fill(node)
        node.kill9()
        for log in (node.directory / "db").glob("*.log"):
            log.unlink()
        self.assertEqual(self.outcome(node, data), "refused")

    def test_flipped_bit_in_a_table(self):
        node = self.node().start()
        data = self.fill(node)
        node.kill9()
        node.start()  # what was in the write-ahead log is in tables now
        node.kill9()
        tables = sorted(f.relative_to(node.directory) for f in (node.directory / "db").glob("*.sst"))
        ends = self.damage(node, tables, lambda size: [size * n // 10 for n in range(10)], data)
        self.assertTrue({"refused", "shown"} & set(ends.values()), ends)

    def test_half_record_at_the_end_is_what_a_power_cut_leaves(self):
        node = self.node().start()
        task = node.client().create("/tasks", {"title": "before"})
        node.kill9()
        newest = max((node.directory / "db").glob("*.log"), key=lambda f: f.stat().st_mtime)
        with open(newest, "ab") as log:
            log.write(b"\x12\x34\x56\x78\x00\x01\x01half of a record")
        node.start()
        self.assertEqual(node.client().read(f"/tasks/{task['id']}"), task)

    def test_verify_is_content_with_a_good_journal(self):
        node = self.node().start()
        self.fill(node)
        node.kill9()
        verified = node.cli("journal", "verify", "--data", node.directory, "--json")
        self.assertEqual(verified.returncode, 0, verified.stderr)
        found = json.loads(verified.stdout)
        self.assertTrue(found["ok"])
        self.assertGreaterEqual(found["records"], 617)
        poll("the node starts after it", lambda: node.start())
