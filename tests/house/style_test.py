"""Habits of the house that a program can check. Each rule is also shown a wrong example."""
import re
import unittest

from tests.house import sources

LINES_MAX = 600
FLOORS = ("schemas", "storage", "runtime", "net", "actors")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
WORDS = re.compile(r'R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def too_long(path, text):
    return text.count("\n") > LINES_MAX


def without_guard(path, text):
    return path.endswith(".hpp") and not text.startswith("#pragma once\n")


def has_tab(path, text):
    return "\t" in text


def has_trailing_space(path, text):
    return re.search(r"[ \t]+$", text, re.MULTILINE) is not None


def lacks_last_newline(path, text):
    return text != "" and not text.endswith("\n")


def is_unfinished(path, text):
    """Work that was put off, in code or in a comment; words of a string, as a test's data, are none."""
    return UNFINISHED.search(WORDS.sub('""', text)) is not None


def own_header_is_not_first(path, text):
    """A .cpp with a header of its own name includes it before all others, so that the header is known to stand alone."""
    header = path[:-len(".cpp")] + ".hpp"
    if not path.endswith(".cpp") or f'#include "{header}"' not in text:
        return False
    return re.search(r"#include (\S+)", text)[1] != f'"{header}"'


class Style(unittest.TestCase):
    maxDiff = None

    def assert_nowhere(self, rule, paths):
        self.assertGreater(len(paths), 3)
        self.assertEqual([path for path in paths if rule(path, sources.text(path))], [])

    def test_no_file_is_too_long(self):
        self.assertTrue(too_long("a.cpp", "x\n" * (LINES_MAX + 1)))
        self.assertFalse(too_long("a.cpp", "x\n" * LINES_MAX))
        self.assert_nowhere(too_long, sources.files(".cpp", ".hpp", ".py"))

    def test_headers_start_with_pragma_once(self):
        self.assertTrue(without_guard("a.hpp", "#include <vector>\n#pragma once\n"))
        self.assertFalse(without_guard("a.hpp", "#pragma once\n"))
        self.assertFalse(without_guard("a.cpp", "int a;\n"))
        self.assert_nowhere(without_guard, sources.cpp_files())

    def test_no_tabs_and_no_blanks_at_the_end(self):
        paths = sources.files(".cpp", ".hpp", ".py", ".yaml", ".md")
        self.assertTrue(has_tab("a.cpp", "\tint a;\n"))
        self.assertFalse(has_tab("a.cpp", '"\\t"\n'))
        self.assert_nowhere(has_tab, paths)
        self.assertTrue(has_trailing_space("a.cpp", "int a; \nint b;\n"))
        self.assertFalse(has_trailing_space("a.cpp", "int a;\n\nint b;\n"))
        self.assert_nowhere(has_trailing_space, paths)

    def test_files_end_with_a_newline(self):
        self.assertTrue(lacks_last_newline("a.cpp", "int a;"))
        self.assertFalse(lacks_last_newline("a.cpp", "int a;\n"))
        self.assert_nowhere(lacks_last_newline, sources.files(".cpp", ".hpp", ".py", ".yaml", ".md"))

    def test_nothing_is_put_off(self):
        self.assertTrue(is_unfinished("a.cpp", "int a; // TO" "DO: b\n"))
        self.assertTrue(is_unfinished("a.py", "# FIX" "ME\n"))
        self.assertFalse(is_unfinished("a.cpp", 'search("TO' 'DO");\n'))
        self.assertFalse(is_unfinished("a.cpp", 'R"({"pattern":"TO' 'DO"})"\n'))
        self.assert_nowhere(is_unfinished, sources.files(".cpp", ".hpp", ".py"))

    def test_the_own_header_comes_first(self):
        self.assertTrue(own_header_is_not_first("net/a.cpp", '#include <vector>\n#include "net/a.hpp"\n'))
        self.assertFalse(own_header_is_not_first("net/a.cpp", '#include "net/a.hpp"\n#include <vector>\n'))
        self.assertFalse(own_header_is_not_first("net/b.cpp", '#include <vector>\n'))
        self.assert_nowhere(own_header_is_not_first, sources.files(".cpp"))


class Repository(unittest.TestCase):
    maxDiff = None

    def test_what_every_reader_needs_is_there(self):
        needed = ["LICENSE", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        needed += [f"{floor}/README.md" for floor in FLOORS]
        self.assertEqual([path for path in needed if not (sources.ROOT / path).is_file()], [])
        self.assertIn("Apache License", sources.text("LICENSE"))

    def test_no_other_folder_stands_beside_the_house(self):
        known = sources.FOLDERS + ("build",)
        folders = [path.name for path in sources.ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
        self.assertEqual([name for name in folders if name not in known], [])

    def test_every_module_of_the_log_is_one_of_the_failures(self):
        board = sources.text("runtime/supervision/failures.hpp")
        known = re.findall(r'"(\w+)"', re.search(r"modules\{(.*?)\}", board, re.DOTALL)[1])
        paths = [path for path in sources.cpp_files() if not path.startswith("tests/")]
        logged = {name for path in paths for name in re.findall(r'log_for\("(\w+)"\)', sources.text(path))}
        self.assertGreater(len(logged), 10)
        self.assertEqual(sorted(logged - set(known)), [])
        self.assertEqual(sorted(set(known) - logged), ["other"])

    def test_links_between_documents_lead_somewhere(self):
        documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", *sources.files(".md")]
        broken = []
        for document in documents:
            for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", sources.text(document)):
                if "://" not in link and not (sources.ROOT / document).parent.joinpath(link).exists():
                    broken.append(f"{document}: {link}")
        self.assertEqual(broken, [])

    def test_every_model_has_a_test_of_its_own(self):
        models = [path for path in sources.files("_model.cpp") if path.startswith("actors/")]
        self.assertGreater(len(models), 3)
        tests = " ".join(sources.files(".cpp"))
        lacking = [path for path in models if f"tests/actors/{path.split('/')[-1][:-len('.cpp')]}" not in tests]
        self.assertEqual(lacking, [])

    def test_programs_and_scripts_can_be_started(self):
        programs = [sources.ROOT / path for path in sources.files() if path.startswith("bin/")]
        scripts = [path for path in programs if path.read_bytes().startswith(b"#!")]
        self.assertGreater(len(scripts), 2)
        self.assertEqual([str(path) for path in scripts if not path.stat().st_mode & 0o100], [])


if __name__ == "__main__":
    unittest.main()
