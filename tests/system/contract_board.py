"""The operations of the board, messages, notifications and documents, for contract_test.py. What they do: board_test.py,
documents_test.py."""

from tests.system.mail_server import HookServer
from tests.system.node import poll

NOBODY = "00000000-0000-7000-8000-000000000000"


class BoardContract:
    def tasks(self, agent, project):
        made = self.drive("create_task", 201, body={**self.example("create_task"), "capabilities": []})  # nobody begins yet
        task = made.json["id"]
        self.assertEqual(made.headers["location"], f"/api/v1/tasks/{task}")
        self.drive("create_task", 422, body={}, lenient=True)
        self.drive("create_task", 422, body={"title": "t", "agent_id": NOBODY})
        shown = self.drive("get_task", 200, id=task)
        self.drive("get_task", 304, id=task, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_task", 404, id=NOBODY)
        self.drive("list_tasks", 200, query={"status": "inbox", "project_id": project})
        self.drive("list_tasks", 422, query={"limit": "9999"}, lenient=True)
        for name in ("update_task", "patch_task"):
            self.drive(name, 200, id=task, body=self.example(name))
            self.drive(name, 422, id=task, body={"priority": "whenever"}, lenient=True)
        self.drive("add_message", 201, id=task, body=self.example("add_message"))
        self.drive("add_message", 404, id=NOBODY, body=self.example("add_message"))
        self.drive("list_messages", 200, id=task)
        self.drive("list_messages", 404, id=NOBODY)
        self.drive("move_task", 409, id=task, body={"status": "done"})
        self.drive("move_task", 200, id=task, body=self.example("move_task"))
        self.drive("move_task", 422, id=task, body={"status": "nowhere"}, lenient=True)
        self.drive("create_agent_task", 201, id=agent, body=self.example("create_agent_task"))
        self.drive("create_agent_task", 404, id="nobody", body={"title": "t"})
        self.board(task)
        self.messages(task)
        self.attachments(task)
        other = self.drive("create_task", 201, body={"title": "other"}).json["id"]
        self.drive("assign_task", 200, id=other, body={"agent_id": agent})
        self.drive("assign_task", 422, id=other, body={"agent_id": NOBODY})
        self.drive("assign_task", 409, id=other, body={"capabilities": ["flying"]})
        self.drive("create_task", 409, body={"title": "up", "capabilities": ["flying"]})
        self.drive("list_candidates", 200, id=other, query={"capabilities": "python"})
        self.drive("list_candidates", 404, id=NOBODY)
        self.drive("delete_task", 204, id=other)
        self.drive("delete_task", 404, id=NOBODY)
        self.drive("why", 200, kind="task", id=task)
        self.drive("why", 404, kind="task", id=NOBODY)
        self.notifications(agent)
        self.activities(task)
        self.drive("list_agent_activities", 200, id=agent)
        for name in ("get_agent_metrics", "list_agent_logs", "list_agent_runs", "list_agent_tasks"):
            self.drive(name, 200, id=agent)
            self.drive(name, 404, id="nobody")
        self.working_text()
        self.goals()
        self.chats()
        self.drive("get_agent_card", 200, id=agent)
        self.drive("get_agent_card", 404, id="nobody")
        self.drive("call_agent", 200, id=agent, body=self.example("call_agent"))
        self.drive("call_agent", 401, id=agent, body=self.example("call_agent"), key="wrong")
        self.drive("search", 200, query={"q": "rounding", "type": "task"})
        self.drive("search", 422, query={"q": "\"open"}, lenient=True)
        self.drive("rebuild_search", 202)
        self.drive("rebuild_search", 401, key="wrong")

    def attachments(self, task):
        self.drive("attach_file", 201, id=task, raw=b"0123456789", query={"name": "a.bin"})
        self.drive("attach_file", 422, id=task, raw=b"0", query={"name": "a/b"})
        self.drive("list_attachments", 200, id=task)
        self.drive("list_attachments", 404, id=NOBODY)
        shown = self.drive("get_attachment", 200, id=task, n="1")
        self.drive("get_attachment", 206, id=task, n="1", headers={"Range": "bytes=2-4"})
        self.drive("get_attachment", 416, id=task, n="1", headers={"Range": "bytes=77-"})
        self.drive("get_attachment", 304, id=task, n="1", headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_attachment", 404, id=task, n="7")
        self.drive("remove_attachment", 204, id=task, n="1")
        self.drive("remove_attachment", 404, id=task, n="1")

    def goals(self):
        goal = self.drive("create_goal", 201, body={"title": "Up", "from_template": "feature"}).json["id"]
        self.drive("create_goal", 422, body={"title": "Up", "roadmap": "nothing"})
        self.drive("list_goals", 200, query={"status": "active"})
        self.drive("list_goals", 422, query={"limit": "9999"}, lenient=True)
        self.drive("get_goal", 200, id=goal)
        self.drive("get_goal", 404, id=NOBODY)
        self.drive("plan_goal", 200, body={"roadmap": "- [ ] Parse dates"})
        self.drive("plan_goal", 422, body={"roadmap": "nothing"})
        self.drive("cancel_goal", 200, id=goal)
        self.drive("cancel_goal", 404, id=NOBODY)
        tags = []

        def rests():  # its tasks tell it that they are cancelled
            tags.append(self.drive("get_goal", 200, id=goal).headers["etag"])
            return len(tags) > 9 and len(set(tags[-10:])) == 1
        poll("nothing more happens to it", rests)
        self.drive("get_goal", 304, id=goal, headers={"If-None-Match": tags[-1]})
        self.drive("delete_goal", 204, id=goal)
        self.drive("delete_goal", 404, id=goal)

    def board(self, task):
        self.drive("get_board", 200)
        self.drive("get_board", 422, query={"limit": "9999"}, lenient=True)
        self.drive("cancel_task", 200, id=task)
        self.drive("cancel_task", 404, id=NOBODY)
        self.drive("retry_task", 200, id=task)
        self.drive("retry_task", 409, id=task)
        self.drive("retry_task", 404, id=NOBODY)

    def working_text(self):
        shown = self.drive("get_working_text", 200).json
        self.drive("get_working_text", 401, key="wrong")
        self.drive("edit_working_text", 200, body={"content": shown["content"]})
        self.drive("edit_working_text", 422, body={"content": "What?"})
        self.drive("get_working_text", 200, query={"at": "2026-01-31T12:00:00.000Z"})
        when = self.drive("list_working_history", 200, query={"limit": "5"}).json["items"][0]["at"]
        self.drive("list_working_history", 422, query={"limit": "0"}, lenient=True)
        self.drive("restore_working_text", 200, body={"at": when})
        self.drive("restore_working_text", 422, body={"at": "then"}, lenient=True)

    def activities(self, task):
        self.drive("list_activities", 200, query={"kind": "task"})
        self.drive("list_activities", 422, query={"limit": "0"}, lenient=True)
        self.drive("list_task_activities", 200, id=task)
        self.drive("list_task_activities", 404, id=NOBODY)
        self.drive("list_agent_activities", 404, id="nobody")

    def messages(self, task):
        said = self.drive("add_message", 201, id=task, body={"content": "Hello"}).json["id"]
        self.drive("get_message", 200, id=said)
        self.drive("get_message", 404, id=NOBODY)
        self.drive("list_replies", 200, id=said)
        self.drive("list_replies", 404, id=NOBODY)
        for name in ("edit_message", "patch_message"):
            self.drive(name, 200, id=said, body=self.example(name))
            self.drive(name, 404, id=NOBODY, body=self.example(name))
            self.drive(name, 422, id=said, body={"content": ""}, lenient=True)
        self.drive("react", 200, id=said, body=self.example("react"))
        self.drive("react", 404, id=NOBODY, body=self.example("react"))
        self.drive("delete_message", 204, id=said)
        self.drive("delete_message", 404, id=NOBODY)
        self.drive("edit_message", 409, id=said, body={"content": "back"})

    def notifications(self, agent):
        told = poll("the agent's work is told of", lambda: self.drive("list_notifications", 200).json["items"])
        self.drive("read_notification", 200, id=told[0]["id"])
        self.drive("list_notifications", 422, query={"limit": "0"}, lenient=True)
        for name in ("get_notification_summary", "get_notification_preferences", "read_all_notifications"):
            self.drive(name, 401, key="wrong")
        self.drive("get_notification_summary", 200)
        self.drive("read_notification", 404, id=NOBODY)
        self.drive("read_all_notifications", 200)
        self.drive("get_notification_preferences", 200)
        self.drive("put_notification_preferences", 200, body=self.example("put_notification_preferences"))
        self.drive("put_notification_preferences", 422, body={"muted": ["noise"]}, lenient=True)
        self.drive("put_notification_preferences", 422, body={"channels": ["email"]})
        self.drive("get_webhook_secret", 200)
        self.drive("get_webhook_secret", 401, key="wrong")
        self.drive("list_notification_dead_letters", 200)
        self.drive("list_notification_dead_letters", 422, query={"limit": "0"}, lenient=True)
        for name in ("retry_notification_dead_letter", "delete_notification_dead_letter"):
            self.drive(name, 404, id=NOBODY)
        hooks = HookServer()
        self.addCleanup(hooks.stop)
        hooks.status = 410  # it wants none, ever
        self.drive("put_notification_preferences", 200, body={"channels": ["webhook"], "webhook_url": hooks.url})
        self.direct.create(f"/agents/{agent}/tasks", {"title": "told of"})

        def given_up():
            return poll("it is given up", lambda: self.drive("list_notification_dead_letters", 200).json["items"])[0]["id"]
        self.drive("retry_notification_dead_letter", 200, id=given_up())
        self.drive("delete_notification_dead_letter", 200, id=given_up())
        self.drive("put_notification_preferences", 200, body={})

    def documents(self):
        made = self.drive("create_document", 201, body=self.example("create_document"))
        document = made.json["id"]
        self.assertEqual(made.headers["location"], f"/api/v1/documents/{document}")
        self.drive("create_document", 422, body={}, lenient=True)
        self.drive("create_document", 422, body={"title": "t", "task_id": NOBODY})
        shown = self.drive("get_document", 200, id=document)
        self.drive("get_document", 304, id=document, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("list_documents", 200, query={"type": "research", "label": "sums"})
        self.drive("list_documents", 422, query={"type": "poem"}, lenient=True)
        for name in ("update_document", "patch_document"):
            self.drive(name, 200, id=document, body=self.example(name))
            self.drive(name, 412, id=document, body={"title": "t"}, headers={"If-Match": '"77"'})
        self.drive("list_document_versions", 200, id=document)
        self.drive("get_document_version", 200, id=document, n="1")
        self.drive("get_document_version", 404, id=document, n="77")
        self.drive("diff_document", 200, id=document, query={"from": "1", "to": "2"})
        self.drive("diff_document", 422, id=document, query={"from": "0"}, lenient=True)
        self.drive("render_document", 200, id=document)
        self.drive("restore_document", 200, id=document, body=self.example("restore_document"))
        self.drive("restore_document", 404, id=document, body={"version": 77})
        self.drive("share_document", 200, id=document, body=self.example("share_document"))
        self.drive("share_document", 422, id=document, body={"access": "read", "user_ids": [NOBODY]})
        for name in ("get_document", "list_document_versions", "diff_document", "render_document"):
            self.drive(name, 404, id=NOBODY)
        self.drive("delete_document", 412, id=document, headers={"If-Match": '"77"'})
        self.drive("delete_document", 204, id=document)
        self.drive("delete_document", 404, id=NOBODY)

    def chats(self):
        agent = self.direct.create("/agents", {"name": "asker", "model": self.model})["id"]  # it asks people, and waits
        chat = self.drive("create_chat", 201, body={"title": "Sums", "agent_id": agent}).json["id"]
        self.drive("create_chat", 422, body={"title": "t", "agent_id": NOBODY})
        self.drive("list_chats", 200, query={"agent_id": agent})
        self.drive("list_chats", 422, query={"limit": "9999"}, lenient=True)
        self.drive("say", 201, id=chat, body=self.example("say"))
        self.drive("say", 404, id=NOBODY, body=self.example("say"))
        self.drive("stop_chat_answer", 200, id=chat)
        self.drive("stop_chat_answer", 409, id=chat)
        shown = self.drive("get_chat", 200, id=chat)
        self.drive("get_chat", 304, id=chat, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_chat", 404, id=NOBODY)
        self.drive("list_chat_messages", 200, id=chat)
        self.drive("list_chat_messages", 404, id=NOBODY)
        self.drive("export_chat", 200, id=chat, query={"format": "json"})
        self.drive("export_chat", 404, id=NOBODY)
        for name in ("update_chat", "patch_chat"):
            self.drive(name, 200, id=chat, body=self.example(name))
            self.drive(name, 404, id=NOBODY, body=self.example(name))
        self.drive("delete_chat", 204, id=chat)
        self.drive("delete_chat", 404, id=chat)
