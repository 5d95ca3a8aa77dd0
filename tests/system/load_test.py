"""Everything at once on one node (writers, runs, readers, live connections that come and go, reloads), and then a stop in
the middle of it: it drains and ends well, and what was acknowledged is there. tests/sanitize runs it under sanitizers."""

import base64
import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import struct
import threading
import urllib.parse

from tests.system.node import SECONDS_MAX, NodeTest, new_key, poll, sanitizers, stream

STEPS = """
rules:
  - when: {step: 1}
    call: [{tool: write_file, arguments: {path: "${goal}.txt", content: "${goal}"}}]
  - when: {step: 2}
    call: [{tool: run_command, arguments: {command: "cat ${goal}.txt"}}]
  - when: {step: 3}
    call: [{tool: finish, arguments: {result: done}}]
"""
GONE = (OSError, http.client.HTTPException)  # what a client sees of a node that stops


class WebSocket:
    """As much of RFC 6455 as a reader of the live protocol needs."""

    def __init__(self, url, key):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_MAX)
        self.file = self.socket.makefile("rb")
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\n"
                             f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {key}\r\n\r\n").encode())
        status = self.file.readline()
        if b" 101 " not in status:
            self.close()
            raise ConnectionError(f"no upgrade: {status!r}")
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, message, opcode=1):
        raw, mask = json.dumps(message).encode() if opcode == 1 else message, os.urandom(4)
        head = bytes([0x80 | opcode, 0x80 | min(len(raw), 126)]) + (struct.pack(">H", len(raw)) if len(raw) > 125 else b"")
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(raw)))

    def read(self):
        """The next message; None when the node closed the connection properly."""
        while True:
            head = self.file.read(2)
            if len(head) < 2:
                raise ConnectionError("cut")
            size = head[1]
            if size > 125:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            body, opcode = self.file.read(size), head[0] & 15
            if opcode == 8:
                return None
            if opcode == 9:
                self.send(body, opcode=10)
            elif opcode == 1:
                return json.loads(body)

    def close(self):
        self.file.close()
        self.socket.close()


class Crowd:
    """Threads that work on the node until `done`, or until it goes away; `started` counts what each sort has got done."""

    def __init__(self, node, model, project):
        self.node, self.model, self.project, self.key = node, model, project, node.key
        self.done, self.lock = threading.Event(), threading.Lock()
        self.counts, self.acknowledged, self.errors, self.threads = {}, [], [], []

    def start(self, sort, count, *arguments):
        self.counts[sort.__name__] = 0
        for n in range(count):
            thread = threading.Thread(target=self.loop, args=(sort, random.Random(n), *arguments))
            thread.start()
            self.threads.append(thread)

    def loop(self, sort, dice, *arguments):
        api = self.node.client(self.key)
        for number in itertools.takewhile(lambda _: not self.done.is_set(), itertools.count()):
            try:
                sort(api, dice, number, *arguments)
                with self.lock:
                    self.counts[sort.__name__] += 1
            except GONE as e:
                if not self.done.is_set():
                    self.errors.append(f"{sort.__name__}: {e!r}")
                return
            except Exception as e:  # pylint: disable=broad-except  # the test tells, not the thread
                self.errors.append(f"{sort.__name__}: {e!r}")
                return

    def wait(self, each):
        """Until every sort has come this far."""
        def come():
            if self.errors:
                raise AssertionError(self.errors)
            return min(self.counts.values()) >= each
        poll(f"{each} of each sort {self.counts}", come, 4 * SECONDS_MAX)

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join(SECONDS_MAX)
        assert not any(t.is_alive() for t in self.threads), "a client hangs although the node is gone"

    # ---- the sorts

    def refused(self, reply):
        """A node that stops or has too much to do says so; anything else has to have worked."""
        if reply.status >= 300 and reply.status not in (429, 503):
            raise AssertionError(str(reply))
        return reply.status >= 300

    def writer(self, api, dice, _, tasks):
        task, key = dice.choice(tasks), new_key()
        reply = api.post(f"/tasks/{task}/messages", {"content": key}, headers={"Idempotency-Key": key})
        if not self.refused(reply):
            with self.lock:
                self.acknowledged.append((task, key))

    def runner(self, api, dice, number):
        reply = api.post("/runs", {"goal": f"g{dice.randrange(4)}", "project_id": self.project, "model": self.model})
        if not self.refused(reply) and number % 3 == 0:
            self.refused(api.post(f"/runs/{reply.json['id']}/cancel"))

    def reader(self, api, dice, _, tasks):
        path = dice.choice(("/tasks", "/runs", "/events", "/health", "/metrics", "/supervision", f"/tasks/{dice.choice(tasks)}",
                            "/dead-letters", "/agents"))
        self.refused(api.get(path, base="" if path in ("/health", "/metrics") else None))

    def listener(self, _, dice, number):
        """Server-sent events, left in the middle."""
        with contextlib.closing(stream(self.node.url, self.key, "/events?since=" + ("start" if number % 2 else ""))) as events:
            for _ in itertools.islice(events, dice.randrange(1, 40)):
                pass

    def watcher(self, _, dice, number):
        """A WebSocket that subscribes, gives up a subscription, and is closed properly or not at all."""
        with contextlib.closing(WebSocket(self.node.url, self.key)) as live:
            live.send({"op": "subscribe", "channels": ["*"], "since": "start", "ref": "a"})
            live.send({"op": "subscribe", "channels": ["runs/*", "tasks/*"]})
            for n in range(dice.randrange(2, 60)):
                if live.read() is None:
                    return
                if n == 20:
                    live.send({"op": "unsubscribe", "subscription": "s1"})
            if number % 2:
                live.send(struct.pack(">H", 1000), opcode=8)


class EverythingAtOnceTest(NodeTest):
    def crowd(self, node, model):
        api = node.client()
        tasks = [api.create("/tasks", {"title": f"t{n}"})["id"] for n in range(6)]
        project = api.create("/projects", {"name": "p", "folder": str(self.work_folder())})["id"]
        crowd = Crowd(node, model, project)
        self.addCleanup(crowd.end)
        self.addCleanup(node.kill9)  # before: a listener ends with the node
        crowd.start(crowd.writer, 4, tasks)
        crowd.start(crowd.runner, 1)
        crowd.start(crowd.reader, 2, tasks)
        crowd.start(crowd.listener, 2)
        crowd.start(crowd.watcher, 2)
        return crowd

    def test_it_drains_and_ends_in_the_middle_of_everything(self):
        flags, model = self.script("steps", STEPS)
        file = self.folder / "troupe.yaml"
        file.write_text("log:\n  level: info\n")
        node = self.node(*flags, "--config", file, "--entity.idle_ms", 200, "--snapshot.events", 9).start()
        for stop in (signal.SIGTERM, signal.SIGINT):
            crowd = self.crowd(node, model)
            for n in range(1, 6):
                crowd.wait(n)
                file.write_text(f"log:\n  level: {'debug' if n % 2 else 'info'}\n")
                node.process.send_signal(signal.SIGHUP)
            crowd.wait(12)
            crowd.done.set()  # from here on the node may go away
            node.process.send_signal(stop)
            self.assertEqual(node.process.wait(SECONDS_MAX), 0, node.log.read_text()[-4000:])
            crowd.end()
            self.assertEqual(crowd.errors, [])
            self.check_disk(node)
            node.start()
            self.check_messages(node, crowd.acknowledged)

    def test_a_kill_in_the_middle_of_everything_loses_nothing(self):
        flags, model = self.script("steps", STEPS)
        node = self.node(*flags, "--entity.idle_ms", 200).start()
        crowd = self.crowd(node, model)
        crowd.wait(8)
        crowd.done.set()
        node.kill9()
        crowd.end()
        self.assertEqual(crowd.errors, [])
        node.start()
        self.check_messages(node, crowd.acknowledged)
        api = node.client()
        for run in api.all("/runs"):
            api.wait_run(run["id"], seconds=4 * SECONDS_MAX)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def check_messages(self, node, acknowledged):
        self.assertGreater(len(acknowledged), 20)
        api = node.client()
        kept = {t: [m["content"] for m in api.all(f"/tasks/{t}/messages")] for t in {t for t, _ in acknowledged}}
        self.assertEqual([k for t, k in acknowledged if kept[t].count(k) != 1], [])


class AgentsTest(NodeTest):
    def test_a_hundred_agents_work_at_once_and_over_a_kill(self):
        count, gate = 100, self.folder / "go"
        flags, model = self.script("wait", "rules:\n"
                                   "  - when: {step: 1}\n    call:\n      - {tool: run_command, arguments: {command: "
                                   f"\"until [ -e {gate} ]; do sleep 0.2; done\"" "}}\n"
                                   "  - when: {step: 2}\n    call: [{tool: finish, arguments: {result: done}}]\n")
        self.addCleanup(gate.touch)  # whatever comes: no command waits for ever
        node = self.node(*flags, "--sandbox", "none").start()
        api = node.client()
        for n in range(count):
            agent = api.create("/agents", {"name": f"a{n}", "model": model})["id"]
            project = api.create("/projects", {"name": f"p{n}"})["id"]
            api.create("/tasks", {"title": f"t{n}", "agent_id": agent, "project_id": project})

        def at_work():
            load = node.client().read("/load?limit=0")
            return load if load["performing"] >= count else None
        load = poll("a hundred commands at work", at_work, 4 * SECONDS_MAX)
        if not sanitizers():
            self.assertLess(load["resident_bytes"], 300 << 20)  # of all hundred together
        node.kill9()
        api = node.start().client()
        load = poll("a hundred commands at work again", at_work, 4 * SECONDS_MAX)
        if not sanitizers():
            self.assertLess(load["resident_bytes"], 300 << 20)
        gate.touch()
        poll("all are done", lambda: all(t["status"] == "review" for t in api.all("/tasks")), 4 * SECONDS_MAX)
        runs = api.all("/runs")
        self.assertEqual([r["status"] for r in runs], ["succeeded"] * count)  # each was started once
        self.assertEqual({r["used"]["steps"] for r in runs}, {2})
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)
