"""The command line against a live node: what it prints, its exit codes, its errors."""

import json
import os
import signal
import subprocess
import threading

from tests.system.node import TROUPE, NodeTest, poll

SLOW = """
rules:
  - when: {step: 1}
    say: I wait.
    call: [{tool: run_command, arguments: {command: "echo one >> log; sleep 0.3"}}]
  - when: {step: 2}
    say: I write.
    call: [{tool: write_file, arguments: {path: a.txt, content: "new\\n"}}]
  - when: {step: 3}
    call: [{tool: finish, arguments: {result: All is done.}}]
"""
FAILING = """
rules:
  - call: [{tool: finish, arguments: {success: false, result: It cannot be done.}}]
"""
ASKING = """
rules:
  - when: {step: 1}
    call: [{tool: ask_human, arguments: {question: "Which colour?"}}]
  - when: {step: 2}
    call: [{tool: finish, arguments: {result: "It is ${result}."}}]
"""
OK, FAILED, USAGE, NO_NODE, NOT_FOUND, REFUSED = range(6)


class CliTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = NodeTest("run")
        cls.shared.setUp()
        cls.addClassCleanup(cls.shared.tidy)
        for name, text in (("slow", SLOW), ("failing", FAILING), ("asking", ASKING)):
            cls.flags, _ = cls.shared.script(name, text)
        cls.server = cls.shared.node(*cls.flags).start()

    def setUp(self):
        super().setUp()
        self.api = self.server.client()
        self.addCleanup(self.api.close)

    def cli(self, *arguments, code=OK, **more):
        done = self.server.cli(*arguments, **more)
        self.assertEqual(done.returncode, code, (arguments, done.stdout[-600:], done.stderr[-600:]))
        return done

    def json(self, *arguments, **more):
        done = self.cli(*arguments, "--json", **more)
        self.assertEqual(done.stdout.count("\n"), 1, done.stdout)
        return json.loads(done.stdout)

    def start(self, script, **body):
        return self.api.create("/runs", {"goal": script, "model": f"rehearsal:{script}", **body})["id"]

    # ---- looking

    def test_status(self):
        self.assertEqual(self.json("status")["url"], self.server.url)
        self.assertIn(self.server.url, self.cli("status").stdout)

    def test_tree(self):
        self.assertIn("supervisor", self.cli("tree", "--depth", "5").stdout)
        self.assertTrue(self.json("tree", "--depth", "5")["children"])
        self.cli("tree", "/no/such/entry", code=NOT_FOUND)
        self.cli("tree", "--depth", "x", code=USAGE)

    def test_run_list_and_show(self):
        run = self.start("failing")
        self.api.wait_run(run)
        self.assertIn(run, [r["id"] for r in self.json("run", "list", "--status", "failed")["items"]])
        self.assertNotIn(run, [r["id"] for r in self.json("run", "list", "--status", "running")["items"]])
        self.assertEqual(self.json("run", "show", run)["error"], "It cannot be done.")
        self.assertIn("It cannot be done.", self.cli("run", "show", run).stdout)
        self.assertEqual([s["key"] for s in self.json("run", "steps", run)["items"]], ["00001.000", "00001.001"])

    def test_events_go_on_where_the_page_before_ended(self):
        for number in range(5):
            self.api.create("/tasks", {"title": f"e{number}"})
        first = self.json("events", "--limit", 3)
        self.assertEqual(len(first["items"]), 3)
        second = self.json("events", "--limit", 200, "--after", first["next_cursor"])
        ids = [e["id"] for e in first["items"] + second["items"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertIn("task_created", self.cli("events", "--limit", 200).stdout)
        self.cli("events", "--after", "nonsense", code=FAILED)

    def test_events_beyond_one_page(self):
        for number in range(210):
            self.api.create("/tasks", {"title": f"p{number}"})
        page = self.json("events", "--limit", 205)
        self.assertEqual(len({e["id"] for e in page["items"]}), 205)
        self.assertTrue(page["next_cursor"])
        rest = self.json("events", "--limit", 100000, "--after", page["next_cursor"])
        self.assertFalse({e["id"] for e in rest["items"]} & {e["id"] for e in page["items"]})
        self.assertIsNone(rest["next_cursor"])

    def follow(self, node, *arguments):
        """`troupe events --follow` in the background: the process, and a file with what it prints."""
        printed = self.folder / f"followed-{node.directory.name}"
        with open(printed, "wb") as out:
            process = subprocess.Popen([TROUPE, "events", "--follow", "--json", *arguments], stdout=out, stderr=subprocess.PIPE,
                                       env={**os.environ, "TROUPE_DATA": str(node.directory)})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, printed

    def test_follow_shows_what_happened_while_the_node_was_away(self):
        for number, seen_before in enumerate((True, False)):
            node = self.node(name=f"follow{number}").start()
            node.client().create("/tasks", {"title": "past"})
            process, printed = self.follow(node)
            poll("the follower", lambda: node.client().read("/status")["subscribers"] == 1)
            if seen_before:
                node.client().create("/tasks", {"title": "seen"})
                poll("the first event", lambda: "seen" in printed.read_text())
            node.kill9()
            self.assertIn(b"lost", process.stderr.readline())
            node.start()
            for title in range(3):
                node.client().create("/tasks", {"title": f"gap{title}"})
            poll("the gap", lambda: all(f"gap{n}" in printed.read_text() for n in range(3)))
            shown = [json.loads(line) for line in printed.read_text().splitlines()]
            titles = [e["data"]["title"] for e in shown if e["kind"] == "task_created"]
            self.assertCountEqual(titles, ["seen"][:seen_before] + ["gap0", "gap1", "gap2"])

    def test_follow_from_the_start(self):
        node = self.node(name="from-start").start()
        node.client().create("/tasks", {"title": "past"})
        _, printed = self.follow(node, "--after", "start")
        poll("the past", lambda: "past" in printed.read_text())
        self.cli("events", "--follow", "--after", "nonsense", code=FAILED)

    def test_stream_refuses_the_cursor_of_lists(self):
        reply = self.api.get("/events?after=start", headers={"Accept": "text/event-stream"})
        self.status(reply, 422, "invalid_request")
        self.assertIn("since", reply.json["detail"])
        self.status(self.api.get("/events?after=start"), 200)

    def test_output_that_cannot_be_written_is_a_failure(self):
        project = self.api.create("/projects", {"name": "full"})["id"]
        self.api.request("PUT", f"/projects/{project}/files/f", raw=b"text\n", headers={"Content-Type": "application/octet-stream"})
        environment = {**self.server.environment, "TROUPE_DATA": str(self.server.directory)}
        for command in (("project", "cat", "full", "f"), ("run", "list", "--json"), ("--help",), ("events", "-f", "--after", "start")):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([TROUPE, *command], stdout=full, stderr=subprocess.PIPE, text=True, env=environment,
                                      timeout=30, check=False)
            self.assertEqual(done.returncode, FAILED, command)
            self.assertIn("could not be written", done.stderr)

    def test_closed_pipe_is_quiet(self):
        environment = {**self.server.environment, "TROUPE_DATA": str(self.server.directory)}
        for ignored in (False, True):
            process = subprocess.Popen([TROUPE, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                                       restore_signals=not ignored, bufsize=0)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
            process.wait(30)

    def test_names_have_no_case(self):
        agent = self.json("agent", "create", "MixedCase")["id"]
        for name in ("MixedCase", "mixedcase", "MIXEDCASE"):
            self.assertEqual(self.json("agent", "show", name)["id"], agent)
        project = self.json("project", "create", "MixedCase")["id"]
        self.assertEqual(self.json("project", "show", "mIXEDcASE")["id"], project)

    def test_agent_says_what_it_is(self):
        self.cli("agent", "create", "w1")
        self.assertIn("w1 is paused", self.cli("agent", "pause", "w1").stdout)
        self.assertIn("w1 is paused", self.cli("agent", "start", "w1").stdout)
        self.assertIn("w1 works", self.cli("agent", "resume", "w1").stdout)
        self.assertIn("w1 is stopped", self.cli("agent", "stop", "w1").stdout)

    def test_long_goal_is_short_in_a_list(self):
        self.api.create("/runs", {"goal": "long " * 4000, "model": "rehearsal:failing"})
        self.assertLess(max(map(len, self.cli("run", "list").stdout.splitlines())), 400)
        self.assertTrue(any(len(r["goal"]) == 20000 for r in self.json("run", "list")["items"]))

    def test_why(self):
        run = self.start("asking")
        self.api.wait_run(run, until=("waiting",))
        self.assertEqual(self.json("why", "run", run)["reasons"][0]["reason"], "question")
        said = self.cli("why", run).stdout
        self.assertIn("Which colour?", said)
        self.assertIn("troupe run answer", said)
        self.cli("run", "answer", run, "blue")
        self.assertEqual(self.api.wait_run(run)["result"], "It is blue.")
        asked = self.start("asking")
        self.api.wait_run(asked, until=("waiting",))
        approval = self.json("approval", "list", "--run", asked)["items"][0]["id"]
        self.assertEqual(self.json("why", "approval", approval)["kind"], "approval")
        self.assertEqual(self.json("why", approval), self.json("why", "approval", approval))
        self.cli("agent", "create", "why-agent")
        self.assertEqual(self.json("why", "why-agent")["kind"], "agent")
        self.cli("why", "no-such-thing", code=NOT_FOUND)
        self.cli("why", "nothing", run, code=USAGE)
        self.cli("why", "run", "zzz", code=NOT_FOUND)

    # ---- without a node

    def test_config_check(self):
        file = self.folder / "troupe.yaml"
        file.write_text("log:\n  level: debug\n")
        self.assertEqual(self.json("config", "check", file), {"ok": True})
        file.write_text("log:\n  level: loud\nshards: x\n")
        said = self.cli("config", "check", file, code=FAILED).stderr
        self.assertRegex(said, r"troupe\.yaml:2\b")
        self.assertRegex(said, r"troupe\.yaml:3\b")
        file.write_text(f"model:\n  scripts: {self.folder}/none\n")
        self.assertRegex(self.cli("config", "check", file, code=FAILED).stderr, r"troupe\.yaml:2\b.*model\.scripts")
        file.write_text("shards: 4\n---\nshards: 8\n")
        self.assertRegex(self.cli("config", "check", file, code=FAILED).stderr, r"troupe\.yaml:3\b")
        typed = self.json("config", "show")
        self.assertEqual((typed["shards"], typed["log.json"], typed["log.level"]), (256, False, "info"))
        shown = self.cli("config", "show").stdout
        file.write_text(shown)
        self.cli("config", "check", file)

    def test_config_diff(self):
        old, new = self.folder / "old.yaml", self.folder / "new.yaml"
        old.write_text("log:\n  level: debug\nlisten: 127.0.0.1:1\n")
        new.write_text("log:\n  level: debug\nlisten: 127.0.0.1:2\n")
        changed = {"name": "listen", "from": "127.0.0.1:1", "to": "127.0.0.1:2", "restart": True}
        self.assertEqual(self.json("config", "diff", old, new), [changed])
        self.assertEqual([c["name"] for c in self.json("config", "diff", new)], ["listen", "log.level"])
        self.assertIn("takes a restart", self.cli("config", "diff", old, new).stdout)
        self.assertEqual(self.json("config", "diff", old, old), [])

    def test_reload_takes_log_levels_and_survives_a_bad_file(self):
        file = self.folder / "troupe.yaml"
        file.write_text("log:\n  level: warn\n")
        node = self.node("--config", file).start()
        for text, said in (("log:\n  level: loud\n", "not reloaded"), ("log:\n  level: debug\nsnapshot:\n  events: 7\n", "reloaded: 2")):
            file.write_text(text)
            node.process.send_signal(signal.SIGHUP)
            poll(said, lambda: said in node.log.read_text())
        self.assertRegex(node.log.read_text(), r"snapshot\.events was .* after a restart")
        node.client().create("/tasks", {"title": "t"})
        poll("a line of lower level", lambda: " debug " in node.log.read_text() or " info " in node.log.read_text())

    def test_journal_verify_beside_a_live_node(self):
        self.api.create("/tasks", {"title": "t"})
        found = self.json("journal", "verify", "--data", self.server.directory)
        self.assertTrue(found["ok"])
        self.assertGreater(found["records"], 0)

    def test_views_follow_from_the_journal(self):
        node = self.node(*self.flags).start()
        api = node.client()
        work = self.work_folder()
        project = api.create("/projects", {"name": "p", "folder": str(work)})["id"]
        api.wait_run(api.create("/runs", {"goal": "slow", "model": "rehearsal:slow", "project_id": project})["id"])
        self.assertNotEqual(node.cli("views", "check").returncode, OK, "the node runs")
        self.assertEqual(node.stop(), 0)
        done = node.cli("views", "check", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["ok"]), (OK, True), done)

    def test_problems_are_explained(self):
        self.assertEqual(self.json("problems", "conflict")["status"], 409)
        self.cli("problems", "nothing", code=NOT_FOUND)

    def test_errors_have_their_exit_codes(self):
        self.cli(code=USAGE)
        self.cli("nonsense", code=USAGE)
        self.cli("status", "--bogus", code=USAGE)
        self.cli("run", "show", code=USAGE)
        self.cli("status", "--url", "http://127.0.0.1:1", code=NO_NODE)
        self.cli("status", "--key", "wrong", code=REFUSED)
        self.cli("task", "show", "zzz", code=NOT_FOUND)
        self.cli("--help")
        self.cli("run", "start", "--help")
        empty = self.node(name="empty")
        self.assertEqual(empty.cli("status").returncode, NO_NODE)

    def test_errors_are_no_output(self):
        done = self.cli("task", "show", "zzz", "--json", code=NOT_FOUND)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr)

    # ---- working

    def test_agent_and_task(self):
        agent = self.json("agent", "create", "cli-agent", "--model", "rehearsal:failing")
        self.assertEqual(self.json("agent", "show", "cli-agent")["id"], agent["id"])
        task = self.json("task", "create", "Try it", "--agent", "cli-agent")
        poll("the task's end", lambda: self.json("task", "show", task["id"])["status"] in ("failed", "blocked", "review"))
        self.json("task", "comment", task["id"], "Well.")
        self.assertIn("Well.", [m["content"] for m in self.json("task", "messages", task["id"])["items"]])
        self.assertNotEqual(self.server.cli("agent", "create", "cli-agent").returncode, OK)
        self.cli("agent", "delete", "cli-agent")
        self.cli("agent", "show", "cli-agent", code=NOT_FOUND)

    def test_run_start_watches_to_the_end(self):
        work = self.work_folder()
        (work / "b.txt").write_text("b\n")
        done = self.cli("run", "start", "--project", work, "--model", "rehearsal:slow", "Write it")
        self.assertIn("All is done.", done.stdout)
        self.assertEqual((work / "a.txt").read_text(), "new\n")
        run = self.json("run", "list")["items"][0]["id"]
        self.assertIn("+new", self.cli("run", "diff", run).stdout)
        self.cli("run", "start", "--project", work, "--model", "rehearsal:failing", "Try it", code=FAILED)
        self.cli("run", "start", "--model", "rehearsal:none", "Try it", code=FAILED)

    def test_output_has_no_control_characters_of_the_data(self):
        self.api.create("/tasks", {"title": "red \x1b[31m alert \x07 \x9b2J"})
        for command in (("task", "list"), ("events", "--limit", 200)):
            said = self.cli(*command).stdout
            self.assertFalse(set(said) & set("\x1b\x07\x9b"), command)

    def test_tools_are_listed_and_shown(self):
        listed = self.json("tool", "list")["items"]
        command = next(t for t in listed if t["name"] == "run_command")
        self.assertEqual((command["permission"], command["after_crash"], command["kinds"]), ("execute", "recorded", []))
        self.assertEqual(command["parameters"]["required"], ["command"])
        self.assertIn("scan_security", self.cli("tool", "list").stdout)
        self.assertIn("only if it had not begun", self.cli("tool", "show", "run_command").stdout)
        self.assertIn("troupe tool list", self.cli("tool", "show", "none", code=NOT_FOUND).stderr)

    def test_watch_goes_on_over_a_kill_of_the_node(self):
        node = self.node(*self.flags).start()
        api, work = node.client(), self.work_folder()
        project = api.create("/projects", {"name": "p", "folder": str(work)})["id"]
        run = api.create("/runs", {"goal": "slow", "model": "rehearsal:slow", "project_id": project})["id"]
        watch = subprocess.Popen([TROUPE, "run", "watch", run, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "TROUPE_DATA": str(node.directory)})
        watchdog = threading.Timer(30, watch.kill)
        watchdog.start()
        try:
            out = watch.stdout.readline()  # it watches
            poll("the command", lambda: (work / "log").exists())
            node.kill9()
            node.start()
            out, err = out + watch.stdout.read(), watch.stderr.read()
        finally:
            watchdog.cancel()
            watch.kill()
            watch.communicate()
        self.assertEqual(watch.returncode, OK, err)
        kinds = [(e["kind"], json.dumps(e["data"], sort_keys=True)) for e in map(json.loads, out.splitlines()) if e["id"]]
        self.assertEqual(len(kinds), len(set(kinds)))
        self.assertEqual((kinds[0][0], kinds[-1][0]), ("run_created", "run_finished"))
        self.assertEqual((work / "log").read_text(), "one\n")
        self.assertEqual([k for k, _ in kinds].count("tool_call_finished"), 3)
