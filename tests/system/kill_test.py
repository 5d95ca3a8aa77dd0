"""SIGKILL at any moment: what was acknowledged is there, what was done is not done again, and the work goes on."""

import collections
import concurrent.futures
import http.client
import itertools
import json
import os
import random
import threading
import time
from pathlib import Path

from tests.system.node import SAMPLE, NodeTest, new_key, poll, stream

# Side effects that cannot be repeated (commands), others that can (files), and two in one step.
STEPS = """
rules:
  - when: {step: 1}
    say: One.
    call: [{tool: run_command, arguments: {command: "echo one >> log; sleep 0.03"}}]
  - when: {step: 2}
    say: A file.
    call: [{tool: write_file, arguments: {path: notes.txt, content: "before\\n"}}]
  - when: {step: 3}
    say: An edit.
    call: [{tool: edit_file, arguments: {path: notes.txt, old_text: before, new_text: before and after}}]
  - when: {step: 4}
    say: Two and three.
    call:
      - {tool: run_command, arguments: {command: "echo two >> log; sleep 0.03"}}
      - {tool: run_command, arguments: {command: "echo three >> log; sleep 0.03"}}
  - when: {step: 5}
    say: Done.
    call: [{tool: finish, arguments: {result: All is done.}}]
"""
LINE_OF = {"00001.001": "one", "00004.001": "two", "00004.002": "three"}
ENDS = ("run_finished", "run_failed", "run_cancelled")


def descendants(pid):
    """Processes below `pid`, children first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it has ended
    found, new = [], [pid]
    while new:
        new = [p for p, parent in parents.items() if parent in new]
        found += new
    return found


def kill_tree(node):
    """As a power cut: the node, its runners and their commands."""
    below = descendants(node.process.pid)
    node.kill9()
    for pid in below:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass


class Desk:
    """Tells writers where the node is at the moment."""

    def __init__(self):
        self.url, self.changed = None, threading.Condition()

    def set(self, url):
        with self.changed:
            self.url = url
            self.changed.notify_all()

    def wait(self):
        with self.changed:
            if not self.changed.wait_for(lambda: self.url, 30):
                raise AssertionError("the node did not come back")
            return self.url


class KillTest(NodeTest):
    def check_disk(self, node):
        """Of a node that does not run: the journal is whole, and all that is shown follows from it."""
        for command in (("journal", "verify"), ("views", "check")):
            done = node.cli(*command, "--json")
            self.assertEqual((done.returncode, json.loads(done.stdout or "{}").get("ok")), (0, True), (command, done))


class LoadTest(KillTest):
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
        self.assertGreater(len(acknowledged), 200)
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
        for key, (task, content, made) in random.sample(sorted(acknowledged.items()), 50):
            again = api.post(f"/tasks/{task}/messages", {"content": content}, headers={"Idempotency-Key": key})
            self.assertEqual((again.status, again.json["id"], again.headers.get("idempotent-replayed")), (201, made, "true"))


class BoardTest(KillTest):
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


class RunKillTest(KillTest):
    def prepare(self, name):
        flags, model = self.script("steps", STEPS)
        work = self.work_folder(f"work-{name}")
        node = self.node(*flags, name=f"data-{name}").start()
        api = node.client()
        project = api.create("/projects", {"name": name, "folder": str(work)})["id"]
        run = api.create("/runs", {"goal": "do it", "project_id": project, "model": model})["id"]
        return node, work, project, run

    def kill_after(self, node, run, number, kill):
        """Kills as soon as event `number` of the run (from 1) is seen, or lets it end. The kinds seen."""
        seen = []
        events = node.stream(f"/runs/{run}/events?since=start")
        for event in events:
            if event.get("id"):
                seen.append(event["event"])
                if len(seen) == number or event["event"] in ENDS:
                    break
        kill(node)
        events.close()
        return seen

    def finish(self, node, run, choose):
        """Waits for the end; `choose(key)` decides unknown steps. {step key: decision}"""
        api, decided = node.client(), {}

        def check():
            shown = api.read(f"/runs/{run}")
            if shown["status"] != "waiting":
                return shown if shown["status"] in ("succeeded", "failed", "cancelled") else None
            for wait in shown["waiting"]:
                if wait["reason"] == "unknown_step":
                    approval = api.read(f"/approvals/{wait['approval_id']}")
                    decided[approval["step_key"]] = choose(approval["step_key"])
                    reply = api.post(f"/approvals/{wait['approval_id']}/decide", {"decision": decided[approval["step_key"]]})
                    self.assertIn(reply.status, (200, 409), reply)
                else:
                    self.assertEqual(wait["reason"], "back_off", shown)
            return None
        return poll(f"the end of run {run}", check), decided

    def check(self, node, work, project, run, shown, decided):
        api = node.client()
        self.assertEqual((shown["status"], shown["result"], shown["waiting"]), ("succeeded", "All is done.", []), shown)
        steps = {s["key"]: s for s in api.all(f"/runs/{run}/steps")}
        keys = [s["key"] for s in api.all(f"/runs/{run}/steps", limit=2)]
        self.assertEqual(keys, ["00001.000", "00001.001", "00002.000", "00002.001", "00003.000", "00003.001",
                                "00004.000", "00004.001", "00004.002", "00005.000", "00005.001"])
        lines = collections.Counter((work / "log").read_text().split() if (work / "log").exists() else [])
        for key, step in steps.items():
            line, decision = LINE_OF.get(key), decided.get(key)
            self.assertEqual(step["status"], "skipped" if decision == "skip" else "succeeded", step)
            if line and decision is None:
                self.assertEqual(lines[line], 1, (line, lines))
            elif line:
                self.assertLessEqual(lines[line], 2 if decision == "retry" else 1, (line, lines))
                self.assertGreaterEqual(lines[line], 1 if decision == "retry" else 0, (line, lines))
        self.assertEqual((work / "notes.txt").read_text(), "before and after\n")
        outcomes = collections.Counter()
        for event in api.events_of(f"runs/{run}"):
            if event["kind"] in ("tool_call_finished", "tool_call_skipped", "model_call_finished"):
                outcomes[event["data"]["step"], event["data"].get("call", 0)] += 1
            if event["kind"] in ENDS:
                outcomes["end"] += 1
        self.assertEqual(set(outcomes.values()), {1}, outcomes)
        self.assertEqual(len(outcomes), len(keys) + 1)
        files = {f["path"]: api.get(f"/projects/{project}/files/{f['path']}").raw for f in api.all(f"/projects/{project}/files")}
        self.assertEqual(files, {p.name: p.read_bytes() for p in work.iterdir() if p.is_file()}, "the project holds what the run left")

    def kinds_of_one_run(self, name):
        """The journaled events of the run when nobody disturbs it."""
        node, work, project, run = self.prepare(name)
        seen = self.kill_after(node, run, 0, lambda n: None)
        self.check(node, work, project, run, *self.finish(node, run, None))
        node.kill9()
        return seen

    def at_every_event(self, flavour, kill, choose, pick=lambda kind: True):
        kinds = self.kinds_of_one_run(flavour)
        self.assertGreater(len(kinds), 25)
        unknown = []

        def one(number):
            node, work, project, run = self.prepare(f"{flavour}-{number}")
            try:
                self.kill_after(node, run, number, kill)
                node.start()
                shown, decided = self.finish(node, run, choose)
                self.check(node, work, project, run, shown, decided)
                unknown.extend(decided)
            finally:
                node.kill9()

        numbers = [n for n, kind in enumerate(kinds, 1) if pick(kind)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for number, result in [(n, pool.submit(one, n)) for n in numbers]:
                with self.subTest(event=number, kind=kinds[number - 1]):
                    result.result()
        return unknown

    def test_node_killed_at_every_event_needs_no_person(self):
        unknown = self.at_every_event("node", lambda n: n.kill9(), lambda key: "retry")
        self.assertEqual(unknown, [], "a command survives its node, so that nothing stays unknown")

    def test_power_cut_at_every_event_repeats_only_what_a_person_wants(self):
        at_tools = lambda kind: kind.startswith("tool_call")
        self.at_every_event("retry", kill_tree, lambda key: "retry")
        self.at_every_event("skip", kill_tree, lambda key: "skip", at_tools)

    def test_power_cut_in_a_command_asks_a_person(self):
        for decision in ("retry", "skip"):
            with self.subTest(decision):
                self.cut_in_command(decision)

    def cut_in_command(self, decision):
        flags, model = self.script("long", """
rules:
  - when: {step: 1}
    call: [{tool: run_command, arguments: {command: "echo x >> log; test $(wc -l < log) = 2 || sleep 60"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "${result}"}}]
""")
        work = self.work_folder(decision)
        node = self.node(*flags, name=f"data-{decision}").start()
        api = node.client()
        project = api.create("/projects", {"name": "long", "folder": str(work)})["id"]
        run = api.create("/runs", {"goal": "long", "project_id": project, "model": model})["id"]
        poll("the command's line", lambda: (work / "log").exists() and (work / "log").read_text() == "x\n")
        kill_tree(node)
        node.start()
        api = node.client()
        waiting = api.wait_run(run, until=("waiting",))["waiting"]
        self.assertEqual([w["reason"] for w in waiting], ["unknown_step"])
        # The run names its question before the approval is opened.
        pending = poll("the question", lambda: api.read(f"/approvals?run_id={run}&status=pending")["items"])
        self.assertEqual([(a["id"], a["step_key"], a["tool"]) for a in pending], [(waiting[0]["approval_id"], "00001.001", "run_command")])
        node.kill9()
        node.start()  # the question is still there
        api = node.client()
        path = f"/approvals/{waiting[0]['approval_id']}/decide"
        self.status(api.post(path, {"decision": "approve"}), 422, "invalid_request")
        self.status(api.post(path, {"decision": decision}), 200)
        shown = api.wait_run(run)
        self.assertEqual(shown["status"], "succeeded", shown)
        self.assertEqual((work / "log").read_text(), "x\n" * (2 if decision == "retry" else 1))
        step = [s for s in api.all(f"/runs/{run}/steps") if s["key"] == "00001.001"]
        self.assertEqual([(s["status"], s["attempt"]) for s in step], [("succeeded", 2)] if decision == "retry" else [("skipped", 1)])
        node.kill9()

    def test_run_killed_again_and_again_comes_to_its_end(self):
        node, work, project, run = self.prepare("again")
        lives = 0
        for number in range(1, 200, 2):
            lives += 1
            if self.kill_after(node, run, number, lambda n: n.kill9())[-1] in ENDS:
                break
            node.start()
        self.assertGreater(lives, 10)
        node.start()
        self.check(node, work, project, run, *self.finish(node, run, lambda key: self.fail(f"{key} is unknown")))
        node.kill9()
        self.check_disk(node)

    def test_sample_is_mended_without_a_person_whenever_the_node_is_killed(self):
        numbers = (1, 4, 7, 10, 12, 15, 16, 20, 24, 28, 30)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for number, result in [(n, pool.submit(self.sample, n)) for n in numbers]:
                with self.subTest(event=number):
                    result.result()

    def sample(self, number):
        node = self.node(name=f"sample-{number}").start()
        try:
            api = node.client()
            project = api.create("/projects", {"name": "sample"})["id"]
            for file in sorted(SAMPLE.iterdir()):
                api.create(f"/projects/{project}/files", {"path": file.name, "content": file.read_text(),
                                                          "executable": os.access(file, os.X_OK)})
            agent = api.create("/agents", {"name": "fixer", "role": "technical"})["id"]
            task = api.create("/tasks", {"title": "Mend the failing test", "project_id": project, "agent_id": agent})["id"]
            run = poll("the task's run", lambda: api.read(f"/tasks/{task}").get("run_id"))
            self.kill_after(node, run, number, lambda n: n.kill9())
            node.start()
            shown, decided = self.finish(node, run, lambda key: "retry")
            self.assertEqual((shown["status"], decided), ("succeeded", {}), shown)
            api = node.client()
            self.assertIn("The tests pass: ", shown["result"])
            done = poll("the task's end", lambda: (t := api.read(f"/tasks/{task}")) and t["status"] in ("review", "done", "failed") and t)
            self.assertEqual((done["status"], done["run_id"], done["result"]), ("review", run, shown["result"]))
            diff = api.get(f"/runs/{run}/diff").raw.decode()
            self.assertEqual([line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")],
                             ["-        if (!merged.empty() && next.first <= merged.back().last)",
                              "+        if (!merged.empty() && next.first <= merged.back().last + 1)"])
            keys = [s["key"] for s in api.all(f"/runs/{run}/steps")]
            self.assertEqual(len(keys), len(set(keys)))
        finally:
            node.kill9()
