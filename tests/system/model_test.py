"""Runs with a language model over the OpenAI wire: awkward streams, faults of the provider, kills."""

import concurrent.futures
import json
import socket
import threading
import time

from tests.system.node import NodeTest, poll
from tests.system.openai_server import Server

KEY = "sk-test-5up3r5ecret"
ANSWER = {"content": "Fine. Größe: 🦊"}


def command(line, **more):
    return {"name": "run_command", "arguments": {"command": line}, **more}


class Provider:
    """The scripted server in a thread; `log()` gives its requests."""

    def __init__(self, folder, conversations, port=0):
        self.file = folder / "provider.log"
        self.server = Server({"conversations": [{"goal_contains": g, "replies": r} for g, r in conversations.items()]},
                             self.file, KEY, port)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}/v1"

    def log(self, goal):
        requests = [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []
        return [r for r in requests if r["body"] and any(m["role"] == "user" and goal in str(m["content"]) for m in r["body"]["messages"])]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class ModelTest(NodeTest):
    def provider(self, conversations):
        provider = Provider(self.folder, conversations)
        self.addCleanup(provider.close)
        self.provider_of_test = provider
        return provider

    def openai_node(self, url, name="data"):
        return self.node("--model.openai.base_url", url, name=name, environment={"OPENAI_API_KEY": KEY})

    def prepare(self, conversations):
        provider = self.provider(conversations)
        node = self.openai_node(provider.url).start()
        return provider, node, node.client()

    def start_run(self, api, goal, folder=None, **more):
        body = {"goal": goal, "model": "openai/test-model", **more}
        if folder:
            body["project_id"] = api.create("/projects", {"name": goal, "folder": str(folder)})["id"]
        return api.create("/runs", body)["id"]

    # ---- awkward streams

    def test_calls_arrive_whole_however_they_were_cut(self):
        text = 'ä "quoted" \\ 🦊\n' * 40
        replies = lambda index: [
            {"content": "Zwei Dateien: 🦊", "index": index, "tool_calls": [
                {"name": "write_file", "arguments": {"path": "a.txt", "content": text}, "id": "call_a"},
                {"name": "write_file", "arguments": {"path": "b.txt", "content": text[::-1]}, "id": "call_b"}]},
            {"content": None, "reasoning": "hm", "index": index, "tool_calls": [command("cat a.txt b.txt | wc -c", id="call_c")]},
            {"content": "Fertig: 🦊"}]
        kinds = ("normal", "missing", "zero")
        _, node, api = self.prepare({f"awkward {k}": replies(k) for k in kinds})
        for kind in kinds:
            with self.subTest(index=kind):
                folder = self.work_folder(kind)
                run = api.wait_run(self.start_run(api, f"awkward {kind}", folder))
                self.assertEqual((run["status"], run["result"]), ("succeeded", "Fertig: 🦊"), run)
                self.assertEqual((folder / "a.txt").read_text(), text)
                self.assertEqual((folder / "b.txt").read_text(), text[::-1])
                steps = api.all(f"/runs/{run['id']}/steps")
                self.assertEqual(len(steps), 6)
                self.assertIn(str(2 * len(text.encode())), steps[4]["content"])
                self.assertEqual((steps[0]["input_tokens"], steps[0]["output_tokens"]), (11, 7))
        self.assertEqual(self.status(node.client().get("/health", base=""), 200).json["status"], "ok")

    def test_tokens_are_live_and_come_to_the_whole_text(self):
        text = "Wort für Wort, 🦊 um 🦊. " * 20
        _, node, api = self.prepare({"talk": [{"content": text, "delay_ms": 2}]})
        run = self.start_run(api, "talk")
        shown, end = {}, None
        for event in node.stream(f"/runs/{run}/events?since=start"):
            if event["event"] == "token":
                shown[event["data"]["data"]["offset"]] = event["data"]["data"]["text"]
            elif event["event"] == "run_finished":
                end = event["data"]["data"]["result"]
                break
        self.assertEqual(end, text)
        at = 0
        while at in shown:
            at += len(shown[at].encode())
        self.assertEqual(at, len(text.encode()), shown)

    # ---- faults

    def test_run_goes_on_after_a_fault(self):
        faults = {
            "rate limit": {"status": 429, "headers": {"Retry-After": "2"}},
            "server error": {"status": 500},
            "cut stream": {"cut_after": 3},
            "cut at once": {"cut_after": 0},
            "nonsense": {"nonsense": "<html>It works!</html>"},
            "error inside": {"error_after": 2, "error": {"message": "overloaded", "type": "server_error"}},
        }
        provider, node, api = self.prepare({name: [{**ANSWER, "faults": [fault]}] for name, fault in faults.items()})
        runs = {name: self.start_run(api, name) for name in faults}
        for name, run in runs.items():
            with self.subTest(name):
                shown = api.wait_run(run)
                self.assertEqual((shown["status"], shown["result"]), ("succeeded", ANSWER["content"]), shown)
                self.assertEqual(len(provider.log(name)), 2)
                failed = [e["data"] for e in api.events_of(f"runs/{run}") if e["kind"] == "model_call_failed"]
                self.assertEqual(len(failed), 1)
                self.assertTrue(failed[0]["detail"])
                steps = api.all(f"/runs/{run}/steps")
                self.assertEqual([(s["key"], s["status"], s["attempt"]) for s in steps], [("00001.000", "succeeded", 2)])
        first, second = provider.log("rate limit")
        self.assertGreaterEqual(second["time"] - first["time"], 1.99, "Retry-After is a minimum")

    def test_run_fails_with_a_clear_error_where_asking_again_is_no_use(self):
        faults = {
            "wrong request": ({"status": 400, "error": {"message": f"bad field, key {KEY}"}}, "model_refused", "bad field"),
            "wrong key": ({"status": 401, "error": {"message": f"Incorrect API key {KEY}"}}, "model_refused", "key"),
            "no model": ({"status": 404, "error": {"message": "no such model"}}, "model_unknown", "no such model"),
            "out of credit": ({"status": 429, "error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, "model_refused", "quota"),
        }
        provider, node, api = self.prepare({name: [{**ANSWER, "faults": [fault] * 20}] for name, (fault, _, _) in faults.items()})
        runs = {name: self.start_run(api, name) for name in faults}
        for name, run in runs.items():
            with self.subTest(name):
                shown = api.wait_run(run)
                self.assertEqual(shown["status"], "failed")
                self.assertIn(faults[name][2], shown["error"])
                end = next(e for e in reversed(api.events_of(f"runs/{run}")) if e["kind"] == "run_failed")
                self.assertEqual(end["data"]["code"], faults[name][1])
                self.assertEqual(len(provider.log(name)), 1)
        self.assertNotIn(KEY, json.dumps(api.all("/events")))
        self.assertNotIn(KEY, node.log.read_text())
        self.assertNotIn(KEY, json.dumps(api.read("/status")))

    def test_nonsense_again_and_again_ends_the_run(self):
        provider, _, api = self.prepare({"babble": [{**ANSWER, "faults": [{"nonsense": "blah"}] * 20}]})
        shown = api.wait_run(self.start_run(api, "babble"))
        self.assertEqual(shown["status"], "failed")
        self.assertIn("blah", shown["error"])
        self.assertEqual(len(provider.log("babble")), 3)

    def test_calls_that_make_no_sense_go_back_to_the_model(self):
        provider, _, api = self.prepare({"odd": [
            {"tool_calls": [{"name": "launch_rocket", "arguments": {"to": "moon"}, "id": "a"}]},
            {"tool_calls": [{"name": "read_file", "arguments": "{\"path\": ", "id": "b"}]},
            {"tool_calls": [{"name": "read_file", "arguments": {"file": "x"}, "id": "c"}]},
            {"tool_calls": [{"name": "read_file", "arguments": {"path": "../../etc/passwd"}, "id": "d"}]},
            {"tool_calls": [command("exit 3", id="e")]},
            ANSWER]})
        shown = api.wait_run(self.start_run(api, "odd", self.work_folder()))
        self.assertEqual((shown["status"], shown["result"]), ("succeeded", ANSWER["content"]), shown)
        answers = [m["content"] for m in provider.log("odd")[-1]["body"]["messages"] if m["role"] == "tool"]
        for answer, part in zip(answers, ("no tool 'launch_rocket'", "", "/file", "outside the project", "exit code: 3"), strict=True):
            self.assertIn(part, answer)
        statuses = [s["status"] for s in api.all(f"/runs/{shown['id']}/steps") if s["type"] == "tool"]
        self.assertEqual(statuses, ["failed"] * 4 + ["succeeded"])

    def test_provider_that_is_not_there_is_waited_for(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        node = self.openai_node(f"http://127.0.0.1:{port}/v1").start()
        api = node.client()
        run = self.start_run(api, "patience")
        waiting = api.wait_run(run, until=("waiting",))["waiting"][0]
        self.assertEqual(waiting["reason"], "back_off")
        self.assertIn(str(port), waiting["text"])
        node.kill9()
        provider = Provider(self.folder, {"patience": [ANSWER]}, port)
        self.addCleanup(provider.close)
        node.start()
        self.assertEqual(node.client().wait_run(run)["result"], ANSWER["content"])

    def test_silent_provider_is_left_when_the_run_ends(self):
        _, node, api = self.prepare({"cancelled": [{**ANSWER, "faults": [{"hang": True}] * 9}],
                                     "inside": [{**ANSWER, "faults": [{"hang_after": 3}] * 9}],
                                     "budget": [{**ANSWER, "faults": [{"hang": True}] * 9}]})
        budget = self.start_run(api, "budget", limits={"time_ms": 1500})
        for goal in ("cancelled", "inside"):
            run = self.start_run(api, goal)
            poll("the call", lambda g=goal: self.provider_of_test.log(g))
            began = time.monotonic()
            self.assertEqual(api.ok("POST", f"/runs/{run}/cancel", {"reason": "enough"})["status"], "cancelled")
            self.assertLess(time.monotonic() - began, 10)
            self.assertIn("enough", api.wait_run(run)["error"])
        shown = api.wait_run(budget)
        self.assertEqual(shown["status"], "failed", shown)
        end = next(e for e in api.events_of(f"runs/{budget}") if e["kind"] == "run_failed")
        self.assertEqual(end["data"]["code"], "budget_exhausted")
        poll("the streams of all three are closed", lambda: self.provider_of_test.server.left == 3, 10)
        began = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.assertLess(time.monotonic() - began, 15)

    # ---- kills

    def test_node_killed_at_every_event_needs_no_person(self):
        replies = [{"content": "Eins 🦊", "tool_calls": [command("echo one >> log; sleep 0.02", id="a")]},
                   {"content": "Zwei", "tool_calls": [{"name": "write_file", "arguments": {"path": "b", "content": "ü\n"}, "id": "b"},
                                                      command("echo two >> log", id="c")]},
                   {"content": "Ende.", "delay_ms": 1}]
        provider = self.provider({"go": replies})

        def one(number):
            node = self.openai_node(provider.url, f"data-{number}").start()
            try:
                folder = self.work_folder(f"work-{number}")
                run, seen = self.start_run(node.client(), "go", folder), []
                events = node.stream(f"/runs/{run}/events?since=start")
                for event in events:
                    if event.get("id"):
                        seen.append(event["event"])
                    if len(seen) == number or seen and seen[-1] == "run_finished":
                        break
                node.kill9()
                events.close()
                node.start()
                api = node.client()
                shown = api.wait_run(run)
                self.assertEqual((shown["status"], shown["result"]), ("succeeded", "Ende."), shown)
                self.assertEqual((folder / "log").read_text(), "one\ntwo\n")
                self.assertEqual((folder / "b").read_text(), "ü\n")
                keys = [(s["key"], s["status"]) for s in api.all(f"/runs/{run}/steps")]
                self.assertEqual(keys, [(k, "succeeded") for k in ("00001.000", "00001.001", "00002.000", "00002.001", "00002.002", "00003.000")])
                return seen
            finally:
                node.kill9()

        count = len(one(0))
        self.assertGreater(count, 15)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for number, result in [(n, pool.submit(one, n)) for n in range(1, count + 1)]:
                with self.subTest(event=number):
                    result.result()
