"""The first steps of a user over HTTP."""

import itertools
import json
import re
import time

from tests.system.node import REPOSITORY, NodeTest, new_key, poll

ANSWER = """
rules:
  - say: The answer is 42.
"""


class ApiTest(NodeTest):
    """One node for all tests of the class: each makes what it needs."""

    @classmethod
    def setUpClass(cls):
        cls.shared = NodeTest("run")
        cls.shared.setUp()
        cls.addClassCleanup(cls.shared.tidy)
        flags, cls.model = cls.shared.script("answer", ANSWER)
        cls.server = cls.shared.node("--mcp.registries", "", *flags).start()

    def setUp(self):
        super().setUp()
        self.api = self.server.client()

    # ---- entities

    def test_task_is_created_shown_changed_and_deleted(self):
        made = self.status(self.api.post("/tasks", {"title": "Count the chairs", "labels": ["hall"]}), 201)
        task = made.json
        self.assertEqual(made.headers["location"], f"/api/v1/tasks/{task['id']}")
        self.assertEqual((task["title"], task["status"], task["labels"]), ("Count the chairs", "inbox", ["hall"]))
        shown = self.status(self.api.get(f"/tasks/{task['id']}"), 200)
        self.assertEqual(shown.json, task)
        self.assertEqual(shown.headers["etag"], made.headers["etag"])
        changed = self.status(self.api.put(f"/tasks/{task['id']}", {"title": "Count all chairs"}), 200)
        self.assertEqual((changed.json["title"], changed.json["labels"]), ("Count all chairs", ["hall"]))
        self.assertNotEqual(changed.headers["etag"], made.headers["etag"])
        self.status(self.api.delete(f"/tasks/{task['id']}"), 204)
        self.status(self.api.get(f"/tasks/{task['id']}"), 404, "not_found")
        self.status(self.api.put(f"/tasks/{task['id']}", {"title": "x"}), 404, "not_found")

    def test_project_holds_files(self):
        project = self.api.create("/projects", {"name": "files"})["id"]
        text = self.status(self.api.post(f"/projects/{project}/files", {"path": "src/a.txt", "content": "ä\n"}), 201)
        self.assertEqual((text.json["path"], text.json["bytes"]), ("src/a.txt", 3))
        raw = bytes(range(256))
        binary = {"Content-Type": "application/octet-stream"}
        self.status(self.api.request("PUT", f"/projects/{project}/files/b.bin", raw=raw, headers=binary), 200)
        self.assertEqual(self.api.get(f"/projects/{project}/files/b.bin").raw, raw)
        self.assertEqual(self.api.get(f"/projects/{project}/files/src/a.txt").raw, "ä\n".encode())
        self.assertEqual([f["path"] for f in self.api.all(f"/projects/{project}/files")], ["b.bin", "src/a.txt"])
        self.assertEqual(self.api.read(f"/projects/{project}")["files"], 2)
        for outside in ("../x", "/etc/x", "a/../../x"):
            self.status(self.api.post(f"/projects/{project}/files", {"path": outside, "content": ""}), 422)
        self.status(self.api.delete(f"/projects/{project}/files/b.bin"), 204)
        self.status(self.api.get(f"/projects/{project}/files/b.bin"), 404, "not_found")

    def test_file_is_replaced_only_when_it_is_the_one_that_was_read(self):
        project = self.api.create("/projects", {"name": "match"})["id"]
        path = f"/projects/{project}/files/a"
        binary = {"Content-Type": "application/octet-stream"}
        first = self.status(self.api.request("PUT", path, raw=b"1", headers=binary), 200).headers["etag"]
        self.status(self.api.request("PUT", path, raw=b"2", headers={**binary, "If-Match": first}), 200)
        self.status(self.api.request("PUT", path, raw=b"3", headers={**binary, "If-Match": first}), 412, "precondition_failed")
        self.assertEqual(self.api.get(path).raw, b"2")

    def test_agent_is_found_by_its_name_which_is_unique(self):
        agent = self.status(self.api.post("/agents", {"name": "scout", "role": "technical"}), 201).json
        self.assertEqual(self.api.read("/agents/scout")["id"], agent["id"])
        self.status(self.api.post("/agents", {"name": "scout"}), 409, "already_exists")
        other = self.api.create("/agents", {"name": "ranger"})
        self.status(self.api.put(f"/agents/{other['id']}", {"name": "scout"}), 409, "already_exists")
        self.assertEqual(self.api.put("/agents/ranger", {"name": "warden"}).json["settings"]["name"], "warden")
        self.status(self.api.post("/agents", {"name": "ranger"}), 201)  # the old name is free again
        self.status(self.api.delete("/agents/scout"), 204)
        self.status(self.api.post("/agents", {"name": "scout"}), 201)

    def test_messages_come_in_their_order(self):
        task = self.api.create("/tasks", {"title": "talk"})["id"]
        for number in range(7):
            made = self.status(self.api.post(f"/tasks/{task}/messages", {"content": f"no. {number}"}), 201).json
            self.assertEqual((made["content"], made["task_id"]), (f"no. {number}", task))
        messages = self.api.all(f"/tasks/{task}/messages", limit=3)
        self.assertEqual([m["content"] for m in messages], [f"no. {n}" for n in range(7)])
        self.assertEqual(len({m["id"] for m in messages}), 7)
        self.assertEqual(self.api.read(f"/tasks/{task}")["messages"], 7)

    # ---- lists

    def test_list_is_walked_by_cursors_in_both_orders(self):
        project = self.api.create("/projects", {"name": "pages"})["id"]
        made = [self.api.create("/tasks", {"title": f"t{n}", "project_id": project})["id"] for n in range(23)]
        for order, expected in (("created_at", made), ("-created_at", made[::-1])):
            for limit in (1, 5, 23, 200):
                found = [t["id"] for t in self.api.all(f"/tasks?project_id={project}&sort={order}", limit)]
                self.assertEqual(found, expected, (order, limit))

    def test_items_that_stay_are_seen_once_while_others_come_and_go(self):
        project = self.api.create("/projects", {"name": "moving"})["id"]
        made = [self.api.create("/tasks", {"title": f"t{n}", "project_id": project})["id"] for n in range(12)]
        path = f"/tasks?project_id={project}&limit=4"
        page = self.api.read(path)
        seen = [t["id"] for t in page["items"]]
        self.api.ok("DELETE", f"/tasks/{made[0]}")
        self.api.ok("DELETE", f"/tasks/{seen[-1]}")  # the item that the cursor stands on
        self.api.create("/tasks", {"title": "new", "project_id": project})
        while page["next_cursor"]:
            page = self.api.read(f"{path}&cursor={page['next_cursor']}")
            seen += [t["id"] for t in page["items"]]
        self.assertEqual(seen, made[:0:-1])

    def test_filters_hold_together(self):
        agent = self.api.create("/agents", {"name": "filter", "model": self.model})["id"]
        self.api.ok("POST", f"/agents/{agent}/stop", {})
        project = self.api.create("/projects", {"name": "filter"})["id"]
        both = self.api.create("/tasks", {"title": "both", "project_id": project, "agent_id": agent})["id"]
        alone = self.api.create("/tasks", {"title": "project", "project_id": project})["id"]
        self.api.create("/tasks", {"title": "agent", "agent_id": agent})
        ids = lambda query: {t["id"] for t in self.api.all(f"/tasks?{query}")}
        self.assertEqual(ids(f"project_id={project}"), {both, alone})
        self.assertEqual(ids(f"project_id={project}&agent_id={agent}"), {both})
        self.assertEqual(ids(f"project_id={project}&status=inbox"), {alone})
        self.assertEqual(ids(f"project_id={project}&status=done"), set())

    def test_bad_list_parameters_are_named(self):
        for query, name in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("sort=title", "sort"),
                            ("colour=red", "colour"), ("limit=1&limit=2", "limit")):
            reply = self.status(self.api.get(f"/tasks?{query}"), 422, "invalid_request")
            self.assertEqual([e["pointer"] for e in reply.json["errors"]], [name], query)
        for cursor in ("x", "%00%ff", "AAAA", "a" * 4000):
            self.assertIn(self.api.get(f"/tasks?cursor={cursor}").status, (400, 422), cursor)

    # ---- conditions and repeats

    def test_change_of_an_old_version_is_refused(self):
        made = self.api.post("/tasks", {"title": "versions"})
        path, tag = f"/tasks/{made.json['id']}", made.headers["etag"]
        self.status(self.api.get(path, headers={"If-None-Match": tag}), 304)
        newer = self.status(self.api.put(path, {"title": "v2"}, headers={"If-Match": tag}), 200).headers["etag"]
        self.status(self.api.put(path, {"title": "v3"}, headers={"If-Match": tag}), 412, "precondition_failed")
        self.status(self.api.put(path, {"title": "v3"}, headers={"If-Match": "nonsense"}), 412)
        self.status(self.api.delete(path, headers={"If-Match": tag}), 412, "precondition_failed")
        self.assertEqual(self.api.read(path)["title"], "v2")
        self.status(self.api.get(path, headers={"If-None-Match": tag}), 200)
        self.status(self.api.put(path, {"title": "v3"}, headers={"If-Match": newer}), 200)
        self.status(self.api.put(path, {"title": "v4"}, headers={"If-Match": "*"}), 200)

    def test_repeated_create_gives_the_first_answer(self):
        task = self.api.create("/tasks", {"title": "repeats"})["id"]
        for path, body, other in (("/tasks", {"title": "once"}, {"title": "twice"}),
                                  ("/projects", {"name": "once"}, {"name": "twice"}),
                                  ("/agents", {"name": "once"}, {"name": "twice"}),
                                  ("/runs", {"goal": "once", "model": self.model}, {"goal": "twice", "model": self.model}),
                                  (f"/tasks/{task}/messages", {"content": "once"}, {"content": "twice"})):
            with self.subTest(path):
                headers = {"Idempotency-Key": new_key()}
                first = self.status(self.api.post(path, body, headers=headers), 201)
                self.assertNotIn("idempotent-replayed", first.headers)
                again = self.status(self.api.post(path, body, headers=headers), 201)
                self.assertEqual(again.headers.get("idempotent-replayed"), "true")
                self.assertEqual(again.json["id"], first.json["id"])
                if path != "/runs":  # a run goes on between the two
                    self.assertEqual(again.json, first.json)
                self.status(self.api.post(path, other, headers=headers), 422, "idempotency_mismatch")
        self.assertEqual(self.api.read(f"/tasks/{task}")["messages"], 1)

    def test_repeated_change_is_made_once_and_a_refusal_is_not_remembered(self):
        made = self.api.post("/tasks", {"title": "a"})
        path, headers = f"/tasks/{made.json['id']}", {"Idempotency-Key": new_key()}
        self.status(self.api.put(path, {"title": "b"}, headers={**headers, "If-Match": '"99"'}), 412)
        first = self.status(self.api.put(path, {"title": "b"}, headers=headers), 200)
        self.api.ok("PUT", path, {"title": "c"})
        again = self.status(self.api.put(path, {"title": "b"}, headers=headers), 200)
        self.assertEqual(again.headers.get("idempotent-replayed"), "true")
        self.assertEqual(again.headers["etag"], first.headers["etag"])
        self.assertEqual(self.api.read(path)["title"], "c")

    def test_key_of_a_repeat_has_bounds(self):
        for key in ("", "k" * 256):
            self.status(self.api.post("/tasks", {"title": "k"}, headers={"Idempotency-Key": key}), 422, "invalid_request")
        self.status(self.api.post("/tasks", {"title": "k"}, headers={"Idempotency-Key": "k" * 255}), 201)

    # ---- refusals

    def test_wrong_fields_are_named(self):
        for path, body, pointers in (
                ("/tasks", {"title": "x", "colour": "red"}, ["/colour"]),
                ("/tasks", {}, ["/title"]),
                ("/tasks", {"title": ""}, ["/title"]),
                ("/tasks", {"title": "x" * 301}, ["/title"]),
                ("/tasks", {"title": "x", "priority": "highest"}, ["/priority"]),
                ("/tasks", {"title": 7}, ["/title"]),
                ("/tasks", {"title": "x", "labels": ["a", 1]}, ["/labels/1"]),
                ("/tasks", {"title": "x", "project_id": "zz"}, ["/project_id"]),
                ("/agents", {"name": "x", "limits": {"steps": -1}}, ["/limits/steps"]),
                ("/agents", {"name": "x", "limits": {"stepz": 1}}, ["/limits/stepz"]),
                ("/agents", {"name": "x", "tools": {"run_command": "maybe"}}, ["/tools/run_command"]),
                ("/runs", {"goal": ""}, ["/goal"]),
                ("/runs", {"goal": "x", "agent_id": "00000000-0000-7000-8000-000000000000"}, ["/agent_id"]),
                ("/projects", {"name": "x", "folder": "/no/such/folder"}, ["/folder"])):
            with self.subTest(path=path, body=str(body)[:80]):
                reply = self.status(self.api.post(path, body), 422, "invalid_request")
                self.assertEqual(reply.headers["content-type"], "application/problem+json")
                self.assertEqual([e["pointer"] for e in reply.json["errors"]], pointers)
                self.assertTrue(reply.json["detail"])

    def test_what_is_not_there_is_404(self):
        nobody = "00000000-0000-7000-8000-000000000000"
        for path in ("/nothing", f"/tasks/{nobody}", "/tasks/zz", "/agents/nobody", f"/runs/{nobody}", f"/runs/{nobody}/steps",
                     f"/runs/{nobody}/diff", f"/projects/{nobody}/files", f"/approvals/{nobody}", "/problems/nothing",
                     f"/tasks/{nobody}/messages", "/why/task/zz"):
            self.status(self.api.get(path), 404, "not_found")
        self.status(self.api.post(f"/tasks/{nobody}/messages", {"content": "x"}), 404, "not_found")

    def test_wrong_method_names_the_right_ones(self):
        reply = self.status(self.api.delete("/tasks"), 405, "method_not_allowed")
        self.assertEqual(set(reply.headers["allow"].split(", ")), {"GET", "HEAD", "POST", "OPTIONS"})

    def test_nothing_is_shown_without_the_key(self):
        for key in ("", "wrong", self.server.key[:-1], self.server.key + "x"):
            stranger = self.server.client(key)
            for method, path in (("GET", "/tasks"), ("POST", "/tasks"), ("GET", "/status"), ("GET", "/events"),
                                 ("GET", "/supervision"), ("GET", "/approvals")):
                reply = self.status(stranger.request(method, path, {"title": "x"} if method == "POST" else None), 401, "unauthenticated")
                self.assertIn("www-authenticate", reply.headers)
            self.status(stranger.get("/metrics", base=""), 401)
            self.status(stranger.get("/health", base=""), 200)
        other = self.server.client("")
        self.status(other.get("/tasks", headers={"X-Api-Key": self.server.key}), 200)

    # ---- paths and pages of the system

    def test_both_prefixes_answer_alike(self):
        task = self.status(self.api.post("/tasks", {"title": "prefix"}, base="/api"), 201).json
        self.assertEqual(self.api.get(f"/tasks/{task['id']}").json, self.api.get(f"/tasks/{task['id']}", base="/api").json)
        self.status(self.api.get(f"/tasks/{task['id']}", base="/api/v2"), 404)

    def test_health_needs_no_key_and_no_prefix(self):
        for path in ("/health", "/health/live", "/health/ready"):
            self.assertEqual(self.status(self.api.get(path, base=""), 200).json["status"], "ok")

    def test_metrics_count(self):
        def value(name):
            text = self.status(self.api.get("/metrics", base=""), 200).raw.decode()
            return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])
        before = value("troupe_commands_total")
        for number in range(5):
            self.api.create("/tasks", {"title": f"m{number}"})
        self.assertGreaterEqual(value("troupe_commands_total"), before + 5)
        self.assertGreater(value("troupe_commits_total"), 0)

    def test_status_describes_the_node(self):
        status = self.api.read("/status")
        self.assertEqual((status["status"], status["url"], status["pid"]), ("ok", self.server.url, self.server.process.pid))
        self.assertIn("no language model", status["model"])

    def test_every_code_has_a_page(self):
        reply = self.api.get("/nothing")
        page = self.status(self.api.get(reply.json["type"], base=""), 200).json
        self.assertEqual((page["code"], page["status"]), ("not_found", 404))
        self.assertTrue(page["cause"] and page["remedy"])

    def test_openapi_has_every_route(self):
        document = self.status(self.api.get("/openapi.json"), 200).json
        declared = {(verb, path) for path, item in document["paths"].items() for verb in item}
        source = "".join(f.read_text() for f in sorted(REPOSITORY.glob("actors/*/*_routes.cpp")))
        verbs = {"get": "get", "post": "post", "put": "put", "patch": "patch", "del": "delete"}
        in_source = {(verbs[v], p) for v, p in re.findall(r'\.verb = verb::(\w+),\s*\.path = "([^"]+)",', source)}
        self.assertGreater(len(in_source), 25)
        self.assertEqual(in_source - declared, set())
        for _, path in declared:
            names = re.findall(r"\{(\w+)\}", path)
            for operation in document["paths"][path].values():
                given = {p.get("name") for p in operation["parameters"] if p.get("in") == "path"}
                self.assertEqual(given, set(names), path)
        for reference in set(re.findall(r'"\$ref":\s*"#/components/(\w+)/(\w+)"', json.dumps(document))):
            self.assertIn(reference[1], document["components"][reference[0]])

    def test_declared_get_routes_answer(self):
        account = {"email": "ada@example.org", "password": "correct donkey battery clip"}
        self.api.create("/users", {**account, "node_admin": True})  # a person: keys have neither profile nor sessions
        api = self.server.client(self.api.create("/auth/login", {**account, "organization": "default"})["access_token"])
        document = self.api.read("/openapi.json")
        self.status(api.post("/system/compliance/evaluate"), 202)  # there is no export before
        poll("the evaluation", lambda: "latest" in api.read("/system/compliance"))
        for path, item in document["paths"].items():
            streams = list(item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})) == ["text/event-stream"]
            alone = "{" not in path and path != "/mcp/oauth/callback"  # nobody waits for that one
            if "get" in item and alone and not streams:  # a stream has no end; live_test has them
                base = item["get"].get("servers", [{"url": "/api/v1"}])[0]["url"].rstrip("/")
                query = {"/auth/permissions": "?permission=task:read", "/search": "?q=word"}.get(path, "")  # say nothing without
                self.status(api.get(path + query, base=base), 200)

    def test_supervision_tree_is_shown(self):
        tree = self.api.read("/supervision?depth=16")
        self.assertIn("/", tree["path"])
        self.assertTrue(tree["children"])

    # ---- events

    def test_a_filter_takes_only_values_that_there_are(self):
        for path in ("/tasks", "/runs", "/agents", "/approvals"):
            reply = self.status(self.api.get(f"{path}?status=nosuch"), 422, "invalid_request")
            self.assertIn("status", json.dumps(reply.json["errors"]))

    def test_events_are_paged_in_order(self):
        made = [self.api.create("/tasks", {"title": f"e{n}"})["id"] for n in range(9)]
        self.api.ok("PUT", f"/tasks/{made[0]}", {"title": "later"})
        whole, small = self.api.all("/events", 200), self.api.all("/events", 7)
        self.assertEqual(len({e["id"] for e in whole}), len(whole))
        self.assertEqual(self.by_entity(small), self.by_entity(whole))
        mine = [e for e in whole if e["channel"] == f"tasks/{made[0]}"]
        self.assertEqual([e["kind"] for e in mine], ["task_created", "task_updated"])
        for at in (0, 3, len(whole) - 1):  # every id is a place to go on from
            self.assertEqual(self.by_entity(self.after(whole[at]["id"])), self.by_entity(whole[at + 1:]))
        refused = self.api.get("/events?after=nonsense")
        self.assertEqual((refused.status, refused.json["errors"][0]["pointer"]), (422, "after"), refused)

    @staticmethod
    def by_entity(events):
        """The order that is promised: of each entity."""
        out = {}
        for event in events:
            out.setdefault(event["channel"], []).append((event["ts"], event["kind"], json.dumps(event["data"])))
        return out

    def after(self, cursor):
        out = []
        while (page := self.api.read(f"/events?after={cursor}&limit=200"))["items"]:
            out += page["items"]
            cursor = out[-1]["id"]
        return out

    def test_run_is_streamed_from_its_start(self):
        run = self.api.create("/runs", {"goal": "say it", "model": self.model})["id"]
        first = self.until_end(self.server.stream(f"/runs/{run}/events?since=start"))
        self.assertEqual(self.api.wait_run(run)["result"], "The answer is 42.")
        again = self.until_end(self.server.stream(f"/runs/{run}/events?since=start"))
        journaled = [e for e in again if e.get("id")]
        self.assertEqual(self.contents(first), self.contents(again))
        kinds = [e["event"] for e in journaled]
        self.assertEqual(kinds, [e["kind"] for e in self.api.events_of(f"runs/{run}")][:len(kinds)])
        self.assertEqual((kinds[0], kinds[-1]), ("run_created", "run_finished"))
        for event in again:
            self.assertEqual(event["data"]["channel"], f"runs/{run}")
            self.assertEqual(event["data"]["kind"], event["event"])
        for at in (0, 2):
            half = self.until_end(self.server.stream(f"/runs/{run}/events?since={journaled[at]['id']}"))
            self.assertEqual(self.contents(half), self.contents(journaled[at + 1:]))

    @staticmethod
    def contents(events):
        """Of the journaled ones."""
        return [{**e["data"], "id": ""} for e in events if e.get("id")]

    @staticmethod
    def until_end(events):
        out = []
        for event in itertools.islice(events, 1000):
            out.append(event)
            if event["event"] in ("run_finished", "run_failed", "run_cancelled"):
                break
        events.close()
        return out

    # ---- work

    def test_agent_works_on_its_task(self):
        agent = self.api.create("/agents", {"name": "worker", "model": self.model})["id"]
        task = self.api.create("/agents/worker/tasks", {"title": "Say it"})["id"]
        end = time.monotonic() + 20
        while (shown := self.api.read(f"/tasks/{task}"))["status"] not in ("review", "done", "failed"):
            self.assertLess(time.monotonic(), end, shown)
        self.assertEqual(shown["result"], "The answer is 42.")
        self.assertEqual(self.api.wait_run(shown["run_id"])["task_id"], task)
        self.assertEqual(self.api.read(f"/agents/{agent}")["completed"], 1)
        self.assertEqual([r["id"] for r in self.api.all(f"/runs?task_id={task}")], [shown["run_id"]])


class NodeLifeTest(NodeTest):
    def test_node_stops_cleanly_and_keeps_everything(self):
        node = self.node().start()
        api = node.client()
        task = api.create("/tasks", {"title": "stays"})
        api.create(f"/tasks/{task['id']}/messages", {"content": "too"})
        before, key = api.read(f"/tasks/{task['id']}"), node.key
        self.assertEqual(node.stop(), 0)
        node.start()
        self.assertEqual(node.key, key)
        self.assertEqual(node.client().read(f"/tasks/{task['id']}"), before)
        self.assertEqual((node.directory / "admin.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(node.stop(), 0)
