#pragma once

#include "net/mcp/server_session.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// A server's session and the client that a test plays to it.
namespace troupe::tests {

struct mcp_server_fixture {
    explicit mcp_server_fixture(net::mcp::era spoken, std::string who = "user/1")
        : session(settings, spoken, std::move(who)) {
        settings.name = "test";
        settings.methods = {"tools/list", "tools/call", "resources/list", "resources/read"};
        settings.lists_change = settings.resources_change = true;
        settings.state_key = std::string(32, 'k');
    }

    static std::vector<net::mcp::rpc_message> read(const std::string& text) {
        auto messages = net::mcp::read_messages(text);
        BOOST_REQUIRE(messages);
        return std::move(*messages);
    }
    void ask(const std::string& text) { session.received(read(text), 1, now_ms); }

    /// A request of the modern era. `more`: further members of its parameters.
    [[nodiscard]] std::string modern(int id, const std::string& method, const std::string& more = "",
                                     const std::string& capabilities = "{}",
                                     const std::string& version = std::string(net::mcp::modern_version)) const {
        return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)" + json::quoted(method) +
               R"(,"params":{"_meta":{)" + meta + R"("io.modelcontextprotocol/protocolVersion":)" +
               json::quoted(version) + R"(,"io.modelcontextprotocol/clientCapabilities":)" + capabilities + "}" +
               (more.empty() ? "" : ",") + more + "}}";
    }
    void initialize(const std::string& version = "2025-11-25", const std::string& capabilities = "{}") {
        ask(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" + version +
            R"(","capabilities":)" + capabilities + R"(,"clientInfo":{"name":"t","version":"1"}}})");
        BOOST_TEST(result().find("protocolVersion") != std::string::npos);
    }

    /// The only message since the last time.
    net::mcp::rpc_message message() {
        auto all = session.take_messages();
        BOOST_REQUIRE_EQUAL(all.size(), 1U);
        last = all.front();
        return read(last.text).front();
    }
    std::string result() { return std::get<net::mcp::rpc_result>(message()).result.text; }
    net::mcp::rpc_error error() { return std::get<net::mcp::rpc_failure>(message()).error; }
    template <class T>
    T event() {
        auto all = session.take_events();
        BOOST_REQUIRE_EQUAL(all.size(), 1U);
        return std::get<T>(std::move(all.front()));
    }
    static std::string member(const std::string& object, std::string_view name) {
        return json::document::parse(object)->root().text_or(name);
    }

    net::mcp::server_session_settings settings;
    std::string meta; ///< Further members of `_meta`, each with a comma behind it.
    std::int64_t now_ms = 1000;
    net::mcp::server_message last;
    net::mcp::server_session session; // last: it uses the settings
};

} // namespace troupe::tests
