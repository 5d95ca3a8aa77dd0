"""What MCP servers ask while a run calls them: a person answers, and nothing of it is lost or asked for ever."""

import json
import os
import signal

from tests.system.mcp_client_test import McpNode
from tests.system.node import poll


def calls(tool):
    return [{"when": {"step": 1}, "call": [{"tool": tool, "arguments": {}}]},
            {"when": {"step": 2}, "call": [{"tool": "finish", "arguments": {"result": "done"}}]}]


class Questions(McpNode):
    def ask(self, *flags, tool="ask", extra=None):
        self.begin(("small", ["--asks", *flags], extra or {}), script=calls(f"mcp_small_{tool}"))
        self.wait_tools(9)
        self.run_id = self.api.create("/runs", {"goal": "x", "model": self.model})["id"]

    def pending(self):
        return self.api.all(f"/approvals?run_id={self.run_id}&status=pending")

    def question(self):
        return poll("it is asked", self.pending)[0]

    def decide(self, question, status=200, **body):
        return self.status(self.api.post(f"/approvals/{question['id']}/decide", body), status).json

    def said(self):
        """What the server was answered."""
        self.assertEqual(self.api.wait_run(self.run_id)["status"], "succeeded")
        step = next(s for s in self.api.all(f"/runs/{self.run_id}/steps") if str(s.get("tool")).startswith("mcp_small"))
        self.assertIn("{", step["content"])
        return json.loads(step["content"][step["content"].index("{"):step["content"].rindex("}") + 1])

    def answer_a_form(self, *flags):
        self.ask(*flags)
        question = self.question()
        self.assertEqual((question["reason"], question["tool"]), ("question", "mcp_small_ask"))
        for words in ("The MCP server small asks: Where to?", "city: text (City)", "days: a whole number, 3 when left out"):
            self.assertIn(words, question["text"])
        for wrong, pointer in (('{"city":"B"}', "/answer/city"), ('{"city":"Basel","days":10}', "/answer/days"), ('{"days":1}', "/answer/"),
                               ('{"city":"Basel","pin":"1"}', "/answer/pin"), ('{"city":', None)):
            refused = self.decide(question, 422, decision="answer", answer=wrong)
            self.assertEqual([e["pointer"] for e in refused.get("errors", [])][:1], [pointer] if pointer else [], refused)
        why = self.one.cli("why", self.run_id).stdout
        self.assertIn("Where to?", why)
        answered = self.one.cli("run", "answer", self.run_id, "Basel")  # the one field that has to be there
        self.assertEqual(answered.returncode, 0, answered)
        self.assertEqual(self.said(), {"action": "accept", "content": {"city": "Basel", "days": 3}})
        self.assertEqual(self.pending(), [])

    def test_a_form_is_filled_in_by_a_person(self):
        self.answer_a_form()

    def test_a_form_of_a_modern_server_is_filled_in_by_a_person(self):
        self.answer_a_form("--modern")

    def test_a_person_may_decline(self):
        self.ask()
        self.question()
        denied = self.one.cli("run", "deny", self.run_id, "none of its business")
        self.assertEqual(denied.returncode, 0, denied)
        self.assertEqual(self.said(), {"action": "decline"})

    def test_an_address_is_shown_and_opened_by_nobody_else(self):
        self.ask(tool="page")
        question = self.question()
        self.assertIn("https://example.org/login", question["text"])
        self.decide(question, decision="answer", answer="done")
        self.assertEqual(self.said(), {"action": "accept"})

    def test_roots_are_what_the_operator_names(self):
        self.ask(tool="roots", extra={"roots": ["/project", "/srv/a b"]})
        self.assertEqual(self.said(), {"roots": [{"name": "/project", "uri": "file:///project"},
                                                 {"name": "/srv/a b", "uri": "file:///srv/a%20b"}]})

    def test_without_them_there_are_none(self):
        self.ask(tool="roots")
        self.assertEqual(self.said()["code"], -32601)

    def test_nobody_is_asked_where_no_run_calls(self):
        self.ask()
        self.decide(self.question(), decision="answer", answer="Bern")
        self.said()
        for tool in ("ask", "page"):
            self.assertIn("cancel", json.dumps(self.run_tool(f"mcp_small_{tool}")))
        self.assertEqual(self.api.all("/approvals?status=pending"), [])

    def test_a_question_ends_with_its_run(self):
        self.ask()
        question = self.question()
        self.status(self.api.post(f"/runs/{self.run_id}/cancel", {}), 200)
        poll("it is withdrawn", lambda: self.api.read(f"/approvals/{question['id']}")["status"] == "withdrawn")
        self.decide(question, 409, decision="answer", answer="Bern")
        self.assertEqual(self.run_tool("mcp_small_add", a=1, b=1)["structured_content"], {"sum": 2})  # the server goes on

    def test_a_question_ends_with_its_server(self):
        self.ask(extra={"sandbox": False})
        question = self.question()
        os.kill(self.at_work()[0], signal.SIGKILL)
        poll("it is withdrawn", lambda: self.api.read(f"/approvals/{question['id']}")["status"] == "withdrawn")
        self.assertEqual(self.api.wait_run(self.run_id)["status"], "succeeded")

    def test_a_question_and_its_answer_survive_kill_9(self):
        self.ask(extra={"idempotent": ["*"]})
        question = self.question()
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        self.decide(question, decision="answer", answer="Chur")
        self.assertEqual(self.said(), {"action": "accept", "content": {"city": "Chur", "days": 3}})
        self.assertEqual([a["id"] for a in self.api.all(f"/approvals?run_id={self.run_id}")], [question["id"]])

    def test_a_new_run_has_the_tools_at_once_after_a_restart(self):
        self.begin(("small", ["--asks"], {}), script=calls("mcp_small_add"))
        self.wait_tools(9)
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        self.assertEqual(self.server()["tools"], 9)  # before it is connected
        self.assertEqual(self.run_tool("mcp_small_add", a=1, b=2)["structured_content"], {"sum": 3})

    def test_a_question_survives_a_restart(self):
        self.ask(extra={"idempotent": ["*"]})
        question = self.question()
        self.one.stop()
        self.one.start()
        self.api = self.one.client()
        self.assertEqual(self.question()["id"], question["id"])
        self.decide(question, decision="answer", answer='{"city":"Genf","days":1}')
        self.assertEqual(self.said(), {"action": "accept", "content": {"city": "Genf", "days": 1}})
