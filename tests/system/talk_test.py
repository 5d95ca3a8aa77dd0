"""Chats between people and agents: answered once, also through a kill, found, exported, and of one organization."""

from tests.system.identity_test import IdentityTest
from tests.system.node import poll

# Nothing answers "broken": that run fails.
SCRIPT = """
delay_ms: 2
rules:
  - when: {message_contains: slow}
    call: [{tool: ask_human, arguments: {question: "When?"}}]
  - when: {message_contains: second}
    say: You said first before.
  - when: {message_contains: first}
    say: The walrus is fine.
"""


class TalkTest(IdentityTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("talk", SCRIPT)
        self.one = self.node("--sandbox", "none", *flags).start()
        self.api = self.one.client()
        self.agent = self.api.create("/agents", {"name": "scout", "model": self.model, "instructions": "Be kind."})["id"]

    def chat(self, title="About the walrus", **more):
        return self.api.create("/chats", {"title": title, "agent_id": self.agent, **more})["id"]

    def say(self, chat, text):
        return self.api.create(f"/chats/{chat}/messages", {"content": text})

    def said(self, chat):
        return self.api.all(f"/chats/{chat}/messages")

    def answered(self, chat):
        poll("nobody answers any more", lambda: "answering_run_id" not in self.api.read(f"/chats/{chat}"))
        return self.said(chat)

    def again(self):
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()

    def test_an_agent_answers_with_all_that_was_said_before(self):
        task = self.api.create("/tasks", {"title": "Feed it", "description": "Twice a day."})
        chat = self.chat(task_id=task["id"])
        mine = self.say(chat, "first")
        self.assertEqual((mine["number"], mine["author"], mine["content"]), (1, "key/admin", "first"))
        answer = self.answered(chat)[-1]
        self.assertEqual((answer["number"], answer["author"], answer["content"]), (2, f"agent/{self.agent}", "The walrus is fine."))
        self.say(chat, "second")
        said = self.answered(chat)
        self.assertEqual([m["content"] for m in said], ["first", "The walrus is fine.", "second", "You said first before."])
        run = self.api.read(f"/runs/{said[-1]['run_id']}")
        self.assertEqual((run["status"], run["agent_id"], run["created_by"], run["goal"]),
                         ("succeeded", self.agent, f"chat/{chat}", "first"))
        self.assertNotIn("task_id", run)
        self.assertIn(run["id"], [r["id"] for r in self.api.all(f"/agents/{self.agent}/runs")])
        self.assertEqual(len(self.api.all("/runs")), 2)
        self.assertEqual(self.one.stop(), 0)
        self.check_disk(self.one)

    def test_kills_neither_lose_an_answer_nor_make_it_twice(self):
        chats = [self.chat(f"c{n}") for n in range(6)]
        for n, chat in enumerate(chats):
            self.say(chat, "first")
            if n % 2:
                self.again()
        for chat in chats:
            self.assertEqual([m["content"] for m in self.answered(chat)], ["first", "The walrus is fine."])
        self.assertEqual(len(self.api.all("/runs")), len(chats))
        self.assertEqual(self.one.stop(), 0)
        self.check_disk(self.one)

    def test_what_is_said_meanwhile_is_answered_after_a_stop(self):
        chat = self.chat()
        self.say(chat, "slow")
        run = poll("it is answered", lambda: self.api.read(f"/chats/{chat}").get("answering_run_id"))
        poll("its run works", lambda: self.api.get(f"/runs/{run}").status == 200)
        self.say(chat, "now first")
        self.again()
        self.status(self.api.post(f"/chats/{chat}/stop"), 200)
        said = self.answered(chat)
        self.assertEqual([m.get("error") or m["content"] for m in said], ["slow", "now first", "It was stopped.", "The walrus is fine."])
        self.assertEqual(self.api.wait_run(run)["status"], "cancelled")
        self.status(self.api.post(f"/chats/{chat}/stop"), 409, "conflict")

    def test_what_cannot_be_answered_says_why(self):
        chat = self.chat()
        self.say(chat, "broken")
        self.assertIn("error", self.answered(chat)[-1])
        self.status(self.api.post(f"/agents/{self.agent}/stop"), 200)
        self.say(chat, "first")
        self.assertIn("is stopped", self.answered(chat)[-1]["error"])
        self.status(self.api.delete(f"/agents/{self.agent}"), 204)
        self.say(chat, "first")
        self.assertIn("not there any more", self.answered(chat)[-1]["error"])
        for body, pointer in (({"title": ""}, "/title"), ({"title": "t", "agent_id": chat}, "/agent_id"),
                              ({"title": "t", "task_id": chat}, "/task_id")):
            wrong = self.status(self.api.post("/chats", body), 422).json
            self.assertEqual([e["pointer"] for e in wrong["errors"]], [pointer])
        self.status(self.api.post(f"/chats/{chat}/messages", {"content": "x" * 65537}), 422)
        self.status(self.api.delete(f"/chats/{chat}"), 204)
        self.status(self.api.post(f"/chats/{chat}/messages", {"content": "x"}), 404)

    def test_it_is_found_exported_and_seen_by_its_organization_only(self):
        chat = self.chat()
        self.say(chat, "first")
        self.answered(chat)
        poll("it is found", lambda: [i["id"] for i in self.api.read("/search?q=walrus&type=chat")["items"]] == [chat])
        text = self.status(self.api.get(f"/chats/{chat}/export"), 200)
        self.assertTrue(text.headers["content-type"].startswith("text/markdown"))
        self.assertIn("attachment", text.headers["content-disposition"])
        self.assertIn("The walrus is fine.", text.raw.decode())
        whole = self.api.read(f"/chats/{chat}/export?format=json")
        self.assertEqual((whole["chat"]["id"], [m["number"] for m in whole["messages"]]), (chat, [1, 2]))
        self.status(self.api.get(f"/chats/{chat}/export?format=pdf"), 422)
        other = self.organization(self.one, "other")
        eve, _ = self.person(self.one, "eve@example.org", organization=other["id"])
        for path in ("", "/messages", "/export"):
            self.status(eve.get(f"/chats/{chat}{path}"), 404)
        self.status(eve.post(f"/chats/{chat}/messages", {"content": "x"}), 404)
        self.assertEqual(eve.all("/chats"), [])
        self.assertEqual(eve.read("/search?q=walrus")["items"], [])

    def test_the_command_line_talks(self):
        made = self.one.cli("chat", "new", "--agent", "scout", "Walrus", "talk")
        self.assertEqual(made.returncode, 0, made)
        answer = self.one.cli("chat", "say", "Walrus talk", "first")
        self.assertEqual(answer.returncode, 0, answer)
        self.assertIn("The walrus is fine.", answer.stdout)
        self.assertIn("first", self.one.cli("chat", "show", "Walrus talk").stdout)
        self.assertIn("Walrus talk", self.one.cli("chat", "list").stdout)
        self.assertTrue(self.one.cli("chat", "export", "Walrus talk").stdout.startswith("# Walrus talk"))
        self.assertEqual(self.one.cli("chat", "say", "Walrus talk", "broken").returncode, 1)
        self.assertEqual(self.one.cli("chat", "say", "nowhere", "x").returncode, 4)
        self.assertIn("deleted", self.one.cli("chat", "delete", "Walrus talk").stdout)
