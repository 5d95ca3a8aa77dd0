"""Data directories of earlier versions (tests/fixtures/data_dirs) and of later ones: served by rule, or refused by rule."""

import importlib.machinery
import importlib.util
import json
import tarfile

from tests.system.node import BUILD, NodeTest

PRESENT = 2  # the format that this version writes
FIXTURES = BUILD.__class__(__file__).resolve().parents[1] / "fixtures" / "data_dirs"


def fixture_maker():
    loader = importlib.machinery.SourceFileLoader("data_dirs_make", str(FIXTURES / "make"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class DataDirTest(NodeTest):
    def unpacked(self, packed, name="data"):
        node = self.node(name=name)
        node.directory.mkdir()
        with tarfile.open(packed) as tar:
            tar.extractall(node.directory)  # our own file
        expected = json.loads(packed.with_name(packed.name.removesuffix(".tar.gz") + ".json").read_text())
        node.environment["TROUPE_SECRETS_KEY"] = expected["master"]
        return node, expected["shown"]

    def test_every_earlier_directory_is_verified_served_and_rebuilt(self):
        packed = sorted(FIXTURES.glob("*.tar.gz"))
        self.assertTrue(packed, "tests/fixtures/data_dirs/make makes one")
        shown = fixture_maker().shown
        for one in packed:
            with self.subTest(directory=one.name):
                node, expected = self.unpacked(one, one.name.removesuffix(".tar.gz"))
                verified = node.cli("journal", "verify", "--json")
                self.assertEqual(json.loads(verified.stdout)["ok"], True, verified)
                before = json.loads((node.directory / "identity.json").read_text())
                checked = node.cli("views", "check", "--json")
                self.assertEqual(checked.returncode == 0, before["format"] == PRESENT, checked.stderr)
                api = node.start().client()
                self.assertEqual(shown(api), expected)
                task = expected["/tasks"][0]
                api.create(f"/tasks/{task['id']}/messages", {"content": "said by a newer one"})
                self.assertEqual(node.stop(), 0)
                self.assertEqual(json.loads((node.directory / "identity.json").read_text()), {**before, "format": PRESENT})
                rebuilt = node.cli("views", "rebuild", "--json")
                self.assertEqual(json.loads(rebuilt.stdout)["ok"], True, rebuilt)
                self.check_disk(node)
                self.assertEqual(len(node.start().client().all(f"/tasks/{task['id']}/messages")),
                                 len(expected[f"/tasks/{task['id']}/messages"]) + 1)

    def test_a_directory_of_a_newer_format_is_refused_and_left_alone(self):
        node = self.node().start()
        made = node.client().create("/tasks", {"title": "before"})
        self.assertEqual(node.stop(), 0)
        file = node.directory / "identity.json"
        kept = file.read_text()
        for wrong, words in ((json.loads(kept)["format"] + 1, "run a newer Troupe"), (0, "older than all that this version reads")):
            file.write_text(json.dumps({**json.loads(kept), "format": wrong}))
            changed = file.read_text()
            for said in (node.refused(), *[(d.returncode, d.stderr) for d in (node.cli("journal", "verify"), node.cli("views", "check"))]):
                self.assertNotEqual(said[0], 0)
                self.assertIn(words, " ".join(said[1].split()))
            self.assertEqual(file.read_text(), changed)
        file.write_text(kept)
        self.assertEqual(node.start().client().read(f"/tasks/{made['id']}")["title"], "before")
