#include "net/mcp/server_session.hpp"

#include "tests/net/mcp_server_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::net::mcp;
using troupe::tests::mcp_server_fixture;

namespace {

constexpr const char* one_question = R"({"message":"Who?"})";

inputs_wanted who_wanted(std::string state = "s") {
    return {{{"who", {question_kind::elicitation, {one_question}}}}, std::move(state)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_server_session)

BOOST_AUTO_TEST_CASE(a_modern_request_says_revision_and_capabilities_itself) {
    mcp_server_fixture s(era::modern);
    s.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})");
    BOOST_TEST(s.error().code == rpc_invalid_params);
    BOOST_TEST(s.last.refused_status == 400);
    s.ask(s.modern(2, "tools/list"));
    const auto begun = s.event<called>();
    BOOST_TEST(begun.method == "tools/list");
    BOOST_REQUIRE(s.session.answer(begun.call, json::raw{R"({"tools":[]})"}, 0));
    BOOST_TEST(s.result() ==
               R"({"resultType":"complete","ttlMs":60000,"cacheScope":"private",)"
               R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"0"}},"tools":[]})");
    BOOST_TEST(s.last.last);
    BOOST_TEST(!s.session.answer(begun.call, json::raw{"{}"}, 0)); // once
}

BOOST_AUTO_TEST_CASE(an_unknown_revision_is_refused_with_those_that_are_spoken) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "server/discover", "", "{}", "2099-01-01"));
    const auto error = s.error();
    BOOST_TEST(error.code == rpc_unsupported_version);
    BOOST_TEST(error.data.text == R"({"supported":["2026-07-28"],"requested":"2099-01-01"})");
    BOOST_TEST(s.last.refused_status == 400);
}

BOOST_AUTO_TEST_CASE(discovery_shows_what_is_offered) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "server/discover"));
    BOOST_TEST(s.result().find(R"("supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},)"
                               R"("resources":{"listChanged":true,"subscribe":true},"logging":{}})") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(methods_that_went_and_those_that_nobody_knows_are_404) {
    for (const std::string method : {"initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"}) {
        mcp_server_fixture s(era::modern);
        s.ask(s.modern(1, method));
        BOOST_TEST(s.error().code == rpc_method_not_found);
        BOOST_TEST(s.last.refused_status == 404);
    }
}

BOOST_AUTO_TEST_CASE(headers_say_what_the_body_says) {
    const auto code_with = [](request_headers headers) {
        mcp_server_fixture s(era::modern);
        s.session.received(s.read(s.modern(1, "tools/call", R"("name":"grüß")")), 1, 0, &headers);
        return s.session.take_events().empty() ? s.error().code : 0;
    };
    BOOST_TEST(code_with({modern_version, "tools/call", "=?base64?Z3LDvMOf?="}) == 0);
    BOOST_TEST(code_with({modern_version, "tools/call", "=?base64?Z3LDvMO?="}) == rpc_header_mismatch);
    BOOST_TEST(code_with({modern_version, "tools/call", "other"}) == rpc_header_mismatch);
    BOOST_TEST(code_with({modern_version, "tools/call", std::nullopt}) == rpc_header_mismatch);
    BOOST_TEST(code_with({modern_version, "TOOLS/CALL", "grüß"}) == rpc_header_mismatch);
    BOOST_TEST(code_with({"2025-11-25", "tools/call", "grüß"}) == rpc_header_mismatch);
}

BOOST_AUTO_TEST_CASE(a_modern_call_that_asks_ends_and_comes_again_with_the_answers) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "tools/call", R"("name":"greet","arguments":{"a":1})", R"({"elicitation":{}})"));
    const auto first = s.event<called>();
    s.session.answer(first.call, who_wanted(), 1000);
    const auto asked = s.result();
    BOOST_TEST(asked.find(R"("resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create",)"
                          R"("params":{"message":"Who?"}}})") != std::string::npos);
    const auto state = s.member(asked, "requestState");

    const auto again = [&](const std::string& with, const std::string& arguments = R"({"a":1})",
                           const std::string& who = "user/1", std::int64_t now_ms = 2000) {
        mcp_server_fixture next(era::modern, who);
        next.now_ms = now_ms;
        next.ask(next.modern(2, "tools/call",
                             R"("name":"greet","arguments":)" + arguments + R"(,"inputResponses":{"who":{"x":1}},)" +
                                 R"("requestState":)" + json::quoted(with)));
        const auto events = next.session.take_events();
        return events.empty() ? called{} : std::get<called>(events.front());
    };
    const auto second = again(state);
    BOOST_TEST(second.state == "s");
    BOOST_TEST(second.answers.at("who").text == R"({"x":1})");
    // what was changed, what belongs to another call or caller, and what is old
    BOOST_TEST(again(state + "-x").call == 0U);
    BOOST_TEST(again(state, R"({"a":2})").call == 0U);
    BOOST_TEST(again(state, R"({"a":1})", "user/2").call == 0U);
    BOOST_TEST(again(state, R"({"a":1})", "user/1", 4'000'000).call == 0U);
}

BOOST_AUTO_TEST_CASE(what_the_client_cannot_answer_is_not_asked) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "tools/call", R"("name":"greet")", R"({"sampling":{}})"));
    const auto begun = s.event<called>();
    BOOST_TEST(!s.session.can_ask(begun.call, question_kind::elicitation));
    BOOST_TEST(s.session.can_ask(begun.call, question_kind::sampling));
    s.session.answer(begun.call, who_wanted(), 0);
    const auto error = s.error();
    BOOST_TEST(error.code == rpc_missing_capability);
    BOOST_TEST(error.data.text == R"({"requiredCapabilities":{"elicitation":{}}})");
    BOOST_TEST(s.last.refused_status == 400);
}

BOOST_AUTO_TEST_CASE(progress_and_logs_come_only_where_they_are_wanted) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "tools/call", R"("name":"greet")"));
    const auto quiet = s.event<called>();
    s.session.progress(quiet.call, 1, 2, "half");
    s.session.log(quiet.call, "error", "test", {R"("x")"});
    BOOST_TEST(s.session.take_messages().empty());
    s.meta = R"("progressToken":"p","io.modelcontextprotocol/logLevel":"warning",)";
    s.ask(s.modern(2, "tools/call", R"("name":"greet")"));
    const auto loud = s.event<called>();
    s.session.progress(loud.call, 1, 2, "half");
    s.session.log(loud.call, "info", "test", {R"("x")"});
    s.session.log(loud.call, "error", "test", {R"("y")"});
    const auto said = s.session.take_messages();
    BOOST_REQUIRE_EQUAL(said.size(), 2U);
    BOOST_TEST(said[0].text.find(R"({"progressToken":"p","progress":1)") != std::string::npos);
    BOOST_TEST(said[1].text.find(R"("level":"error","logger":"test","data":"y")") != std::string::npos);
    BOOST_TEST(!said[1].last);
}

BOOST_AUTO_TEST_CASE(a_listener_hears_what_it_asked_for_until_its_stream_ends) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(7, "subscriptions/listen",
                   R"("notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]})"));
    const auto watch = s.event<watch_changed>();
    BOOST_TEST(watch.uri == "a:1");
    BOOST_TEST(watch.watched);
    s.session.changed(list_kind::tools);
    s.session.changed(list_kind::resources);
    s.session.updated("a:1");
    s.session.updated("a:2");
    const auto said = s.session.take_messages();
    BOOST_REQUIRE_EQUAL(said.size(), 3U);
    const std::string mark = R"({"_meta":{"io.modelcontextprotocol/subscriptionId":7})";
    BOOST_TEST(said[0].text.find("notifications/subscriptions/acknowledged\",\"params\":" + mark) != std::string::npos);
    BOOST_TEST(said[1].text.find("notifications/tools/list_changed\",\"params\":" + mark) != std::string::npos);
    BOOST_TEST(said[2].text.find(mark + R"(,"uri":"a:1"})") != std::string::npos);
    s.session.closed(1);
    BOOST_TEST(!s.event<watch_changed>().watched);
    s.session.changed(list_kind::tools);
    BOOST_TEST(s.session.take_messages().empty());
}

BOOST_AUTO_TEST_CASE(a_modern_stream_that_ends_cancels_its_call) {
    mcp_server_fixture s(era::modern);
    s.ask(s.modern(1, "tools/call", R"("name":"greet")"));
    const auto begun = s.event<called>();
    s.session.closed(1);
    BOOST_TEST(s.event<call_cancelled>().call == begun.call);
    BOOST_TEST(!s.session.answer(begun.call, json::raw{"{}"}, 0));
}

BOOST_AUTO_TEST_CASE(a_legacy_session_is_opened_first) {
    mcp_server_fixture s(era::legacy);
    s.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
    BOOST_TEST(s.error().code == rpc_invalid_request);
    BOOST_TEST(s.last.refused_status == 0);
    s.initialize("2025-06-18");
    BOOST_TEST(s.session.version() == "2025-06-18");
    s.ask(R"({"jsonrpc":"2.0","id":2,"method":"ping"})");
    BOOST_TEST(s.result() == "{}");
    s.ask(R"({"jsonrpc":"2.0","id":3,"method":"tools/list"})");
    s.session.answer(s.event<called>().call, json::raw{R"({"tools":[]})"}, 0);
    BOOST_TEST(s.result() == R"({"tools":[]})"); // nothing of the modern era in it
    mcp_server_fixture other(era::legacy);
    other.initialize("1999-01-01");
    BOOST_TEST(other.session.version() == "2025-11-25");
}

BOOST_AUTO_TEST_CASE(a_legacy_call_asks_on_its_stream_and_goes_on) {
    mcp_server_fixture s(era::legacy);
    s.initialize("2025-11-25", R"({"elicitation":{}})");
    s.ask(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"greet"}})");
    const auto first = s.event<called>();
    s.session.answer(first.call, who_wanted("mine"), 0);
    auto said = s.session.take_messages();
    BOOST_REQUIRE_EQUAL(said.size(), 1U);
    BOOST_TEST(!said[0].last);
    const auto question = std::get<rpc_request>(s.read(said[0].text).front());
    BOOST_TEST(question.method == "elicitation/create");
    s.session.received({rpc_result{std::int64_t{99}, {"{}"}}}, 2, 0); // to what was not asked
    s.session.received({rpc_result{question.id, {R"({"action":"accept"})"}}}, 2, 0);
    const auto again = s.event<called>();
    BOOST_TEST(again.call == first.call);
    BOOST_TEST(again.state == "mine");
    BOOST_TEST(again.answers.at("who").text == R"({"action":"accept"})");
    s.session.answer(again.call, json::raw{"{}"}, 0);
    BOOST_TEST(s.result() == "{}");
}

BOOST_AUTO_TEST_CASE(a_cancelled_legacy_call_ends_its_stream_without_an_answer) {
    mcp_server_fixture s(era::legacy);
    s.initialize();
    s.ask(R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"greet"}})");
    const auto begun = s.event<called>();
    s.session.closed(1); // the connection was lost, not the wish
    BOOST_TEST(s.session.take_events().empty());
    s.ask(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}})");
    BOOST_TEST(s.event<call_cancelled>().call == begun.call);
    BOOST_TEST(!s.session.has(begun.call));
}

BOOST_AUTO_TEST_CASE(of_a_batch_only_the_last_answer_ends_the_stream) {
    mcp_server_fixture s(era::legacy);
    s.initialize("2025-03-26");
    s.ask(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}])");
    const auto said = s.session.take_messages();
    BOOST_REQUIRE_EQUAL(said.size(), 2U);
    BOOST_TEST(!said[0].last);
    BOOST_TEST(said[1].last);
}

BOOST_AUTO_TEST_CASE(what_has_no_form_never_reaches_the_owner) {
    for (const std::string params :
         {R"("name":7)", R"("name":"")", R"("arguments":{})", R"("name":"x","arguments":[1])",
          R"("name":"x","inputResponses":null)", R"("name":"x","inputResponses":{"who":7})",
          R"("name":"x","requestState":"made up")"}) {
        mcp_server_fixture s(era::modern);
        s.ask(s.modern(1, "tools/call", params));
        BOOST_TEST_CONTEXT(params) {
            BOOST_TEST(s.error().code == rpc_invalid_params);
            BOOST_TEST(s.session.take_events().empty());
        }
    }
}

BOOST_AUTO_TEST_CASE(calls_and_subscriptions_are_bounded) {
    mcp_server_fixture s(era::legacy);
    s.settings.calls_max = 2;
    s.settings.watched_max = 1;
    s.initialize();
    for (const std::string id : {"1", "2", "3", "2"})
        s.ask(R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":"x"}})");
    BOOST_TEST(s.session.take_events().size() == 2U);
    BOOST_TEST(s.session.take_messages().size() == 2U); // both refused
    for (const std::string uri : {"a:1", "a:2"})
        s.ask(R"({"jsonrpc":"2.0","id":9,"method":"resources/subscribe","params":{"uri":")" + uri + "\"}}");
    BOOST_TEST(s.session.take_events().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
