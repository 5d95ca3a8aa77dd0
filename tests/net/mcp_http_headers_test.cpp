#include "net/mcp/http_headers.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::net::mcp;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

headers of(const std::string& text, const custom_headers& custom = {}) {
    headers out;
    add_message_headers(read_messages(text).value().front(), custom, out);
    return out;
}

bool has(const headers& all, const std::string& name, const std::string& value) {
    return std::ranges::count(all, std::pair(name, value)) == 1;
}

std::string call(const std::string& params) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":)"
           R"("2026-07-28"},)" +
           params + "}}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_http_headers)

BOOST_AUTO_TEST_CASE(a_modern_request_says_revision_method_and_name) {
    const auto all = of(call(R"("name":"add")"));
    BOOST_TEST(all.size() == 3u);
    BOOST_TEST(has(all, "MCP-Protocol-Version", "2026-07-28"));
    BOOST_TEST(has(all, "Mcp-Method", "tools/call"));
    BOOST_TEST(has(all, "Mcp-Name", "add"));
    BOOST_TEST(has(of(call(R"("name":"größe")")), "Mcp-Name", "=?base64?Z3LDtsOfZQ==?="));
    BOOST_TEST(of(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})").empty());
}

BOOST_AUTO_TEST_CASE(arguments_go_into_the_headers_that_the_server_asked_for) {
    custom_headers custom;
    custom.learn({R"({"tools":[{"name":"add","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":)"
                  R"("Region"},"n":{"type":"integer","x-mcp-header":"N"},"b":{"type":"boolean","x-mcp-header":"B"},)"
                  R"("other":{"type":"string"}}}}]})"});
    const auto all = of(call(R"("name":"add","arguments":{"region":"eu west","n":7,"b":true,"other":"x"})"), custom);
    BOOST_TEST(has(all, "Mcp-Param-Region", "eu west"));
    BOOST_TEST(has(all, "Mcp-Param-N", "7"));
    BOOST_TEST(has(all, "Mcp-Param-B", "true"));
    BOOST_TEST(all.size() == 6u);
    BOOST_TEST(has(of(call(R"("name":"add","arguments":{"region":"a\r\nX: y"})"), custom), "Mcp-Param-Region",
                   "=?base64?YQ0KWDogeQ==?="));
    BOOST_TEST(of(call(R"("name":"add","arguments":{"region":null})"), custom).size() == 3u);
}

BOOST_AUTO_TEST_CASE(headers_that_cannot_be_ones_are_told) {
    const auto good = [](const std::string& properties) {
        return has_good_headers({R"({"type":"object","properties":{)" + properties + "}}"});
    };
    BOOST_TEST(good(R"("a":{"type":"string"})"));
    BOOST_TEST(good(R"("a":{"type":"string","x-mcp-header":"A"},"b":{"type":"integer","x-mcp-header":"B"})"));
    for (const auto* bad :
         {R"("a":{"type":"string","x-mcp-header":""})", R"("a":{"type":"object","x-mcp-header":"A"})",
          R"("a":{"type":"number","x-mcp-header":"A"})", R"("a":{"type":"string","x-mcp-header":"A B"})",
          R"("a":{"type":"string","x-mcp-header":"A:B"})", R"("a":{"type":"string","x-mcp-header":"Ä"})",
          R"("a":{"type":"string","x-mcp-header":7})",
          R"("a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"})"}) {
        BOOST_TEST(!good(bad), bad);
    }
}

BOOST_AUTO_TEST_CASE(what_a_cancellation_is_about) {
    const auto id = [](const std::string& params) {
        return cancelled_id(rpc_notification{"notifications/cancelled", {params}});
    };
    BOOST_TEST((id(R"({"requestId":7})") == rpc_id(std::int64_t{7})));
    BOOST_TEST((id(R"({"requestId":"a"})") == rpc_id(std::string("a"))));
    BOOST_TEST(!id("{}"));
    BOOST_TEST(!id("[]"));
    BOOST_TEST(agreed_version({R"({"protocolVersion":"2025-06-18"})"}) == "2025-06-18");
    BOOST_TEST(agreed_version({R"({"protocolVersion":"a\nb"})"}).empty());
    BOOST_TEST(agreed_version({"[]"}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
