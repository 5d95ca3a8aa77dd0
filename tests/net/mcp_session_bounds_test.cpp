#include "net/mcp/session.hpp"
#include "tests/net/mcp_session_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <set>
#include <string>

using namespace troupe;
using namespace troupe::net::mcp;
using troupe::tests::mcp_session;

BOOST_AUTO_TEST_SUITE(mcp_session_bounds)

BOOST_AUTO_TEST_CASE(calls_are_bounded_also_those_whose_end_nobody_took) {
    mcp_session s({.calls_max = 2});
    s.open_modern();
    s.call("a");
    const auto first = s.request();
    s.call("b");
    BOOST_TEST((s.session.call("c", {}, 0).error().code == code::overloaded));
    s.result(first, "{}");
    BOOST_TEST((s.session.call("c", {}, 0).error().code == code::overloaded));
    (void)s.session.take_events();
    BOOST_TEST(s.session.call("c", {}, 0).has_value());
}

BOOST_AUTO_TEST_CASE(bytes_are_bounded) {
    mcp_session s({.held_bytes_max = 1'000});
    s.open_modern();
    BOOST_TEST(
        (s.session.call("x", {R"({"a":")" + std::string(1'000, 'x') + R"("})"}, 0).error().code == code::overloaded));
    s.call("a");
    const auto a = s.request();
    s.call("b");
    const auto b = s.request();
    const auto large = R"({"a":")" + std::string(600, 'x') + R"("})";
    s.result(a, large);
    s.result(b, large);
    const auto events = s.session.take_events();
    BOOST_TEST(std::get<finished>(events.at(0)).result.has_value());
    BOOST_TEST((std::get<finished>(events.at(1)).result.error().code == code::overloaded));
    for (int i = 0; i < 1'000; ++i) // and the server does not read
        s.say(rpc_request{i, "ping"});
    BOOST_TEST(s.session.take_messages().size() < 100U);
    BOOST_TEST(s.session.counts().dropped > 900U);
}

BOOST_AUTO_TEST_CASE(a_flood_of_notifications_is_dropped_and_ends_are_not) {
    mcp_session s({.events_max = 10});
    s.open_modern();
    s.call("slow", "null", {.progress = true});
    const auto sent = s.request();
    for (int i = 0; i < 10'000; ++i) {
        s.notify("notifications/message", R"({"level":"info","data":1})");
        s.notify("notifications/tools/list_changed", "null");
    }
    s.result(sent, "{}");
    const auto events = s.session.take_events();
    BOOST_TEST(events.size() <= 12U);
    BOOST_TEST(std::holds_alternative<finished>(events.back()));
    BOOST_TEST(s.session.counts().dropped > 9'000U);
}

BOOST_AUTO_TEST_CASE(questions_are_bounded) {
    mcp_session s({.capabilities = {R"({"roots":{}})"}, .questions_max = 3});
    s.open_legacy();
    for (int i = 0; i < 5; ++i)
        s.say(rpc_request{i, "roots/list"});
    BOOST_TEST(s.session.take_events().size() == 3U);
    BOOST_TEST(s.sent().size() == 2U); // refused

    mcp_session modern({.capabilities = {R"({"roots":{}})"}, .questions_max = 1});
    modern.open_modern();
    modern.call("x");
    modern.result(modern.request(), R"({"resultType":"input_required","inputRequests":{
        "a":{"method":"roots/list"},"b":{"method":"roots/list"}}})");
    BOOST_TEST((modern.event<finished>().result.error().code == code::overloaded));
}

BOOST_AUTO_TEST_CASE(some_lines_of_a_log_are_passed_over_and_not_only_those) {
    mcp_session s;
    s.session.open(0);
    const auto probe = s.request();
    for (std::uint64_t i = 1; i < client_session::unreadable_max; ++i)
        s.session.received("Server is listening", 0);
    s.session.received("", 0);
    BOOST_TEST(s.is_silent());
    s.error(probe, rpc_method_not_found);
    BOOST_TEST(s.request().method == "initialize");
    for (std::uint64_t i = 1; i < client_session::unreadable_max; ++i)
        s.session.received("Server is listening", 0);
    BOOST_TEST(!s.session.is_over());
    s.session.received("Server is listening", 0);
    BOOST_TEST((s.event<failed>().why.code == code::malformed_json));
}

BOOST_AUTO_TEST_CASE(what_is_too_large_or_no_text_ends_the_session) {
    mcp_session large;
    large.open_modern();
    large.session.received(std::string(message_bytes_max + 1, 'x'), 0);
    BOOST_TEST((large.event<failed>().why.code == code::payload_too_large));
    mcp_session binary;
    binary.open_modern();
    binary.call("x");
    (void)binary.request();
    binary.session.received("{\"a\":\"\xff\xfe\"}", 0);
    const auto events = binary.session.take_events();
    BOOST_REQUIRE_EQUAL(events.size(), 2U);
    BOOST_TEST((std::get<failed>(events[1]).why.code == code::malformed_json));
}

BOOST_AUTO_TEST_CASE(one_array_may_hold_the_end_and_more) {
    mcp_session s({.probe = false});
    s.session.open(0);
    const auto id = std::to_string(std::get<std::int64_t>(s.request().id));
    s.session.received(R"([{"jsonrpc":"2.0","id":)" + id + R"(,"result":{"protocolVersion":"x"}},)" +
                           R"({"jsonrpc":"2.0","id":1,"method":"ping"}])",
                       0);
    (void)s.event<failed>();
    BOOST_TEST(s.is_silent());
}

namespace {

/// Says anything to a session and calls anything, for a long time.
class anything {
public:
    explicit anything(unsigned seed) : random_(seed) {}

    void run() {
        s_.session.open(s_.now_ms);
        for (int step = 0; step < 3'000; ++step) {
            act();
            note_messages();
            if (pick(8) == 0)
                note_events();
        }
        s_.session.closed({code::connection_failed, "the end"});
        note_events();
        BOOST_TEST(running_.empty());
        BOOST_TEST(s_.session.take_messages().empty());
    }

private:
    std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
    std::string id() { return std::to_string(pick(static_cast<std::size_t>(last_id_) + 2)); }

    void act() {
        switch (pick(7)) {
        case 0:
            return call();
        case 1:
            s_.now_ms += static_cast<std::int64_t>(pick(200));
            return s_.session.passed(s_.now_ms);
        case 2:
            (void)s_.session.answer(pick(20),
                                    pick(3) == 0 ? expected<json::raw>(problem{code::forbidden, "no"})
                                                 : expected<json::raw>(json::raw{"{}"}),
                                    s_.now_ms);
            return;
        case 3:
            (void)s_.session.cancel(pick(40));
            return;
        default:
            s_.session.received(line(), s_.now_ms);
        }
    }

    void call() {
        const auto begun = s_.session.call("m", {pick(2) == 0 ? "null" : R"({"a":1,"_meta":{}})"}, s_.now_ms,
                                           {.time_out_ms = static_cast<std::int64_t>(pick(500)), .progress = true});
        if (begun)
            BOOST_TEST(running_.insert(*begun).second);
    }

    std::string line() {
        static const std::string results[] = {
            R"({"supportedVersions":["2026-07-28"]})",
            R"({"protocolVersion":"2025-06-18"})",
            R"({"resultType":"complete"})",
            R"({"resultType":"input_required","requestState":"s"})",
            R"({"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}})",
            "[]",
        };
        static const std::string methods[] = {
            "ping",
            "roots/list",
            "sampling/createMessage",
            "notifications/progress",
            "notifications/cancelled",
            "notifications/message",
            "notifications/tools/list_changed",
        };
        const auto head = R"({"jsonrpc":"2.0","id":)" + id();
        std::string text;
        switch (pick(5)) {
        case 0:
        case 1:
            text = head + R"(,"result":)" + results[pick(std::size(results))] + "}";
            break;
        case 2:
            text = head + R"(,"error":{"code":-1,"message":"no"}})";
            break;
        case 3:
            text = head + R"(,"method":")" + methods[pick(std::size(methods))] + R"(","params":{"requestId":)" + id() +
                   "}}";
            break;
        default:
            text = R"({"jsonrpc":"2.0","method":")" + methods[pick(std::size(methods))] +
                   R"(","params":{"progressToken":)" + id() + R"(,"progress":1,"requestId":)" + id() + "}}";
        }
        if (pick(20) == 0)
            text[pick(text.size())] = static_cast<char>(pick(128));
        return text;
    }

    void note_messages() {
        for (const auto& text : s_.session.take_messages()) {
            const auto read = read_messages(text);
            BOOST_REQUIRE(read);
            BOOST_TEST(text.find('\n') == std::string::npos);
            if (const auto* request = std::get_if<rpc_request>(&read->front()))
                last_id_ = std::get<std::int64_t>(request->id);
        }
    }

    void note_events() {
        const auto events = s_.session.take_events();
        BOOST_TEST(events.size() < 64U);
        for (const auto& each : events) {
            if (const auto* end = std::get_if<finished>(&each))
                BOOST_TEST(running_.erase(end->call) == 1U, "each call ends once");
        }
    }

    std::mt19937 random_;
    mcp_session s_{{.capabilities = {R"({"roots":{}})"},
                    .probe_time_out_ms = 2'000,
                    .calls_max = 8,
                    .questions_max = 4,
                    .events_max = 16,
                    .held_bytes_max = 4'000}};
    std::int64_t last_id_ = 0;
    std::set<call_id> running_;
};

} // namespace

BOOST_AUTO_TEST_CASE(whatever_is_said_each_call_ends_once_and_nothing_grows) {
    for (unsigned seed = 0; seed < 50; ++seed)
        anything(seed).run();
}

BOOST_AUTO_TEST_SUITE_END()
