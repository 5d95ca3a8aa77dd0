#include "net/mcp/messages.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::net::mcp;

BOOST_AUTO_TEST_SUITE(mcp_messages)

BOOST_AUTO_TEST_CASE(pages_of_a_list_are_gathered) {
    listing<tool> tools;
    BOOST_TEST(tools.next().value().is_null());
    BOOST_REQUIRE(tools.take({R"({"tools":[{"name":"a","inputSchema":{"type":"object"},"icons":[]},{"name":7},{}],
                                  "nextCursor":"p\"2"})"}));
    BOOST_TEST(tools.next().value().text == R"({"cursor":"p\"2"})");
    BOOST_REQUIRE(
        tools.take({R"({"tools":[{"name":"a"},{"name":"b","title":"B","annotations":{"readOnlyHint":true}}]})"}));
    BOOST_TEST(!tools.next().has_value());
    BOOST_REQUIRE_EQUAL(tools.items().size(), 2U);
    BOOST_TEST(tools.items()[0].inputSchema.text == R"({"type":"object"})");
    BOOST_TEST(tools.items()[1].title.value() == "B");
    BOOST_TEST(tools.skipped() == 3U); // two without a name, one that was there before
}

BOOST_AUTO_TEST_CASE(a_list_ends) {
    listing<prompt> same;
    BOOST_REQUIRE(same.take({R"({"prompts":[],"nextCursor":"x"})"}));
    BOOST_TEST(!same.take({R"({"prompts":[],"nextCursor":"x"})"}));
    listing<resource> grows;
    expected<void> taken;
    std::size_t pages = 0;
    while (taken && pages <= listing<resource>::pages_max) {
        taken = grows.take({R"({"resources":[],"nextCursor":"c)" + std::to_string(pages) + R"("})"});
        ++pages;
    }
    BOOST_TEST(!taken);
    BOOST_TEST(!listing<tool>().take({"{}"}));
    BOOST_TEST(!listing<tool>().take({R"({"tools":{}})"}));
}

BOOST_AUTO_TEST_CASE(results_are_read) {
    const auto good = read_result<tool_result>({R"({"content":[{"type":"text"}],"structuredContent":{"a":1},"x":1})"});
    BOOST_REQUIRE(good);
    BOOST_TEST(good->content.text == R"([{"type":"text"}])");
    BOOST_TEST(good->structuredContent.value().text == R"({"a":1})");
    BOOST_TEST(!good->isError);
    BOOST_TEST((read_result<tool_result>({R"({"isError":"yes"})"}).error().code == code::tool_failed));
    BOOST_TEST(read_result<completion_result>({R"({"completion":{"values":["a"],"hasMore":false}})"})
                   .value()
                   .completion.values.front() == "a");
}

BOOST_AUTO_TEST_CASE(parameters_are_written) {
    BOOST_TEST(named_params("add", {R"({"a":1})"}).text == R"({"name":"add","arguments":{"a":1}})");
    BOOST_TEST(named_params("add", {}).text == R"({"name":"add"})");
    BOOST_TEST(uri_params("file:///a").text == R"({"uri":"file:///a"})");
    BOOST_TEST(completion_params("p", false, "a", "v").text ==
               R"({"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}})");
    BOOST_TEST(completion_params("u", true, "a", "v").text ==
               R"({"ref":{"type":"ref/resource","uri":"u"},"argument":{"name":"a","value":"v"}})");
    BOOST_TEST(level_params("info").text == R"({"level":"info"})");
    BOOST_TEST(listen_params({"file:///a"}).text ==
               R"({"notifications":{"toolsListChanged":true,"promptsListChanged":true,)"
               R"("resourcesListChanged":true,"resourceSubscriptions":["file:///a"]}})");
}

BOOST_AUTO_TEST_SUITE_END()
