"""A real mail server (npm's `smtp-server`, see tests/node_tools), and who takes webhooks."""

import http.server
import json
import subprocess
import threading

from tests.system import node_tools
from tests.system.node import SECONDS_MAX

SCRIPT = node_tools.SCRIPTS / "smtp_server.cjs"


class MailServer:
    """With STARTTLS, a login, and the mails that it was given, whether it took them or not."""

    def __init__(self, folder, user="node", password="the password"):
        node_tools.check()
        self.certificate, key, self.state = folder / "mail.pem", folder / "mail.key", folder / "mail.json"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=mail", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", self.certificate], check=True, capture_output=True, timeout=SECONDS_MAX)
        self.refuse()
        settings = {"key": str(key), "cert": str(self.certificate), "user": user, "password": password, "state": str(self.state)}
        self.process = subprocess.Popen(["node", SCRIPT, node_tools.FOLDER / "node_modules", "0", json.dumps(settings)],
                                        stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(SECONDS_MAX, self.process.kill)
        watchdog.start()
        said = self.process.stdout.readline()
        watchdog.cancel()
        if not said.startswith("ready "):
            self.process.wait(SECONDS_MAX)
            self.process.stdout.close()
            raise AssertionError(f"the mail server did not start: {said!r}")
        self.port, self.mails = int(said.split()[1]), []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.mails.append(json.loads(line))

    def refuse(self, **status):
        """From the next mail on; written at once, as the server may read it."""
        written = self.state.with_suffix(".new")
        written.write_text(json.dumps({"refuse": status}))
        written.rename(self.state)

    def stop(self):
        self.process.kill()
        self.process.wait(SECONDS_MAX)
        self.reader.join(SECONDS_MAX)
        self.process.stdout.close()


class HookServer:
    """Keeps what is posted to it. `status` is what it answers; while `held` is clear, it answers nothing."""

    def __init__(self):
        self.status, self.posts, self.held = 200, [], threading.Event()
        self.held.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((self.path, dict(self.headers), body))
                outer.held.wait(SECONDS_MAX)
                try:
                    self.send_response(outer.status)
                    if outer.status == 302:
                        self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # its sender was killed

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def ids(self):
        return [headers["Troupe-Delivery"] for _, headers, _ in self.posts]

    def stop(self):
        self.held.set()
        self.server.shutdown()
        self.thread.join(SECONDS_MAX)
        self.server.server_close()
