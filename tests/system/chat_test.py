"""Agents as models: OpenAI's chat completions, with the stock SDK of npm and by hand."""

import http.client
import json

from tests.system import node_tools
from tests.system.node import SECONDS_MAX, NodeTest, poll

SCRIPT = """
delay_ms: 5
rules:
  - when: {last_tool: write_file}
    say: It is written.
    call: [{tool: finish, arguments: {result: "You find it in poem.txt."}}]
  - when: {message_contains: poem}
    say: I write it down.
    call: [{tool: write_file, arguments: {path: poem.txt, content: roses}}]
  - when: {message_contains: again}
    say: You said hello before.
  - when: {message_contains: ask}
    call: [{tool: ask_human, arguments: {question: "Which one?"}}]
  - when: {message_contains: hello}
    say: Hello to you, dear visitor of this place.
"""


class Chat(NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("chat", SCRIPT)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        self.api.create("/agents", {"name": "scout", "model": self.model})

    def ask(self, *said, model="scout", **more):
        messages = [{"role": role, "content": text} for role, text in said]
        return self.api.post("/v1/chat/completions", {"model": model, "messages": messages, **more}, base="")

    def chunks(self, body):
        """The events of a stream, until it ends; the last one is what follows `data: ` as text."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.one.url.rsplit(":", 1)[1]), timeout=SECONDS_MAX)
        self.addCleanup(connection.close)
        connection.request("POST", "/v1/chat/completions", json.dumps({**body, "stream": True}),
                           {"Authorization": f"Bearer {self.one.key}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer, [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]

    def test_the_stock_sdk(self):
        said = node_tools.script("openai_client.cjs", self.one.url, self.one.key, "scout",
                                 json.dumps([{"role": "system", "content": "Be kind"}, {"role": "user", "content": "hello"}]))
        self.assertEqual(said["models"], ["scout"])
        answer = "Hello to you, dear visitor of this place."
        self.assertEqual((said["whole"]["text"], said["whole"]["finish"]), (answer, "stop"))
        self.assertGreater(said["whole"]["usage"]["total_tokens"], 0)
        self.assertEqual((said["streamed"]["text"], said["streamed"]["finish"]), (answer, "stop"))
        self.assertGreater(said["streamed"]["parts"], 1, "it streams")
        self.assertEqual(said["streamed"]["usage"], said["whole"]["usage"])
        runs = self.api.all("/runs")
        self.assertEqual([r["status"] for r in runs], ["succeeded"] * 2)
        self.assertEqual({f"chatcmpl-{r['id']}" for r in runs} & {said["whole"]["id"]}, {said["whole"]["id"]})
        refused = node_tools.script("openai_client.cjs", self.one.url, self.one.key, "nobody",
                                    json.dumps([{"role": "user", "content": "hello"}]))
        self.assertEqual((refused["refused"]["status"], refused["refused"]["param"]), (404, "/model"), refused)
        self.assertIn("there is no agent 'nobody'", refused["refused"]["message"])

    def test_what_was_said_before_is_the_past(self):
        reply = self.ask(("user", "hello"), ("assistant", "Hello."), ("user", "and again?"))
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["choices"][0]["message"]["content"], "You said hello before.")
        run = reply.json["id"].removeprefix("chatcmpl-")
        seen = self.api.read(f"/runs/{run}/steps/1/context")
        self.assertEqual([(m["role"], m["content"]) for m in seen["messages"][1:]],
                         [("user", "hello"), ("assistant", "Hello."), ("user", "and again?")])
        self.assertEqual(self.api.read(f"/runs/{run}/replay")["identical"], True)

    def test_work_between_words(self):
        """A run without a project has no files: the agent is told so, and says so."""
        reply = self.ask(("system", "Write well."), ("user", "A poem"))
        self.assertEqual(reply.status, 200, reply)
        text = reply.json["choices"][0]["message"]["content"]
        self.assertTrue(text.startswith("I write it down."), text)
        self.assertIn("You find it in poem.txt.", text)
        answer, events = self.chunks({"model": "scout", "messages": [{"role": "user", "content": "A poem"}]})
        self.assertEqual(answer.getheader("content-type"), "text/event-stream")
        self.assertEqual(events[-1], "[DONE]")
        parts = [json.loads(e)["choices"][0]["delta"] for e in events[:-1]]
        self.assertEqual(parts[0], {"role": "assistant", "content": ""})
        self.assertEqual("".join(p.get("content", "") for p in parts), text)

    def test_what_cannot_be_told(self):
        reply = self.ask(("user", "ask somebody"))
        self.assertEqual(reply.status, 409, reply)
        self.assertIn("Which one?", reply.json["error"]["message"])
        _, events = self.chunks({"model": "scout", "messages": [{"role": "user", "content": "ask somebody"}]})
        self.assertIn("Which one?", json.loads(events[-1])["error"]["message"])
        waiting = [r for r in self.api.all("/runs") if r["status"] == "waiting"]
        self.assertEqual(len(waiting), 2, "the runs go on when somebody answers")
        reply = self.ask(("user", "nothing that it knows"))
        self.assertEqual(reply.json["error"]["code"], "script_exhausted", reply)

    def test_bad_requests(self):
        for body, place in (({"messages": []}, "/model"), ({"model": "scout"}, "/messages"),
                            ({"model": "scout", "messages": [{"role": "assistant", "content": "x"}]}, "/messages/0/role"),
                            ({"model": "scout", "messages": [{"role": "user", "content": "x"}], "n": 2}, "/n"),
                            ({"model": "scout", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}, "/tools"),
                            ({"model": "scout", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
                             "/messages/0/content/0/image_url/url"),
                            ({"model": "scout", "messages": [{"role": "robot", "content": "x"}]}, "/messages/0/role")):
            reply = self.api.post("/v1/chat/completions", body, base="")
            self.assertEqual((reply.status, reply.json["error"]["param"]), (422, place), (body, reply))
        self.assertEqual(self.api.post("/v1/chat/completions", raw=b"{", base="", headers={"Content-Type": "application/json"}).status, 400)
        self.assertEqual(self.one.client("").post("/v1/chat/completions", {}, base="").status, 401)

    def test_a_reader_that_goes_ends_no_run(self):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.one.url.rsplit(":", 1)[1]), timeout=SECONDS_MAX)
        connection.request("POST", "/v1/chat/completions",
                           json.dumps({"model": "scout", "messages": [{"role": "user", "content": "hello"}], "stream": True}),
                           {"Authorization": f"Bearer {self.one.key}", "Content-Type": "application/json"})
        connection.getresponse().read(10)
        connection.close()
        poll("the run ends well", lambda: [r["status"] for r in self.api.all("/runs")] == ["succeeded"])
