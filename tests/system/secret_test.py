"""Secrets: nobody but the node learns their values, and no kill, rotation or wrong key loses one."""

import base64
import json
import random
import subprocess
import time

from tests.system.model_test import ANSWER, KEY, Provider
from tests.system.node import TROUPE, NodeTest, poll

VALUE = "sup3rs3cret-ünd-lang-genug"
MARKER = "a title that may be found"


class SecretTest(NodeTest):
    def set(self, api, name, value=VALUE, **more):
        return api.ok("PUT", f"/secrets/{name}", {"value": value}, **more)

    def cli_ok(self, node, *arguments, **more):
        done = node.cli(*arguments, **more)
        self.assertEqual(done.returncode, 0, done)
        return done.stdout

    def files_with(self, text):
        """Files of the test (data, logs, backups) that hold the text in any usual form."""
        raw = text.encode()
        forms = {raw, raw.hex().encode(), json.dumps(text)[1:-1].encode()}
        for shift in range(3):  # as a part of a longer base64 text
            middle = base64.b64encode(b"\0" * shift + raw)[4 * bool(shift):-4]
            forms |= {middle, middle.replace(b"+", b"-").replace(b"/", b"_")}
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file() and any(form in path.read_bytes() for form in forms):
                found.append(path.relative_to(self.folder).as_posix())
        return found

    # ---- what is written

    def test_no_value_is_anywhere_in_data_logs_backups_and_events(self):
        node = self.node("--log.level", "trace").start()
        api = node.client()
        api.create("/tasks", {"title": MARKER})
        self.set(api, "BY_API", headers={"Idempotency-Key": "k1"})
        self.set(api, "BY_API", headers={"Idempotency-Key": "k1"})  # a repeat
        self.set(api, "GONE")
        self.cli_ok(node, "secret", "set", "BY_PIPE", stdin=VALUE + "\n")
        node.environment["SOME_VARIABLE"] = VALUE
        self.cli_ok(node, "secret", "set", "BY_VARIABLE", "--from-env", "SOME_VARIABLE")
        refused = api.put("/secrets/BY_API", {"value": [VALUE]})
        self.status(refused, 422, "invalid_request")
        self.assertNotIn(VALUE, refused.raw.decode())
        self.status(api.put("/secrets/BY_API", raw=b'{"value": "' + VALUE.encode(), headers={"Content-Type": "application/json"}), 400, "malformed_json")
        api.ok("DELETE", "/secrets/GONE")
        shown = json.dumps([api.all("/secrets"), api.all("/events"), api.read("/secrets/BY_API")], ensure_ascii=False)
        self.assertNotIn(VALUE, shown)
        self.assertEqual(sorted(s["name"] for s in api.all("/secrets")), ["BY_API", "BY_PIPE", "BY_VARIABLE"])
        self.cli_ok(node, "secret", "rotate-key")
        self.cli_ok(node, "secret", "rotate-key", "--master")
        self.cli_ok(node, "backup", "create")
        self.set(api, "BY_API", VALUE * 2)
        (self.folder / "export.jsonl").write_text(self.cli_ok(node, "journal", "export"))
        node.kill9()
        self.assertTrue(self.files_with(MARKER), "what is not encrypted is found, so that the search proves something")
        self.assertEqual(self.files_with(VALUE), [])
        for master in (node.directory / "secrets.key").read_text().split():
            if len(master) == 43:
                self.assertEqual(self.files_with(master), ["data/secrets.key"])
        node.start()
        self.assertEqual(len(node.client().all("/secrets")), 3)
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_the_key_file_is_for_its_owner_and_in_no_backup(self):
        node = self.node().start()
        self.assertEqual((node.directory / "secrets.key").stat().st_mode & 0o777, 0o600)
        self.set(node.client(), "A")
        backup = json.loads(self.cli_ok(node, "backup", "create", "--json"))
        self.assertNotIn("secrets.key", json.dumps(backup))
        restored = self.node(name="restored")
        self.cli_ok(node, "backup", "restore", backup["id"], "--data", restored.directory)
        status, said = restored.refused()
        self.assertEqual(status, 1)
        self.assertIn("secrets.key is missing", said)
        self.assertFalse((restored.directory / "secrets.key").exists())
        restored.environment["TROUPE_SECRETS_KEY_FILE"] = str(node.directory / "secrets.key")
        restored.start()
        self.assertEqual([s["name"] for s in restored.client().all("/secrets")], ["A"])

    # ---- keys

    def test_a_node_without_the_right_master_key_says_which_one_it_needs_and_changes_nothing(self):
        node = self.node().start()
        self.set(node.client(), "A")
        master = node.client().read("/secret-keys")["master"]
        self.assertEqual(node.stop(), 0)
        file = node.directory / "secrets.key"
        kept = file.read_text()
        other = self.folder / "other.key"
        self.cli_ok(node, "secret", "new-key", other)
        self.assertEqual(node.cli("secret", "new-key", other).returncode, 1, "no key file is overwritten")
        for environment in ({"TROUPE_SECRETS_KEY_FILE": str(other)}, {"TROUPE_SECRETS_KEY": other.read_text()}):
            wrong = self.node(environment=environment)
            status, said = wrong.refused()
            self.assertEqual((status, master in said), (1, True), said)
            self.assertNotIn(kept.split()[0], said)
        file.write_text("nonsense\n")
        status, said = node.refused()
        self.assertIn("no master key", said)
        self.assertNotIn("nonsense", said.replace(str(file), ""))
        file.unlink()
        status, said = node.refused()
        self.assertEqual((status, master in said, file.exists()), (1, True, False), said)
        file.write_text(kept)
        node.start()
        self.assertEqual(node.client().read("/secrets/A")["version"], 1)

    def test_the_master_key_may_come_from_the_environment(self):
        key = base64.b64encode(random.randbytes(32)).decode()
        node = self.node(environment={"TROUPE_SECRETS_KEY": key}).start()
        self.set(node.client(), "A")
        self.assertFalse((node.directory / "secrets.key").exists())
        self.status(node.client().post("/secret-keys/rotate", {"master": True}), 409, "conflict")
        self.assertEqual(node.stop(), 0)
        newer = base64.b64encode(random.randbytes(32)).decode()
        node.environment["TROUPE_SECRETS_KEY"] = f"{newer},{key}"
        self.assertFalse(node.start().client().read("/secret-keys")["rewrapping"], "wrapped anew before it served")
        self.assertEqual(node.stop(), 0)
        node.environment["TROUPE_SECRETS_KEY"] = newer
        node.start()
        self.assertEqual(node.client().read("/secrets/A")["version"], 1)

    # ---- use

    def openai_node(self, provider, secret, name="data"):
        return self.node("--model.openai.base_url", provider.url, name=name,
                         environment={"TROUPE_MODEL_OPENAI_API_KEY": f"secret:{secret}"})

    def provider(self):
        provider = Provider(self.folder, {"say": [ANSWER]})
        self.addCleanup(provider.close)
        return provider

    def run_status(self, api):
        run = api.create("/runs", {"goal": "say it", "model": "openai/test-model"})["id"]
        return api.wait_run(run)

    def test_a_model_is_called_with_the_secret_as_it_is_at_that_moment(self):
        provider = self.provider()
        node = self.openai_node(provider, "PROVIDER").start()
        api = node.client()
        run = self.run_status(api)
        self.assertEqual(run["status"], "failed", run)
        self.assertIn("the secret 'PROVIDER'", json.dumps(run))
        self.assertIn("troupe secret set PROVIDER", json.dumps(run))
        self.set(api, "PROVIDER", "wrong")
        self.assertEqual(self.run_status(api)["status"], "failed")
        self.set(api, "PROVIDER", KEY)
        self.assertEqual(self.run_status(api)["status"], "succeeded")
        self.set(api, "PROVIDER", KEY + "\r\nX-Header: smuggled")
        run = self.run_status(api)
        self.assertEqual(run["status"], "failed", run)
        self.assertNotIn(KEY, json.dumps(run))
        self.set(api, "PROVIDER", KEY)
        api.ok("POST", "/secret-keys/rotate", {})
        self.assertEqual(self.run_status(api)["status"], "succeeded")
        node.kill9()
        self.assertEqual([f for f in self.files_with(KEY) if f != "provider.log"], [])

    # ---- rotation under kills

    def test_kills_in_the_middle_of_rotations_lose_no_secret(self):
        provider = self.provider()
        count, rounds = 60, 8
        node = self.openai_node(provider, "S0").start()
        api = node.client()
        for i in range(count):
            self.set(api, f"S{i}", KEY)
        key = 1
        for number in range(rounds):
            api = node.client()
            api.ok("POST", "/secret-keys/rotate", {"master": False})
            key += 1
            time.sleep(random.random() * 0.03)  # somewhere in the middle: each moment has to be good
            node.kill9()
            node.environment["TROUPE_MODEL_OPENAI_API_KEY"] = f"secret:S{random.randrange(count)}"
            api = node.start().client()
            self.assertEqual(self.run_status(api)["status"], "succeeded", number)
        poll("the rotation is over", lambda: not api.read("/secret-keys")["rotating"])
        self.assertEqual({s["key"] for s in api.all("/secrets")}, {key})
        self.assertEqual({s["version"] for s in api.all("/secrets")}, {1})
        self.assertEqual(node.stop(), 0)
        self.check_disk(node)

    def test_kills_in_the_middle_of_a_new_master_key_lose_no_secret(self):
        provider = self.provider()
        node = self.openai_node(provider, "A").start()
        self.set(node.client(), "A", KEY)
        for number in range(8):
            process = subprocess.Popen([TROUPE, "secret", "rotate-key", "--master"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**node.environment, "TROUPE_DATA": str(node.directory)})
            time.sleep(random.random() * 0.04)
            node.kill9()
            process.wait(30)
            api = node.start().client()
            self.assertFalse(api.read("/secret-keys")["rewrapping"], number)
            self.assertEqual(self.run_status(api)["status"], "succeeded", number)

    def test_the_master_key_is_changed_offline_whatever_kills_it(self):
        provider = self.provider()
        node = self.openai_node(provider, "A").start()
        self.set(node.client(), "A", KEY)
        refused = node.cli("secret", "rotate-key", "--new-key-file", node.directory / "secrets.key")
        self.assertIn("in use", " ".join(refused.stderr.split()))
        self.assertEqual(node.stop(), 0)
        old = self.folder / "old.key"
        (node.directory / "secrets.key").rename(old)
        for number in range(6):
            new = self.folder / f"new{number}.key"
            self.cli_ok(node, "secret", "new-key", new)
            arguments = ["secret", "rotate-key", "--old-key-file", old, "--new-key-file", new]
            process = subprocess.Popen([TROUPE, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**node.environment, "TROUPE_DATA": str(node.directory)})
            time.sleep(random.random() * 0.05)
            process.kill()
            process.wait(30)
            self.cli_ok(node, *arguments)  # the repeat ends it
            node.environment["TROUPE_SECRETS_KEY_FILE"] = str(old)
            self.assertEqual(node.refused()[0], 1, "the old key alone opens nothing any more")
            node.environment["TROUPE_SECRETS_KEY_FILE"] = str(new)
            self.assertEqual(self.run_status(node.start().client())["status"], "succeeded", number)
            self.assertEqual(node.stop(), 0)
            old = new
        self.check_disk(node)

    # ---- the command line

    def test_the_command_line_takes_no_value_and_shows_none(self):
        node = self.node().start()
        self.assertEqual(node.cli("secret", "set", "A", VALUE).returncode, 2)
        self.assertEqual(node.cli("secret", "set", "A", stdin="").returncode, 2)
        self.assertEqual(node.cli("secret", "set", "A", "--from-env", "NO_SUCH_VARIABLE").returncode, 2)
        file = self.folder / "value"
        file.write_bytes(b"\xff\xfe")
        self.assertIn("no UTF-8", node.cli("secret", "set", "A", "--from-file", file).stderr)
        file.write_text(VALUE + "\n")
        self.assertIn("Set A, version 1", self.cli_ok(node, "secret", "set", "A", "--from-file", file))
        listed = self.cli_ok(node, "secret", "list")
        self.assertIn("A", listed)
        self.assertNotIn(VALUE, listed)
        self.assertIn("none yet", self.cli_ok(self.node(name="fresh").start(), "secret", "keys"))
        self.assertEqual(node.cli("secret", "delete", "B").returncode, 4)
        self.cli_ok(node, "secret", "delete", "A")
        self.assertIn("There is no secret", node.cli("secret", "list").stderr)
