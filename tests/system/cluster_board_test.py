"""The board on three nodes, while nodes are killed: what was answered is there, once, whoever is asked, and what was begun
goes on elsewhere."""

import concurrent.futures
import http.client
import json
import re
import time

from tests.system.cluster import ClusterTest
from tests.system.mail_server import HookServer
from tests.system.node import Client, new_key, poll

SCRIPT = """
delay_ms: 2
rules:
  - when: {goal_contains: "Plan me"}
    call: [{tool: finish, arguments: {result: "Planned.", output: %s}}]
  - when: {message_contains: first}
    say: The walrus is fine.
  - call: [{tool: finish, arguments: {result: "Done."}}]
""" % json.dumps({"tasks": [{"id": "b", "title": "Second", "depends_on": ["a"], "capabilities": ["code"]},
                            {"id": "a", "title": "First", "capabilities": ["code"]}]})


class Flows(ClusterTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("flows", SCRIPT)
        self.hooks = HookServer()
        self.addCleanup(self.hooks.stop)
        self.members = [self.member(m.name, *flags) for m in self.members]
        for m in self.members:
            m.directory.mkdir(exist_ok=True)
            m.directory.joinpath("notifications.json").write_text('{"webhook_allow": "127.0.0.0/8", "retry_ms": 100}')
        self.start_all()
        self.alive = list(self.members)

    def any(self, method, path, body=None, key=None):
        """Of any node that answers, once: a request that breaks is sent again with its key."""
        headers = {"Idempotency-Key": key or new_key()} if method == "POST" else {}
        last = None
        for _ in range(600):
            for member in self.alive:
                client = Client(member.url, member.key)
                try:
                    last = client.request(method, path, body, headers=headers, seconds=10)
                    if last.status < 500 and last.status != 429:
                        if last.status >= 300:
                            raise AssertionError(f"{method} {path}: {last}")
                        return last.json if last.raw else None
                except (OSError, http.client.HTTPException):
                    pass
                finally:
                    client.close()
            time.sleep(0.1)
        raise AssertionError(f"{method} {path}: nobody answers, the last said {last}")

    def all(self, path):
        return self.any("GET", path + ("&" if "?" in path else "?") + "limit=200")["items"]

    def kill(self, of):
        """The node that leads most shards of those that have to do with it."""
        victim = max(self.alive, key=lambda m: self.leads(self.alive[0], m.name))
        victim.kill9()
        self.alive.remove(victim)
        self.dead = victim
        return of

    def back(self):
        self.dead.start()
        self.alive.append(self.dead)

    def same_everywhere(self, what, show):
        """All nodes show the same."""
        def same():
            shown = []
            for member in self.alive:
                client = Client(member.url, member.key)
                try:
                    shown.append(show(client))
                except (AssertionError, OSError, http.client.HTTPException):
                    return False
                finally:
                    client.close()
            return shown if all(one == shown[0] for one in shown) else False
        return poll(what, same, seconds=60)[0]

    def test_the_board_through_two_kills(self):
        keys = [new_key() for _ in range(60)]
        parent = self.any("POST", "/tasks", {"title": "parent"})["id"]

        def make(n):
            return self.any("POST", "/tasks", {"title": f"t{n:02}", "parent_id": parent}, keys[n])
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            first = [pool.submit(make, n) for n in range(60)]
            poll("some are made", lambda: sum(f.done() for f in first) > 10)
            self.kill("tasks")
            made = [f.result()["id"] for f in first]
            again = list(pool.map(make, range(60)))  # each with its key, once more
        self.assertEqual([t["id"] for t in again], made)

        def work(n):
            self.any("POST", f"/tasks/{made[n]}/messages", {"content": f"said {n}"})
            self.any("POST", f"/tasks/{made[n]}/status", {"status": "in_progress"})
            if n % 3 == 0:
                self.any("POST", f"/tasks/{made[n]}/status", {"status": "review"})
                self.any("POST", f"/tasks/{made[n]}/status", {"status": "done"})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            moves = [pool.submit(work, n) for n in range(60)]
            poll("some are moved", lambda: sum(f.done() for f in moves) > 10)
            self.back()
            self.kill("tasks")
            for one in moves:
                one.result()
        self.back()

        def show(client):
            tasks = client.all("/tasks")
            board = client.read("/board?limit=200")["columns"]
            return (sorted((t["key"], t["title"], t["status"], t["messages"]) for t in tasks),
                    client.read(f"/tasks/{parent}")["subtasks"],
                    {c["status"]: [t["key"] for t in c["tasks"]] for c in board})
        poll("the parts are counted", lambda: self.any("GET", f"/tasks/{parent}").get("subtasks") ==
             {"total": 60, "done": 20, "failed": 0, "cancelled": 0}, seconds=60)
        tasks, parts, board = self.same_everywhere("all nodes show the same board", show)
        self.assertEqual(len({key for key, *_ in tasks}), 61)
        self.assertEqual([title for _, title, _, _ in sorted(tasks, key=lambda t: t[1])], ["parent"] + [f"t{n:02}" for n in range(60)])
        self.assertEqual({title: messages for _, title, _, messages in tasks if title != "parent"}, {f"t{n:02}": 1 for n in range(60)})
        self.assertEqual(parts["done"], 20)
        self.assertEqual((len(board["done"]), len(board["in_progress"]), len(board["inbox"])), (20, 40, 1))

    def test_a_goal_is_reached_though_nodes_that_drive_it_are_killed(self):
        goal = self.any("POST", "/goals", {"title": "Plan me", "model": self.model, "agents_max": 2})["id"]
        self.kill("goals")

        def settle():
            """People are content with what is in review, wherever they ask."""
            for task in self.all("/tasks"):
                if task["status"] == "review":
                    self.any("POST", f"/tasks/{task['id']}/status", {"status": "done"})
                    return True
            return False
        poll("the first is in review", settle, seconds=90)
        self.back()
        self.kill("goals")
        poll("the second is in review", settle, seconds=90)
        poll("the goal is reached", lambda: self.any("GET", f"/goals/{goal}")["status"] == "done", seconds=90)
        self.assertEqual(sorted(t["title"] for t in self.all("/tasks")), ["First", "Second"])
        self.assertEqual(len(self.all("/agents")), 1)

    def test_chats_attachments_and_notifications_through_a_kill(self):
        agent = self.any("POST", "/agents", {"name": "scout", "model": self.model})["id"]
        self.any("PUT", "/notifications/preferences", {"channels": ["in_app", "webhook"], "webhook_url": self.hooks.url})
        chats = [self.any("POST", "/chats", {"title": f"c{n}", "agent_id": agent})["id"] for n in range(9)]
        task = self.any("POST", "/tasks", {"title": "files"})["id"]
        content = bytes(range(256)) * 1000
        client = self.alive[0].client()
        self.status(client.post(f"/tasks/{task}/attachments?name=a.bin", raw=content,
                                headers={"Content-Type": "application/octet-stream"}), 201)
        for n, chat in enumerate(chats):
            self.any("POST", f"/chats/{chat}/messages", {"content": "first"})
            self.any("POST", "/agents/scout/tasks", {"title": f"work {n}"})
            if n == 4:
                self.kill("chats")
        for chat in chats:
            poll("it is answered", lambda chat=chat: len(self.all(f"/chats/{chat}/messages")) == 2, seconds=90)
            self.assertEqual([m["content"] for m in self.all(f"/chats/{chat}/messages")], ["first", "The walrus is fine."])
        runs = self.all("/runs")
        self.assertEqual(sum(r["created_by"].startswith("chat/") for r in runs), len(chats))
        for member in self.alive:
            got = poll("the content is there", lambda member=member: [r for r in [member.client().get(f"/tasks/{task}/attachments/1")]
                                                                      if r.status == 200])[0]
            self.assertEqual(got.raw, content)
        poll("all work is told of", lambda: len([t for t in self.all("/notifications") if t["kind"] == "review"]) == len(chats), seconds=90)

        def delivered():
            told = [n for n in self.all("/notifications") if n["kind"] == "review"]
            return told if all(n["deliveries"][0]["status"] == "delivered" for n in told) else None
        told = poll("all of it was delivered", delivered, seconds=90)
        # On the wire at least once; by its id each of them is there, and nothing else.
        self.assertEqual(set(self.hooks.ids()) & {n["deliveries"][0]["delivery_id"] for n in told},
                         {n["deliveries"][0]["delivery_id"] for n in told})
        posts = {headers["Troupe-Delivery"]: body for _, headers, body in self.hooks.posts}
        for _, headers, body in self.hooks.posts:
            self.assertEqual(posts[headers["Troupe-Delivery"]], body)

    def test_editors_of_the_text_at_all_nodes_lose_nothing(self):
        for n in range(24):
            self.any("POST", "/tasks", {"title": f"task {n:02}"})

        def settled():
            shown = self.any("GET", "/state/working-md")
            return shown if shown["updated_at"] > max(t["updated_at"] for t in self.all("/tasks")) else None
        text = poll("it is long ago", settled)["content"]

        def change(n):
            edited = re.sub(rf"(\[TASK-{n + 1:03}\]) .*", rf"\1 changed {n:02}", text)
            return self.any("PUT", "/state/working-md", {"content": edited})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            edits = [pool.submit(change, n) for n in range(24)]
            poll("some are done", lambda: sum(f.done() for f in edits) > 4)
            self.kill("board")
            for one in edits:
                one.result()
        titles = self.same_everywhere("all nodes show the same", lambda client: {t["key"]: t["title"] for t in client.all("/tasks")})
        self.assertEqual(titles, {f"TASK-{n + 1:03}": f"changed {n:02}" for n in range(24)})

    def test_heartbeats_go_on_elsewhere_and_the_missing_one_is_told_once(self):
        beating = [self.any("POST", "/agents", {"name": f"a{n}", "model": self.model, "heartbeat": {"interval_ms": 1000}})["id"]
                   for n in range(8)]

        def beats():
            return {a["id"]: a.get("heartbeats", 0) for a in self.all("/agents")}
        poll("all beat", lambda: all(beats()[a] > 0 for a in beating), seconds=60)
        terms = {"interval_ms": 1000, "external": True, "missed_max": 2}
        outside = self.any("POST", "/agents", {"name": "outside", "heartbeat": terms})["id"]
        self.kill("agents")
        after = poll("the others have them", beats)
        poll("all beat again", lambda: all(beats()[a] > after[a] + 2 for a in beating), seconds=60)
        poll("the one outside is missed", lambda: self.any("GET", f"/agents/{outside}")["status"] == "error", seconds=60)
        missed = self.any("GET", f"/agents/{outside}")["heartbeats_missed"]
        poll("it is missed again", lambda: self.any("GET", f"/agents/{outside}")["heartbeats_missed"] > missed, seconds=60)
        self.back()
        self.same_everywhere("all nodes know the agents", lambda client: sorted(a["id"] for a in client.all("/agents")))
        self.assertEqual(len([n for n in self.all("/notifications") if "outside" in n["title"] + n["text"]]), 1)
