"""The operations that go back in runs, for contract_test.py."""

import json
import shutil
import uuid
from pathlib import Path

from tests.system.contract_mcp import McpServerContract
from tests.system.mcp_auth_test import Guarded
from tests.system.node import poll

SERVER = Path(__file__).resolve().parent / "mcp_server.py"

MODELS_AND_TOOLS = ("list_models", "list_providers", "list_agent_kinds", "list_tools", "list_cassettes")
TAPE = '{"format":"troupe-cassette/1"}\n'


class RunHistoryContract(McpServerContract):
    def model_and_server_flags(self):
        folder = self.work_folder("tapes")
        (folder / "tape.jsonl").write_text(TAPE)
        server = self.folder / "data/mcp/small"
        server.mkdir(parents=True)
        shutil.copy(SERVER, server / "server.py")
        self.guarded = Guarded()
        self.addCleanup(self.guarded.server_close)
        self.addCleanup(self.guarded.shutdown)
        servers = [{"name": "small", "command": ["python3", "server.py", "--offers"]},
                   {"name": "guarded", "url": self.guarded.origin + "/mcp"}]
        return "--model.cassettes", folder, "--mcp.servers", json.dumps(servers)

    def run_history(self, run):
        nobody = str(uuid.uuid4())
        self.drive("get_step_context", 200, id=run, step="1")
        self.drive("get_step_context", 404, id=run, step="99")
        self.drive("get_step_context", 422, id=run, step="one")
        fork = self.drive("fork_run", 201, id=run, body={"step": 0, "goal": "Another one"}).json["id"]
        self.drive("fork_run", 404, id=run, body={"step": 99})
        self.drive("fork_run", 422, id=run, body={"message": "without a step"}, lenient=True)
        self.drive("compare_runs", 200, id=run, query={"with": fork})
        self.drive("compare_runs", 404, id=run, query={"with": nobody})
        self.drive("compare_runs", 422, id=run, query={"with": "nobody"}, lenient=True)
        self.drive("replay_run", 200, id=run)
        self.drive("replay_run", 404, id=nobody)
        self.drive("cancel_run", 200, id=fork, body={})

    def decisions(self, approval, password):
        nobody = str(uuid.uuid4())
        member = self.direct.create("/users", {"email": "judge@example.org", "password": password, "role": "member"})["id"]
        self.drive("decide_approval", 422, id=approval, body={"decision": "perhaps"}, lenient=True)
        self.drive("decide_approval", 422, id=approval, body={"decision": "answer", "answer": "x", "remember": "run"})
        self.drive("delegate_approval", 422, id=approval, body={"to": nobody})
        self.drive("delegate_approval", 404, id=nobody, body={"to": member})
        self.drive("delegate_approval", 200, id=approval, body={"to": member})
        self.drive("decide_approval", 200, id=approval, body={"decision": "answer", "answer": "blue"})
        self.drive("decide_approval", 409, id=approval, body={"decision": "answer", "answer": "red"})
        self.drive("delegate_approval", 409, id=approval, body={"to": member})

    def memory(self, agent):
        self.drive("get_agent_memory", 200, id=agent)
        self.drive("get_agent_memory", 404, id="nobody")
        self.drive("put_agent_note", 200, id=agent, note="database", body=self.example("put_agent_note"))
        self.drive("put_agent_note", 404, id="nobody", note="database", body={"text": "x"})
        self.drive("put_agent_note", 422, id=agent, note="database", body={"text": ""}, lenient=True)
        self.drive("delete_agent_note", 204, id=agent, note="database")
        self.drive("delete_agent_note", 404, id=agent, note="database")

    def chat(self):
        self.drive("create_agent", 201, body={"name": "talker", "model": "rehearsal"})
        self.memory("talker")
        self.drive("list_chat_models", 200)
        self.drive("list_chat_models", 401, key="wrong")
        asked = {"model": "talker", "messages": [{"role": "user", "content": "Do nothing."}]}
        self.drive("create_chat_completion", 200, body=asked)
        self.drive("create_chat_completion", 404, body={**asked, "model": "nobody"})
        self.drive("create_chat_completion", 422, body={"model": "talker"})
        self.served_mcp()

    def servers(self):
        poll("its tools are there", lambda: self.direct.read("/mcp/tools")["items"])
        for name in ("list_mcp_servers", "list_mcp_tools", "list_mcp_usage"):
            self.drive(name, 200)
            self.drive(name, 401, key="wrong")
        self.drive("list_mcp_usage", 422, query={"from": "2026-02-01", "to": "2026-01-01"})
        for name in ("get_mcp_health", "get_mcp_logs"):
            self.drive(name, 200, id="small")
            self.drive(name, 404, id="nobody")
        self.drive("execute_mcp_tool", 200, id="mcp_small_add", body={"arguments": {"a": 1, "b": 2}})
        self.drive("execute_mcp_tool", 422, id="mcp_small_add", body={"arguments": {"a": 1}})
        self.drive("execute_mcp_tool", 404, id="mcp_small_none", body={"arguments": {}})
        self.drive("accept_mcp_tool", 200, id="mcp_small_add")
        self.drive("accept_mcp_tool", 404, id="mcp_small_none")
        self.offered()
        self.catalogue()
        self.cancelled()
        for name in ("stop_mcp_server", "start_mcp_server", "restart_mcp_server"):
            self.drive(name, 200, id="small")
            self.drive(name, 404, id="nobody")

    def cassettes(self):
        self.drive("get_cassette", 200, name="tape")
        self.drive("delete_cassette", 401, name="tape", key="wrong")
        self.drive("delete_cassette", 204, name="tape")
        for name in ("get_cassette", "delete_cassette"):
            self.drive(name, 404, name="tape")
