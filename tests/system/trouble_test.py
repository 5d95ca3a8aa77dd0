"""What a node does when the machine under it misbehaves: a full disk, a disk that cannot sync, a clock that jumps, a data
directory that was copied."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import threading
import time
import unittest
from pathlib import Path

from tests.system.node import NodeTest, new_key, poll, sanitizers
from tests.system.shim import ShimCase

HOUR_S = 3600


class ShimTest(ShimCase):
    """Disks that fail, and clocks that jump."""

    # ---- a disk that cannot sync

    def test_a_failed_sync_ends_the_process_and_the_next_start_is_whole(self):
        node = self.node(environment=self.environment).start()
        task = node.client().create("/tasks", {"title": "t"})["id"]
        acknowledged, lock, begun = [], threading.Lock(), threading.Event()

        def writer(number):
            api = node.client()
            for turn in range(100_000):
                content = f"{number}.{turn}"
                try:
                    reply = api.post(f"/tasks/{task}/messages", {"content": content}, seconds=10)
                except Exception:  # the node has ended
                    return
                if reply.status == 201:
                    with lock:
                        acknowledged.append(content)
                        if len(acknowledged) > 200:
                            begun.set()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            writers = [pool.submit(writer, n) for n in range(8)]
            self.assertTrue(begun.wait(30))
            (self.shim / "no_sync").touch()
            self.assertEqual(node.process.wait(30), 70)
            for one in writers:
                one.result()
        self.assertIn("the node ends now", node.log.read_text())
        (self.shim / "no_sync").unlink()
        node.start()
        there = [m["content"] for m in node.client().all(f"/tasks/{task}/messages")]
        self.assertEqual(len(there), len(set(there)))
        self.assertEqual(set(acknowledged) - set(there), set())
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_a_start_without_sync_is_refused_and_harms_nothing(self):
        node = self.node(environment=self.environment).start()
        task = node.client().create("/tasks", {"title": "t"})
        node.kill9()
        (self.shim / "no_sync").touch()
        code, said = node.refused()
        self.assertIn(code, (1, 70), said)
        (self.shim / "no_sync").unlink()
        node.start()
        self.assertEqual(node.client().read(f"/tasks/{task['id']}"), task)

    # ---- a clock that jumps

    def set_clock(self, seconds):
        (self.shim / "clock.new").write_text(str(seconds))
        (self.shim / "clock.new").rename(self.shim / "clock")
        time.sleep(1.1)  # the shim looks once a second

    def start_run_of_a_minute(self):
        """A node, and a run whose command takes 4 s and whose budget is a minute."""
        flags, model = self.script("ask", "rules:\n"
                                   "  - when: {step: 1}\n    call: [{tool: run_command, arguments: {command: sleep 4}}]\n"
                                   "  - when: {step: 2}\n    say: done\n")
        node = self.node(*flags, "--sandbox", "none", environment=self.environment).start()
        api = node.client()
        project = api.create("/projects", {"name": "p", "folder": str(self.work_folder())})["id"]
        run = api.create("/runs", {"goal": "wait", "model": model, "project_id": project, "limits": {"time_ms": 60_000}})["id"]
        poll("its command works", lambda: any(e["kind"] == "tool_call_started" for e in api.events_of(f"runs/{run}")))
        return node, api, run

    def test_a_clock_that_is_set_by_hours_eats_no_budget(self):
        node, api, run = self.start_run_of_a_minute()
        self.set_clock(5 * HOUR_S)
        api.create("/tasks", {"title": "later"})
        shown = api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded", shown)
        self.assertLess(shown["used"]["time_ms"], 60_000)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_a_node_that_was_away_for_hours_has_not_worked_meanwhile(self):
        node, api, run = self.start_run_of_a_minute()
        node.kill9()
        self.set_clock(5 * HOUR_S)
        api = node.start().client()
        shown = api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded", shown)
        self.assertLess(shown["used"]["time_ms"], 60_000)
        self.assertIn("work_time_moved", [e["kind"] for e in api.events_of(f"runs/{run}")])
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_a_clock_that_is_set_far_off_is_refused_and_eats_no_budget(self):
        node, api, run = self.start_run_of_a_minute()
        for offset in (30 * HOUR_S, -30 * HOUR_S, 0):
            self.set_clock(offset)
            api.create("/tasks", {"title": f"at {offset}"})
        shown = api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded", shown)
        self.assertLess(shown["used"]["time_ms"], 60_000)
        self.assertIn("the system's clock was set by", node.log.read_text())
        self.check_times(api)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def check_times(self, api):
        times = [e["ts"] for e in api.all("/events")]
        self.assertGreater(len(times), 3)
        self.assertEqual(times, sorted(times))

    def test_a_clock_that_jumps_by_hours_breaks_nothing(self):
        node = self.node(environment=self.environment).start()
        api = node.client()
        task = api.create("/tasks", {"title": "t"})["id"]
        for offset in (5 * HOUR_S, -5 * HOUR_S, 0):
            self.set_clock(offset)
            for number in range(3):
                api.create(f"/tasks/{task}/messages", {"content": f"{offset} {number}"})
        self.assertEqual(len(api.all(f"/tasks/{task}/messages")), 9)
        changes = [e["ts"] for e in api.events_of(f"tasks/{task}")]
        self.assertEqual(changes, sorted(changes))
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_a_start_hours_before_the_journal_serves_and_keeps_the_order(self):
        node = self.node(environment=self.environment).start()
        task = node.client().create("/tasks", {"title": "t"})["id"]
        node.stop()
        self.set_clock(-5 * HOUR_S)
        node.start()
        api = node.client()
        for number in range(5):
            api.create(f"/tasks/{task}/messages", {"content": str(number)})
        self.assertIn([m["content"] for m in api.all(f"/tasks/{task}/messages")], (list("01234"), list("43210")))
        self.assertIn("ahead of the system's clock", node.log.read_text())
        changes = [e["ts"] for e in api.events_of(f"tasks/{task}")]
        self.assertEqual(len(changes), 6)
        self.assertEqual(changes, sorted(changes))
        node.stop()
        self.set_clock(5 * HOUR_S)
        node.start()
        self.status(node.client().post("/tasks", {"title": "later"}), 201)


class DiskTest(NodeTest):
    """A node on a small disk of its own."""

    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "troupe-test", self.disk], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            self.skipTest(f"this machine lets nobody mount a small disk: {made.stderr.strip()}")

    def tidy(self):
        for node in self.nodes:
            node.kill9()
            if os.environ.get("SHOW"): print(node.log.read_text(errors="replace")[-3000:])
        subprocess.run(["umount", "-l", self.disk], capture_output=True, check=False)
        super().tidy()

    def fill(self, left):
        free = shutil.disk_usage(self.disk).free
        with open(self.disk / "ballast", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free - left))

    def test_a_disk_that_fills_up_refuses_writes_and_recovers_by_itself(self):
        node = self.node("--storage.free_bytes_min", 32 << 20, name="disk/data").start()
        api = node.client()
        task = api.create("/tasks", {"title": "t"})["id"]
        acknowledged = []
        refused = None
        for number in range(5000):  # the node fills its own disk
            reply = api.post(f"/tasks/{task}/messages", {"content": f"{number} " + "x" * 60_000})
            if reply.status == 507:
                refused = reply
                break
            self.status(reply, 201)
            acknowledged.append(number)
        self.assertIsNotNone(refused, "the disk was never full")
        self.status(refused, 507, "storage_full")
        self.assertGreater(shutil.disk_usage(self.disk).free, 0)
        self.assertEqual(api.read(f"/tasks/{task}")["id"], task)
        self.fill(1 << 20)  # and now somebody else takes the rest
        key = {"Idempotency-Key": new_key()}
        self.status(api.post("/tasks", {"title": "after"}, headers=key), 507, "storage_full")
        self.assertEqual(len(api.all(f"/tasks/{task}/messages", limit=20)), len(acknowledged))
        (self.disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=640m", self.disk], check=True)
        made = poll("writes are taken again", lambda: (r := api.post("/tasks", {"title": "after"}, headers=key)).status == 201 and r)
        self.assertNotIn("idempotent-replayed", made.headers)
        there = [int(m["content"].split()[0]) for m in api.all(f"/tasks/{task}/messages", limit=20)]
        self.assertEqual(sorted(there), acknowledged)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_debts_on_a_full_disk_wait_quietly_and_are_paid_when_there_is_space(self):
        flags, model = self.script("work", "rules:\n  - when: {step: 1}\n    say: done\n")
        node = self.node(*flags, "--storage.free_bytes_min", 32 << 20, name="disk/data").start()
        api = node.client()
        agents = [api.create("/agents", {"name": f"a{n}", "model": model, "max_concurrent_tasks": 8})["id"] for n in range(3)]
        tasks = []
        for number in range(60):
            tasks.append(api.create("/tasks", {"title": f"t{number}", "agent_id": agents[number % 3]})["id"])
            if number == 30:
                self.fill(1 << 20)  # in the middle of it: what these owe each other cannot be written now
                break
        poll("the disk is full", lambda: api.post("/tasks", {"title": "x"}).status == 507)
        before = cpu_s(node.process.pid)
        time.sleep(3)
        self.assertLess(cpu_s(node.process.pid) - before, 1.5, "it spins")
        (self.disk / "ballast").unlink()
        poll("all tasks are done", lambda: all(api.read(f"/tasks/{t}")["status"] == "review" for t in tasks), 90)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CopyTest(NodeTest):
    def test_a_copied_directory_is_refused_until_somebody_adopts_it(self):
        node = self.node().start()
        task = node.client().create("/tasks", {"title": "t"})
        node.stop()
        shutil.copytree(node.directory, self.folder / "copy")
        copy = self.node(name="copy")
        code, said = copy.refused()
        self.assertEqual(code, 1)
        self.assertIn("is a copy of another one", said)
        self.assertIn("--storage.copied adopt", said)
        node.start()  # the original is as it was
        self.assertEqual(node.client().read(f"/tasks/{task['id']}"), task)
        node.stop()
        copy.flags += ["--storage.copied", "adopt"]
        copy.start()
        self.assertEqual(copy.client().read(f"/tasks/{task['id']}"), task)
        copy.stop()
        copy.flags = copy.flags[:-2]
        copy.start()  # it is an original now
        copy.stop()
        node.directory.rename(self.folder / "elsewhere")  # and a move is no copy
        self.node(name="elsewhere").start()

    def test_a_copy_of_a_running_node_is_refused_or_whole(self):
        node = self.node().start()
        task = node.client().create("/tasks", {"title": "t"})["id"]
        stop = threading.Event()

        def writer():
            api, number = node.client(), 0
            while not stop.is_set():
                api.create(f"/tasks/{task}/messages", {"content": str(number)})
                number += 1
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            writing = pool.submit(writer)
            for number in range(5):
                poll("more", lambda: len(node.client().all(f"/tasks/{task}/messages")) > 20 * number)
                subprocess.run(["cp", "-a", node.directory, self.folder / f"copy{number}"], check=True)
            stop.set()
            writing.result()
        for number in range(5):
            copy = self.node(name=f"copy{number}")
            code, said = copy.refused()
            self.assertEqual(code, 1, said)
            copy.flags += ["--storage.copied", "adopt"]
            copy.launch()
            line = copy.process.stdout.readline().decode()
            if not line.startswith("troupe ready "):  # torn: then it says so
                self.assertEqual(copy.process.wait(30), 1)
                continue
            copy.url = line.split()[-1]
            there = [int(m["content"]) for m in copy.client().all(f"/tasks/{task}/messages")]
            self.assertEqual(sorted(there), list(range(len(there))))  # a prefix, each once
            self.assertEqual(copy.stop(), 0)
            self.check_disk(copy)
        self.status(node.client().get(f"/tasks/{task}"), 200)


class FloodTest(NodeTest):
    def test_a_flood_waits_in_turn_and_late_ones_are_told_when_to_come_again(self):
        node = self.node("--limits.commands_in_work", 4, "--limits.wait_ms", 20, "--limits.outstanding_commands", 64,
                         "--edge.refusal_ms", 100).start()
        task = node.client().create("/tasks", {"title": "flood"})["id"]
        counts, hints, lock = {}, set(), threading.Lock()

        def writer(number):
            api = node.client()
            for turn in range(15):
                reply = api.post(f"/tasks/{task}/messages", {"content": f"{number}.{turn}"})
                with lock:
                    counts[reply.status] = counts.get(reply.status, 0) + 1
                    if reply.status == 503:
                        self.assertEqual(reply.code, "overloaded")
                        hints.add(int(reply.headers["retry-after"]))
        with concurrent.futures.ThreadPoolExecutor(96) as pool:
            for result in [pool.submit(writer, n) for n in range(96)]:
                result.result()
        self.assertEqual(set(counts) - {201, 503}, set())
        self.assertEqual(len(node.client().all(f"/tasks/{task}/messages")), counts[201])
        if counts.get(503, 0) > 30:
            self.assertGreater(len(hints), 1, "Retry-After is jittered")
        said = node.client().get("/metrics", base="").raw.decode()
        self.assertIn("troupe_commands_overloaded_total", said)

    def test_bodies_in_hand_have_a_bound_and_small_requests_go_on(self):
        node = self.node("--edge.body_bytes", 32 << 20).start()
        import socket
        import urllib.parse
        address = urllib.parse.urlsplit(node.url)
        wires = []
        for number in range(200):  # 200 MB are announced, and a byte of each comes
            wire = socket.create_connection((address.hostname, address.port), 10)
            self.addCleanup(wire.close)
            body = 1_000_000
            wire.sendall((f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.key}\r\n"
                          f"Content-Type: application/json\r\nContent-Length: {body}\r\n\r\n").encode() + b"{" * 100_000)
            wires.append(wire)
        for _ in range(20):
            self.status(node.client().post("/tasks", {"title": "small"}), 201)
        resident = next(int(line.split()[1]) for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
                        if line.startswith("VmRSS:"))
        if not sanitizers():
            self.assertLess(resident, 200_000)
        for wire in wires:
            wire.close()
        big = "x" * 900_000
        poll("room again", lambda: node.client().post("/tasks", {"title": "t", "description": big}).status in (201, 422))


class DeadlineTest(NodeTest):
    def test_a_deadline_that_is_over_is_said_and_a_command_past_it_is_not_decided_late(self):
        node = self.node("--limits.commands_in_work", 1).start()
        task = node.client().create("/tasks", {"title": "t"})["id"]
        counts, lock = {}, threading.Lock()

        def writer(number):
            api = node.client()
            for turn in range(20):
                reply = api.post(f"/tasks/{task}/messages", {"content": f"{number}.{turn}"}, headers={"X-Request-Timeout-Ms": "3"})
                with lock:
                    counts[reply.status] = counts.get(reply.status, 0) + 1
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for result in [pool.submit(writer, n) for n in range(16)]:
                result.result()
        self.assertEqual(set(counts) - {201, 504, 503}, set())
        self.assertGreaterEqual(len(node.client().all(f"/tasks/{task}/messages")), counts.get(201, 0))


if __name__ == "__main__":
    unittest.main()
