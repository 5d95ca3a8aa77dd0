#include "actors/run/run_wait.hpp"

#include "actors/run/run_context.hpp"
#include "actors/run/run_replay.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

asked_call wait_call(std::string arguments) { return {"id9", "wait", std::move(arguments)}; }

std::string told(const run& r) { return r.state().messages.back().content; }

} // namespace

BOOST_AUTO_TEST_SUITE(run_wait)

BOOST_AUTO_TEST_CASE(a_wait_is_a_timer_and_no_working_time) {
    auto r = started();
    const auto events = r.accepted(reply(r, {wait_call(R"({"seconds":3600})")}));
    const auto due_at = the<wait_started>(events).due_at;
    BOOST_TEST((due_at == r.now + 3'600'000));
    BOOST_TEST(r.owed() == std::vector<std::string>{"wait/1/1"}, boost::test_tools::per_element());
    r.now = due_at;
    const auto after = r.accepted(end_wait{1, 1});
    BOOST_TEST(!the<tool_call_finished>(after).is_error);
    BOOST_TEST(told(r).starts_with("It is "));
    BOOST_TEST(document(r).used.time_ms < 3'600'000);
    BOOST_TEST(r.state().progress.model_call.has_value());
    BOOST_TEST(r.accepted(end_wait{1, 1}).empty());
}

BOOST_AUTO_TEST_CASE(until_a_time_that_is_over_is_now) {
    auto r = started();
    const auto events = r.accepted(reply(r, {wait_call(R"({"until":"2001-01-01T00:00:00Z"})")}));
    BOOST_TEST((the<wait_started>(events).due_at == r.now));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_waited_for_is_told_to_the_model) {
    for (const char* arguments : {"{}", R"({"seconds":5,"until":"2027-01-01T00:00:00Z"})", R"({"until":"soon"})",
                                  R"({"until":"9999-01-01T00:00:00Z"})", R"({"seconds":-1})"}) {
        auto r = started();
        const auto events = r.accepted(reply(r, {wait_call(arguments)}));
        BOOST_TEST(the<tool_call_finished>(events).is_error, arguments);
    }
}

BOOST_AUTO_TEST_CASE(a_run_that_was_cancelled_waits_no_more) {
    auto r = started();
    r.accepted(reply(r, {wait_call(R"({"seconds":3600})")}));
    r.accepted(cancel_run{"enough"});
    BOOST_TEST(std::ranges::none_of(r.owed(), [](const auto& key) { return key.starts_with("wait/"); }));
    BOOST_TEST(r.accepted(end_wait{1, 1}).empty());
}

BOOST_AUTO_TEST_CASE(rules_of_the_organization_count_beside_the_runs_own) {
    auto wanted = wish();
    wanted.tools = {{"run_command(git *)", tool_policy::allow}, {"read", tool_policy::allow}};
    auto start = begin();
    start.tool_rules = {{"run_command", tool_policy::deny}, {"read", tool_policy::deny}};
    auto r = started(wanted, start);
    const auto allowed = r.accepted(reply(r, {shell_call("git status")}));
    BOOST_TEST(the<tool_call_started>(allowed).tool == "run_command"); // the more specific one
    r.accepted(result(r, 1));
    const auto denied = r.accepted(reply(r, {shell_call("make")}));
    BOOST_TEST(the<tool_call_denied>(denied).content.find("\"run_command\"") != std::string::npos);
    const auto tie = r.accepted(reply(r, {read_call()}));
    BOOST_TEST(the<tool_call_denied>(tie).content.find("\"read\"") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
