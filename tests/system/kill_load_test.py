"""SIGKILL under load: what was acknowledged is there once, entities that tell each other lose nothing, readers resume."""

import collections
import concurrent.futures
import http.client
import itertools
import json
import random
import threading
import time

from tests.system.node import NodeTest, new_key, poll, stream


class Desk:
    """Tells writers where the node is at the moment."""

    def __init__(self):
        self.url, self.changed = None, threading.Condition()
        self.closed = False  # nobody starts the node any more

    def set(self, url):
        with self.changed:
            self.url = url
            self.changed.notify_all()

    def wait(self):
        with self.changed:
            if not self.changed.wait_for(lambda: self.url, 30):
                raise AssertionError("the node did not come back")
            return self.url


class LoadTest(NodeTest):
    TASKS, WRITERS, KILLS = 20, 8, 8

    def test_acknowledged_messages_survive_kills_exactly_once(self):
        seed = random.randrange(1 << 30)
        with self.subTest(seed=seed):
            self.load(random.Random(seed))

    def test_the_same_with_entities_that_come_and_go_by_snapshots(self):
        seed = random.randrange(1 << 30)
        with self.subTest(seed=seed):
            self.load(random.Random(seed), "--snapshot.events", 7, "--entity.idle_ms", 100, "--shards", 5)

    def load(self, dice, *flags):
        node = self.node(*flags).start()
        tasks = [node.client().create("/tasks", {"title": f"t{n}"})["id"] for n in range(self.TASKS)]
        desk, done = Desk(), threading.Event()
        desk.set(node.url)
        with concurrent.futures.ThreadPoolExecutor(self.WRITERS + 1) as pool:
            reader = pool.submit(self.follow, node, desk, done)
            writers = [pool.submit(self.write, node, desk, done, tasks, n, random.Random(dice.random())) for n in range(self.WRITERS)]
            try:
                for _ in range(self.KILLS):
                    time.sleep(dice.uniform(0, 0.25))  # the random moment
                    desk.set(None)
                    node.kill9()
                    if dice.random() < 0.5:
                        node.launch()
                        time.sleep(dice.uniform(0, 0.1))  # killed while it recovers
                        node.kill9()
                    desk.set(node.start().url)
            finally:
                done.set()
                if node.process:
                    desk.set(node.url)
            results = [w.result(60) for w in writers]
            followed = reader.result(60)
        self.check(node, tasks, results)
        kept = [self.fingerprint(e) for e in node.client().all("/events")]
        self.assertEqual(collections.Counter(followed), collections.Counter(kept), "a reader that resumes sees each event once")
        node.kill9()
        node.start()
        self.check(node, tasks, results)
        node.kill9()
        self.check_disk(node)

    @staticmethod
    def fingerprint(event):
        return event["channel"], event["ts"], event["kind"], json.dumps(event["data"], sort_keys=True)

    def follow(self, node, desk, done):
        """All events over all lives of the node, resumed where the connection broke."""
        seen, cursor, key = [], "start", node.key
        last_life = False
        while not last_life:
            url = desk.wait()
            last_life = done.is_set()
            try:
                for event in stream(url, key, f"/events?since={cursor}", seconds=2):
                    if event.get("id"):
                        seen.append(self.fingerprint(event["data"]))
                        cursor = event["id"]
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # cut, or silent for two seconds: all is read
        return seen

    def write(self, node, desk, done, tasks, writer, dice):
        """Sends messages one by one until `done`: ({key: (task, content, id)} of the acknowledged, the same of the given up)."""
        acknowledged, given_up, client, key_of_node = {}, {}, None, node.key
        for number in itertools.takewhile(lambda _: not done.is_set(), itertools.count()):
            task, content, key, lost = dice.choice(tasks), f"{writer}.{number}", new_key(), 0
            while True:
                url = desk.wait()
                if client is None or url != client.url:
                    client = node.client(key_of_node)
                    client.url = url
                try:
                    reply = client.post(f"/tasks/{task}/messages", {"content": content}, headers={"Idempotency-Key": key})
                except (OSError, http.client.HTTPException):
                    reply = None
                if reply is None:
                    lost += 1
                    time.sleep(0.01)
                    client = None
                    if lost == 1 and number % 3 == 0:
                        given_up[key] = (task, content, None)
                        break
                elif reply.status == 503:
                    time.sleep(0.01)
                else:
                    self.assertEqual(reply.status, 201, reply)
                    acknowledged[key] = (task, content, reply.json["id"])
                    break
        return acknowledged, given_up

    def check(self, node, tasks, results):
        api = node.client()
        acknowledged = {k: v for a, _ in results for k, v in a.items()}
        given_up = {k: v for _, g in results for k, v in g.items()}
        self.assertGreater(len(acknowledged), self.KILLS)  # some in most lives, however slow the machine is
        self.assertGreater(len(given_up), 0)
        events = collections.Counter(e["channel"] for e in api.all("/events"))
        for task in tasks:
            messages = api.all(f"/tasks/{task}/messages")
            found = collections.Counter(m["content"] for m in messages)
            must = {c: i for t, c, i in acknowledged.values() if t == task}
            may = {c for t, c, _ in given_up.values() if t == task}
            self.assertEqual({c: n for c, n in found.items() if n != 1}, {}, "applied more than once")
            self.assertEqual(set(must) - set(found), set(), "acknowledged and lost")
            self.assertEqual(set(found) - set(must) - may, set(), "nobody sent these")
            self.assertEqual({m["content"]: m["id"] for m in messages if m["content"] in must}, must)
            shown = api.get(f"/tasks/{task}")
            self.assertEqual(shown.json["messages"], len(messages))
            self.assertEqual(shown.headers["etag"], f'"{len(messages) + 1}"', "one version each, from the creation on")
            self.assertEqual(events[f"tasks/{task}"], len(messages) + 1)
        for key, (task, content, made) in random.sample(sorted(acknowledged.items()), min(50, len(acknowledged))):
            again = api.post(f"/tasks/{task}/messages", {"content": content}, headers={"Idempotency-Key": key})
            self.assertEqual((again.status, again.json["id"], again.headers.get("idempotent-replayed")), (201, made, "true"))


class BoardTest(NodeTest):
    """Tasks, agents and names are entities that tell each other: kills between the messages."""

    WORK = """
rules:
  - when: {step: 1}
    call: [{tool: run_command, arguments: {command: "echo ${goal} >> ${goal}.log"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "${goal} is done."}}]
"""

    def test_every_task_is_done_once_whatever_is_killed(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        flags, model = self.script("work", self.WORK)
        node, work = self.node(*flags).start(), self.work_folder()
        api = node.client()
        project = api.create("/projects", {"name": "p", "folder": str(work)})["id"]
        agents = [api.create("/agents", {"name": f"a{n}", "model": model, "max_concurrent_tasks": n + 1})["id"] for n in range(3)]
        made, bodies = {}, [{"title": f"task-{n}", "project_id": project, "agent_id": agents[n % 3]} for n in range(18)]
        keys = [new_key() for _ in bodies]
        moments = [dice.uniform(0, 0.25) for _ in range(8)]
        while True:
            killer = threading.Timer(moments[0], node.process.kill) if moments else None
            if killer:
                killer.start()
            done = self.drive(node, bodies, keys, made)
            if killer is None:
                break
            killer.join()
            moments.pop(0)
            node.start()
        with self.subTest(seed=seed):
            self.check_board(node.client(), work, agents, made, done)
            node.kill9()
            self.check_disk(node)

    def drive(self, node, bodies, keys, made):
        """Creates what is not there yet, and waits for all to end. Nothing when the node went away."""
        api = node.client()
        try:
            for body, key in zip(bodies, keys):
                if body["title"] not in made:
                    reply = api.post("/tasks", body, headers={"Idempotency-Key": key})
                    self.assertEqual(reply.status, 201, reply)
                    made[body["title"]] = reply.json["id"]

            def check():
                tasks = {t["title"]: t for t in api.all("/tasks")}
                return tasks if all(t["status"] in ("review", "failed", "blocked") for t in tasks.values()) else None
            return poll("the end of all tasks", check)
        except (OSError, http.client.HTTPException):
            return None

    def check_board(self, api, work, agents, made, tasks):
        self.assertEqual({t: v["id"] for t, v in tasks.items()}, made)
        self.assertEqual(len(tasks), 18)
        for title, task in tasks.items():
            self.assertEqual((task["status"], task["result"]), ("review", f"{title} is done."), task)
            self.assertEqual([r["id"] for r in api.all(f"/runs?task_id={task['id']}")], [task["run_id"]])
            self.assertEqual((work / f"{title}.log").read_text(), f"{title}\n")
        self.assertEqual(len(api.all("/runs")), 18)
        for agent in agents:
            shown = poll("an idle agent", lambda a=agent: (d := api.read(f"/agents/{a}"))["status"] == "idle" and d)
            self.assertEqual((shown["completed"], shown["failed"], shown["running"], shown["queued"]), (6, 0, [], []))

    def test_names_of_agents_are_taken_once(self):
        dice = random.Random(random.randrange(1 << 30))
        node = self.node().start()
        keys = {f"name-{n}": (new_key(), new_key()) for n in range(30)}
        answers = {}
        for _ in range(6):
            killer = threading.Timer(dice.uniform(0.01, 0.15), node.process.kill)
            killer.start()
            api = node.client()
            try:
                for name, (mine, other) in keys.items():
                    for key in (mine, other):  # two want the same name
                        reply = api.post("/agents", {"name": name}, headers={"Idempotency-Key": key})
                        self.assertIn(reply.status, (201, 409), reply)
                        if (name, key) in answers:
                            self.assertEqual((reply.status, reply.status == 409 or reply.json["id"]), answers[name, key])
                        elif reply.status == 201:
                            answers[name, key] = (201, reply.json["id"])
            except (OSError, http.client.HTTPException):
                pass
            killer.join()
            node.start()
        api = node.client()
        for name, (mine, other) in keys.items():
            replies = [api.post("/agents", {"name": name}, headers={"Idempotency-Key": k}) for k in (mine, other)]
            self.assertEqual(sorted(r.status for r in replies), [201, 409], (name, replies))
        found = collections.Counter(a["settings"]["name"] for a in api.all("/agents"))
        self.assertEqual(found, collections.Counter(list(keys)))
        node.kill9()
        self.check_disk(node)
