#include "net/mcp/rpc.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <variant>

using namespace troupe;
using namespace troupe::net::mcp;

namespace {

rpc_message one(std::string_view text) {
    const auto messages = read_messages(text);
    BOOST_REQUIRE_MESSAGE(messages, (messages ? std::string() : messages.error().detail));
    BOOST_REQUIRE_EQUAL(messages->size(), 1U);
    return messages->front();
}

void check_both_ways(const rpc_message& message, std::string_view text) {
    BOOST_TEST(write(message) == text);
    BOOST_TEST((one(text) == message));
}

code code_of(std::string_view text) {
    const auto messages = read_messages(text);
    BOOST_REQUIRE_MESSAGE(!messages, std::string(text.substr(0, 200)));
    return messages.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_rpc)

BOOST_AUTO_TEST_CASE(all_kinds_are_written_as_they_are_read) {
    check_both_ways(rpc_request{7, "tools/list", {R"({"cursor":"x"})"}},
                    R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":"x"}})");
    check_both_ways(rpc_request{std::string("a\n"), "ping"}, R"({"jsonrpc":"2.0","id":"a\n","method":"ping"})");
    check_both_ways(rpc_notification{"notifications/initialized"},
                    R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    check_both_ways(rpc_result{-1, {"{}"}}, R"({"jsonrpc":"2.0","id":-1,"result":{}})");
    check_both_ways(rpc_failure{rpc_id(7), {-32601, "no \"x\"", {"[1]"}}},
                    R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no \"x\"","data":[1]}})");
    check_both_ways(rpc_failure{std::nullopt, {-32700, "?"}},
                    R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})");
}

BOOST_AUTO_TEST_CASE(a_message_is_one_line) {
    BOOST_TEST(write(one("{\"jsonrpc\": \"2.0\",\n \"id\": 1,\n \"result\": {\n\"a\": \"b\\nc\"}}")) ==
               R"({"jsonrpc":"2.0","id":1,"result":{"a":"b\nc"}})");
}

BOOST_AUTO_TEST_CASE(an_array_holds_several_messages) {
    const auto two = read_messages(R"([{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","method":"m"}])");
    BOOST_REQUIRE(two);
    BOOST_REQUIRE_EQUAL(two->size(), 2U);
    BOOST_TEST(std::holds_alternative<rpc_result>(two->front()));
    BOOST_TEST(std::holds_alternative<rpc_notification>(two->back()));
    BOOST_TEST((code_of("[]") == code::invalid_request));
    std::string many = "[";
    for (std::size_t i = 0; i <= batch_max; ++i)
        many += R"({"jsonrpc":"2.0","method":"m"},)";
    many.back() = ']';
    BOOST_TEST((code_of(many) == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(what_is_no_message_is_refused) {
    for (const std::string_view text : {
             R"(7)",
             R"("x")",
             R"({})",
             R"({"jsonrpc":"1.0","id":1,"result":1})",
             R"({"id":1,"result":1})",
             R"({"jsonrpc":"2.0","id":1.5,"result":1})",
             R"({"jsonrpc":"2.0","id":{},"method":"m"})",
             R"({"jsonrpc":"2.0","id":null,"method":"m"})",
             R"({"jsonrpc":"2.0","result":1})",
             R"({"jsonrpc":"2.0","id":1})",
             R"({"jsonrpc":"2.0","id":1,"method":7})",
             R"({"jsonrpc":"2.0","id":1,"method":""})",
             R"({"jsonrpc":"2.0","method":"m","params":[1]})",
             R"({"jsonrpc":"2.0","id":1,"error":"no"})",
             R"({"jsonrpc":"2.0","id":1,"error":{"message":"no"}})",
             R"([{"jsonrpc":"2.0","id":1,"result":1},7])",
         })
        BOOST_TEST((code_of(text) == code::invalid_request), text);
    BOOST_TEST((code_of("Listening on port 80") == code::malformed_json));
    BOOST_TEST((code_of("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}") == code::malformed_json));
}

BOOST_AUTO_TEST_CASE(a_message_over_the_limit_is_not_read) {
    const std::string frame = R"({"jsonrpc":"2.0","id":1,"result":""})";
    std::string text = frame;
    text.insert(text.size() - 2, std::string(message_bytes_max - frame.size(), 'x'));
    BOOST_TEST(read_messages(text).has_value());
    text.insert(text.size() - 2, "x");
    BOOST_TEST((code_of(text) == code::payload_too_large));
}

BOOST_AUTO_TEST_SUITE_END()
