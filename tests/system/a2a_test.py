"""Agents as others call them by A2A 1.0: with the stock SDK of npm, and by hand."""

import concurrent.futures
import http.server
import json
import threading

from tests.system import node_tools
from tests.system.identity_test import IdentityTest
from tests.system.node import poll

SCRIPT = """
delay_ms: 2
rules:
  - when: {goal_contains: twice, step: 1}
    call: [{tool: ask_human, arguments: {question: "First?"}}]
  - when: {goal_contains: twice, step: 2}
    call: [{tool: ask_human, arguments: {question: "Second?"}}]
  - when: {goal_contains: twice}
    call: [{tool: finish, arguments: {result: "${result}"}}]
  - when: {goal_contains: ask, step: 1}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {goal_contains: ask}
    call: [{tool: finish, arguments: {result: "${result}"}}]
  - when: {goal_contains: sum}
    call: [{tool: finish, arguments: {result: "It is 42."}}]
"""
ASKING = """
delay_ms: 2
rules:
  - when: {last_tool: ask_oracle}
    call: [{tool: finish, arguments: {result: "${result}"}}]
  - when: {goal_contains: oracle}
    call: [{tool: ask_oracle, arguments: {message: "the sum"}}]
  - when: {goal_contains: nobody}
    call: [{tool: ask_oracle, arguments: {message: "what nobody knows"}}]
"""
SUBMITTED, WORKING, COMPLETED, FAILED, CANCELED, ASKS, REJECTED = 1, 2, 3, 4, 5, 6, 7



class Gateway(http.server.BaseHTTPRequestHandler):
    """An agent whose task is done when it is asked a second time; the first time something before it is broken."""
    asked = 0

    def do_GET(self):
        url = f"http://127.0.0.1:{self.server.server_address[1]}/rpc"
        self.say(200, json.dumps({"supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        result = {"task": {"id": "t", "status": {"state": "TASK_STATE_WORKING"}}}
        if body["method"] == "GetTask":
            Gateway.asked += 1
            if Gateway.asked == 1:
                return self.say(502, "<h1>Bad Gateway</h1>")
            result = {"id": "t", "status": {"state": "TASK_STATE_COMPLETED"}, "artifacts": [{"parts": [{"text": "It is 43."}]}]}
        return self.say(200, json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": result}))

    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class A2aTest(IdentityTest):
    def setUp(self):
        super().setUp()
        flags, model = self.script("a2a", SCRIPT)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        self.agent = self.api.create("/agents", {"name": "scout", "model": model, "role": "reckoner", "capabilities": ["sums"]})["id"]

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def sdk(self, *steps, key=None):
        return node_tools.script("a2a_client.cjs", self.one.url, key or self.one.key, "scout", json.dumps(steps))

    def call(self, method, params, status=200, api=None, agent="scout", **headers):
        reply = (api or self.api).post(f"/agents/{agent}/a2a", {"jsonrpc": "2.0", "id": "x1", "method": method, "params": params},
                                       headers=headers)
        return self.status(reply, status).json

    def message(self, text, message="m1", **more):
        return {"message": {"messageId": message, "role": "ROLE_USER", "parts": [{"text": text}], **more}}

    def code(self, *arguments, **more):
        return self.call(*arguments, **more)["error"]["code"]

    def asked(self, task):
        poll("it asks", lambda: self.call("GetTask", {"id": task})["result"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED")

    def test_the_stock_sdk_sends_streams_reads_lists_and_cancels(self):
        done = self.sdk({"do": "send", "text": "the sum"}, {"do": "stream", "text": "another sum\nwith care"}, {"do": "list"})
        card = done["card"]
        self.assertEqual((card["name"], [s["id"] for s in card["skills"]], card["capabilities"]["streaming"]), ("scout", ["sums"], True))
        sent, streamed, listed = done["steps"]
        self.assertEqual((sent["status"]["state"], sent["artifacts"][0]["parts"][0]["content"]["value"]), (COMPLETED, "It is 42."))
        self.assertEqual(self.api.read(f"/tasks/{sent['id']}")["title"], "the sum")
        self.assertEqual(streamed[0]["$case"], "task")
        self.assertEqual([e["value"]["status"]["state"] for e in streamed if e["$case"] == "statusUpdate"][-1], COMPLETED)
        self.assertEqual([e["value"]["artifact"]["parts"][0]["content"]["value"] for e in streamed if e["$case"] == "artifactUpdate"],
                         ["It is 42."])
        self.assertEqual(len(listed["tasks"]), 2)
        self.assertEqual({t["description"] for t in self.api.all("/tasks")}, {"", "another sum\nwith care"})
        waiting = self.sdk({"do": "send", "text": "ask me", "at_once": True})["steps"][0]
        self.asked(waiting["id"])
        shown, gone, late, none = self.sdk({"do": "get", "task": waiting["id"]}, {"do": "cancel", "task": waiting["id"]},
                                           {"do": "cancel", "task": waiting["id"]}, {"do": "get", "task": "nothing"})["steps"]
        self.assertEqual((shown["status"]["state"], shown["status"]["message"]["parts"][0]["content"]["value"]), (ASKS, "Which colour?"))
        self.assertEqual(gone["status"]["state"], CANCELED)
        self.assertEqual(late["name"], "TaskNotCancelableError")
        self.assertEqual(none["name"], "TaskNotFoundError")

    def test_a_question_is_answered_and_the_stream_goes_on_after_a_kill(self):
        task = self.call("SendMessage", {**self.message("ask me"), "configuration": {"returnImmediately": True}})["result"]["task"]["id"]
        self.asked(task)
        self.again()
        self.asked(task)
        answered, followed = self.sdk({"do": "send", "text": "Blue.", "task": task}, {"do": "follow", "task": task})["steps"]
        self.assertEqual((answered["status"]["state"], answered["artifacts"][0]["parts"][0]["content"]["value"]), (COMPLETED, "Blue."))
        self.assertEqual((followed[0]["$case"], followed[0]["value"]["status"]["state"], len(followed)), ("task", COMPLETED, 1))
        refused = self.sdk({"do": "send", "text": "And?", "task": task})["steps"][0]
        self.assertEqual(refused["name"], "UnsupportedOperationError")

    def test_a_stream_that_a_kill_broke_off_is_taken_up_again_to_its_end(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            broken = pool.submit(self.sdk, {"do": "stream", "text": "ask me"})
            task = poll("there is a task", lambda: [t["id"] for t in self.call("ListTasks", {})["result"]["tasks"]])[0]
            self.asked(task)
            self.again()
            self.assertNotIn(f'"state": {COMPLETED}', json.dumps(broken.result()))
            self.asked(task)
            followed = pool.submit(self.sdk, {"do": "follow", "task": task})
            self.sdk({"do": "send", "text": "Green.", "task": task})
            events = followed.result()["steps"][0]
        shown = [e["value"] for e in events if e["$case"] in ("statusUpdate", "task")]
        self.assertEqual((events[0]["$case"], shown[-1]["status"]["state"]), ("task", COMPLETED))
        self.assertEqual(len(self.api.all("/tasks")), 1)

    def test_a_question_ends_what_waits_and_shows_in_streams(self):
        waited, = self.sdk({"do": "send", "text": "ask me"})["steps"]
        self.assertEqual((waited["status"]["state"], waited["status"]["message"]["parts"][0]["content"]["value"]), (ASKS, "Which colour?"))
        self.call("CancelTask", {"id": waited["id"]})  # the agent does one thing at a time
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            streamed = pool.submit(self.sdk, {"do": "stream", "text": "ask me, too"})
            task = poll("it asks", lambda: [t["id"] for t in self.call("ListTasks", {})["result"]["tasks"] if t["id"] != waited["id"]])[0]
            self.asked(task)
            answered = self.sdk({"do": "send", "text": "Red.", "task": task})["steps"][0]
            events = streamed.result()["steps"][0]
        self.assertEqual(answered["status"]["state"], COMPLETED)
        states = [e["value"]["status"]["state"] for e in events if e["$case"] in ("statusUpdate", "task")]
        self.assertEqual(states[-3:], [ASKS, WORKING, COMPLETED])

    def test_a_message_that_is_sent_again_makes_one_task_also_after_a_kill(self):
        params = {**self.message("the sum", "again"), "configuration": {"returnImmediately": True}}
        first = self.call("SendMessage", params)["result"]["task"]["id"]
        self.again()
        self.assertEqual(self.call("SendMessage", params)["result"]["task"]["id"], first)
        self.assertEqual(self.call("SendMessage", self.message("the sum", "again"))["result"]["task"]["status"]["state"],
                         "TASK_STATE_COMPLETED")
        self.assertEqual(len(self.api.all("/tasks")), 1)
        self.assertIn("error", self.call("SendMessage", self.message("another", "again")))
        self.assertEqual(self.one.stop(), 0)
        self.check_disk(self.one)

    def test_an_answer_that_is_sent_again_answers_no_other_question(self):
        at_once = {"configuration": {"returnImmediately": True}}
        task = self.call("SendMessage", {**self.message("twice"), **at_once})["result"]["task"]["id"]
        asks = lambda what: poll(what, lambda: what in json.dumps(self.call("GetTask", {"id": task})["result"]["status"]))
        asks("First?")
        first = {**self.message("Blue.", "b1", taskId=task), **at_once}
        self.assertEqual(self.call("SendMessage", first)["result"]["task"]["id"], task)
        asks("Second?")
        self.again()
        self.assertEqual(self.call("SendMessage", first)["result"]["task"]["id"], task)
        asks("Second?")
        self.call("SendMessage", {**self.message("Red.", "r1", taskId=task), **at_once})
        asks("TASK_STATE_COMPLETED")
        self.assertIn("Red.", json.dumps(self.call("GetTask", {"id": task})["result"]))
        self.assertEqual(self.call("SendMessage", first)["result"]["task"]["id"], task)
        self.assertEqual(self.code("SendMessage", self.message("Green.", "g1", taskId=task)), -32004)

    def test_what_makes_no_sense_is_refused_by_the_protocols_own_codes(self):
        for params, code in (({}, -32602), (self.message(""), -32602), (self.message("x", ""), -32602),
                             ({"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "x"}]}}, -32602),
                             ({"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}, -32602),
                             ({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"url": "file:///etc/passwd"}]}}, -32005),
                             (self.message("x", contextId="mine"), -32602), (self.message("x", taskId="nothing"), -32001),
                             ({**self.message("x"), "configuration": {"taskPushNotificationConfig": {"url": "http://x/"}}}, -32003)):
            for method in ("SendMessage", "SendStreamingMessage"):
                reply = self.api.post("/agents/scout/a2a", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
                said = [line.removeprefix("data: ") for line in reply.raw.decode().split("\n") if "jsonrpc" in line][-1]
                self.assertEqual((json.loads(said)["error"]["code"], json.loads(said)["id"]), (code, 1), (method, params))
        self.assertEqual(self.code("GetTask", {"id": "nothing"}), -32001)
        self.assertEqual(self.code("GetTask", {}), -32602)
        self.assertEqual(self.code("CreateTaskPushNotificationConfig", {}), -32003)
        self.assertEqual(self.code("GetExtendedAgentCard", {}), -32007)
        self.assertEqual(self.code("ListTasks", {"status": "TASK_STATE_WORKING"}), -32004)
        self.assertEqual(self.code("DoIt", {}), -32601)
        self.assertEqual(self.code("GetTask", {"id": "x"}, **{"A2A-Version": "0.3"}), -32009)
        self.assertEqual(self.status(self.api.post("/agents/scout/a2a", {"jsonrpc": "1.0"}), 200).json["error"]["code"], -32600)
        self.status(self.api.get("/agents/nobody/.well-known/agent-card.json"), 404)
        self.assertEqual(self.code("SendMessage", self.message("x"), agent="nobody"), -32602)
        self.assertEqual(self.api.all("/tasks"), [])

    def test_callers_may_what_they_may_and_see_their_organization_only(self):
        mine = self.call("SendMessage", self.message("the sum"))["result"]["task"]["id"]
        viewer, _ = self.person(self.one, "vera@example.org", "viewer")
        self.assertEqual(self.call("GetTask", {"id": mine}, api=viewer)["result"]["id"], mine)
        self.call("SendMessage", self.message("the sum"), 403, api=viewer)
        self.status(self.one.client(key="").post("/agents/scout/a2a", {}), 401)
        other = self.organization(self.one, "other")
        eve, _ = self.person(self.one, "eve@example.org", organization=other["id"])
        self.status(eve.get("/agents/scout/.well-known/agent-card.json"), 404)
        self.assertEqual(self.code("GetTask", {"id": mine}, api=eve), -32001)
        elsewhere = self.api.create("/tasks", {"title": "x", "agent_id": self.api.create("/agents", {"name": "second"})["id"]})["id"]
        self.assertEqual(self.code("GetTask", {"id": elsewhere}), -32001)  # it is another agent's

    def asking(self, **oracle):
        """Another node, whose agents ask this one's."""
        flags, model = self.script("asking", ASKING)
        other = self.node("--sandbox", "none", *flags, name="other")
        other.directory.mkdir()
        one = {"name": "oracle", "url": f"{self.one.url}/api/v1/agents/scout/", "key": "secret:ORACLE", "description": "It sums.", **oracle}
        other.directory.joinpath("agents.json").write_text(json.dumps({"agents": [one]}))
        other.start()
        api = other.client()
        api.ok("PUT", "/secrets/ORACLE", {"value": self.one.key})
        return other, api, model

    def test_an_agent_asks_one_of_another_node(self):
        other, api, model = self.asking()
        run = api.wait_run(api.create("/runs", {"goal": "ask the oracle", "model": model})["id"])
        self.assertEqual((run["status"], run["result"].strip()), ("succeeded", "It is 42."))
        self.assertEqual([t["title"] for t in self.api.all("/tasks")], ["the sum"])
        steps = api.all(f"/runs/{run['id']}/steps")
        self.assertEqual([s["tool"] for s in steps if s.get("tool") == "ask_oracle"], ["ask_oracle"])
        failed = api.wait_run(api.create("/runs", {"goal": "nobody knows", "model": model})["id"])
        self.assertIn("TASK_STATE_FAILED", failed["result"])
        self.assertEqual(other.stop(), 0)
        self.assertNotIn(self.one.key, other.log.read_text())
        self.check_disk(other)

    def test_an_agent_elsewhere_is_waited_for_when_its_gateway_is_broken(self):
        Gateway.asked = 0
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _, api, model = self.asking(url=f"http://127.0.0.1:{server.server_address[1]}/")
        run = api.wait_run(api.create("/runs", {"goal": "ask the oracle", "model": model})["id"])
        self.assertEqual((run["status"], run["result"].strip()), ("succeeded", "It is 43."))

    def test_agents_elsewhere_that_are_not_there_or_wrong_say_so(self):
        other, api, model = self.asking(url="http://127.0.0.1:1/agents/x/")
        run = api.wait_run(api.create("/runs", {"goal": "ask the oracle", "model": model})["id"])
        self.assertIn("oracle: ", run["result"])
        other.stop()
        other.directory.joinpath("agents.json").write_text('{"agents":[{"name":"Or acle","url":"http://x"}]}')
        status, said = other.refused()
        self.assertNotEqual(status, 0)
        self.assertIn("agents.json: /agents/0/name", said)
