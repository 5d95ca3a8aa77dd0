"""Golden files are never changed and never removed: tests/golden/MANIFEST has the hash of each. `--add` adds new ones."""
import hashlib
import pathlib
import sys
import unittest

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
MANIFEST = GOLDEN / "MANIFEST"


def listed(text):
    """Names with their hashes."""
    return dict(reversed(line.split("  ", 1)) for line in text.splitlines())


def present(folder):
    files = (path for path in folder.rglob("*.json") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def mistakes(wanted, found):
    out = [f"{name} was removed: put it back, what was stored once has to be read for ever" for name in sorted(wanted.keys() - found.keys())]
    out += [f"{name} was changed: put it back, and give what it is about a new version" for name in sorted(wanted) if name in found and found[name] != wanted[name]]
    return out + [f"{name} is not in MANIFEST: run tests/golden/make" for name in sorted(found.keys() - wanted.keys())]


class Golden(unittest.TestCase):
    maxDiff = None

    def test_no_golden_file_is_changed_removed_or_unlisted(self):
        wanted = listed(MANIFEST.read_text())
        self.assertGreater(len(wanted), 50)
        self.assertEqual(mistakes(wanted, present(GOLDEN)), [])

    def test_each_mistake_is_seen(self):
        wanted = {"a.json": "1", "b.json": "2"}
        self.assertEqual(mistakes(wanted, dict(wanted)), [])
        self.assertIn("a.json was removed", mistakes(wanted, {"b.json": "2"})[0])
        self.assertIn("b.json was changed", mistakes(wanted, {"a.json": "1", "b.json": "3"})[0])
        self.assertIn("c.json is not in MANIFEST", mistakes(wanted, {**wanted, "c.json": "4"})[0])


def add():
    wanted, found = listed(MANIFEST.read_text()), present(GOLDEN)
    new = found.keys() - wanted.keys()
    wanted.update((name, found[name]) for name in new)
    MANIFEST.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(wanted.items())))
    print(f"{len(new)} golden files added to MANIFEST")
    print("\n".join(mistakes(wanted, found)))


if __name__ == "__main__":
    add() if "--add" in sys.argv else unittest.main()
