#include "net/mcp/session.hpp"

#include "tests/net/mcp_session_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::net::mcp;
using troupe::tests::mcp_session;

namespace {

const session_settings asks_for_all{.capabilities = {R"({"sampling":{},"elicitation":{},"roots":{}})"}};

constexpr const char* one_question =
    R"({"resultType":"input_required","requestState":"s1",
        "inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Who?"}}}})";

code code_of(const finished& end) {
    BOOST_REQUIRE(!end.result);
    return end.result.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_session_questions)

BOOST_AUTO_TEST_CASE(a_modern_call_goes_again_with_the_answers) {
    mcp_session s(asks_for_all);
    s.open_modern();
    const auto id = s.call("tools/call", R"({"name":"greet","requestState":"mine"})", {.time_out_ms = 500});
    const auto first = s.request();
    s.result(first, one_question);
    const auto question = s.event<asked>();
    BOOST_TEST((question.what == question_kind::elicitation));
    BOOST_TEST(question.call.value() == id);
    BOOST_TEST(question.params.text == R"({"message":"Who?"})");
    s.session.passed(s.now_ms + 10'000); // a person may take their time
    BOOST_TEST(s.is_silent());
    s.now_ms += 10'000;
    BOOST_REQUIRE(s.session.answer(question.question, json::raw{R"({"action":"accept"})"}, s.now_ms));
    const auto again = s.request();
    BOOST_TEST((again.id != first.id));
    BOOST_TEST(again.params.text.find(R"("name":"greet","inputResponses":{"who":{"action":"accept"}},)"
                                      R"("requestState":"s1")") != std::string::npos);
    BOOST_TEST(again.params.text.find("mine") == std::string::npos);
    BOOST_TEST(s.session.wake_ms() == s.now_ms + 500);
    BOOST_TEST((s.session.answer(question.question, json::raw{"{}"}, 0).error().code == code::not_found));
    s.result(first, "{}"); // the first one was answered already
    BOOST_TEST(s.session.counts().unknown_answers == 1U);
    s.result(again, R"({"resultType":"complete"})");
    BOOST_TEST(s.event<finished>().call == id);
}

BOOST_AUTO_TEST_CASE(only_when_all_questions_are_answered) {
    mcp_session s(asks_for_all);
    s.open_modern();
    s.call("tools/call", "{}");
    s.result(s.request(), R"({"resultType":"input_required","inputRequests":{
        "a":{"method":"roots/list"},"b":{"method":"sampling/createMessage","params":{}}}})");
    const auto events = s.session.take_events();
    BOOST_REQUIRE_EQUAL(events.size(), 2U);
    BOOST_REQUIRE(s.session.answer(std::get<asked>(events[1]).question, json::raw{"2"}, 0));
    BOOST_TEST(s.is_silent());
    BOOST_REQUIRE(s.session.answer(std::get<asked>(events[0]).question, json::raw{"1"}, 0));
    BOOST_TEST(s.request().params.text.find(R"("inputResponses":{"a":1,"b":2})") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refused_question_ends_a_modern_call) {
    mcp_session s(asks_for_all);
    s.open_modern();
    s.call("tools/call", "{}");
    s.result(s.request(), R"({"resultType":"input_required","inputRequests":{
        "a":{"method":"roots/list"},"b":{"method":"roots/list"}}})");
    const auto events = s.session.take_events();
    BOOST_REQUIRE(s.session.answer(std::get<asked>(events[0]).question, problem{code::forbidden, "no"}, 0));
    const auto ends = s.session.take_events();
    BOOST_REQUIRE_EQUAL(ends.size(), 2U);
    BOOST_TEST(std::get<withdrawn>(ends[0]).question == std::get<asked>(events[1]).question);
    BOOST_TEST((code_of(std::get<finished>(ends[1])) == code::forbidden));
}

BOOST_AUTO_TEST_CASE(a_state_alone_is_sent_back_at_once_but_not_for_ever) {
    mcp_session s({.rounds_max = 3});
    s.open_modern();
    s.call("tools/call", "{}");
    for (int round = 0; round < 3; ++round) {
        s.result(s.request(), R"({"resultType":"input_required","requestState":"s"})");
        BOOST_TEST(s.session.take_events().empty());
    }
    s.result(s.request(), R"({"resultType":"input_required","requestState":"s"})");
    BOOST_TEST((code_of(s.event<finished>()) == code::tool_failed));
}

BOOST_AUTO_TEST_CASE(wrong_demands_end_the_call) {
    for (const auto* demand :
         {R"({"resultType":"input_required"})", R"({"resultType":"input_required","inputRequests":{}})",
          R"({"resultType":"input_required","inputRequests":[1]})",
          R"({"resultType":"input_required","requestState":7})",
          R"({"resultType":"input_required","inputRequests":{"a":{"method":"tools/call"}}})",
          R"({"resultType":"input_required","inputRequests":{"a":7}})",
          R"({"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},
                                   "a":{"method":"roots/list"}}})",
          R"({"resultType":"later"})"}) {
        mcp_session s(asks_for_all);
        s.open_modern();
        s.call("tools/call", "{}");
        s.result(s.request(), demand);
        const auto events = s.session.take_events();
        BOOST_REQUIRE(!events.empty());
        BOOST_REQUIRE(std::holds_alternative<finished>(events.back()));
        BOOST_TEST((code_of(std::get<finished>(events.back())) == code::tool_failed));
        BOOST_TEST(s.session.take_messages().empty());
    }
}

BOOST_AUTO_TEST_CASE(what_was_not_offered_is_not_asked) {
    mcp_session modern({.capabilities = {R"({"sampling":{}})"}});
    modern.open_modern();
    modern.call("tools/call", "{}");
    modern.result(modern.request(), one_question);
    BOOST_TEST((code_of(modern.event<finished>()) == code::tool_failed));

    mcp_session legacy({.capabilities = {R"({"sampling":{}})"}});
    legacy.open_legacy();
    legacy.say(rpc_request{std::string("q"), "elicitation/create", {"{}"}});
    BOOST_TEST((legacy.sent_one<rpc_failure>().error.code == rpc_method_not_found));
    BOOST_TEST(legacy.is_silent());

    mcp_session no_requests(asks_for_all); // a modern server has answers only
    no_requests.open_modern();
    no_requests.say(rpc_request{1, "roots/list"});
    BOOST_TEST((no_requests.sent_one<rpc_failure>().error.code == rpc_method_not_found));
}

BOOST_AUTO_TEST_CASE(a_legacy_question_is_answered_by_its_id) {
    mcp_session s(asks_for_all);
    s.open_legacy();
    s.say(rpc_request{std::string("q1"), "sampling/createMessage", {R"({"maxTokens":5})"}});
    const auto question = s.event<asked>();
    BOOST_TEST((question.what == question_kind::sampling));
    BOOST_TEST(!question.call.has_value());
    BOOST_REQUIRE(s.session.answer(question.question, json::raw{R"({"role":"assistant"})"}, 0));
    BOOST_TEST((s.sent_one<rpc_result>() == rpc_result{std::string("q1"), {R"({"role":"assistant"})"}}));
    BOOST_TEST((s.session.answer(question.question, json::raw{"{}"}, 0).error().code == code::not_found));
    BOOST_TEST(s.is_silent());

    s.say(rpc_request{2, "roots/list"});
    BOOST_REQUIRE(s.session.answer(s.event<asked>().question, problem{code::forbidden, "not allowed"}, 0));
    BOOST_TEST((s.sent_one<rpc_failure>().error.message == "not allowed"));
}

BOOST_AUTO_TEST_CASE(time_of_calls_stands_still_while_a_legacy_server_waits) {
    mcp_session s(asks_for_all);
    s.open_legacy();
    s.call("slow", "null", {.time_out_ms = 500});
    (void)s.request();
    s.now_ms += 400;
    s.say(rpc_request{1, "elicitation/create", {"{}"}});
    const auto question = s.event<asked>().question;
    s.session.passed(s.now_ms + 1'000'000);
    BOOST_TEST(s.is_silent());
    s.now_ms += 1'000'000;
    BOOST_REQUIRE(s.session.answer(question, json::raw{"{}"}, s.now_ms));
    (void)s.sent_one<rpc_result>();
    BOOST_TEST(s.session.wake_ms() == s.now_ms + 100);
}

BOOST_AUTO_TEST_CASE(a_server_takes_its_question_back) {
    mcp_session s(asks_for_all);
    s.open_legacy();
    s.say(rpc_request{std::string("q1"), "roots/list"});
    const auto question = s.event<asked>().question;
    s.notify("notifications/cancelled", R"({"requestId":"other"})");
    BOOST_TEST(s.is_silent());
    s.notify("notifications/cancelled", R"({"requestId":"q1"})");
    BOOST_TEST(s.event<withdrawn>().question == question);
    BOOST_TEST((s.session.answer(question, json::raw{"{}"}, 0).error().code == code::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
