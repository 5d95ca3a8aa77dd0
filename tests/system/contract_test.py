"""Document and behaviour are one: every operation of the OpenAPI document is driven through Prism, a validating proxy,
in front of a real node. Requests and answers that the document does not allow end the test."""

import http.client
import json
import re
import socket
import subprocess
import time
import urllib.parse
import uuid

from tests.system import node_tools
from tests.system.contract_board import BoardContract
from tests.system.contract_governance import GovernanceContract
from tests.system.contract_runs import MODELS_AND_TOOLS, RunHistoryContract
from tests.system.contract_settings import SettingsContract
from tests.system.mcp_catalogue_test import FAR, Registry
from tests.system.identity_test import OTHER_PASSWORD, PASSWORD, totp
from tests.system.node import SECONDS_MAX, NodeTest, Client, free_port, poll
from tests.system.oidc_issuer import SECRET, Browser, Issuer, link_in, query_of
from tests.system.people_test import QUESTION

NOBODY = str(uuid.uuid4())


class Proxy:
    """`prism proxy --errors`: what the document does not allow becomes an answer of the proxy, of type
    https://stoplight.io/prism/errors#…. A lenient one lets wrong requests pass, so that the node's refusal is seen; its
    answers are judged all the same."""

    def __init__(self, document, upstream, lenient):
        self.port = free_port()
        self.log = document.with_suffix(f".{self.port}.log")
        arguments = ["proxy", document, upstream, "-p", str(self.port), "--errors", "-v", "warn"]
        arguments += ["--validate-request", "false"] if lenient else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([node_tools.tool("prism"), *map(str, arguments)], stdout=log, stderr=log,
                                            env=node_tools.ENVIRONMENT)

    def wait(self):
        def listens():
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text())
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        poll("Prism listens", listens, 4 * SECONDS_MAX)

    def stop(self):
        self.process.kill()
        self.process.wait()


class ContractTest(BoardContract, GovernanceContract, RunHistoryContract, SettingsContract, NodeTest):
    def setUp(self):
        super().setUp()
        flags, self.model = self.script("question", QUESTION)
        address = f"127.0.0.1:{free_port()}"
        self.issuer = Issuer(self.folder, f"http://{address}")
        self.addCleanup(self.issuer.stop)
        registry = Registry([FAR])
        self.addCleanup(registry.stop)
        providers = [{"name": "acme", "issuer": self.issuer.start().url, "client_id": "troupe", "organization": "default",
                      "client_secret": "env:ACME_SECRET", "role": "member"}]
        self.server = self.node(*flags, "--identity.registration", "open", "--listen", address, "--identity.public_url",
                                f"http://{address}", "--identity.oidc", json.dumps(providers), "--mcp.registries", registry.url,
                                *self.model_and_server_flags(),
                                environment={"ACME_SECRET": SECRET})
        self.server.directory.mkdir(exist_ok=True)
        self.server.directory.joinpath("notifications.json").write_text('{"webhook_allow": "127.0.0.0/8"}')
        self.server.start()
        self.direct = self.server.client()
        self.document = self.direct.read("/openapi.json")
        file = self.folder / "openapi.json"
        file.write_text(json.dumps(self.document))
        self.operations = {o["operationId"]: (verb.upper(), path, o) for path, item in self.document["paths"].items()
                           for verb, o in item.items()}
        self.proxies = {(base, lenient): Proxy(file, self.server.url + base, lenient)
                        for base in ("/api/v1", "") for lenient in (False, True)}
        for proxy in self.proxies.values():
            self.addCleanup(proxy.stop)
            proxy.wait()
        self.done, self.refused = set(), set()

    def drive(self, operation, status, *, body=None, raw=None, query=None, headers=None, key=None, lenient=False, **parameters):
        """Sends it through the proxy. `lenient`: the document does not allow this request, and the node refuses it."""
        verb, path, declared = self.operations[operation]
        for name, value in parameters.items():
            path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
        self.assertNotIn("{", path)
        base = "" if declared.get("servers") else "/api/v1"
        proxy = self.proxies[base, lenient]
        client = Client(f"http://127.0.0.1:{proxy.port}", self.server.key if key is None else key, "")
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if raw is not None:
            headers = {"Content-Type": "application/octet-stream", **(headers or {})}
        reply = client.request(verb, path, body, headers, raw)
        client.close()
        if b"stoplight.io/prism/errors" in reply.raw:
            raise AssertionError(f"{operation} {verb} {path}: the document does not allow this: {reply.raw.decode()[:3000]}")
        self.assertEqual(reply.status, status, (operation, reply))
        self.assertIn(str(status), declared["responses"], operation)
        (self.done if status < 400 else self.refused).add((operation, str(status)))
        return reply

    def redirected(self, operation, path, **headers):
        """Of an operation that sends browsers on: Prism would follow, so the node is asked itself."""
        verb, _, declared = self.operations[operation]
        client = Client(self.server.url, "")
        reply = self.status(client.request(verb, path, headers=headers), 302)
        client.close()
        self.assertEqual(set(declared["responses"]["302"]["headers"]) & {"Location", "Set-Cookie"}, {"Location", "Set-Cookie"})
        self.done.add((operation, "302"))
        return reply

    def example(self, operation):
        """The body that the document shows."""
        return next(iter(self.operations[operation][2]["requestBody"]["content"].values()))["example"]

    # ---- the operations, feature by feature

    def system(self):
        for name in ("health", "health_live", "health_ready", "openapi", "asyncapi", "docs", "docs_style", "docs_script",
                     "metrics", "status", "supervision", "load", "list_events", "list_poison", "dead_letters",
                     "list_failures", "get_cluster", "list_shards", *MODELS_AND_TOOLS):
            self.drive(name, 200)
        for name in ("metrics", "status", "load", "list_events", "list_poison", "dead_letters", "list_failures",
                     "get_cluster", "list_shards", *MODELS_AND_TOOLS):
            self.drive(name, 401, key="wrong")
        self.drive("list_shards", 422, query={"limit": "0"}, lenient=True)
        for name in ("drain_node", "resume_node", "remove_node"):
            self.drive(name, 409, name="n2")  # this is a node alone
            self.drive(name, 401, name="n2", key="wrong")
        for name, body in (("move_shard", {"to": "n2"}), ("move_shard_back", None)):
            self.drive(name, 409, shard="17", body=body)
            self.drive(name, 401, shard="17", body=body, key="wrong")
        self.drive("supervision", 404, query={"prefix": "/nowhere"})
        for name in ("load", "list_failures", "dead_letters"):
            self.drive(name, 200, query={"node": "n1"})
            self.drive(name, 404, query={"node": "n9"})
        self.drive("load", 422, query={"limit": "many"}, lenient=True)
        self.drive("list_events", 422, query={"limit": "0"}, lenient=True)
        self.drive("list_events", 422, query={"after": "not a cursor"})
        for code in re.findall(r"^- `(\w+)`", self.document["components"]["responses"][
                "forbidden"]["description"], re.M) + ["overloaded", "secrets_locked"]:
            self.drive("explain_problem", 200, code=code)
        self.drive("explain_problem", 404, code="nonsense")

    def agents(self):
        made = self.drive("create_agent", 201, body=self.example("create_agent"), headers={"Idempotency-Key": "a"})
        again = self.drive("create_agent", 201, body=self.example("create_agent"), headers={"Idempotency-Key": "a"})
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.drive("create_agent", 422, body={"name": "another"}, headers={"Idempotency-Key": "a"})
        self.drive("create_agent", 409, body=self.example("create_agent"))
        self.drive("create_agent", 422, body={"name": ""}, lenient=True)
        self.drive("create_agent", 400, raw=b"{", headers={"Content-Type": "application/json"}, lenient=True)
        self.drive("create_agent", 415, raw=b"name=x", headers={"Content-Type": "text/plain"}, lenient=True)
        agent = made.json["id"]
        for id in (agent, made.json["settings"]["name"]):
            shown = self.drive("get_agent", 200, id=id)
        self.drive("get_agent", 304, id=agent, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_agent", 404, id=NOBODY)
        self.drive("list_agents", 200, query={"status": "idle", "limit": "1", "sort": "created_at"})
        self.drive("list_agents", 422, query={"status": "asleep"}, lenient=True)
        for name in ("update_agent", "patch_agent"):
            self.drive(name, 200, id=agent, body=self.example(name))
            self.drive(name, 412, id=agent, body={"role": "r"}, headers={"If-Match": '"1"'})
            self.drive(name, 404, id=NOBODY, body={})
        versions = self.drive("list_agent_versions", 200, id=agent, query={"limit": "1"}).json["items"]
        self.drive("list_agent_versions", 404, id=NOBODY)
        self.drive("get_agent_version", 200, id=agent, version=str(versions[0]["number"]))
        self.drive("get_agent_version", 404, id=agent, version="999")
        self.drive("diff_agent_versions", 200, id=agent, version=str(versions[0]["number"]))
        self.drive("diff_agent_versions", 404, id=agent, version="999")
        self.drive("restore_agent_version", 200, id=agent, version=str(versions[0]["number"]))
        self.drive("restore_agent_version", 404, id=agent, version="999")
        for verb in ("pause", "resume", "stop", "start", "restart", "heartbeat"):
            self.drive(f"{verb}_agent", 200, id=agent)
            self.drive(f"{verb}_agent", 404, id=NOBODY)
        gone = self.drive("create_agent", 201, body={"name": "gone"}).json["id"]
        self.drive("delete_agent", 412, id=gone, headers={"If-Match": '"77"'})
        self.drive("delete_agent", 204, id=gone)
        self.drive("delete_agent", 404, id=NOBODY)
        return agent

    def projects(self):
        project = self.drive("create_project", 201, body=self.example("create_project")).json["id"]
        self.drive("create_project", 422, body={"name": "p", "folder": "/nowhere"})
        shown = self.drive("get_project", 200, id=project)
        self.drive("get_project", 304, id=project, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_project", 404, id=NOBODY)
        self.drive("list_projects", 200, query={"name": "none"})
        self.drive("list_projects", 422, query={"sort": "size"}, lenient=True)
        for name in ("update_project", "patch_project"):
            self.drive(name, 200, id=project, body=self.example(name))
            self.drive(name, 412, id=project, body={}, headers={"If-Match": '"77"'})
        self.drive("create_file", 201, id=project, body=self.example("create_file"))
        self.drive("create_file", 422, id=project, body={"path": "../x", "content": ""})
        self.drive("put_file", 200, id=project, path="a/b.bin", raw=b"0123456789", query={"executable": "true"})
        self.drive("put_file", 412, id=project, path="a/b.bin", raw=b"1", headers={"If-Match": '"00"'})
        self.drive("list_files", 200, id=project)
        self.drive("list_files", 404, id=NOBODY)
        shown = self.drive("get_file", 200, id=project, path="a/b.bin")
        self.drive("get_file", 206, id=project, path="a/b.bin", headers={"Range": "bytes=2-4"})
        self.drive("get_file", 416, id=project, path="a/b.bin", headers={"Range": "bytes=77-"})
        self.drive("get_file", 304, id=project, path="a/b.bin", headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_file", 404, id=project, path="nothing")
        self.drive("delete_file", 412, id=project, path="a/b.bin", headers={"If-Match": '"00"'})
        self.drive("delete_file", 204, id=project, path="a/b.bin")
        gone = self.drive("create_project", 201, body={"name": "gone"}).json["id"]
        self.drive("delete_project", 204, id=gone)
        self.drive("delete_project", 404, id=NOBODY)
        return project

    def runs(self, project):
        body = {"goal": "ask", "model": self.model, "project_id": project}
        run = self.drive("create_run", 201, body=body).json["id"]
        self.drive("create_run", 422, body={"goal": ""}, lenient=True)
        self.direct.wait_run(run, until=("waiting",))
        self.drive("get_run", 200, id=run)
        self.drive("get_run", 404, id=NOBODY)
        self.drive("list_runs", 200, query={"status": "waiting"})
        self.drive("list_runs", 422, query={"status": "asleep"}, lenient=True)
        self.drive("why", 200, kind="run", id=run)
        approval = poll("the approval", lambda: self.direct.read(f"/approvals?run_id={run}")["items"])[0]["id"]
        self.drive("list_approvals", 200, query={"run_id": run, "status": "pending"})
        self.drive("list_approvals", 401, key="wrong")
        shown = self.drive("get_approval", 200, id=approval)
        self.drive("get_approval", 304, id=approval, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_approval", 404, id=NOBODY)
        self.decisions(approval, PASSWORD)
        self.direct.wait_run(run)
        self.drive("get_run", 304, id=run, headers={"If-None-Match": "*"})  # whatever still happens to it
        self.drive("list_steps", 200, id=run)
        self.drive("list_steps", 404, id=NOBODY)
        self.drive("get_run_diff", 200, id=run)
        self.drive("get_run_diff", 404, id=NOBODY)
        self.run_history(run)
        self.drive("watch_run", 404, id=NOBODY)
        self.watched("watch_run", id=run)
        other = self.drive("create_run", 201, body=body).json["id"]
        self.drive("cancel_run", 200, id=other, body=self.example("cancel_run"))
        self.drive("cancel_run", 404, id=NOBODY, body={})

    def live(self, agent):
        self.direct.wait_run(self.direct.create("/runs", {"goal": "Look around.", "agent_id": agent})["id"])
        self.watched("watch_activities")
        self.drive("watch_activities", 401, key="wrong")
        for name in ("watch_agent", "watch_agent_logs"):
            self.watched(name, id=agent)
            self.drive(name, 404, id=NOBODY)
        self.drive("watch_engines", 404)

    def watched(self, operation, **parameters):
        """A stream has no end, for which Prism would wait: its head is judged here."""
        verb, path, declared = self.operations[operation]
        path = "/api/v1" + path.format(**parameters)
        where = urllib.parse.urlsplit(self.server.url)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=SECONDS_MAX)
        connection.request(verb, path + "?since=start", headers={"Authorization": f"Bearer {self.server.key}"})
        answer = connection.getresponse()
        self.assertEqual([answer.getheader("Content-Type")], list(declared["responses"][str(answer.status)]["content"]))
        self.assertTrue(next(line for line in answer if line.startswith(b"data:")))
        connection.close()
        self.done.add((operation, str(answer.status)))

    def audit(self):
        """Both logs: the organization's, and the node's own."""
        for suffix in ("", "_of_node"):
            listed = self.drive(f"list_audit{suffix}", 200, query={"limit": "2", "order": "oldest", "details": "true"})
            self.drive(f"list_audit{suffix}", 200, query={"result": "denied", "from": "2026-01-01T00:00:00Z"})
            self.drive(f"list_audit{suffix}", 422, query={"until": "tomorrow"}, lenient=True)
            self.drive(f"list_audit{suffix}", 401, key="wrong")
            self.drive(f"get_audit_entry{suffix}", 200, id=listed.json["items"][0]["id"])
            self.drive(f"get_audit_entry{suffix}", 404, id="1-2-3")
            self.drive(f"export_audit{suffix}", 200)
            self.drive(f"export_audit{suffix}", 422, query={"format": "xml"}, lenient=True)
            anchor = self.drive(f"audit_anchor{suffix}", 200).json
            self.drive(f"audit_anchor{suffix}", 401, key="wrong")
            self.drive(f"verify_audit{suffix}", 200, body={"chains": anchor["chains"][:2]})
            self.drive(f"verify_audit{suffix}", 422, body={"chains": [{**anchor["chains"][0], "chain": "x"}]})

    def secrets(self):
        self.drive("rotate_secret_keys", 404, body={})
        self.drive("set_secret", 200, name="token", body=self.example("set_secret"))
        self.drive("set_secret", 422, name="bad name!", body={"value": "x"})
        self.drive("set_secret", 422, name="token", body={"value": ""}, lenient=True)
        shown = self.drive("get_secret", 200, name="token")
        self.drive("get_secret", 304, name="token", headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_secret", 404, name="nothing")
        self.drive("list_secrets", 200)
        self.drive("list_secrets", 401, key="wrong")
        self.drive("get_secret_keys", 200)
        self.drive("get_secret_keys", 401, key="wrong")
        self.drive("rotate_secret_keys", 200, body=self.example("rotate_secret_keys"))
        self.drive("delete_secret", 204, name="token")
        self.drive("delete_secret", 404, name="nothing")

    def backups(self):
        made = self.drive("create_backup", 201, headers={"Idempotency-Key": "b"})
        self.drive("create_backup", 401, key="wrong")
        self.drive("list_backups", 200, query={"limit": "1"})
        self.drive("list_backups", 401, key="wrong")
        self.drive("get_backup", 200, id=made.json["id"])
        self.drive("get_backup", 404, id="nothing")
        self.drive("delete_backup", 204, id=made.json["id"])
        self.drive("delete_backup", 404, id="nothing")

    def login(self):
        """Two people with an account: (Ada's tokens, Grace's tokens)."""
        for name in ("get_jwks", "get_well_known_jwks"):
            self.drive(name, 200, key="")
        ada = self.drive("register", 201, key="", body={**self.example("register"), "password": PASSWORD}).json
        email = ada["user"]["email"]
        self.drive("register", 409, key="", body={"email": email, "password": PASSWORD})
        self.drive("register", 422, key="", body={"email": "nowhere", "password": PASSWORD})
        self.drive("register", 422, key="", body={"email": "eve@example.org"}, lenient=True)
        grace = self.drive("register", 201, key="", body={"email": "grace@example.org", "password": PASSWORD}).json
        tokens = self.drive("login", 200, key="", body={"email": email, "password": PASSWORD, "organization": "acme"}).json
        self.drive("login", 401, key="", body={"email": email, "password": "wrong, quite"})
        self.drive("login", 422, key="", body={"email": email, "password": PASSWORD, "organization": "none"})
        self.drive("login", 422, key="", body={"email": email}, lenient=True)
        fresh = self.drive("refresh", 200, key="", body={"refresh_token": tokens["refresh_token"]}).json
        self.drive("refresh", 401, key="", body={"refresh_token": tokens["refresh_token"]})  # was used: the session is over
        self.drive("get_me", 401, key=fresh["access_token"])
        browser = self.drive("login", 200, key="", body={"email": email, "password": PASSWORD, "cookie": True})
        cookies = re.findall(r"__Host-troupe-\w+=[^;]+", browser.headers["set-cookie"])  # Prism joins the two headers
        self.assertEqual(len(cookies), 2)
        sent = {"Cookie": "; ".join(cookies)}
        self.drive("get_me", 200, key="", headers=sent)
        self.drive("logout", 403, key="", headers=sent)
        self.drive("refresh", 200, key="", body={}, headers=sent)
        self.drive("logout", 204, key="", headers={**sent, "X-CSRF-Token": browser.json["csrf_token"]})
        self.drive("logout", 401, key=fresh["access_token"])
        self.drive("logout", 422)  # a key is no session
        return ada, grace

    def profile(self, ada):
        key = ada["access_token"]
        for caller in (None, key):
            self.drive("get_me", 200, key=caller)
            self.drive("explain_permission", 200, key=caller, query={"permission": "task:write"})
        self.drive("explain_permission", 422, query={"permission": "everything"})
        self.drive("get_me", 404, headers={"X-Organization": "nowhere"})
        shown = self.drive("get_profile", 200, key=key)
        self.drive("get_profile", 304, key=key, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_profile", 403)
        self.drive("update_profile", 200, key=key, body=self.example("update_profile"))
        self.drive("update_profile", 409, key=key, body={"email": "grace@example.org"})
        self.drive("update_profile", 412, key=key, body={"name": "x"}, headers={"If-Match": '"77"'})
        self.drive("update_profile", 422, key=key, body={"email": ""}, lenient=True)
        sessions = self.drive("list_sessions", 200, key=key, query={"limit": "1"}).json["items"]
        self.assertEqual(len(sessions), 1)
        self.drive("list_sessions", 422, key=key, query={"limit": "0"}, lenient=True)
        self.drive("list_sessions", 403)
        email = ada["user"]["email"]
        other = self.drive("login", 200, key="", body={"email": email, "password": PASSWORD}).json
        self.drive("end_session", 204, key=key, id=other["session_id"])
        self.drive("end_session", 404, key=key, id=NOBODY)
        self.drive("end_sessions", 204, key=key)
        self.drive("end_sessions", 401, key=key)
        return self.drive("login", 200, key="", body={"email": email, "password": PASSWORD}).json

    def second_factor(self, tokens):
        key, email = tokens["access_token"], tokens["user"]["email"]
        self.drive("enable_mfa", 409, key=key, body=self.example("enable_mfa"))
        self.drive("enroll_mfa", 403)
        enrolment = self.drive("enroll_mfa", 200, key=key).json
        self.drive("enable_mfa", 401, key=key, body={"code": "nothing"})
        self.drive("enable_mfa", 422, key=key, body={"code": "1"}, lenient=True)
        codes = self.drive("enable_mfa", 200, key=key, body={"code": totp(enrolment["secret"])}).json["recovery_codes"]
        self.drive("enroll_mfa", 409, key=key)
        self.drive("login", 401, key="", body={"email": email, "password": PASSWORD})
        self.drive("step_up", 401, key=key, body={"password": PASSWORD})
        self.drive("step_up", 200, key=key, body={"password": PASSWORD, "code": codes[0]})
        self.drive("renew_recovery_codes", 401, key=key, body={"password": PASSWORD})
        codes[1:] = self.drive("renew_recovery_codes", 200, key=key,
                               body={"password": PASSWORD, "code": codes[1]}).json["recovery_codes"]
        change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        self.drive("change_password", 401, key=key, body=change)
        self.drive("change_password", 422, key=key, body={**change, "new_password": "password"})
        key = self.drive("change_password", 200, key=key, body={**change, "code": codes[1]}).json["access_token"]
        self.drive("disable_mfa", 401, key=key, body={"password": "wrong, quite"})
        self.drive("disable_mfa", 204, key=key, body={"password": OTHER_PASSWORD, "code": codes[2]})
        self.drive("renew_recovery_codes", 409, key=key, body={"password": OTHER_PASSWORD})
        return key

    def users(self):
        made = self.drive("create_user", 201, body={**self.example("create_user"), "email": "hopper@example.org",
                                                    "password": PASSWORD, "role": "member"})
        user, email = made.json["id"], made.json["email"]
        self.drive("create_user", 409, body={"email": email, "password": PASSWORD})
        self.drive("create_user", 422, body={"email": "x@example.org", "password": PASSWORD, "role": "jester"})
        self.drive("list_users", 200, query={"limit": "1"})
        self.drive("list_users", 401, key="wrong")
        for id in (user, email):
            shown = poll("the membership", lambda id=id: (lambda r: r if r.json["organizations"] else None)(
                self.drive("get_user", 200, id=id)))
        self.drive("get_user", 304, id=user, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_user", 404, id=NOBODY)
        for name in ("update_user", "patch_user"):
            self.drive(name, 200, id=user, body={**self.example(name), "password": OTHER_PASSWORD})
            self.drive(name, 412, id=user, body={"name": "x"}, headers={"If-Match": '"77"'})
            self.drive(name, 404, id=NOBODY, body={})
            self.drive(name, 422, id=user, body={"status": "asleep"}, lenient=True)
        self.drive("disable_user_mfa", 200, id=email)
        self.drive("disable_user_mfa", 404, id="nobody@example.org")
        self.drive("unlock_user", 200, id=email)
        self.drive("unlock_user", 404, id="nobody@example.org")

    def organizations(self, key, grace):
        made = self.drive("create_organization", 201, key=key, body={"name": "Initech", "slug": "initech",
                                                                     "domain": "initech.example"})
        id = made.json["id"]
        self.assertEqual(made.headers["location"], f"/api/v1/organizations/{id}")
        self.drive("create_organization", 409, body={"name": "x", "slug": "initech"})
        self.drive("create_organization", 422, body={"name": "x", "slug": "-"})
        for caller in (None, key):
            self.drive("list_organizations", 200, key=caller)
        self.drive("list_organizations", 401, key="wrong")
        for name in (id, "initech"):
            shown = self.drive("get_organization", 200, id=name, key=key)
        self.drive("get_organization", 304, id=id, key=key, headers={"If-None-Match": shown.headers["etag"]})
        self.drive("get_organization", 404, id=id, key=grace["access_token"])
        for name in ("update_organization", "patch_organization"):
            self.drive(name, 200, id=id, key=key, body=self.example(name))
            self.drive(name, 412, id=id, key=key, body={"name": "x"}, headers={"If-Match": '"77"'})
            self.drive(name, 403, id=id, key=key, body={"plan": "pro"})
            self.drive(name, 404, id=NOBODY, body={})
        self.drive("patch_organization", 200, id=id, body={"domain": "", "plan": "pro", "status": "active"})
        for name in ("get_limits", "get_usage"):
            self.drive(name, 200, id=id, key=key)
            self.drive(name, 404, id=NOBODY)
        self.drive("get_usage", 422, id=id, key=key, query={"from": "2026-02-01", "to": "2026-01-01"})
        month = time.strftime("%Y-%m", time.gmtime())
        self.drive("get_invoice", 200, id=id, key=key, period=month)
        self.drive("get_invoice", 200, id=id, key=key, period=month, query={"format": "csv"})
        self.drive("get_invoice", 422, id=id, key=key, period="2999-01")
        self.compliance(id, key)
        self.settings(id, key)
        self.members(id, key, grace)

    def members(self, id, key, grace):
        invite = {"email": "grace@example.org", "role": "viewer"}
        invited = self.drive("create_invitation", 201, id=id, key=key, body=invite).json
        self.drive("create_invitation", 422, id=id, key=key, body={**invite, "role": "jester"})
        other = self.drive("create_invitation", 201, id=id, key=key, body={"email": "other@example.org"}).json["id"]
        self.drive("list_invitations", 200, id=id, key=key, query={"limit": "1"})
        self.drive("list_invitations", 404, id=NOBODY)
        self.drive("revoke_invitation", 204, id=id, key=key, invitation=other)
        self.drive("revoke_invitation", 404, id=id, key=key, invitation=other)
        self.drive("accept_invitation", 404, key=key, body={"token": "nothing"})
        self.drive("accept_invitation", 200, key=grace["access_token"], body={"token": invited["token"]})
        user = grace["user"]["id"]
        self.drive("list_members", 200, id=id, key=key)
        self.drive("list_members", 404, id=NOBODY)
        for name in (user, "grace@example.org"):
            self.drive("get_member", 200, id=id, key=key, user=name)
        self.drive("get_member", 404, id=id, key=key, user=NOBODY)
        self.drive("list_roles", 200, id=id, key=key)
        self.drive("list_roles", 422, id=id, key=key, query={"limit": "0"}, lenient=True)
        self.drive("put_role", 200, id=id, key=key, role="auditor", body={"description": "Looks.", "permissions": ["*:read"]})
        self.drive("put_role", 409, id=id, key=key, role="owner", body=self.example("put_role"))
        self.drive("put_role", 422, id=id, key=key, role="auditor", body={"permissions": ["everything"]})
        for name in ("auditor", "owner"):
            self.drive("get_role", 200, id=id, key=key, role=name)
        self.drive("get_role", 404, id=id, key=key, role="jester")
        self.drive("update_member", 200, id=id, key=key, user=user, body={"role": "auditor"})
        self.drive("update_member", 409, id=id, key=key, user=self.direct.read("/users/ada@example.org")["id"],
                   body={"role": "viewer"})
        self.drive("update_member", 422, id=id, key=key, user=user, body={"role": "jester"})
        self.drive("remove_role", 409, id=id, key=key, role="auditor")
        self.drive("remove_member", 204, id=id, key=key, user=user)
        self.drive("remove_member", 404, id=id, key=key, user=user)
        self.drive("remove_role", 204, id=id, key=key, role="auditor")
        self.drive("remove_role", 404, id=id, key=key, role="auditor")

    def api_keys(self, key):
        made = self.drive("create_api_key", 201, key=key, body=self.example("create_api_key")).json
        self.drive("get_me", 200, key=made["key"])
        self.drive("create_api_key", 403, key=made["key"], body={"name": "wider"})
        self.drive("create_api_key", 422, body={"name": "of nobody"})
        self.drive("create_api_key", 201, body={"name": "of a service", "role": "viewer",
                                                "expires_at": "2099-01-01T00:00:00.000Z"})
        self.drive("list_api_keys", 200, key=key)
        self.drive("list_api_keys", 401, key="wrong")
        shown = self.drive("get_api_key", 200, id=made["id"], key=key)
        self.drive("get_api_key", 404, id=NOBODY, key=key)
        self.drive("get_api_key", 304, id=made["id"], key=key, headers={"If-None-Match": "*"})
        self.assertNotIn("key", shown.json)
        self.drive("revoke_api_key", 204, id=made["id"], key=key)
        self.drive("revoke_api_key", 404, id=NOBODY, key=key)

    def brought_back(self, login):
        """A login of a program, up to what its loopback address gets."""
        begun = self.drive("start_oidc_login_of_program", 200, key="", provider="acme",
                           body={"redirect": "http://127.0.0.1:1/"}).json
        browser = Browser()
        back = browser.get(browser.come_back(begun["authorization_url"], login))
        return {**query_of(link_in(back)), "binding": begun["binding"]}

    def issuers(self, key):
        self.drive("list_oidc_providers", 200, key="")
        self.drive("start_oidc_login", 404, key="", provider="nobody")
        self.drive("start_oidc_login", 422, key="", provider="acme", query={"redirect": "//evil.example"})
        begun = self.redirected("start_oidc_login", "/auth/oidc/acme/start?redirect=/api/v1/docs")
        came = query_of(Browser().come_back(begun.headers["location"], "ida"))
        cookie = {"Cookie": begun.headers["set-cookie"].split(";")[0]}
        self.drive("finish_oidc_login", 403, key="", provider="acme", query=came)
        self.redirected("finish_oidc_login", "/auth/oidc/acme/callback?" + urllib.parse.urlencode({**came, "hd": "x"}), **cookie)
        self.drive("finish_oidc_login", 401, key="", provider="acme", query=came, headers=cookie)
        self.drive("start_oidc_login_of_program", 422, key="", provider="acme", body={"redirect": "http://evil.example/"})
        self.drive("finish_oidc_login_of_program", 403, key="", provider="acme", body=self.brought_back("eve"))
        came = self.brought_back("ida")
        self.drive("finish_oidc_login_of_program", 403, key="", provider="acme", body={**came, "binding": "x"})
        ida = self.drive("finish_oidc_login_of_program", 200, key="", provider="acme", body=came).json
        self.drive("list_identities", 200, key=ida["access_token"], query={"limit": "1"})
        self.drive("list_identities", 401, key="wrong")
        self.drive("link_identity", 404, key=key, provider="nobody", body={})
        begun = self.drive("link_identity", 200, key=key, provider="acme", body={"redirect": "/api/v1/docs"})
        browser = Browser()
        browser.cookies[self.server.url.removeprefix("http://")] = dict([begun.headers["set-cookie"].split(";")[0].split("=", 1)])
        self.status(browser.get(browser.come_back(begun.json["authorization_url"], "mallory")), 302)
        identity = self.drive("list_identities", 200, key=key).json["items"][0]["id"]
        self.drive("unlink_identity", 404, key=key, id=NOBODY)
        self.drive("unlink_identity", 204, key=key, id=identity)
        self.drive("finish_oidc_login_with_code", 401, key="", body=self.example("finish_oidc_login_with_code"))
        person = self.server.client(key=self.drive("finish_oidc_login_of_program", 200, key="", provider="acme",
                                                   body=self.brought_back("mara")).json["access_token"])
        seed = person.create("/auth/mfa/enroll", {})["secret"]
        person.create("/auth/mfa/enable", {"code": totp(seed)})
        asked = self.drive("finish_oidc_login_of_program", 401, key="", provider="acme", body=self.brought_back("mara"))
        self.drive("finish_oidc_login_with_code", 200, key="",
                   body={"code": totp(seed, 1), "ticket": asked.headers["x-login-ticket"]})

    def slowed_down(self):
        wrong = {"email": "eve@example.org", "password": "wrong, quite"}
        anyone = self.server.client(key="")
        poll("the wait has grown", lambda: int(anyone.post("/auth/login", wrong).headers.get("retry-after", 0)) >= 4)
        self.assertIn("retry-after", self.drive("login", 429, key="", body=wrong).headers)

    def test_every_operation_does_what_the_document_says(self):
        self.system()
        agent, project = self.agents(), self.projects()
        self.tasks(agent, project)
        self.documents()
        self.runs(project)
        self.chat()
        self.cassettes()
        self.servers()
        self.live(agent)
        self.secrets()
        self.let_in()
        self.audit()
        self.backups()
        ada, grace = self.login()
        key = self.second_factor(self.profile(ada))
        self.users()
        self.organizations(key, grace)
        self.issuers(key)
        self.api_keys(key)
        self.erasures()
        self.slowed_down()
        declared = {(name, status) for name, (_, _, o) in self.operations.items() for status in o["responses"] if status < "4"}
        declared.discard(("watch_engines", "200"))  # there are none yet, and it says so
        in_a_cluster = ("drain_node", "resume_node", "remove_node", "move_shard", "move_shard_back")
        declared -= {(name, "204") for name in in_a_cluster}  # cluster_test.py, cluster_members_test.py do
        self.assertEqual(declared - self.done, set(), "the document has these, and nothing here drives them")
        # What is open to everyone and has no parameters cannot be asked wrongly.
        always = {name for name, (_, path, o) in self.operations.items() if o.get("security") == [] and "{" not in path}
        self.assertEqual(set(self.operations) - {name for name, _ in self.refused} - always, set(),
                         "these are not driven with an error")

    def test_the_proxy_sees_what_the_document_does_not_allow(self):
        with self.assertRaisesRegex(AssertionError, "does not allow"):
            self.drive("create_task", 422, body={"title": 7})
        file = self.folder / "changed.json"
        del self.document["components"]["schemas"]["task"]["properties"]["title"]
        file.write_text(json.dumps(self.document))
        changed = Proxy(file, self.server.url + "/api/v1", False)
        self.addCleanup(changed.stop)
        changed.wait()
        self.proxies["/api/v1", False] = changed
        with self.assertRaisesRegex(AssertionError, "does not allow"):
            self.drive("create_task", 201, body={"title": "t"})
