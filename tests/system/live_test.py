"""Live channels over WebSocket and event streams: channels, filters, permissions, and going on after a kill."""

import json
import threading
import unittest

from tests.system.node import NodeTest, poll, stream
from tests.system.websocket import WebSocket

TASKS = 5
KILLS = 4
A_LIFE = 120  # acknowledged messages between two kills


class LiveTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.server = self.node().start()
        self.api = self.server.client()

    def socket(self, path="/api/v1/ws", key=None):
        out = WebSocket(self.server.url, self.server.key if key is None else key, path)
        self.addCleanup(out.close)
        return out

    def task(self, title="A task"):
        return self.api.create("/tasks", {"title": title})["id"]

    def move(self, task, status):
        self.api.create(f"/tasks/{task}/status", {"status": status})

    def test_nothing_is_missed_and_nothing_comes_twice_over_kills(self):
        tasks = [self.task(f"Task {n}") for n in range(TASKS)]
        said = {task: [] for task in tasks}  # acknowledged
        seen = {task: [] for task in tasks}
        since, number = "", 0
        for life in range(KILLS + 1):
            socket = self.socket()
            answer = socket.subscribe("tasks/*", filter={"kinds": ["message_added"]}, **({"since": since} if since else {}))
            self.assertEqual(answer["op"], "subscribed", answer)
            stop = threading.Event()

            def say(from_number):
                """Until it is told to stop; what is not acknowledged may have happened or not."""
                api, n = self.server.client(), from_number
                while not stop.is_set():
                    task = tasks[n % TASKS]
                    try:
                        if api.post(f"/tasks/{task}/messages", {"content": str(n)}).status != 201:
                            return
                    except OSError:
                        return
                    except Exception:  # the connection broke in the middle of an answer
                        return
                    said[task].append(n)
                    n += 1

            speaker = threading.Thread(target=say, args=(number,))
            speaker.start()
            try:
                for _ in range(A_LIFE):
                    event = socket.read()
                    seen[event["channel"].removeprefix("tasks/")].append(int(event["data"]["content"]))
                    since = event["id"]
            finally:
                if life < KILLS:
                    self.server.kill9()
                stop.set()
                speaker.join()
            number = 1000 * (life + 1)
            if life < KILLS:
                socket.close()
                self.server.start()
        self.api = self.server.client()
        done = self.api.post(f"/tasks/{tasks[0]}/messages", {"content": "999999"})
        self.assertEqual(done.status, 201)
        while seen[tasks[0]][-1] != 999999:
            event = socket.read()
            seen[event["channel"].removeprefix("tasks/")].append(int(event["data"]["content"]))
        seen[tasks[0]].pop()
        # The journal knows what happened; each of it was seen once, in its order, and what was acknowledged is in there.
        for task in tasks:
            journaled = [int(e["data"]["content"]) for e in self.api.events_of(f"tasks/{task}") if e["kind"] == "message_added"]
            journaled = [n for n in journaled if n != 999999]
            self.assertEqual(journaled, seen[task])
            self.assertEqual(set(said[task]) - set(journaled), set())

    def test_channels_show_what_they_promise(self):
        socket = self.socket()
        for channel in ("activities", "agent_status", "task_completion", "supervision", "cluster", "system_metrics",
                        "system_alerts"):
            self.assertEqual(socket.subscribe(channel)["op"], "subscribed", channel)
        task = self.task()
        agent = self.api.create("/agents", {"name": "scout", "model": "rehearsal/default", "instructions": "Work."})["id"]
        self.move(task, "in_progress")
        self.move(task, "failed")
        self.api.create(f"/agents/{agent}/heartbeat", {})
        wanted = {("activities", "task_created"), ("activities", "agent_created"), ("agent_status", "agent_created"),
                  ("activities", "task_moved"), ("task_completion", "task_moved"), ("system_metrics", "metrics")}
        seen = []
        while not wanted <= {(e["channel"], e["kind"]) for e in seen}:
            seen.append(socket.read())
        self.assertEqual([e["data"]["event"]["to"] for e in seen if e["channel"] == "task_completion"], ["failed"])
        self.assertNotIn("agent_heartbeat", {e["kind"] for e in seen})
        metrics = next(e for e in seen if e["kind"] == "metrics")
        self.assertEqual(metrics["id"], "")
        self.assertGreater(metrics["data"]["resident_bytes"], 0)
        self.assertGreaterEqual(metrics["data"]["connections"], 1)

    def test_what_can_show_nothing_is_refused_with_a_sentence(self):
        socket = self.socket()
        for channel, why in (("tsks/*", "can match nothing"), ("tasks/1", "id of an entity"), ("nonsense", "no channel"),
                             ("engine_status", "no engines yet"), ("", "no channel"), ("tasks/018f*", "can match nothing")):
            answer = socket.subscribe(channel)
            self.assertEqual(answer["op"], "error", channel)
            self.assertIn(why, answer["problem"]["detail"])
        for bad in ({"kinds": ["a b"]}, {"entities": ["1"]}, {"where": ["x"]}):
            answer = socket.subscribe("tasks/*", filter=bad)
            self.assertEqual((answer["op"], answer["problem"]["code"]), ("error", "invalid_request"))

    def test_filters_let_pass_what_they_name(self):
        one, other = self.task("one"), self.task("other")
        socket = self.socket()
        socket.subscribe("tasks/*", filter={"kinds": ["task_m*"], "entities": [one], "where": ["to=failed"]})
        events = stream(self.server.url, self.server.key, f"/events?kind=task_m*&entity={one}&where=to=failed&since=start")
        self.addCleanup(events.close)
        for task in (other, one):
            for status in ("in_progress", "failed"):
                self.move(task, status)
        for event in (socket.read(), next(events)["data"]):
            self.assertEqual((event["channel"], event["kind"], event["data"]["to"]), (f"tasks/{one}", "task_moved", "failed"))

    def test_paths_of_channels_are_subscribed_from_the_start(self):
        agent = self.api.create("/agents", {"name": "scout", "model": "rehearsal/default", "instructions": "Work."})["id"]
        for path, channel in (("/api/v1/ws/activities", "activities"), ("/api/v1/ws/agents/scout", f"agents/{agent}"),
                              ("/ws/agents/scout/logs", f"agents/{agent}/logs"),
                              (f"/api/v1/ws/agents/{agent}/logs", f"agents/{agent}/logs")):
            answer = self.socket(path).read()
            self.assertEqual((answer["op"], answer["channels"]), ("subscribed", [channel]), path)
        answer = self.socket("/ws/engines/status").read()
        self.assertEqual((answer["op"], answer["problem"]["code"]), ("error", "not_found"))
        self.assertIn("no engines yet", answer["problem"]["detail"])
        self.assertEqual(self.socket("/ws/agents/nobody/logs").read()["problem"]["code"], "not_found")
        self.assertEqual(self.socket("/ws/activities", key="wrong").status, 401)

    def test_the_logs_of_an_agent_are_those_of_its_runs(self):
        agent = self.api.create("/agents", {"name": "scout", "model": "rehearsal/default", "instructions": "Work."})["id"]
        logs = self.socket("/ws/agents/scout/logs")
        logs.read()
        self.api.create("/runs", {"goal": "Somebody else's."})
        run = self.api.create("/runs", {"goal": "Look around.", "agent_id": agent})["id"]
        kinds = []
        while not kinds or kinds[-1] not in ("run_finished", "run_failed"):
            event = logs.read()
            self.assertEqual((event["channel"], event["data"]["entity"]), (f"agents/{agent}/logs", f"run/{run}"))
            kinds.append(event["kind"])
        self.assertIn("run_created", kinds)

    def test_each_channel_asks_for_its_permission(self):
        key = self.api.create("/api-keys", {"name": "tasks", "role": "viewer", "scopes": ["task:read"]})["key"]
        socket = self.socket(key=key)
        for channel, may in (("tasks/*", True), ("task_completion", True), ("agent_status", False), ("activities", False),
                             ("runs/*", False), ("*", False), ("supervision", False), ("cluster", False), ("system_metrics", False),
                             ("agents/018f0000-0000-7000-8000-000000000001/logs", False), ("s*", False)):
            answer = socket.subscribe(channel)
            self.assertEqual(answer["op"] == "subscribed", may, (channel, answer))
            if not may:
                self.assertEqual(answer["problem"]["code"], "forbidden")

    def test_a_stream_refuses_what_is_for_pages(self):
        for query in ("limit=3", "after=x"):
            reply = self.api.get("/events?" + query, headers={"Accept": "text/event-stream"})
            self.assertEqual(reply.status, 422, query)
            self.assertIn("stream takes no", reply.json["detail"])
        self.assertEqual(self.api.get("/events?kind=a-b", headers={"Accept": "text/event-stream"}).status, 422)

    def test_two_hundred_readers_get_the_same(self):
        sockets = [self.socket() for _ in range(200)]
        for socket in sockets:
            socket.subscribe("tasks/*")
        task = self.task("for all")
        got = [socket.read() for socket in sockets]
        self.assertEqual({json.dumps(e, sort_keys=True) for e in got}, {json.dumps(got[0], sort_keys=True)})
        self.assertEqual(got[0]["channel"], f"tasks/{task}")
        late = self.socket()
        late.subscribe("tasks/*", since=got[0]["id"])
        self.move(task, "in_progress")
        self.assertEqual(late.read()["kind"], "task_moved")
        self.assertTrue(poll("everybody is there", lambda: all(s.read()["kind"] == "task_moved" for s in sockets)))


if __name__ == "__main__":
    unittest.main()
