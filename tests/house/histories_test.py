"""The checkers of histories refuse what they are there to find: each bad history breaks one rule and no other."""

import random
import unittest

from tests.system.histories import NEVER, RULES, Operation, is_linearizable, violations

JOURNAL = ["first", "a", "b", "c"]


def op(kind, outcome, invoked, answered, **more):
    return Operation("e", kind, outcome, invoked, answered, **more)


def write(value, version, invoked, answered):
    return op("write", "ok", invoked, answered, value=value, version=version)


def read(value, version, invoked, answered):
    return op("read", "ok", invoked, answered, value=value, version=version)


def lost(value, invoked):
    return op("write", "unknown", invoked, NEVER, value=value)


def swap(value, expected, replaces, invoked, answered, outcome="ok"):
    version = expected + 1 if outcome == "ok" else None
    return op("swap", outcome, invoked, answered, value=value, version=version, expected=expected, replaces=replaces)


GOOD = [write("a", 2, 0, 10), read("first", 1, 1, 4), read("a", 2, 5, 6), lost("b", 11), swap("c", 3, "b", 12, 15),
        swap("d", 1, "first", 16, 17, "refused"), read("c", 4, 18, 19)]


class Violations(unittest.TestCase):
    maxDiff = None

    def broken(self, operations, journal=None):
        """The names of the rules that a history breaks."""
        return sorted({v.partition(":")[0] for v in violations(operations, {"e": journal or JOURNAL})})

    def test_a_good_history_breaks_none(self):
        self.assertEqual(self.broken(GOOD), [])
        self.assertEqual(self.broken([lost("b", 0), lost("x", 0), write("a", 2, 0, 1)], ["first", "a", "b"]), [])

    def test_a_stale_read_is_out_of_order(self):
        self.assertEqual(self.broken(GOOD + [read("a", 2, 20, 21)]), ["out_of_order"])

    def test_a_read_of_what_never_was(self):
        self.assertEqual(self.broken(GOOD + [read("x", 4, 20, 21)]), ["wrong_reads"])
        self.assertEqual(self.broken(GOOD + [read("x", 5, 20, 21)]), ["wrong_reads"])

    def test_a_write_that_was_lost(self):
        self.assertEqual(self.broken(GOOD + [write("d", 5, 20, 21)]), ["lost_writes"])
        self.assertEqual(self.broken(GOOD + [write("d", 5, 20, 21), lost("x", 20)], JOURNAL + ["x"]), ["lost_writes"])

    def test_a_write_that_was_done_twice(self):
        self.assertIn("doubled_writes", self.broken(GOOD, JOURNAL + ["a"]))
        self.assertEqual(self.broken([lost("a", 0)], ["first", "a", "a"]), ["doubled_writes"])

    def test_a_version_that_was_told_twice(self):
        self.assertIn("doubled_versions", self.broken(GOOD + [write("d", 4, 14, 21)]))

    def test_an_event_that_nobody_asked_for_or_that_was_refused(self):
        self.assertEqual(self.broken(GOOD, JOURNAL + ["x"]), ["foreign_events"])
        self.assertEqual(self.broken(GOOD, JOURNAL + ["d"]), ["foreign_events"])

    def test_a_write_that_took_effect_before_it_was_asked_for(self):
        self.assertEqual(self.broken([read("a", 2, 0, 1), write("a", 2, 2, 3)], ["first", "a"]), ["out_of_order"])
        self.assertEqual(self.broken([read("a", 2, 0, 1), lost("a", 2)], ["first", "a"]), ["out_of_order"])

    def test_a_write_below_one_that_was_answered_before(self):
        self.assertEqual(self.broken([write("b", 3, 0, 1), write("a", 2, 2, 3)], ["first", "a", "b"]), ["out_of_order"])

    def test_a_swap_over_the_write_of_another_one(self):
        over = op("swap", "ok", 20, 21, value="e", version=6, expected=4, replaces="c")
        self.assertEqual(self.broken(GOOD + [lost("x", 20), over], JOURNAL + ["x", "e"]), ["wrong_swaps"])

    def test_a_swap_that_was_refused_without_cause(self):
        self.assertEqual(self.broken(GOOD + [swap("e", 4, "c", 20, 21, "refused")]), ["wrong_swaps"])

    def test_every_rule_is_needed(self):
        bad = {"lost_writes": (GOOD + [write("d", 5, 20, 21)], JOURNAL),
               "doubled_writes": ([lost("a", 0)], ["first", "a", "a"]),
               "doubled_versions": (GOOD + [write("d", 4, 14, 21)], JOURNAL),
               "foreign_events": (GOOD, JOURNAL + ["x"]),
               "wrong_reads": (GOOD + [read("x", 4, 20, 21)], JOURNAL),
               "wrong_swaps": (GOOD + [swap("e", 4, "c", 20, 21, "refused")], JOURNAL),
               "out_of_order": (GOOD + [read("a", 2, 20, 21)], JOURNAL)}
        self.assertEqual(set(bad), {rule.__name__ for rule in RULES})
        for rule in RULES:
            operations, journal = bad[rule.__name__]
            self.assertTrue(violations(operations, {"e": journal}, (rule,)), rule.__name__)


class Linearizable(unittest.TestCase):
    def test_what_a_register_can_answer(self):
        for operations in ([], GOOD, [lost("a", 0), read("first", 1, 5, 6)],
                           [lost("a", 0), read("first", 1, 5, 6), read("a", 2, 7, 8)],
                           [write("a", 2, 0, 10), write("b", 3, 0, 10), read("a", 3, 11, 12)]):
            self.assertTrue(is_linearizable(operations, "first"), operations)

    def test_what_it_cannot(self):
        for operations in (GOOD + [read("a", 2, 20, 21)],  # stale
                           GOOD + [read("x", 5, 20, 21)],  # never written
                           [write("a", 2, 0, 1), read("first", 1, 2, 3)],  # lost
                           [lost("a", 0), read("a", 2, 1, 2), write("b", 3, 3, 4), read("a", 4, 5, 6)],  # done twice
                           [read("a", 2, 0, 1), write("a", 2, 2, 3)],  # before it was asked for
                           [read("a", 2, 0, 1), lost("a", 2)],
                           [read("a", 2, 2, 3), read("first", 1, 4, 5), write("a", 2, 0, 9)],  # back again
                           [write("a", 2, 0, 1), swap("b", 1, "first", 2, 3)],  # over the write of another one
                           [swap("a", 1, "first", 0, 9), swap("b", 1, "first", 0, 9)],  # two owners
                           [swap("a", 1, "first", 0, 1, "refused")]):
            self.assertFalse(is_linearizable(operations, "first"), operations)

    def test_it_judges_histories_of_a_register_and_finds_one_wrong_answer(self):
        for seed in range(40):
            chance = random.Random(seed)
            history, journal = made_by_a_register(chance)
            self.assertTrue(is_linearizable(history, "first"), seed)
            self.assertEqual(violations(history, {"e": journal}), [], seed)
            reads = [o for o in history if o.kind == "read"]
            last = max(reads, key=lambda o: o.invoked)
            stale = [o for o in history if o.kind == "write" and o.outcome == "ok" and o.version > 1
                     and o.answered < last.invoked and o.version < last.version]
            if stale:
                wrong = read(stale[0].value, stale[0].version, last.invoked, last.answered)
                self.assertFalse(is_linearizable([o for o in history if o is not last] + [wrong], "first"), seed)


def made_by_a_register(chance):
    """Six clients at one register, each operation done at some moment between question and answer."""
    value, version, journal = "first", 1, ["first"]
    operations, moments = [], []
    for client in range(6):
        now = 0
        for number in range(12):
            began = now + chance.random()
            done = began + chance.random() * 3
            now = done + chance.random()
            moments.append((done, client, number, began, now))
    for _, client, number, began, answered in sorted(moments):
        if chance.random() < 0.5:
            operations.append(read(value, version, began, answered))
            continue
        if chance.random() < 0.1:  # lost on the way
            operations.append(lost(f"{client}/{number}", began))
            continue
        value, version = f"{client}/{number}", version + 1
        journal.append(value)
        operations.append(lost(value, began) if chance.random() < 0.1 else write(value, version, began, answered))
    return operations, journal


if __name__ == "__main__":
    unittest.main()
