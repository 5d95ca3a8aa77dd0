"""Deployments to a process target and to a command target, without a language model, also over kills."""

import json
import urllib.request

from tests.system.node import RUN_ENDS, NodeTest, free_port, poll

SERVER = """import http.server, os, pathlib, time
sick = pathlib.Path("sick")
class H(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        H.asked += 1
        ill = sick.exists() and H.asked > int(sick.read_text())
        body = pathlib.Path("version").read_bytes()
        self.send_response(500 if ill else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
"""


class Deployments(NodeTest):
    def setUp(self):
        super().setUp()
        self.ports = [free_port(), free_port()]
        self.target = self.folder / "target"
        self.work = self.work_folder()
        self.release("one")

    def release(self, version, sick=None):
        """What the project has now. `sick`: unhealthy after so many requests."""
        (self.work / "serve.py").write_text(SERVER)
        (self.work / "version").write_text(version)
        (self.work / "sick").unlink(missing_ok=True)
        if sick is not None:
            (self.work / "sick").write_text(str(sick))

    def start(self, targets):
        one = self.node()
        one.directory.mkdir(exist_ok=True)
        (one.directory / "deploy.json").write_text(json.dumps(targets))
        return one.start()

    def begin(self, **more):
        shop = {"name": "shop", "folder": str(self.target), "command": ["python3", "serve.py"], "ports": self.ports,
                "health": "/health", "test": "test -s version", "start_ms": 20000, "watch_ms": 2000, **more}
        self.one = self.start([shop])
        self.api = self.one.client()
        self.project = self.api.create("/projects", {"name": "work", "folder": str(self.work)})["id"]

    def deploy(self, **parameters):
        return self.api.create("/runs", {"goal": "Deploy it.", "model": "rehearsal", "kind": "deployer", "project_id": self.project,
                                         "parameters": {"target": "shop", **parameters}})["id"]

    def ended(self, run):
        def done():
            shown = self.api.read(f"/runs/{run}")
            return shown if shown["status"] in RUN_ENDS else None
        return poll(f"run {run} ends", done, 90)

    def state(self):
        return json.loads((self.target / "state.json").read_text())

    def served(self, port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def in_use(self):
        active = self.state().get("active")
        return self.served(active["port"]) if active else None

    def test_a_dry_run_only_prints_the_plan(self):
        self.begin()
        done = self.ended(self.deploy(strategy="blue_green", dry_run=True))
        self.assertEqual(done["status"], "succeeded", done)
        self.assertIn("- prepare: ", done["result"])
        self.assertIn("nothing was done", done["result"])
        self.assertFalse(self.target.exists())
        self.assertEqual([self.served(p) for p in self.ports], [None, None])

    def test_releases_are_brought_up_switched_and_kept_by_the_node(self):
        self.begin()
        first = self.ended(self.deploy())
        self.assertEqual((first["status"], first["output"]["release"]), ("succeeded", 1), first)
        self.assertEqual(self.served(self.ports[0]), "one")
        self.release("two")
        second = self.ended(self.deploy(strategy="blue_green"))
        self.assertEqual((second["status"], second["output"]["release"]), ("succeeded", 2), second)
        self.assertEqual((self.served(self.ports[1]), self.served(self.ports[0])), ("two", None))
        self.assertEqual((self.target / "current").resolve(), (self.target / "releases/2").resolve())
        self.one.kill9()
        poll("it ends with the node", lambda: self.served(self.ports[1]) is None)
        self.one.start()
        self.api = self.one.client()
        poll("it is there again", lambda: self.served(self.ports[1]) == "two")

    def test_an_unhealthy_release_is_rolled_back(self):
        self.begin()
        self.assertEqual(self.ended(self.deploy())["status"], "succeeded")
        for strategy, sick in (("all_at_once", 0), ("blue_green", 0), ("blue_green", 4), ("all_at_once", 4)):
            with self.subTest(strategy=strategy, sick=sick):
                self.release("sick", sick)
                done = self.ended(self.deploy(strategy=strategy))
                self.assertEqual(done["status"], "failed", done)
                self.assertEqual((done["output"]["deployed"], done["output"]["rolled_back"]), (False, True), done)
                poll("the one before is in use", lambda: self.in_use() == "one")
                self.assertEqual([p.name for p in (self.target / "releases").iterdir()], ["1"])
                self.assertEqual((self.target / "current").resolve().name, "1")

    def test_tests_that_fail_keep_it_from_being_deployed(self):
        self.begin(test="exit 3")
        done = self.ended(self.deploy())
        self.assertEqual(done["status"], "failed", done)
        self.assertIn("the command ended with 3", done["error"] + done.get("result", ""))
        self.assertFalse((self.target / "releases").exists())

    def test_a_killed_node_goes_on_with_its_deployment(self):
        self.begin(watch_ms=4000)
        self.assertEqual(self.ended(self.deploy())["status"], "succeeded")
        self.release("two")
        run = self.deploy(strategy="blue_green")
        journal = self.target / "journal"
        poll("it is watched", lambda: '"step":"watch"' in journal.read_text() and '"release":2' in journal.read_text())
        self.one.kill9()
        self.one.start()
        self.api = self.one.client()
        done = self.ended(run)
        self.assertEqual((done["status"], done["output"]["release"]), ("succeeded", 2), done)
        self.assertEqual(self.in_use(), "two")
        self.assertEqual(sorted(p.name for p in (self.target / "releases").iterdir()), ["1", "2"])
        self.assertIsNone(self.state().get("before"))

    def test_what_is_cancelled_is_rolled_back(self):
        self.begin(watch_ms=20000)
        run = self.deploy()
        journal = self.target / "journal"
        poll("it is watched", lambda: journal.exists() and '"step":"watch"' in journal.read_text())
        self.api.create(f"/runs/{run}/cancel", {})
        self.assertEqual(self.ended(run)["status"], "cancelled")
        poll("it is undone", lambda: self.state().get("active") is None and not list((self.target / "releases").iterdir()))
        self.assertFalse((self.target / "current").exists())

    def test_commands_do_it_where_the_node_does_not(self):
        server = self.folder / "server"
        server.mkdir()
        (server / "serve.py").write_text(SERVER)
        (server / "version").write_text("live")
        line = 'echo "$TROUPE_STEP $TROUPE_PERCENT $TROUPE_RELEASE" >> steps.txt'
        self.begin()
        self.assertEqual(self.ended(self.deploy())["status"], "succeeded")  # it answers for the health of the other target
        self.one.stop()
        health = {"health": f"http://127.0.0.1:{self.ports[0]}/", "prepared_health": f"http://127.0.0.1:{self.ports[0]}/"}
        self.one = self.start([
            {"name": "cloud", "folder": str(self.folder / "cloud"), "watch_ms": 300, "start_ms": 20000, "prepare": ["sh", "-c", line],
             "change": ["sh", "-c", line], "roll_back": ["sh", "-c", line], "retire": ["sh", "-c", line], **health},
            {"name": "broken", "folder": str(self.folder / "broken"), "watch_ms": 300, "start_ms": 20000,
             "change": ["sh", "-c", line + "; exit 1"], "roll_back": ["sh", "-c", line], **health},
            {"name": "shop", "folder": str(self.target), "command": ["python3", "serve.py"], "ports": self.ports, "health": "/"}])
        self.api = self.one.client()
        done = self.ended(self.deploy(target="cloud", strategy="canary", percent=25))
        self.assertEqual(done["status"], "succeeded", done)
        steps = self.work / "steps.txt"
        self.assertEqual(steps.read_text(), "prepare 0 1\nchange 25 1\nchange 100 1\nretire 0 1\n")
        steps.unlink()
        done = self.ended(self.deploy(target="broken"))
        self.assertEqual((done["status"], done["output"]["rolled_back"]), ("failed", True), done)
        self.assertEqual(steps.read_text(), "change 100 1\nchange_back 0 1\n")
        done = self.ended(self.deploy(target="nowhere"))
        self.assertIn("there is no target nowhere; there are cloud, broken, shop", done["error"] + done.get("result", ""))

    def test_targets_that_cannot_be_read_are_named_at_the_start(self):
        one = self.node()
        one.directory.mkdir()
        (one.directory / "deploy.json").write_text('[{"name": "shop", "folder": "relative", "health": "/", "command": ["x"], "ports": [1]}]')
        status, said = one.refused()
        self.assertNotEqual(status, 0)
        self.assertIn("deploy.json", said)
        self.assertIn("/0/folder", said)
