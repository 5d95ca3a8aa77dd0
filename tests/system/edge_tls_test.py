"""The edge of a real node as curl, openssl and the command line see it: TLS, certificates that change, browsers, proxies."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import urllib.parse

from tests.system.node import SECONDS_MAX, NodeTest, poll
from tests.system.websocket import WebSocket


class EdgeTest(NodeTest):
    def certificate(self, name="node"):
        """A new one for localhost that signs itself: its file and that of its key."""
        file, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", file],
                       check=True, capture_output=True, timeout=SECONDS_MAX)
        return file, key

    def secure_node(self, *flags, name="node"):
        self.file, self.key = self.certificate(name)
        return self.node("--edge.tls.certificate_file", self.file, "--edge.tls.key_file", self.key, *flags).start()

    def curl(self, *arguments, ok=True):
        done = subprocess.run(["curl", "-sS", "--max-time", str(SECONDS_MAX), *map(str, arguments)], capture_output=True,
                              timeout=2 * SECONDS_MAX, check=False)
        if ok:
            self.assertEqual(done.returncode, 0, done)
        return done

    def connection(self, node, trusted):
        parts = urllib.parse.urlsplit(node.url)
        made = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=SECONDS_MAX,
                                           context=ssl.create_default_context(cafile=trusted))
        self.addCleanup(made.close)
        return made

    def shown(self, node):
        """The certificate that a new connection gets, as PEM."""
        return ssl.get_server_certificate(("127.0.0.1", urllib.parse.urlsplit(node.url).port)).strip()


class TlsTest(EdgeTest):
    def test_curl_speaks_with_it(self):
        node = self.secure_node()
        self.assertTrue(node.url.startswith("https://127.0.0.1:"), node.url)
        auth = ("--cacert", self.file, "-H", f"Authorization: Bearer {node.key}")
        url = node.url
        head = self.curl(*auth, "-i", f"{url}/api/v1/status").stdout.decode()
        self.assertIn("HTTP/1.1 200 OK\r\n", head)
        self.assertIn("Strict-Transport-Security: max-age=31536000\r\n", head)
        self.assertNotEqual(self.curl(f"{url}/health", ok=False).returncode, 0, "nobody vouches for it")
        raw = os.urandom(3 << 20)
        project = json.loads(self.curl(*auth, "-H", "Content-Type: application/json", "-d", '{"name":"p"}', f"{url}/api/v1/projects").stdout)["id"]
        (self.folder / "raw").write_bytes(raw)
        content = f"{url}/api/v1/projects/{project}/files/a.bin"
        self.curl(*auth, "-f", "-H", "Content-Type: application/octet-stream", "-T", self.folder / "raw", content)
        self.assertEqual(self.curl(*auth, "-f", content).stdout, raw)
        self.assertEqual(self.curl(*auth, "-f", "-r", "1000000-1999999", content).stdout, raw[1000000:2000000])
        plain = self.curl(*auth, "-f", f"{url}/api/v1/openapi.json").stdout
        self.assertEqual(json.loads(self.curl(*auth, "-f", "--compressed", f"{url}/api/v1/openapi.json").stdout), json.loads(plain))
        self.assertEqual(node.stop(), 0)

    def test_messages_that_pile_up_come_whole_and_in_order(self):
        node = self.secure_node()
        api = self.connection(node, self.file)
        headers = {"Authorization": f"Bearer {node.key}", "Content-Type": "application/json"}

        def post(path, body):
            api.request("POST", "/api/v1" + path, json.dumps(body), headers)
            return json.loads(api.getresponse().read())

        task = post("/tasks", {"title": "Talk"})["id"]
        socket = WebSocket(node.url, node.key, tls=ssl.create_default_context(cafile=self.file))
        self.addCleanup(socket.close)
        self.assertEqual(socket.subscribe(f"tasks/{task}")["op"], "subscribed")
        sizes = [10, 300, 9000, 1, 15000, 200] * 50
        for number, size in enumerate(sizes):
            post(f"/tasks/{task}/messages", {"content": f"{number} " + "x" * size})
        for number, size in enumerate(sizes):
            self.assertEqual(socket.read()["data"]["content"], f"{number} " + "x" * size)

    def test_events_come_over_tls(self):
        node = self.secure_node()
        api = self.connection(node, self.file)
        headers = {"Authorization": f"Bearer {node.key}"}
        api.request("POST", "/api/v1/tasks", json.dumps({"title": "t"}), {**headers, "Content-Type": "application/json"})
        task = json.loads(api.getresponse().read())["id"]
        stream = subprocess.Popen(["curl", "-sSN", "--cacert", self.file, "-H", f"Authorization: Bearer {node.key}", "-H",
                                   "Accept: text/event-stream", f"{node.url}/api/v1/events?since=start"],
                                  stdout=subprocess.PIPE)
        try:
            self.assertTrue(any(task.encode() in line for line in stream.stdout))
        finally:
            stream.kill()
            stream.wait()
            stream.stdout.close()

    def test_plain_http_is_told_so_and_redirected(self):
        node = self.secure_node("--edge.tls.redirect_listen", "127.0.0.1:0")
        refused = self.curl("-i", node.url.replace("https", "http") + "/health").stdout.decode()
        self.assertIn("HTTP/1.1 400 ", refused)
        self.assertIn("application/problem+json", refused)
        self.assertIn("speaks https", refused)
        said = node.log.read_text()
        port = said[said.index("redirects http://127.0.0.1:"):].split(":")[2].split()[0]
        sent = self.curl("-i", "-X", "POST", f"http://127.0.0.1:{port}/api/v1/tasks?a=b").stdout.decode()
        self.assertIn("HTTP/1.1 308 ", sent)
        self.assertIn(f"Location: {node.url}/api/v1/tasks?a=b\r\n", sent)
        followed = self.curl("-L", "--cacert", self.file, f"http://127.0.0.1:{port}/health").stdout
        self.assertIn(b"status", followed)

    def test_openssl_gets_modern_versions_and_http_1_1_only(self):
        node = self.secure_node()
        where = f"127.0.0.1:{urllib.parse.urlsplit(node.url).port}"

        def client(*flags):
            return subprocess.run(["openssl", "s_client", "-connect", where, "-CAfile", self.file, "-verify_return_error", *flags],
                                  input=b"", capture_output=True, timeout=SECONDS_MAX, check=False)
        for flags in ((), ("-tls1_2",), ("-tls1_3",), ("-alpn", "h2,http/1.1")):
            self.assertEqual(client(*flags).returncode, 0, flags)
        for flags in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-alpn", "h2"), ("-tls1_2", "-cipher", "AES128-SHA")):
            self.assertNotEqual(client(*flags).returncode, 0, flags)
        self.assertIn(b"ALPN protocol: http/1.1", client("-alpn", "http/1.1").stdout)

    def test_the_command_line_speaks_with_it(self):
        node = self.secure_node()
        self.assertEqual(node.cli("status").returncode, 0)  # by DIR/node.json, which names the certificate
        self.assertEqual(node.cli("task", "create", "t").returncode, 0)
        other, _ = self.certificate("other")
        url = node.url
        for flags, code in ((("--ca", self.file), 0), (("--ca", other), 3), ((), 3)):
            done = subprocess.run([*map(str, (*node.program[:1], "status", "--url", url, "--key", node.key, *flags))],
                                  capture_output=True, text=True, timeout=SECONDS_MAX, env=node.environment, check=False)
            self.assertEqual(done.returncode, code, done)
        done = subprocess.run([node.program[0], "status", "--url", url, "--key", node.key], capture_output=True, timeout=SECONDS_MAX,
                              env={**node.environment, "TROUPE_CA": str(self.file)}, check=False)
        self.assertEqual(done.returncode, 0, done)

    def test_certificates_change_while_it_works(self):
        node = self.secure_node()
        first = self.shown(node)
        kept = self.connection(node, self.file)

        def answers():
            kept.request("GET", "/health/live")
            answer = kept.getresponse()
            answer.read()
            self.assertEqual(answer.status, 200)
        answers()
        next_file, next_key = self.certificate("next")
        second = next_file.read_text().strip()
        for new, old in ((next_key, self.key), (next_file, self.file)):
            new.rename(old)
        node.process.send_signal(signal.SIGHUP)
        poll("the new certificate", lambda: self.shown(node) == second)
        answers()  # on the connection of before
        self.file.write_text("nonsense")
        poll("the error that names the file", lambda: self.shown(node) == second and f"{self.file}: no PEM certificate" in node.log.read_text())
        answers()
        third_file, third_key = self.certificate("third")
        third = third_file.read_text().strip()
        third_key.rename(self.key)
        third_file.rename(self.file)
        poll("the third one, without a signal", lambda: self.shown(node) == third)
        answers()
        self.assertNotEqual(first, second)
        self.assertEqual(node.stop(), 0)

    def test_half_an_identity_is_refused_at_the_start(self):
        file, key = self.certificate()
        other, _ = self.certificate("other")
        for flags, said in (((file, ""), "belong together"), ((file, self.folder / "none"), "none"), ((other, key), "does not belong")):
            node = self.node("--edge.tls.certificate_file", flags[0], "--edge.tls.key_file", flags[1])
            status, text = node.refused()
            self.assertEqual(status, 2, text)
            self.assertIn(said, text)


class BrowserTest(EdgeTest):
    def test_origins_of_the_configuration_may_use_it(self):
        api = self.node("--edge.cors.origins", "https://a.example").start().client()
        asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
        reply = self.status(api.request("OPTIONS", "/tasks", headers=asked), 204)
        self.assertIn("POST", reply.headers["access-control-allow-methods"])
        reply = self.status(api.get("/tasks", headers={"Origin": "https://a.example"}), 200)
        self.assertEqual(reply.headers["access-control-allow-origin"], "https://a.example")
        reply = self.status(api.get("/tasks", headers={"Origin": "https://b.example"}), 200)
        self.assertNotIn("access-control-allow-origin", reply.headers)
        for origins in ("a.example", "https://a.example/", "ftp://a"):
            self.assertEqual(self.node("--edge.cors.origins", origins, name="bad").refused()[0], 2)

    def test_compressed_answers_keep_their_tags(self):
        api = self.node().start().client()
        task = api.create("/tasks", {"title": "t", "description": "word " * 500})
        path, gzip = f"/tasks/{task['id']}", {"Accept-Encoding": "gzip"}
        first = self.status(api.get(path, headers=gzip), 200)
        self.assertEqual((first.headers["content-encoding"], first.headers["etag"]), ("gzip", '"1-gzip"'))
        self.status(api.get(path, headers={**gzip, "If-None-Match": '"1-gzip"'}), 304)
        changed = self.status(api.request("PATCH", path, {"title": "u"}, headers={"If-Match": '"1-gzip"'}), 200)
        self.assertEqual(changed.headers["etag"], '"2"')
        self.status(api.request("PATCH", path, {"title": "v"}, headers={"If-Match": '"1-gzip"'}), 412)


class AccessTest(EdgeTest):
    def line(self, node, part):
        found = []
        poll(part, lambda: found.extend(line for line in node.log.read_text().splitlines() if "method=" in line and part in line) or found)
        return found[0]

    def test_accesses_are_logged_without_secrets(self):
        node = self.node("--edge.access_log", "true", "--edge.trusted_proxies", "127.0.0.0/8").start()
        api = node.client()
        self.status(api.get("/tasks?limit=7", headers={"X-Request-Id": "mine-1", "User-Agent": 'x"y', "X-Forwarded-For": "6.6.6.6, 192.0.2.7"}), 200)
        line = self.line(node, "request=mine-1")
        for part in ('method=GET path="/api/v1/tasks" status=200 bytes=', 'principal="key/admin"', "address=192.0.2.7", r'agent="x\"y"'):
            self.assertIn(part, line)
        self.assertNotIn("limit=7", line)
        self.assertNotIn(node.key, node.log.read_text())
        self.status(node.client(key="wrong").get("/tasks", headers={"X-Request-Id": "mine-2"}), 401)
        self.assertIn('principal=""', self.line(node, "request=mine-2"))

    def test_without_being_asked_it_logs_none_and_believes_nobody(self):
        node = self.node().start()
        self.status(node.client().get("/tasks"), 200)
        self.assertEqual(node.stop(), 0)
        self.assertNotIn("method=GET", node.log.read_text())
        self.assertEqual(self.node("--edge.trusted_proxies", "10.0.0.0/33", name="bad").refused()[0], 2)
