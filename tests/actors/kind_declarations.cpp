#include "actors/kinds/kind.hpp"
#include "actors/provider/rehearsal.hpp"
#include "schemas/base/json_schema.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using net::role;

namespace {

/// Follows the script of a kind with the real tools, as a run without a language model does: the arguments of its
/// `finish`, or its last words.
std::string follow(std::string_view kind, tool_place& place, const std::string& parameters = "{}") {
    constexpr int steps_max = 12;
    const auto* k = find_kind(kind);
    BOOST_REQUIRE(k);
    auto model = make_rehearsal_model(std::string(k->rehearsal), std::string(kind));
    BOOST_REQUIRE_MESSAGE(model, (model ? "" : model.error().detail));
    net::model_request request;
    request.messages = {{.role = role::system, .content = "Instructions.\n" + parameters},
                        {.role = role::user, .content = "Do it."}};
    std::vector<std::string> names = {"read_file", "write_file", "finish"};
    names.insert(names.end(), k->tools.begin(), k->tools.end());
    request.tools = declare_tools(names).value();
    for (int step = 0; step < steps_max; ++step) {
        const auto reply = (*model)->complete(request, {}, {}).value();
        request.messages.push_back({.role = role::assistant, .content = reply.content, .tool_calls = reply.tool_calls});
        if (reply.tool_calls.empty()) {
            return reply.content;
        }
        for (const auto& call : reply.tool_calls) {
            if (call.name == "finish") {
                return call.arguments;
            }
            place.where.key = fmt::format("{}-{}", step, call.id);
            const auto result = place.perform(call.name, call.arguments);
            BOOST_TEST_MESSAGE(call.name << ' ' << call.arguments << '\n' << result.content);
            request.messages.push_back({.role = role::tool,
                                        .content = result.content,
                                        .tool_call_id = call.id,
                                        .tool_name = call.name,
                                        .is_error = result.is_error});
        }
    }
    return "it did not finish";
}

/// Whether what `finish` says in `output` is a result of that kind.
void check_result(std::string_view kind, const std::string& finish) {
    const auto parsed = json::document::parse(finish);
    BOOST_REQUIRE_MESSAGE(parsed, finish);
    const auto output = parsed->root().find("output");
    BOOST_REQUIRE_MESSAGE(output, finish);
    const auto schema = json_schema_check::parse(find_kind(kind)->result_schema());
    BOOST_REQUIRE(schema);
    const auto fits = schema->check(output->dump());
    BOOST_TEST(fits.has_value(), (fits ? "" : fits.error().detail) << finish);
}

std::string wrong(std::string_view kind, std::string_view parameters) {
    const auto fits = find_kind(kind)->check_parameters(parameters);
    return fits ? "" : fits.error().errors.front().pointer;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_declarations)

BOOST_AUTO_TEST_CASE(every_kind_is_whole) {
    for (const auto& kind : all_kinds()) {
        BOOST_TEST(!kind.description.empty(), kind.name);
        BOOST_TEST(find_kind(kind.name)->name == kind.name);
        for (const auto tool : kind.tools) {
            BOOST_TEST(find_tool(tool), kind.name << " has the tool " << tool);
        }
        for (const auto tool : kind.verified_by) {
            BOOST_TEST(find_tool(tool), kind.name << " is verified by " << tool);
        }
        if (kind.parameters_schema) {
            BOOST_TEST(json_schema_check::parse(kind.parameters_schema()).has_value(), kind.name);
            BOOST_TEST(kind.check_parameters != nullptr, kind.name);
        }
        if (kind.result_schema) {
            BOOST_TEST(json_schema_check::parse(kind.result_schema()).has_value(), kind.name);
        }
        if (!kind.rehearsal.empty()) {
            const auto model = make_rehearsal_model(std::string(kind.rehearsal), std::string(kind.name));
            BOOST_TEST(model.has_value(), kind.name << (model ? "" : model.error().detail));
        }
    }
    BOOST_TEST(!find_kind("no_such_kind"));
}

BOOST_AUTO_TEST_CASE(parameters_of_a_tester_are_checked) {
    BOOST_TEST(wrong("tester", "{}") == "");
    BOOST_TEST(wrong("tester", R"({"test_type":"unit","execute":false})") == "");
    BOOST_TEST(wrong("tester", R"({"test_type":"all of them"})") == "/parameters/test_type");
    BOOST_TEST(wrong("tester", R"({"speed":1})") == "/parameters/speed");
    BOOST_TEST(wrong("tester", "[]") == "/parameters");
    BOOST_TEST(wrong("tester", "no json") == "/parameters");
}

BOOST_AUTO_TEST_CASE(a_tester_without_a_model_runs_the_tests_and_says_what_it_did_not_do) {
    fixture_project p("python");
    const auto failed = follow("tester", p);
    check_result("tester", failed);
    BOOST_TEST(contains(failed, R"("success":false)"));
    BOOST_TEST(contains(failed, "1 of 3 tests failed"));
    BOOST_TEST(contains(failed, "needs a language model"));
    BOOST_TEST(contains(failed, R"("test_count":3)"));

    tool_place passing;
    passing.write("test_a.py", "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\n");
    const auto passed = follow("tester", passing);
    check_result("tester", passed);
    BOOST_TEST(contains(passed, "1 of 1 tests passed"));

    fixture_project node("javascript");
    node.write("slug.js", "exports.slug = (t) => t.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/-$/, '');\n");
    check_result("tester", follow("tester", node));

    tool_place empty;
    const auto none = follow("tester", empty);
    check_result("tester", none);
    BOOST_TEST(contains(none, "no tests were found"));
    const auto not_run = follow("tester", empty, R"({"execute":false})");
    check_result("tester", not_run);
    BOOST_TEST(contains(not_run, "tests were not to be run"));
}

BOOST_AUTO_TEST_CASE(parameters_of_an_auditor_are_checked) {
    BOOST_TEST(wrong("security_auditor", R"({"path":"src","allow":["* docs/**"],"write_report":true})") == "");
    BOOST_TEST(wrong("security_auditor", R"({"write_report":"yes"})") == "/parameters/write_report");
}

BOOST_AUTO_TEST_CASE(an_auditor_needs_no_model) {
    tool_place p;
    fs::create_directories(p.project / "src");
    p.write("src/a.py", "eval(x)\n");
    p.write("b.py", "os.system(x)\n");
    const auto whole = follow("security_auditor", p);
    check_result("security_auditor", whole);
    BOOST_TEST(contains(whole, "1 errors, 1 warnings and 0 notes in 2 files"));
    BOOST_TEST(!p.has("security-audit.sarif"));
    const auto part = follow("security_auditor", p, R"({"path":"src","write_report":true})");
    check_result("security_auditor", part);
    BOOST_TEST(contains(part, "1 errors, 0 warnings and 0 notes in 1 files"));
    BOOST_TEST(p.has("security-audit.sarif"));
    const auto none = follow("security_auditor", p, R"({"path":"no such folder"})");
    check_result("security_auditor", none);
    BOOST_TEST(contains(none, R"("success":false)"));
}

BOOST_AUTO_TEST_CASE(a_debugger_without_a_model_names_places_and_mends_nothing) {
    fixture_project p("python");
    const auto tested = follow("debugger", p);
    check_result("debugger", tested);
    BOOST_TEST(contains(tested, "tests/test_ranges.py:11"));
    BOOST_TEST(contains(tested, "needs a language model"));
    BOOST_TEST(contains(tested, R"("success":false)"));
    const auto logged = follow(
        "debugger", p,
        R"({"error_log":"Traceback (most recent call last):\n  File \"ranges.py\", line 8, in parse\nValueError: x"})");
    check_result("debugger", logged);
    BOOST_TEST(contains(logged, "ranges.py:8 in parse"));
    tool_place empty;
    check_result("debugger", follow("debugger", empty));
    BOOST_TEST(wrong("debugger", R"({"auto_fix":"maybe"})") == "/parameters/auto_fix");
}

BOOST_AUTO_TEST_CASE(a_code_generator_takes_requirements_and_writes_nothing_without_a_model) {
    BOOST_TEST(wrong("code_generator", R"({"requirements":"Reads ranges.","language":"c++"})") == "");
    BOOST_TEST(wrong("code_generator", R"({"requirements":"ten chars!","language":"c++"})") ==
               "/parameters/requirements");
    BOOST_TEST(wrong("code_generator", R"({"requirements":"äöüäöüäöüä","language":"c++"})") ==
               "/parameters/requirements");
    BOOST_TEST(wrong("code_generator", R"({"requirements":"Reads ranges.","language":"cobol"})") ==
               "/parameters/language");
    BOOST_TEST(wrong("code_generator", R"({"language":"c++"})") == "/parameters/requirements");
    tool_place p;
    const auto said = follow("code_generator", p, R"({"requirements":"Reads ranges.","language":"c++"})");
    BOOST_TEST(contains(said, R"("success":false)"));
    BOOST_TEST(contains(said, "needs a language model"));
}

BOOST_AUTO_TEST_SUITE_END()
