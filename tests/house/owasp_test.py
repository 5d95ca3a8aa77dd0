"""tests/OWASP.md names tests: each of them exists, and each of the ten items has one."""
import pathlib
import re
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]


class Owasp(unittest.TestCase):
    def test_every_item_names_tests_that_exist(self):
        rows = [line for line in (TESTS / "OWASP.md").read_text().splitlines() if line.startswith("| API")]
        self.assertEqual([row.split()[1] for row in rows], [f"API{n}" for n in range(1, 11)])
        for row in rows:
            named = re.findall(r"`(\w+\.py): (\w+)`", row)
            self.assertTrue(named, row)
            for file, test in named:
                self.assertIn(f"def {test}(", (TESTS / "system" / file).read_text(), file)
