"""Hundreds of SIGKILLs under concurrent load: nothing that was acknowledged is lost or done twice, in order, for every
kind of request. `tests/crash KILLS` runs more than the few of every run of the tests."""

import collections
import concurrent.futures
import http.client
import itertools
import os
import random
import signal
import sys
import threading
import time

from tests.system import kill_load_test
from tests.system.node import NodeTest, new_key

KILLS = int(os.environ.get("TROUPE_CRASH_KILLS", 25))
SEED = int(os.environ.get("TROUPE_CRASH_SEED", random.randrange(1 << 30)))
# Nodes of several shapes: entities that stay in memory, that come and go by snapshots, many in few shards.
SHAPES = ((), ("--snapshot.events", 7, "--entity.idle_ms", 100, "--shards", 5), ("--snapshot.events", 40, "--shards", 1))
# As many kills a node, then what is on its disk is verified, and the next one begins.
KILLS_OF_A_NODE = 50


class Writer:
    """One client that does a bit of everything and writes down what it was told. Every request has a key and is sent
    until there is an answer, but for the few that are given up after the first loss."""

    def __init__(self, test, node, desk, number, shared, dice):
        self.test, self.node, self.desk, self.number, self.shared, self.dice = test, node, desk, number, shared, dice
        self.key_of_node, self.client = node.key, None
        self.tasks = {}  # id -> {"title", "version", "number"} as acknowledged last
        self.said = collections.defaultdict(list)  # task -> [(content, id)], in the order of the answers
        self.increments = collections.Counter()  # shared task -> how often it was raised by this one
        self.answers = []  # (method, path, body, headers, status, document)
        self.deleted, self.given_up = set(), set()
        self.lost = self.refused = 0

    def work(self, done):
        steps = (self.create, self.say, self.change, self.say, self.raise_shared, self.change, self.remove, self.say)
        for turn in itertools.count():
            if done.is_set():
                return self
            steps[turn % len(steps)](turn)

    def send(self, method, path, body=None, tag=None, once=False):
        """(answer, whether an earlier try was lost); nothing for what was given up."""
        headers = {"Idempotency-Key": new_key(), **({"If-Match": tag} if tag else {})}
        lost = 0
        while True:
            url = self.desk.wait()
            if self.client is None or url != self.client.url:
                self.client = self.node.client(self.key_of_node)
                self.client.url = url
            try:
                reply = self.client.request(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                self.client, lost = None, lost + 1
                self.test.assertFalse(self.desk.closed, "the test has failed")
                time.sleep(0.01)
                if once:
                    return None, lost
                continue
            if reply.status == 503:
                self.refused += 1
                time.sleep(0.01)
                continue
            self.lost += lost > 0
            if reply.status < 300 and (lost or self.dice.random() < 0.05):
                self.answers.append((method, path, body, headers, reply.status, reply.raw))
            return reply, lost

    def create(self, turn):
        title = f"{self.number}.{turn}"
        once = turn % 5 == 0
        reply, _ = self.send("POST", "/tasks", {"title": title, "description": "0"}, once=once)
        if reply is None:
            self.given_up.add(title)
            return
        self.test.assertEqual((reply.status, reply.headers["etag"]), (201, '"1"'), reply)
        self.test.assertNotIn(reply.json["id"], self.tasks)
        self.tasks[reply.json["id"]] = {"title": title, "version": 1, "number": 0}

    def say(self, turn):
        task, content = self.dice.choice(self.shared), f"{self.number}.{turn}"
        reply, _ = self.send("POST", f"/tasks/{task}/messages", {"content": content})
        self.test.assertEqual(reply.status, 201, reply)
        self.said[task].append((content, reply.json["id"]))

    def change(self, _):
        """A task of its own: with the version that it knows, a request succeeds, also when its first answer was lost."""
        if not self.tasks:
            return
        task = self.dice.choice(list(self.tasks))
        known = self.tasks[task]
        reply, _ = self.send("PATCH", f"/tasks/{task}", {"description": str(known["number"] + 1)}, f'"{known["version"]}"')
        self.test.assertEqual((reply.status, reply.headers.get("etag")), (200, f'"{known["version"] + 1}"'), reply)
        self.test.assertEqual(reply.json["description"], str(known["number"] + 1))
        known["version"] += 1
        known["number"] += 1

    def raise_shared(self, _):
        """A number that all raise: whoever has read it before another raised it is refused and reads again."""
        task = self.shared[0]
        for _ in range(20):
            read, _ = self.send("GET", f"/tasks/{task}")
            self.test.assertEqual(read.status, 200, read)
            number = int(read.json["description"])
            reply, _ = self.send("PATCH", f"/tasks/{task}", {"description": str(number + 1)}, read.headers["etag"])
            if reply.status == 200:
                self.test.assertEqual(reply.json["description"], str(number + 1))
                self.increments[task] += 1
                return
            self.test.assertEqual(reply.status, 412, reply)

    def remove(self, turn):
        if turn % 3 or len(self.tasks) < 4:
            return
        task = self.dice.choice(list(self.tasks))
        reply, _ = self.send("DELETE", f"/tasks/{task}", tag=f'"{self.tasks[task]["version"]}"')
        self.test.assertEqual(reply.status, 204, reply)
        self.deleted.add(task)
        del self.tasks[task]


class CrashTest(NodeTest):
    WRITERS, SHARED = 6, 8
    follow = kill_load_test.LoadTest.follow
    fingerprint = staticmethod(kill_load_test.LoadTest.fingerprint)

    def test_nothing_acknowledged_is_lost_or_done_twice_whenever_the_node_is_killed(self):
        began, done, sums = time.monotonic(), 0, collections.Counter()
        for number in itertools.count():
            kills = min(KILLS_OF_A_NODE, (KILLS + 2) // 3, KILLS - done)
            if kills <= 0:
                break
            with self.subTest(seed=SEED, node=number):
                sums += self.crash(random.Random(f"{SEED}.{number}"), kills, f"data-{number}", SHAPES[number % len(SHAPES)])
            done += kills
        print(f"\n{done} kills in {time.monotonic() - began:.0f} s, seed {SEED}: " +
              ", ".join(f"{count} {what}" for what, count in sums.items()), file=sys.stderr)

    def crash(self, dice, kills, name, flags):
        node = self.node(*flags, name=name).start()
        shared = [node.client().create("/tasks", {"title": f"shared {n}", "description": "0"})["id"] for n in range(self.SHARED)]
        desk, done = kill_load_test.Desk(), threading.Event()
        desk.set(node.url)
        writers = [Writer(self, node, desk, n, shared, random.Random(dice.random())) for n in range(self.WRITERS)]
        with concurrent.futures.ThreadPoolExecutor(self.WRITERS + 1) as pool:
            reader = pool.submit(self.follow, node, desk, done)
            works = [pool.submit(w.work, done) for w in writers]
            try:
                for _ in range(kills):
                    time.sleep(dice.expovariate(1 / 0.25) if dice.random() < 0.8 else 0)  # at once, or in full work
                    desk.set(None)
                    known = self.snapshot(writers)
                    self.kill(node)
                    while dice.random() < 0.2:
                        node.launch()
                        time.sleep(dice.uniform(0, 0.15))  # killed while it recovers
                        self.kill(node)
                    desk.set(node.start().url)
                    self.look(node, known, dice)
                    for work in works:
                        if work.done():
                            work.result()  # what failed, now and not at the end
            except BaseException:
                desk.closed = True
                raise
            finally:
                done.set()
                desk.set(node.url)
            for work in works:
                work.result(60)
            followed = reader.result(60)
        self.check(node, shared, writers, followed)
        node.kill9()
        self.check_disk(node)
        node.start()
        self.check(node, shared, writers, followed)
        node.kill9()
        return collections.Counter({"creates": sum(len(w.tasks) + len(w.deleted) for w in writers),
                                    "messages": sum(len(s) for w in writers for s in w.said.values()),
                                    "increments": sum(sum(w.increments.values()) for w in writers),
                                    "deletes": sum(len(w.deleted) for w in writers), "events": len(followed),
                                    "requests sent again": sum(w.lost for w in writers)})

    def kill(self, node):
        """It has to be alive until then."""
        process = node.process
        node.kill9()
        self.assertEqual(process.returncode, -signal.SIGKILL, node.log.read_text(errors="replace")[-3000:])

    @staticmethod
    def snapshot(writers):
        """What had been acknowledged before the kill: newer values may be there, older ones not."""
        return {task: (known["version"], known["title"]) for w in writers for task, known in list(w.tasks.items())}

    def look(self, node, known, dice):
        """After each restart, while the writers go on."""
        api = node.client()
        for task in dice.sample(sorted(known), min(5, len(known))):
            version, title = known[task]
            shown = api.get(f"/tasks/{task}")
            if shown.status == 404:
                continue  # deleted since; the end tells whether somebody did it
            self.assertEqual((shown.status, shown.json["title"]), (200, title))
            self.assertGreaterEqual(int(shown.headers["etag"].strip('"')), version, "acknowledged and lost")
        self.assertEqual(api.read("/status")["status"], "ok")

    def check(self, node, shared, writers, followed):
        api = node.client()
        listed = {t["id"]: t for t in api.all("/tasks")}
        events = [self.fingerprint(e) for e in api.all("/events")]
        of_channel = collections.Counter(e[0] for e in events)
        self.assertEqual(collections.Counter(followed), collections.Counter(events), "a reader that resumes sees each event once")
        self.check_own_tasks(api, listed, of_channel, writers)
        given_up = set().union(*(w.given_up for w in writers))
        others = collections.Counter(t["title"] for i, t in listed.items() if i not in shared and not any(i in w.tasks for w in writers))
        self.assertEqual(set(others) - given_up, set(), "nobody sent these, or they were deleted")
        self.assertEqual({t: n for t, n in others.items() if n != 1}, {}, "made more than once")
        self.check_shared(api, listed, of_channel, shared, writers)
        self.check_answers(api, writers)

    def check_own_tasks(self, api, listed, of_channel, writers):
        for writer in writers:
            for task, known in writer.tasks.items():
                shown = listed.get(task)
                self.assertIsNotNone(shown, f"{known} was acknowledged and lost")
                self.assertEqual((shown["title"], shown["description"]), (known["title"], str(known["number"])))
                self.assertEqual(of_channel[f"tasks/{task}"], known["version"], "one event a version")
            for task in writer.deleted:
                self.assertNotIn(task, listed)
            for task in itertools.islice(writer.tasks, 20):
                shown = api.get(f"/tasks/{task}")
                self.assertEqual(shown.json, listed[task], "the list agrees with the document")
                self.assertEqual(shown.headers["etag"], f'"{writer.tasks[task]["version"]}"')
            for task in itertools.islice(writer.deleted, 5):
                self.status(api.get(f"/tasks/{task}"), 404, "not_found")

    def check_shared(self, api, listed, of_channel, shared, writers):
        raised = sum(w.increments[shared[0]] for w in writers)
        self.assertEqual(int(listed[shared[0]]["description"]), raised, "every increment counts once")
        for task in shared:
            messages = api.all(f"/tasks/{task}/messages")
            found = collections.Counter(m["content"] for m in messages)
            self.assertEqual({c: n for c, n in found.items() if n != 1}, {}, "applied more than once")
            place = {m["id"]: n for n, m in enumerate(messages)}
            for writer in writers:
                said = writer.said[task]
                self.assertEqual([i for _, i in said if i not in place], [], "acknowledged and lost")
                self.assertEqual([messages[place[i]]["content"] for _, i in said], [c for c, _ in said])
                self.assertEqual([place[i] for _, i in said], sorted(place[i] for _, i in said), "in the order of the writer")
            self.assertEqual(len(messages), sum(len(w.said[task]) for w in writers), "nobody sent these")
            self.assertEqual(listed[task]["messages"], len(messages))
            version = 1 + len(messages) + (raised if task == shared[0] else 0)
            self.assertEqual((of_channel[f"tasks/{task}"], api.get(f"/tasks/{task}").headers["etag"]), (version, f'"{version}"'))

    def check_answers(self, api, writers):
        """The same key gets the same answer, whatever was killed between."""
        answers = [a for w in writers for a in w.answers if a[0] != "GET" and a[1].removeprefix("/tasks/") not in w.deleted]
        for method, path, body, headers, status, raw in random.sample(answers, min(60, len(answers))):
            again = api.request(method, path, body, headers)
            self.assertEqual((again.status, again.headers.get("idempotent-replayed")), (status, "true"), again)
            self.assertEqual(again.raw, raw, f"{method} {path}")
