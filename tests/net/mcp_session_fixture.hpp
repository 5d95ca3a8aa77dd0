#pragma once

#include "net/mcp/session.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// A client's session and the server that a test plays to it.
namespace troupe::tests {

struct mcp_session {
    explicit mcp_session(net::mcp::session_settings settings = {}) : session(std::move(settings)) {}

    /// What was sent since the last time, as messages.
    std::vector<net::mcp::rpc_message> sent() {
        std::vector<net::mcp::rpc_message> out;
        for (const auto& text : session.take_messages()) {
            const auto read = net::mcp::read_messages(text);
            BOOST_REQUIRE(read);
            out.insert(out.end(), read->begin(), read->end());
        }
        return out;
    }
    /// The only message since the last time, of that kind.
    template <class T>
    T sent_one() {
        const auto all = sent();
        BOOST_REQUIRE_EQUAL(all.size(), 1U);
        BOOST_REQUIRE(std::holds_alternative<T>(all.front()));
        return std::get<T>(all.front());
    }
    net::mcp::rpc_request request() { return sent_one<net::mcp::rpc_request>(); }

    /// The only event since the last time, of that kind.
    template <class T>
    T event() {
        auto all = session.take_events();
        BOOST_REQUIRE_EQUAL(all.size(), 1U);
        BOOST_REQUIRE(std::holds_alternative<T>(all.front()));
        return std::get<T>(std::move(all.front()));
    }
    bool is_silent() { return session.take_events().empty() && session.take_messages().empty(); }

    void say(const net::mcp::rpc_message& message) { session.received(write(message), now_ms); }
    void result(const net::mcp::rpc_request& of, std::string text) {
        say(net::mcp::rpc_result{of.id, {std::move(text)}});
    }
    void error(const net::mcp::rpc_request& of, std::int64_t code, std::string message = "no") {
        say(net::mcp::rpc_failure{of.id, {code, std::move(message)}});
    }
    void notify(std::string method, std::string params) {
        say(net::mcp::rpc_notification{std::move(method), {std::move(params)}});
    }

    net::mcp::opened open_modern() {
        session.open(now_ms);
        result(request(), R"({"resultType":"complete","supportedVersions":["2026-07-28"],
            "capabilities":{"tools":{"listChanged":true}},"instructions":"Ask.",
            "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"new","version":"3"}}})");
        return event<net::mcp::opened>();
    }
    net::mcp::opened open_legacy(const std::string& version = "2025-11-25") {
        session.open(now_ms);
        error(request(), net::mcp::rpc_method_not_found);
        result(request(),
               R"({"protocolVersion":")" + version +
                   R"(","capabilities":{"tools":{}},"serverInfo":{"name":"old","title":"Old","version":"1"}})");
        BOOST_TEST(sent_one<net::mcp::rpc_notification>().method == "notifications/initialized");
        return event<net::mcp::opened>();
    }
    net::mcp::call_id call(std::string_view method, std::string params = "null", net::mcp::call_options options = {}) {
        const auto id = session.call(method, {std::move(params)}, now_ms, options);
        BOOST_REQUIRE_MESSAGE(id, (id ? std::string() : id.error().detail));
        return *id;
    }

    net::mcp::client_session session;
    std::int64_t now_ms = 1'000;
};

} // namespace troupe::tests
