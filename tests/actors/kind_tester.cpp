#include "actors/kinds/tester/test_plan.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// The first of what is found in files with these contents: "framework folder".
std::string detected(const std::map<std::string, std::string>& files) {
    project_files all;
    for (const auto& [path, content] : files) {
        all.paths.push_back(path);
        if (tells_of_tests(path)) {
            all.contents.emplace(path, content);
        }
    }
    const auto found = detect_tests(all);
    return found.empty() ? "nothing"
                         : fmt::format("{} {}", troupe::detail::enum_name(found.front().framework),
                                       found.front().folder.empty() ? "." : found.front().folder);
}

json::document report_of(const tool_result& r) {
    const auto details = details_of(r);
    return std::move(json::document::parse(details.root().find("report").value().dump()).value());
}
bool verified(const tool_result& r) { return details_of(r).root().find("verified").value().as_bool().value(); }

/// "total passed failed skipped" of a report.
std::string counts(const tool_result& r) {
    const auto report = report_of(r);
    return fmt::format("{} {} {} {}", report.root().int_or("total"), report.root().int_or("passed"),
                       report.root().int_or("failed"), report.root().int_or("skipped"));
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_tester)

BOOST_AUTO_TEST_CASE(frameworks_are_found_by_what_projects_hold) {
    BOOST_TEST(detected({{"CMakeLists.txt", "project(a)\nenable_testing()\n"}}) == "ctest .");
    BOOST_TEST(detected({{"CMakeLists.txt", "project(a)\nadd_subdirectory(t)"},
                         {"t/CMakeLists.txt", "include(CTest)"}}) == "ctest .");
    BOOST_TEST(detected({{"CMakeLists.txt", "project(a)\nfind_package(GTest)\n"}}) == "google_test .");
    BOOST_TEST(detected({{"CMakeLists.txt", "project(a)\nfind_package(Boost COMPONENTS unit_test_framework)\n"}}) ==
               "boost_test .");
    BOOST_TEST(detected({{"CMakeLists.txt", "project(a)\n"}}) == "nothing");
    BOOST_TEST(detected({{"pytest.ini", ""}, {"test_a.py", "import unittest"}}) == "pytest .");
    BOOST_TEST(detected({{"pyproject.toml", "[tool.pytest.ini_options]"}}) == "pytest .");
    BOOST_TEST(detected({{"tests/conftest.py", ""}}) == "pytest .");
    BOOST_TEST(detected({{"tests/test_a.py", "def test_a():\n  pass"}}) == "pytest .");
    BOOST_TEST(detected({{"tests/test_a.py", "import unittest\nclass A:\n    def test_a(self): pass"}}) ==
               "unittest .");
    BOOST_TEST(detected({{"package.json", R"({"scripts":{"test":"jest --ci"}})"}}) == "jest .");
    BOOST_TEST(detected({{"package.json", R"({"scripts":{"test":"mocha"}})"}}) == "mocha .");
    BOOST_TEST(detected({{"package.json", R"({"scripts":{"test":"node --test"}})"}}) == "node_test .");
    BOOST_TEST(detected({{"package.json", R"({"scripts":{"test":"tsc && ava"}})"}}) == "npm_test .");
    BOOST_TEST(detected({{"package.json", R"({"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}})"}}) ==
               "nothing");
    BOOST_TEST(detected({{"package.json", "{}"}, {"a.test.js", ""}}) == "node_test .");
    BOOST_TEST(detected({{"a.test.mjs", ""}}) == "node_test .");
    BOOST_TEST(detected({{"go.mod", ""}}) == "go_test .");
    BOOST_TEST(detected({{"Cargo.toml", ""}}) == "cargo_test .");
    BOOST_TEST(detected({{"Makefile", "all:\n\ttrue\ntest: all\n"}}) == "make_test .");
    BOOST_TEST(detected({{"Makefile", "latest:\n"}}) == "nothing");
    BOOST_TEST(detected({{"README.md", "run the tests"}}) == "nothing");
    BOOST_TEST(detected({{"package.json", "no json"}, {"CMakeLists.txt", std::string("\0\1", 2)}}) == "nothing");
}

BOOST_AUTO_TEST_CASE(what_stands_nearest_to_the_top_comes_first) {
    BOOST_TEST(detected({{"web/package.json", R"({"scripts":{"test":"jest"}})"}, {"Makefile", "test:\n"}}) ==
               "make_test .");
    BOOST_TEST(detected({{"core/Cargo.toml", ""}, {"a/b/go.mod", ""}}) == "cargo_test core");
    BOOST_TEST(detected({{"go.mod", ""}, {"CMakeLists.txt", "project(a)\nenable_testing()"}}) == "ctest .");
}

BOOST_AUTO_TEST_CASE(words_of_the_caller_stay_words_in_the_script) {
    const auto script =
        script_of({test_framework::pytest, {}, {}, {}}, {"a'; touch ran; '", "t/x y.py", false}, "mark");
    BOOST_TEST(contains(script.command, R"( -k 'a'\''; touch ran; '\''' 't/x y.py')"));
}

BOOST_AUTO_TEST_CASE(python_is_tested_and_what_fails_is_named) {
    const fixture_project p("python");
    const auto r = p.perform("run_tests", "{}");
    BOOST_TEST(!r.is_error, r.content);
    BOOST_TEST(counts(r) == "3 1 1 1");
    BOOST_TEST(!verified(r));
    const auto failure = report_of(r).root().pointer("/failures/0").value().dump();
    BOOST_TEST(contains(failure, R"("file":"tests/test_ranges.py","line":11,)"));
    BOOST_TEST(contains(failure, "AssertionError: 4 != 3"));
    BOOST_TEST(contains(r.content, "framework: unittest ("));
    BOOST_TEST(contains(r.content, "total: 3, passed: 1, failed: 1, skipped: 1\n"));
    BOOST_TEST(!p.has("__pycache__"));
}

BOOST_AUTO_TEST_CASE(it_is_verified_when_tests_ran_and_none_failed) {
    fixture_project p("python");
    p.write("ranges.py", "def parse(text):\n    return [1, 2, 3, 5]\n\n\ndef count(text):\n    return 3\n");
    const auto r = p.perform("run_tests", "{}");
    BOOST_TEST(counts(r) == "3 2 0 1");
    BOOST_TEST(verified(r));
    p.where.key = "filtered";
    BOOST_TEST(counts(p.perform("run_tests", R"({"filter":"a_range"})")) == "1 1 0 0");
    p.where.key = "none";
    BOOST_TEST(!verified(p.perform("run_tests", R"({"filter":"no_such_test"})")));
    p.where.key = "file";
    BOOST_TEST(counts(p.perform("run_tests", R"({"path":"tests/test_ranges.py"})")) == "3 2 0 1");
}

BOOST_AUTO_TEST_CASE(node_is_tested_with_its_coverage) {
    const fixture_project p("javascript");
    const auto r = p.perform("run_tests", R"({"coverage":true})");
    BOOST_TEST(counts(r) == "3 1 1 1", r.content);
    const auto failure = report_of(r).root().pointer("/failures/0").value().dump();
    BOOST_TEST(contains(failure, R"("file":"test/slug.test.js","line":11,)"));
    // A Node of another age may not measure; then it says so.
    BOOST_TEST((contains(r.content, "(lcov)\n") || contains(r.content, "coverage could not be measured")));
}

BOOST_AUTO_TEST_CASE(a_project_of_cmake_is_built_tested_and_measured_outside_of_itself) {
    fixture_project p("cpp");
    const auto r = p.perform("run_tests", R"({"coverage":true})");
    BOOST_TEST_MESSAGE(r.content);
    BOOST_TEST(counts(r) == "2 1 1 0");
    BOOST_TEST(contains(report_of(r).root().pointer("/failures/0").value().dump(),
                        R"("name":"bounds","file":"interval_test.cpp","line":15,)"));
    BOOST_TEST(contains(report_of(r).root().pointer("/coverage").value().dump(), R"("tool":"gcov")"));
    BOOST_TEST(!p.has("build"));
    p.write("interval.cpp", "#include \"interval.hpp\"\nint largest(int, int)\n");
    p.where.key = "broken";
    const auto broken = p.perform("run_tests", "{}");
    BOOST_TEST(!verified(broken));
    BOOST_TEST(counts(broken) == "0 0 0 0");
    BOOST_TEST(contains(broken.content, "total: unknown\n"));
    BOOST_TEST(contains(broken.content, "no results could be read"));
    BOOST_TEST(contains(broken.content, "interval.cpp:2")); // the compiler's words
}

BOOST_AUTO_TEST_CASE(make_test_is_read_by_whatever_it_writes) {
    tool_place p;
    p.write("Makefile", "test:\n\t@printf 'TAP version 13\\nok 1 - a\\nok 2 - b\\n1..2\\n'\n");
    BOOST_TEST(verified(p.perform("run_tests", "{}")));
    // A program that says that all is well, and exits with an error.
    p.write("Makefile", "test:\n\t@printf 'TAP version 13\\nok 1 - a\\n1..1\\n'; exit 3\n");
    p.where.key = "liar";
    const auto liar = p.perform("run_tests", "{}");
    BOOST_TEST(!verified(liar));
    BOOST_TEST(contains(liar.content, "no test failed, but the command did"));
    p.write("Makefile", "test:\n\t@echo fine\n");
    p.where.key = "silent";
    BOOST_TEST(!verified(p.perform("run_tests", "{}")));
}

BOOST_AUTO_TEST_CASE(a_project_without_tests_is_told_so) {
    tool_place p;
    const auto r = p.perform("run_tests", "{}");
    BOOST_TEST(r.is_error);
    BOOST_TEST(contains(r.content, "no tests were found"));
    BOOST_TEST(p.perform("run_tests", R"({"path":"../x"})").is_error);
    BOOST_TEST(p.perform("run_tests", R"({"path":"none"})").is_error);
    BOOST_TEST(p.perform("run_tests", R"({"framework":"perl"})").is_error);
    p.where.commands = nullptr;
    BOOST_TEST(contains(p.perform("run_tests", "{}").content, "not available"));
}

BOOST_AUTO_TEST_CASE(links_and_pipes_are_not_followed) {
    tool_place p;
    std::ofstream(p.root / "outside.py") << "def test_outside(): pass\n";
    fs::create_symlink(p.root, p.project / "out");
    fs::create_symlink(p.root / "outside.py", p.project / "test_a.py");
    BOOST_REQUIRE(::mkfifo((p.project / "test_b.py").c_str(), 0666) == 0);
    BOOST_REQUIRE(::mkfifo((p.project / "Makefile").c_str(), 0666) == 0);
    BOOST_TEST(contains(p.perform("run_tests", "{}").content, "no tests were found"));
}

BOOST_AUTO_TEST_CASE(a_repeat_reads_what_the_first_attempt_left) {
    fixture_project p("python");
    const auto first = p.perform("run_tests", "{}");
    p.where.repeat = true;
    p.write("ranges.py", "");
    BOOST_TEST(p.perform("run_tests", "{}").content == first.content);
}

BOOST_AUTO_TEST_CASE(people_see_what_tests_say_and_not_what_is_for_the_program) {
    fixture_project p("python");
    std::string live;
    p.where.on_output = [&](bool, std::string_view text) { live += text; };
    const auto r = p.perform("run_tests", "{}");
    BOOST_TEST(contains(r.content, "test_ranges.py"));
    BOOST_TEST(contains(live, "FAIL"));
    BOOST_TEST(!contains(live, "troupe-"), live);
}

BOOST_AUTO_TEST_SUITE_END()
