"""Over its bounds a node refuses, says when to come again, and goes on; when it is stopped it finishes what it began."""

import concurrent.futures
import http.client
import socket
import threading
import time
import urllib.parse

from tests.system.node import NodeTest, new_key, poll


class BoundsTest(NodeTest):
    def test_full_disk_refuses_writes_and_reads_go_on(self):
        node = self.node().start()
        task = node.client().create("/tasks", {"title": "before"})
        node.stop()
        full = self.node("--storage.free_bytes_min", 1 << 40).start()  # more than this disk has
        api = full.client()
        self.assertLess(api.read("/status")["disk_free_bytes"], 1 << 40)
        key = {"Idempotency-Key": new_key()}
        reply = self.status(api.post("/tasks", {"title": "after"}, headers=key), 507, "storage_full")
        self.assertIn("disk", reply.json["detail"])
        self.assertEqual(api.read(f"/tasks/{task['id']}"), task)
        self.assertEqual([t["id"] for t in api.all("/tasks")], [task["id"]])
        self.assertEqual(full.stop(), 0)
        node.start()  # there is room again: the same request is made now
        made = self.status(node.client().post("/tasks", {"title": "after"}, headers=key), 201)
        self.assertNotIn("idempotent-replayed", made.headers)

    def test_connections_have_a_bound(self):
        node = self.node("--edge.connections_max", 8).start()
        clients = [node.client() for _ in range(8)]
        for client in clients:
            self.status(client.get("/health", base=""), 200)
        try:
            reply = node.client().request("POST", "/tasks", {"title": "x"}, seconds=5)
            self.assertEqual(reply.status, 503, reply)
        except (OSError, http.client.HTTPException):
            pass  # refused without a word
        for client in clients:
            self.status(client.get("/tasks"), 200)
        clients[0].close()
        late = node.client()

        def served():
            try:
                return late.request("GET", "/tasks", seconds=5).status == 200
            except (OSError, http.client.HTTPException):
                return False
        poll("a free place", served)

    def test_flood_is_refused_with_a_time_and_nothing_is_half_done(self):
        node = self.node("--limits.outstanding_commands", 2, "--edge.refusal_ms", 0).start()
        task = node.client().create("/tasks", {"title": "flood"})["id"]
        counts, lock = {201: 0, 503: 0}, threading.Lock()

        def writer(number):
            api = node.client()
            for turn in range(60):
                reply = api.post(f"/tasks/{task}/messages", {"content": f"{number}.{turn}"})
                self.assertIn(reply.status, counts, reply)
                if reply.status == 503:
                    self.assertEqual(reply.code, "overloaded")
                    self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)
                with lock:
                    counts[reply.status] += 1
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for result in [pool.submit(writer, n) for n in range(16)]:
                result.result()
        self.assertGreater(counts[201], 0)
        self.assertGreater(counts[503], 0)
        self.assertEqual(len(node.client().all(f"/tasks/{task}/messages")), counts[201])

    def test_slow_request_holds_up_nobody(self):
        node = self.node("--edge.threads", 1).start()
        address = urllib.parse.urlsplit(node.url)
        head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.key}\r\nContent-Type: application/json\r\n"
        slow = []
        for _ in range(50):
            wire = socket.create_connection((address.hostname, address.port), 10)
            self.addCleanup(wire.close)
            wire.sendall((head + "Content-Length: 13\r\n\r\n{").encode())
            slow.append(wire)
        began = time.monotonic()
        for _ in range(20):
            self.status(node.client().get("/tasks"), 200)
        self.assertLess(time.monotonic() - began, 10)
        slow[0].sendall(b'"title":"x"}')
        self.assertIn(b" 201 ", slow[0].recv(65536))

    def test_pipelined_requests_are_answered_in_their_order(self):
        node = self.node().start()
        address = urllib.parse.urlsplit(node.url)
        with socket.create_connection((address.hostname, address.port), 10) as wire:
            for number in range(20):
                body = b'{"title":"p%d"}' % number
                wire.sendall(f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.key}\r\n"
                             f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                             f"{'Connection: close' if number == 19 else 'X-A: b'}\r\n\r\n".encode() + body)
            out = b""
            while piece := wire.recv(65536):
                out += piece
        places = [out.find(b'"title":"p%d"' % n) for n in range(20)]
        self.assertEqual(places, sorted(places))
        self.assertNotIn(-1, places)
        self.assertEqual(out.count(b"HTTP/1.1 201 "), 20)


class DrainTest(NodeTest):
    def test_stop_under_load_loses_nothing_that_was_acknowledged(self):
        node = self.node().start()
        tasks = [node.client().create("/tasks", {"title": f"t{n}"})["id"] for n in range(8)]
        acknowledged, refused, begun = [], [], threading.Event()

        def writer(number):
            api = node.client()
            for turn in range(100000):
                content = f"{number}.{turn}"
                try:
                    reply = api.post(f"/tasks/{tasks[number]}/messages", {"content": content})
                except (OSError, http.client.HTTPException):
                    return
                if reply.status != 201:
                    refused.append(reply)
                    return
                acknowledged.append((tasks[number], content))
                if turn == 20:
                    begun.set()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            writers = [pool.submit(writer, n) for n in range(8)]
            self.assertTrue(begun.wait(30))
            began = time.monotonic()
            self.assertEqual(node.stop(), 0)
            self.assertLess(time.monotonic() - began, 15)
            for each in writers:
                each.result()
        self.assertEqual({r.status for r in refused} - {503}, set(), refused)
        self.assertFalse((node.directory / "node.json").exists())
        node.start()
        api = node.client()
        found = {(t, m["content"]) for t in tasks for m in api.all(f"/tasks/{t}/messages")}
        self.assertEqual(set(acknowledged) - found, set())
        self.assertLessEqual(len(found) - len(acknowledged), 8, "at most one in flight of each writer")

    def test_live_readers_are_told_that_the_node_stops(self):
        node = self.node().start()
        events = node.stream("/events?since=start")
        node.client().create("/tasks", {"title": "x"})
        self.assertTrue(any(e["event"] == "task_created" for e in events))  # and what the board gave its number with
        self.assertEqual(node.stop(), 0)
        self.assertEqual([e["event"] for e in events][-1:], ["closed"])

    def test_second_signal_ends_it_at_once(self):
        flags, model = self.script("long", "rules:\n  - call: [{tool: run_command, arguments: {command: sleep 60}}]\n")
        node = self.node(*flags, "--edge.drain_ms", 60000).start()
        api = node.client()
        project = api.create("/projects", {"name": "p"})["id"]
        run = api.create("/runs", {"goal": "x", "model": model, "project_id": project})["id"]
        poll("the command", lambda: any(s["type"] == "tool" for s in api.all(f"/runs/{run}/steps")))
        node.process.terminate()
        time.sleep(0.1)  # the first one is taken; a second one counts as one more only after that
        if node.process.poll() is None:
            node.process.terminate()
        self.assertIn(node.process.wait(10), (0, -15))
