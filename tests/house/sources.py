"""The files of the repository, as the tests of the house see them."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Every top-level folder there may be; hidden ones are free.
FOLDERS = ("schemas", "storage", "runtime", "net", "actors", "bin", "tests", "cluster-configs")
# What tests work on is no part of the house: projects that an agent edits, documents of foreign servers.
FIXTURES = "tests/fixtures/"


def files(*endings):
    """Paths of the house's files, relative to its root, as 'net/http/edge.hpp'; of these endings, or all."""
    found = []
    for folder in FOLDERS:
        for where, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            paths = ((pathlib.Path(where) / name).relative_to(ROOT).as_posix() for name in names)
            found += [path for path in paths if not path.startswith(FIXTURES)]
    return sorted(path for path in found if not endings or path.endswith(endings))


def cpp_files():
    return files(".cpp", ".hpp")


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")
