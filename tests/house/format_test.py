"""Every C++ file is as .clang-format writes it. Only where clang-format is installed, version 14 as Debian 12 has it:
other versions write some lines in another way."""
import re
import shutil
import subprocess
import unittest

from tests.house import sources

VERSION = 14


def clang_format():
    """The program of the right version, or why there is none."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if not program:
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"version (\d+)\.", said)
        if version and int(version[1]) == VERSION:
            return program, ""
    return None, f"clang-format {VERSION} is not installed: apt-get install clang-format-{VERSION}"


PROGRAM, REASON = clang_format()


def wrong_lines(paths, **given):
    """The complaints about these files, one each."""
    command = [PROGRAM, "--dry-run", "--style=file", "--ferror-limit=1", "-Werror", *paths]
    run = subprocess.run(command, cwd=sources.ROOT, capture_output=True, text=True, check=False, **given)
    found = re.findall(r"^(\S+:\d+):\d+: error: code should be clang-formatted", run.stderr, re.MULTILINE)
    if run.returncode != 0 and not found:
        raise AssertionError(f"clang-format refused: {run.stderr}")
    return found


@unittest.skipUnless(PROGRAM, REASON)
class Format(unittest.TestCase):
    maxDiff = None

    def test_every_file_is_formatted(self):
        wrong = []
        paths = sources.cpp_files()
        for first in range(0, len(paths), 50):
            wrong += wrong_lines(paths[first:first + 50])
        self.assertEqual(wrong, [], "write them again with: clang-format -i FILE")

    def test_a_wrong_line_is_found(self):
        self.assertEqual(wrong_lines(["--assume-filename=schemas/x.cpp"], input="int  a ;\n"), ["schemas/x.cpp:1"])
        self.assertEqual(wrong_lines(["--assume-filename=schemas/x.cpp"], input="int a;\n"), [])


if __name__ == "__main__":
    unittest.main()
