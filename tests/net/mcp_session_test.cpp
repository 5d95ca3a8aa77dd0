#include "net/mcp/session.hpp"

#include "tests/net/mcp_session_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::net::mcp;
using troupe::tests::mcp_session;

namespace {

code code_of(const finished& end) {
    BOOST_REQUIRE(!end.result);
    return end.result.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_session_opening)

BOOST_AUTO_TEST_CASE(a_modern_server_answers_the_probe) {
    mcp_session s({.client_version = "0.9", .capabilities = {R"({"roots":{}})"}});
    s.session.open(0);
    const auto probe = s.request();
    BOOST_TEST(probe.method == "server/discover");
    BOOST_TEST(probe.params.text == R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                                    R"("io.modelcontextprotocol/clientInfo":{"name":"troupe","version":"0.9"},)"
                                    R"("io.modelcontextprotocol/clientCapabilities":{"roots":{}}}})");
    BOOST_TEST(s.session.is_probing());
    s.result(probe, R"({"supportedVersions":["2027-01-01","2026-07-28"],"capabilities":{},"serverInfo":{"name":"x"}})");
    const auto what = s.event<opened>();
    BOOST_TEST((what.spoken == era::modern));
    BOOST_TEST(what.server_name == "x");
    BOOST_TEST(s.session.is_open());
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(a_modern_server_says_who_it_is) {
    mcp_session s;
    const auto what = s.open_modern();
    BOOST_TEST(what.version == "2026-07-28");
    BOOST_TEST(what.server_name == "new");
    BOOST_TEST(what.server_version == "3");
    BOOST_TEST(what.capabilities.text == R"({"tools":{"listChanged":true}})");
    BOOST_TEST(what.instructions == "Ask.");
}

BOOST_AUTO_TEST_CASE(any_error_of_the_probe_leads_to_initialize) {
    for (const auto code : {rpc_method_not_found, rpc_invalid_params, std::int64_t{-32022}, std::int64_t{0}}) {
        mcp_session s;
        s.session.open(0);
        s.error(s.request(), code);
        BOOST_TEST(s.request().method == "initialize");
    }
    mcp_session s; // a server that could not read whose answer this is
    s.session.open(0);
    (void)s.request();
    s.say(rpc_failure{std::nullopt, {-32700, "?"}});
    BOOST_TEST(s.request().method == "initialize");
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_the_revision_and_names_it_is_asked_once_more) {
    const auto refusal = [](mcp_session& s, const std::string& supported) {
        s.say(rpc_failure{s.request().id, {-32022, "not that", {R"({"supported":[)" + supported + "]}"}}});
        return s.request().method;
    };
    mcp_session s;
    s.session.open(0);
    BOOST_TEST(refusal(s, R"("2027-01-01","2026-07-28")") == "server/discover");
    BOOST_TEST(s.session.is_probing());
    mcp_session twice;
    twice.session.open(0);
    twice.say(rpc_failure{twice.request().id, {-32022, "no", {R"({"supported":["2026-07-28"]})"}}});
    BOOST_TEST(refusal(twice, R"("2026-07-28")") == "initialize"); // it cannot go on like that for ever
    mcp_session other;
    other.session.open(0);
    BOOST_TEST(refusal(other, R"("2025-11-25")") == "initialize");
}

BOOST_AUTO_TEST_CASE(a_probe_without_answer_leads_to_initialize) {
    mcp_session s({.probe_time_out_ms = 100});
    s.session.open(0);
    const auto probe = s.request();
    BOOST_TEST(s.session.wake_ms() == 100);
    s.session.passed(99);
    BOOST_TEST(s.is_silent());
    s.session.passed(100);
    BOOST_TEST(s.request().method == "initialize");
    s.result(probe, R"({"supportedVersions":["2026-07-28"]})"); // too late
    BOOST_TEST(s.is_silent());
    BOOST_TEST(s.session.counts().unknown_answers == 1U);
}

BOOST_AUTO_TEST_CASE(a_probe_answered_without_the_revision_leads_to_initialize) {
    for (const auto* answer : {R"({"supportedVersions":["2025-11-25"]})", R"({"supportedVersions":7})", "{}", "[]"}) {
        mcp_session s;
        s.session.open(0);
        s.result(s.request(), answer);
        BOOST_TEST(s.request().method == "initialize");
    }
}

BOOST_AUTO_TEST_CASE(a_server_known_to_be_legacy_is_not_probed) {
    mcp_session s({.probe = false});
    s.session.open(0);
    BOOST_TEST(s.request().params.text == R"({"protocolVersion":"2025-11-25","capabilities":{},)"
                                          R"("clientInfo":{"name":"troupe","version":"0"}})");
}

BOOST_AUTO_TEST_CASE(each_legacy_revision_is_taken) {
    for (const auto version : legacy_versions) {
        mcp_session s;
        const auto what = s.open_legacy(std::string(version));
        BOOST_TEST((what.spoken == era::legacy));
        BOOST_TEST(what.version == version);
        BOOST_TEST(what.server_title == "Old");
    }
}

BOOST_AUTO_TEST_CASE(another_revision_fails_clearly) {
    mcp_session s({.probe = false});
    s.session.open(0);
    s.result(s.request(), R"({"protocolVersion":"1999-01-01","capabilities":{}})");
    const auto why = s.event<failed>().why;
    BOOST_TEST((why.code == code::unavailable));
    BOOST_TEST(why.detail.find("1999-01-01") != std::string::npos);
    BOOST_TEST(s.session.is_over());
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(a_refused_or_silent_initialize_fails) {
    mcp_session refused({.probe = false});
    refused.session.open(0);
    refused.error(refused.request(), -32000, "no licence");
    BOOST_TEST(refused.event<failed>().why.detail.find("no licence") != std::string::npos);

    mcp_session silent({.probe = false, .open_time_out_ms = 50});
    silent.session.open(0);
    silent.session.passed(50);
    BOOST_TEST((silent.event<failed>().why.code == code::deadline_exceeded));
}

BOOST_AUTO_TEST_CASE(notifications_before_the_reply_are_counted_and_no_more) {
    mcp_session s;
    s.session.open(0);
    const auto probe = s.request();
    s.notify("notifications/message", R"({"level":"info","data":"starting"})");
    s.notify("notifications/tools/list_changed", "null");
    BOOST_TEST(s.is_silent());
    BOOST_TEST(s.session.counts().too_early == 2U);
    s.say(rpc_request{std::string("p"), "ping"}); // which is allowed at any time
    BOOST_TEST((s.sent_one<rpc_result>() == rpc_result{std::string("p"), {"{}"}}));
    s.error(probe, rpc_method_not_found);
    BOOST_TEST(s.request().method == "initialize");
}

BOOST_AUTO_TEST_CASE(nothing_is_called_before_it_is_open_and_after_its_end) {
    mcp_session s;
    BOOST_TEST((s.session.call("tools/list", {}, 0).error().code == code::unavailable));
    s.session.open(0);
    BOOST_TEST((s.session.call("tools/list", {}, 0).error().code == code::unavailable));
    s.session.closed({code::connection_failed, "it died"});
    BOOST_TEST(s.event<failed>().why.detail == "it died");
    BOOST_TEST((s.session.call("tools/list", {}, 0).error().code == code::unavailable));
    BOOST_TEST((s.session.notify("x", {}).error().code == code::unavailable));
    s.session.closed({code::connection_failed, "again"});
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(mcp_session_calls)

BOOST_AUTO_TEST_CASE(a_legacy_request_carries_what_the_caller_said) {
    mcp_session s;
    s.open_legacy();
    const auto id = s.call("tools/call", R"({"name":"add","arguments":{"a":1}})");
    const auto sent = s.request();
    BOOST_TEST(sent.params.text == R"({"name":"add","arguments":{"a":1}})");
    s.result(sent, R"({"content":[]})");
    const auto end = s.event<finished>();
    BOOST_TEST(end.call == id);
    BOOST_TEST(end.result.value().text == R"({"content":[]})");
    s.result(sent, "{}"); // a second time
    BOOST_TEST(s.is_silent());
    BOOST_TEST(s.session.counts().unknown_answers == 1U);
}

BOOST_AUTO_TEST_CASE(a_modern_request_says_what_is_spoken_each_time) {
    mcp_session s({.log_level = "debug"});
    s.open_modern();
    const auto id = s.call("tools/call", R"({"name":"add","_meta":{"trace":1,"progressToken":"mine"}})",
                           {.time_out_ms = 0, .progress = true});
    const auto sent = s.request();
    BOOST_TEST(sent.params.text == R"({"name":"add","_meta":{"trace":1,)"
                                   R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                                   R"("io.modelcontextprotocol/clientInfo":{"name":"troupe","version":"0"},)"
                                   R"("io.modelcontextprotocol/clientCapabilities":{},)"
                                   R"("io.modelcontextprotocol/logLevel":"debug","progressToken":)" +
                                       std::to_string(id) + "}}");
    s.result(sent, R"({"resultType":"complete","content":[]})");
    BOOST_TEST(s.event<finished>().result.has_value());
}

BOOST_AUTO_TEST_CASE(answers_in_any_order_find_their_calls) {
    mcp_session s;
    s.open_modern();
    const auto a = s.call("a");
    const auto first = s.request();
    const auto b = s.call("b");
    const auto second = s.request();
    s.result(second, "2");
    s.result(first, "1");
    const auto events = s.session.take_events();
    BOOST_REQUIRE_EQUAL(events.size(), 2U);
    BOOST_TEST(std::get<finished>(events[0]).call == b);
    BOOST_TEST(std::get<finished>(events[0]).result.value().text == "2");
    BOOST_TEST(std::get<finished>(events[1]).call == a);
}

BOOST_AUTO_TEST_CASE(errors_say_what_they_mean) {
    mcp_session s;
    s.open_modern();
    const std::pair<std::int64_t, code> means[] = {{rpc_invalid_params, code::tool_arguments_invalid},
                                                   {rpc_method_not_found, code::not_found},
                                                   {rpc_resource_not_found, code::not_found},
                                                   {-32000, code::tool_failed}};
    for (const auto& [said, meant] : means) {
        s.call("x");
        s.say(rpc_failure{s.request().id, {said, "because", {"[1]"}}});
        const auto end = s.event<finished>();
        BOOST_TEST((code_of(end) == meant));
        BOOST_TEST(end.result.error().detail.find("because") != std::string::npos);
        BOOST_REQUIRE(end.said);
        BOOST_TEST(end.said->data.text == "[1]");
    }
}

BOOST_AUTO_TEST_CASE(parameters_are_an_object) {
    mcp_session s;
    s.open_modern();
    BOOST_TEST((s.session.call("x", {"[1]"}, 0).error().code == code::invalid_request));
    BOOST_TEST((s.session.call("x", {"{"}, 0).error().code == code::malformed_json));
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(a_call_ends_in_its_time_and_the_server_is_told) {
    mcp_session s;
    s.open_legacy();
    const auto id = s.call("slow", "null", {.time_out_ms = 500});
    const auto sent = s.request();
    BOOST_TEST(s.session.wake_ms() == s.now_ms + 500);
    s.session.passed(s.now_ms + 499);
    BOOST_TEST(s.is_silent());
    s.session.passed(s.now_ms + 500);
    const auto end = s.event<finished>();
    BOOST_TEST(end.call == id);
    BOOST_TEST((code_of(end) == code::deadline_exceeded));
    const auto told = s.sent_one<rpc_notification>();
    BOOST_TEST(told.method == "notifications/cancelled");
    BOOST_TEST(told.params.text.find(R"("requestId":)" + std::to_string(std::get<std::int64_t>(sent.id))) !=
               std::string::npos);
    s.result(sent, "{}"); // too late
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(a_cancelled_call_ends_at_once) {
    mcp_session s;
    s.open_modern();
    const auto id = s.call("slow");
    const auto sent = s.request();
    BOOST_TEST(s.session.cancel(id));
    BOOST_TEST((code_of(s.event<finished>()) == code::cancelled));
    BOOST_TEST(s.sent_one<rpc_notification>().method == "notifications/cancelled");
    BOOST_TEST(!s.session.cancel(id));
    s.result(sent, "{}");
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(progress_comes_to_those_who_asked) {
    mcp_session s;
    s.open_legacy();
    const auto id = s.call("slow", "null", {.progress = true});
    const auto sent = s.request();
    BOOST_TEST(sent.params.text == R"({"_meta":{"progressToken":)" + std::to_string(id) + "}}");
    const auto other = s.call("quiet");
    const auto quiet = s.request();
    const auto tell = [&](call_id token) {
        s.notify("notifications/progress",
                 R"({"progress":1.5,"total":3,"message":"half","progressToken":)" + std::to_string(token) + "}");
    };
    tell(id);
    const auto seen = s.event<progressed>();
    BOOST_TEST(seen.call == id);
    BOOST_TEST(seen.progress == 1.5);
    BOOST_TEST(seen.total.value() == 3);
    BOOST_TEST(seen.message == "half");
    tell(other);
    tell(999);
    s.notify("notifications/progress", R"({"progressToken":"x","progress":1})");
    s.notify("notifications/progress", "null");
    BOOST_TEST(s.is_silent());
    BOOST_TEST(s.session.counts().unknown_answers == 4U);
}

BOOST_AUTO_TEST_CASE(changes_and_logs_are_told) {
    mcp_session s;
    s.open_legacy();
    s.notify("notifications/resources/list_changed", "null");
    s.notify("notifications/resources/list_changed", "null");
    BOOST_TEST((s.event<list_changed>().what == list_kind::resources)); // once
    s.notify("notifications/resources/list_changed", "null");
    BOOST_TEST((s.event<list_changed>().what == list_kind::resources));
    s.notify("notifications/resources/updated", R"({"uri":"file:///a"})");
    BOOST_TEST(s.event<resource_updated>().uri == "file:///a");
    s.notify("notifications/message", R"({"level":"error","logger":"db","data":{"a":1}})");
    const auto line = s.event<logged>();
    BOOST_TEST(line.level == "error");
    BOOST_TEST(line.logger == "db");
    BOOST_TEST(line.data.text == R"({"a":1})");
    s.notify("notifications/whatever", "{}");
    BOOST_TEST(s.is_silent());
}

BOOST_AUTO_TEST_CASE(a_ping_shows_that_the_server_lives_whatever_it_answers) {
    for (const bool is_modern : {true, false}) {
        mcp_session s;
        is_modern ? s.open_modern() : s.open_legacy();
        BOOST_REQUIRE(s.session.ping(0, 100));
        const auto sent = s.request();
        BOOST_TEST(sent.method == (is_modern ? "server/discover" : "ping"));
        s.error(sent, rpc_method_not_found);
        BOOST_TEST(s.event<finished>().result.has_value());
        BOOST_REQUIRE(s.session.ping(0, 100));
        s.session.passed(100);
        BOOST_TEST((code_of(s.event<finished>()) == code::deadline_exceeded));
    }
}

BOOST_AUTO_TEST_CASE(all_calls_end_when_the_transport_does) {
    mcp_session s;
    s.open_modern();
    s.call("a");
    s.call("b");
    s.session.closed({code::connection_failed, "it died"});
    const auto events = s.session.take_events();
    BOOST_REQUIRE_EQUAL(events.size(), 3U);
    BOOST_TEST((code_of(std::get<finished>(events[0])) == code::connection_failed));
    BOOST_TEST((code_of(std::get<finished>(events[1])) == code::connection_failed));
    BOOST_TEST(std::get<failed>(events[2]).why.detail == "it died");
}

BOOST_AUTO_TEST_SUITE_END()
