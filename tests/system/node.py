"""A real node for the tests: `troupe serve` in a folder of its own, a client, and ways to end it."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TROUPE_BUILD", REPOSITORY / "build" / "release")).resolve()
TROUPE = BUILD / "troupe"
SAMPLE = REPOSITORY / "tests" / "fixtures" / "sample"
SECONDS_MAX = 30  # of everything that should take a moment: a bound for broken nodes, not a wait
GIVEN = set()  # ports
RUN_ENDS = ("succeeded", "failed", "cancelled")


def poll(what, check, seconds=SECONDS_MAX):
    """The first truthy value of `check()`, asked again and again; fails with `what` when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.01)


def free_port():
    """Below those that the system gives away by itself, to whoever asks for port 0 and to connections: it stays free until
    whoever asked listens there, and while it is started again. Never the same twice."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def sanitizers():
    """What the programs were built with, as in -fsanitize=; empty without. Then what they take of memory says nothing:
    shadows, and a quarantine of what was freed."""
    cache = BUILD / "CMakeCache.txt"
    found = re.search(r"^TROUPE_SANITIZE:\w+=(.+)$", cache.read_text(), re.MULTILINE) if cache.exists() else None
    return found[1] if found else ""


def new_key():
    return str(uuid.uuid4())


class Reply:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        """The code of a problem."""
        return self.json.get("code")

    def __repr__(self):
        return f"{self.status} {self.raw[:600]!r}"


def headers_of(answer):
    """By their lower-case names; of one that came several times, as Set-Cookie may, the values line by line."""
    out = {}
    for name, value in answer.getheaders():
        name = name.lower()
        out[name] = f"{out[name]}\n{value}" if name in out else value
    return out


class Client:
    """One connection that is kept. Not for several threads at once."""

    def __init__(self, url, key, base="/api/v1"):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.key, self.base = parts.hostname, parts.port, key, base
        self.connection = None

    def request(self, method, path, body=None, headers=None, raw=None, base=None, seconds=SECONDS_MAX):
        """Sends once; a connection that the node closed while it was idle is made anew only for GET."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        sent.update(headers or {})
        url = (self.base if base is None else base) + path
        for last in ((True,) if method != "GET" else (False, True)):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
                try:
                    self.connection.request(method, url, raw, sent)
                except BrokenPipeError:
                    pass  # the node has answered before it had all, and reads no more: the answer is there
                answer = self.connection.getresponse()
                return Reply(answer.status, headers_of(answer), answer.read())
            except (http.client.HTTPException, OSError):
                self.close()
                if last:
                    raise
        return None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, {} if body is None and "raw" not in more else body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def ok(self, method, path, body=None, **more):
        """The answer's JSON; anything but success is a failure of the test."""
        reply = self.request(method, path, body, **more)
        if reply.status >= 300:
            raise AssertionError(f"{method} {path}: {reply}")
        return reply.json if reply.raw else None

    def create(self, path, body, **more):
        return self.ok("POST", path, body, **more)

    def read(self, path):
        return self.ok("GET", path)

    def all(self, path, limit=200):
        """All items of a list, page by page."""
        items, cursor, mark = [], None, "&" if "?" in path else "?"
        name = "after" if path.startswith("/events") else "cursor"
        while True:
            page = self.read(f"{path}{mark}limit={limit}" + (f"&{name}={urllib.parse.quote(cursor)}" if cursor else ""))
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor or not page["items"]:
                return items

    def events_of(self, channel):
        return [e for e in self.all("/events") if e["channel"] == channel]

    def wait_run(self, run_id, *, until=RUN_ENDS, seconds=SECONDS_MAX):
        def check():
            run = self.read(f"/runs/{run_id}")
            return run if run["status"] in until else None
        return poll(f"run {run_id} is one of {until}", check, seconds)


def stream(url, key, path, seconds=SECONDS_MAX):
    """Server-sent events as dicts {id, event, data}; ends when the connection does. Close it with .close()."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"{path}: {Reply(answer.status, {}, answer.read())}")
        event = {}
        for line in answer:
            line = line.decode().rstrip("\r\n")
            if not line:
                if "data" in event:
                    event["data"] = json.loads(event["data"])
                    yield event
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                event[name] = event.get(name, "") + value.removeprefix(" ")
    finally:
        connection.close()


class Node:
    """`troupe serve`, or another program that serves, with its data in `directory`; it may be started, killed and
    started again."""

    def __init__(self, directory, *flags, environment=None, program=(TROUPE, "serve")):
        self.directory, self.flags, self.program = Path(directory), [str(f) for f in flags], program
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(
            ("TROUPE_", "OPENAI_", "ANTHROPIC_", "DEEPSEEK_", "OLLAMA_"))}
        self.environment.update(environment or {})
        self.process = self.url = None
        self.clients = []

    @property
    def log(self):
        return self.directory.parent / (self.directory.name + ".log")

    @property
    def key(self):
        return (self.directory / "admin.key").read_text().strip()

    def launch(self):
        """Starts the process and returns at once. One that is still there is ended first."""
        self.kill9()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.program, "--data", self.directory, "--listen", "127.0.0.1:0", *self.flags],
                                            stdout=subprocess.PIPE, stderr=log, env=self.environment)
        return self

    def start(self, seconds=SECONDS_MAX):
        self.launch()
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode().strip()
        watchdog.cancel()
        if not line.startswith("troupe ready "):
            status = self.process.wait(SECONDS_MAX)
            raise AssertionError(f"the node did not start ({status}): {line!r}\n{self.log.read_text(errors='replace')[-3000:]}")
        self.url = line.removeprefix("troupe ready ")
        return self

    def client(self, key=None, base="/api/v1"):
        made = Client(self.url, self.key if key is None else key, base)
        self.clients.append(made)
        return made

    def stream(self, path, seconds=SECONDS_MAX):
        return stream(self.url, self.key, path, seconds)

    def kill9(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.forget()

    def stop(self):
        """Drains; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(SECONDS_MAX)
        finally:
            self.kill9()

    def forget(self):
        if self.process:
            self.process.wait(SECONDS_MAX)
            self.process.stdout.close()
        self.process = None

    def refused(self, seconds=SECONDS_MAX):
        """Of a start that must fail: (exit status, all it said)."""
        before = self.log.stat().st_size if self.log.exists() else 0
        self.launch()
        try:
            out, _ = self.process.communicate(timeout=seconds)
            said = out + self.log.read_bytes()[before:]
            return self.process.returncode, said.decode(errors="replace")
        finally:
            self.kill9()

    def cli(self, *arguments, stdin="", seconds=SECONDS_MAX):
        """A command of the same program against this node."""
        return subprocess.run([TROUPE, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=seconds,
                              env={**self.environment, "TROUPE_DATA": str(self.directory)}, check=False)


class NodeTest(unittest.TestCase):
    """A folder of its own for each test; the nodes made with `node` end with it."""

    maxDiff = None

    def setUp(self):
        self.nodes = []
        self.folder = Path(tempfile.mkdtemp(prefix="troupe-system-"))
        self.addCleanup(self.tidy)

    def tidy(self):
        for node in self.nodes:
            node.kill9()
            for client in node.clients:
                client.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def node(self, *flags, name="data", **more):
        node = Node(self.folder / name, *flags, **more)
        self.nodes.append(node)
        return node

    def script(self, name, text):
        """A rehearsal script; returns the flags of a node that finds it and the model's name."""
        scripts = self.folder / "scripts"
        scripts.mkdir(exist_ok=True)
        written = scripts / f"{name}.{threading.get_ident()}"  # at once: other nodes of the test may read it
        written.write_text(text)
        written.rename(scripts / f"{name}.yaml")
        return ("--model.scripts", scripts), f"rehearsal:{name}"

    def work_folder(self, name="work"):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def status(self, reply, status, code=None):
        self.assertEqual(reply.status, status, reply)
        if code:
            self.assertEqual(reply.code, code, reply)
        return reply

    def check_disk(self, node):
        """Of a node that does not run: the journal is whole, and all that is shown follows from it."""
        for command in (("journal", "verify"), ("views", "check")):
            done = node.cli(*command, "--json")
            self.assertEqual((done.returncode, json.loads(done.stdout or "{}").get("ok")), (0, True), (command, done))
