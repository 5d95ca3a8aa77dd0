#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/tester/test_results.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// "total passed failed skipped", or "nothing".
std::string counts(const std::optional<test_outcomes>& o) {
    return o ? fmt::format("{} {} {} {}", o->total, o->passed, o->failed, o->skipped) : "nothing";
}
/// "name file:line" of each failure.
std::string failures(const std::optional<test_outcomes>& o) {
    std::string out;
    for (std::size_t i = 0; o && i < o->failures.size(); ++i) {
        const auto& f = o->failures[i];
        out += fmt::format("{}{} {}:{}", i == 0 ? "" : "; ", f.name, f.file, f.line);
    }
    return out;
}
std::string text(const std::optional<line_coverage>& c) {
    return c ? fmt::format("{} {}/{} {}", c->tool, c->covered, c->lines, c->percent) : "nothing";
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_tester_results)

BOOST_AUTO_TEST_CASE(junit_of_each_program_gives_counts_places_and_messages) {
    const auto pytest = read_junit(output_of("pytest.xml"));
    BOOST_TEST(counts(pytest) == "3 1 1 1");
    BOOST_TEST(failures(pytest) == "tests.test_ranges.Ranges.test_a_page_counts_once tests/test_ranges.py:11");
    BOOST_TEST(pytest->failures.front().message == "AssertionError: 4 != 3");

    const auto ctest = read_junit(output_of("ctest.xml"));
    BOOST_TEST(counts(ctest) == "2 1 1 0");
    BOOST_TEST(failures(ctest) == "bounds interval_test.cpp:15");
    BOOST_TEST(ctest->failures.front().message == "interval_test.cpp:15: 3 belongs to [1, 3]");

    const auto google = read_junit(output_of("gtest.xml"));
    BOOST_TEST(counts(google) == "3 1 1 1");
    BOOST_TEST(failures(google) == "Interval.Bounds t.cpp:3");

    const auto boost = read_junit(output_of("boost.xml"));
    BOOST_TEST(counts(boost) == "4 1 2 1");
    BOOST_TEST(failures(boost) == "bounds.high t.cpp:7; bounds.throws t.cpp:8");
    BOOST_TEST(contains(boost->failures.front().message, "check a == 2 has failed"));

    const auto node = read_junit(output_of("node_junit.xml"));
    BOOST_TEST(counts(node) == "3 1 1 1");
    BOOST_TEST(failures(node) == "test.there is no dash at the end /project/test/slug.test.js:12");
}

BOOST_AUTO_TEST_CASE(text_of_each_program_gives_the_same_counts) {
    const auto check = [](auto read, const char* file, const char* expected, const char* where) {
        const auto found = read(output_of(file));
        BOOST_TEST(counts(found) == expected, file);
        BOOST_TEST(failures(found) == where, file << ": " << failures(found));
        BOOST_TEST(counts(read_any(output_of(file))) == expected, file);
    };
    check(read_ctest, "ctest.txt", "2 1 1 0", "bounds interval_test.cpp:15");
    check(read_unittest, "unittest.txt", "3 1 1 1",
          "test_a_page_counts_once (tests.test_ranges.Ranges.test_a_page_counts_once) "
          "/project/tests/test_ranges.py:11");
    check(read_pytest, "pytest.txt", "3 1 1 1",
          "tests/test_ranges.py::Ranges::test_a_page_counts_once tests/test_ranges.py:0");
    check(read_tap, "node_tap.txt", "3 1 1 1", "there is no dash at the end /project/test/slug.test.js:11");
    check(read_node_spec, "node_spec.txt", "3 1 1 1", "there is no dash at the end test/slug.test.js:11");
    check(read_mocha, "mocha.txt", "3 1 1 1", "slug ends without a dash a.test.js:4");
    check(read_jest, "jest.txt", "3 1 1 1", "slug › ends without a dash a.test.js:4");
    check(read_google_test, "gtest.txt", "3 1 1 1", "Interval.Bounds t.cpp:3");
    check(read_boost_log, "boost_short.txt", "3 1 2 0", "bounds/high t.cpp:7; bounds/throws :0");
    check(read_boost_log, "boost_color.txt", "3 1 2 0", "bounds/high t.cpp:7; bounds/throws :0");
    check(read_cargo, "cargo.txt", "3 1 1 1", "tests::high_belongs src/lib.rs:8");
    const auto jest = read_jest_json(output_of("jest.json"));
    BOOST_TEST(counts(jest) == "3 1 1 1");
    BOOST_TEST(failures(jest) == "slug ends without a dash /project/a.test.js:4");
}

BOOST_AUTO_TEST_CASE(go_is_read_as_json_and_as_text) {
    const auto json = read_go_json(R"({"Action":"start","Package":"shop"}
{"Action":"run","Package":"shop","Test":"TestSum"}
{"Action":"output","Package":"shop","Test":"TestSum","Output":"=== RUN   TestSum\n"}
{"Action":"output","Package":"shop","Test":"TestSum","Output":"    sum_test.go:9: got 3, want 4\n"}
{"Action":"output","Package":"shop","Test":"TestSum","Output":"--- FAIL: TestSum (0.00s)\n"}
{"Action":"fail","Package":"shop","Test":"TestSum","Elapsed":0}
{"Action":"pass","Package":"shop","Test":"TestNone","Elapsed":0}
{"Action":"skip","Package":"shop","Test":"TestLater","Elapsed":0}
{"Action":"fail","Package":"shop","Elapsed":0.002}
)");
    BOOST_TEST(counts(json) == "3 1 1 1");
    BOOST_TEST(failures(json) == "shop.TestSum sum_test.go:9");
    BOOST_TEST(json->failures.front().message == "sum_test.go:9: got 3, want 4");
    const auto text = read_go_text("=== RUN   TestSum\n    sum_test.go:9: got 3, want 4\n--- FAIL: TestSum (0.00s)\n"
                                   "--- PASS: TestNone (0.00s)\n--- SKIP: TestLater (0.00s)\nFAIL\n");
    BOOST_TEST(counts(text) == "3 1 1 1");
}

BOOST_AUTO_TEST_CASE(output_that_ends_early_or_says_nothing_gives_no_figures) {
    BOOST_TEST(counts(read_any("")) == "nothing");
    BOOST_TEST(counts(read_any("make: *** No rule to make target 'test'.  Stop.\n")) == "nothing");
    BOOST_TEST(counts(read_any("all good, 12 tests passed\n")) == "nothing");
    BOOST_TEST(counts(read_tap("TAP version 13\n1..3\nok 1 - a\n")) == "nothing"); // two are missing
    BOOST_TEST(counts(read_boost_log("Running 3 test cases...\n")) == "nothing");
    BOOST_TEST(counts(read_google_test("[ RUN      ] A.b\n[       OK ] A.b (0 ms)\n")) == "nothing");
    BOOST_TEST(counts(read_unittest("Ran 2 tests in 0.1s\n\nFAILED (failures=5)\n")) == "nothing");
    auto half = output_of("pytest.xml");
    half.resize(half.size() / 2);
    BOOST_TEST(counts(read_junit(half)) == "nothing");
    BOOST_TEST(counts(read_pytest("============ no tests ran in 0.01s ============\n")) == "nothing");
}

BOOST_AUTO_TEST_CASE(unittest_knows_what_is_expected_to_fail) {
    BOOST_TEST(counts(read_unittest("Ran 4 tests in 0.1s\n\nOK (skipped=1, expected failures=2)\n")) == "4 1 0 3");
    BOOST_TEST(counts(read_unittest("Ran 4 tests in 0.1s\n\nFAILED (errors=1, unexpected successes=1)\n")) ==
               "4 2 2 0");
    BOOST_TEST(counts(read_unittest("Ran 1 test in 0.1s\n\nOK\n")) == "1 1 0 0");
}

BOOST_AUTO_TEST_CASE(tap_counts_the_top_and_names_what_failed_below) {
    const auto tap = read_tap("TAP version 14\n# Subtest: group\n    not ok 1 - inner\n      ---\n"
                              "      at: a.js:3:1\n      ...\n    1..1\nnot ok 1 - group\n  ---\n"
                              "  failureType: 'subtestsFailed'\n  ...\nok 2 - other # TODO\n1..2\n");
    BOOST_TEST(counts(tap) == "2 0 1 1");
    BOOST_TEST(failures(tap) == "inner a.js:3");
}

BOOST_AUTO_TEST_CASE(xml_with_entities_or_too_deep_is_refused) {
    BOOST_TEST(
        counts(read_junit(
            R"(<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&b;"/></testsuite>)")) ==
        "nothing");
    std::string deep = "<testsuite>";
    for (int i = 0; i < 5000; ++i) {
        deep += "<a>";
    }
    BOOST_TEST(counts(read_junit(deep)) == "nothing");
    BOOST_TEST(counts(read_junit("<html></html>")) == "nothing");
    BOOST_TEST(counts(read_junit(std::string("\0\1\2", 3))) == "nothing");
    BOOST_TEST(counts(read_junit("<testsuite/>")) == "0 0 0 0");
}

BOOST_AUTO_TEST_CASE(hostile_text_is_read_in_bounds) {
    const std::string line(10 << 20, 'a');
    std::string escapes;
    for (int i = 0; i < 200'000; ++i) {
        escapes += "\x1b[31m:1:(";
    }
    for (const auto& text : {line, line + "\n" + line, escapes, std::string(1 << 20, '\0'), std::string(1 << 20, ':'),
                             std::string(1 << 20, '\x1b'), std::string(1 << 20, '{')}) {
        BOOST_TEST(counts(read_any(text)) == "nothing");
        BOOST_TEST(counts(read_junit(text)) == "nothing");
        BOOST_TEST(!find_place(text));
    }
    std::string many = "Running 100000 test cases...\n";
    for (int i = 0; i < 100'000; ++i) {
        many += fmt::format("t.cpp(1): error: in \"s/{}\": \x1b[31m{}\n", i, std::string(50, 'x'));
    }
    const auto found = read_boost_log(many + "*** 100000 failures are detected\n");
    BOOST_TEST(counts(found) == "100000 0 100000 0");
    BOOST_TEST(found->failures.size() == test_outcomes::failures_max);
    BOOST_TEST(found->failures.front().message == std::string(50, 'x'));
}

BOOST_AUTO_TEST_CASE(escapes_and_control_characters_are_taken_out) {
    BOOST_TEST(without_escapes("a\x1b[1;31mb\x1b[0m\r\n\tc\x7f\x1b]0;title\x07"
                               "d\x1bMe\x1b") == "ab\n\tcde");
}

BOOST_AUTO_TEST_CASE(places_are_found_as_programs_write_them) {
    const auto text = [](std::string_view from) {
        const auto p = find_place(from);
        return p ? fmt::format("{}:{}:{}", p->file, p->line, p->column) : "nothing";
    };
    BOOST_TEST(text("in src/a.cpp:12:3: error") == "src/a.cpp:12:3");
    BOOST_TEST(text("t.cpp(7): error") == "t.cpp:7:0");
    BOOST_TEST(text("at f (/p/a.test.js:4:44)") == "/p/a.test.js:4:44");
    BOOST_TEST(text("  File \"/p/a b.py\", line 3, in x") == "/p/a b.py:3:0");
    BOOST_TEST(text("C:\\src\\a.cpp:5") == "C:\\src\\a.cpp:5:0");
    BOOST_TEST(text("at 12:30:11 on http://host:80") == "nothing");
    BOOST_TEST(text("version 1.2:3") == "nothing");
}

BOOST_AUTO_TEST_CASE(coverage_of_each_program) {
    BOOST_TEST(text(read_coverage_py(output_of("coverage_py.json"))) == "coverage.py 18/20 90");
    BOOST_TEST(text(read_lcov(output_of("node.lcov"))) == "lcov 24/25 96");
    BOOST_TEST(text(read_c8(R"({"total":{"lines":{"total":3,"covered":2,"skipped":0,"pct":66.66}}})")) ==
               "c8 2/3 66.66");
    BOOST_TEST(text(read_c8(output_of("c8.json"))) == "nothing"); // it measured no line
    BOOST_TEST(text(read_gcov(R"(/p
{"files":[{"file":"a.hpp","lines":[{"line_number":1,"count":0},{"line_number":2,"count":0}]}]}
{"files":[{"file":"a.hpp","lines":[{"line_number":1,"count":3}]},{"file":"/p/b.cpp","lines":[{"line_number":1,"count":1}]},{"file":"/usr/include/x","lines":[{"line_number":9,"count":1}]}]}
)")) == "gcov 2/3 66.66");
    BOOST_TEST(text(read_gcov("/project\n" + output_of("gcov.json"))) == "gcov 13/15 86.66");
    BOOST_TEST(text(read_gcov("/other\n" + output_of("gcov.json"))) == "nothing");
    BOOST_TEST(text(read_gcov("nonsense\n")) == "nothing");
    BOOST_TEST(text(read_coverage_py("{}")) == "nothing");
}

BOOST_AUTO_TEST_SUITE_END()
