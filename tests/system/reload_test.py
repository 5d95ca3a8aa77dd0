"""A node that runs takes what its configuration file says anew, and names what it cannot take."""

from tests.system.identity_test import PASSWORD
from tests.system.node import NodeTest, poll


class ReloadTest(NodeTest):
    def write(self, text):
        """As editors do: another file in its place."""
        fresh = self.folder / "fresh.yaml"
        fresh.write_text(text)
        fresh.rename(self.file)

    def log_says(self, node, words):
        poll(f"the log says {words}", lambda: words in node.log.read_text())

    def setUp(self):
        super().setUp()
        self.file = self.folder / "node.yaml"
        self.write("identity:\n  registration: off\n")

    def register(self, node, email):
        return node.client(key="").post("/auth/register", {"email": email, "password": PASSWORD})

    def test_a_changed_file_counts_at_once_without_a_signal(self):
        node = self.node("--config", str(self.file)).start()
        self.status(self.register(node, "ada@example.org"), 403, "registration_off")
        self.write("identity:\n  registration: open\nlimits:\n  caller_per_second: 1\n  caller_burst: 2\nshards: 8\n")
        self.log_says(node, "reloaded: 4 changed")
        self.log_says(node, 'shards was "256" and is "8" after a restart')
        self.status(self.register(node, "ada@example.org"), 201)
        client = node.client()
        self.assertIn(429, [client.get("/tasks").status for _ in range(20)])
        self.write("identity:\n  registration: open\n")
        self.log_says(node, "reloaded: 2 changed")
        self.assertEqual({client.get("/tasks").status for _ in range(20)}, {200})

    def test_a_bad_file_changes_nothing_and_one_that_is_away_for_a_moment_neither(self):
        node = self.node("--config", str(self.file)).start()
        self.write("identity:\n  registration: perhaps\n")
        self.log_says(node, "not reloaded")
        self.status(self.register(node, "ada@example.org"), 403, "registration_off")
        self.file.unlink()
        self.write("identity:\n  registration: open\n")
        self.log_says(node, "reloaded: 1 changed")
        self.status(self.register(node, "ada@example.org"), 201)
