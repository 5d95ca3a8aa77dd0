#include "net/mcp/registry.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::net::mcp;

namespace {

constexpr std::string_view server = R"({"name":"io.github.a/weather","title":"Weather","description":"Tells it.",
    "version":"1.2.0","packages":[{"registryType":"npm","identifier":"@a/weather","version":"1.2.1",
    "transport":{"type":"stdio"},"environmentVariables":[{"name":"KEY","description":"A key","isRequired":true,
    "isSecret":true},{"name":"URL","value":"http://{host}/","default":"x"}],
    "packageArguments":[{"type":"named","name":"--city","value":"Bern"},{"type":"positional","valueHint":"mode"},7]}],
    "remotes":[{"type":"streamable-http","url":"https://a.example/mcp","headers":[{"name":"X-Key","isSecret":true}]}]})";

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_registry)

BOOST_AUTO_TEST_CASE(a_server_has_its_packages_and_what_they_take) {
    for (const auto& text : {std::string(server), R"({"server":)" + std::string(server) + R"(,"_meta":{}})"}) {
        const auto read = read_registry_server(text, "https://r.example");
        BOOST_TEST_REQUIRE(read.has_value());
        BOOST_TEST(read->name == "io.github.a/weather");
        BOOST_TEST(read->source == "https://r.example");
        BOOST_TEST_REQUIRE(read->packages.size() == 2U);
        const auto& npm = read->packages.front();
        BOOST_TEST((npm.type == mcp_package_type::npm));
        BOOST_TEST_REQUIRE(npm.inputs.size() == 4U);
        BOOST_TEST(npm.inputs[0].required);
        BOOST_TEST(npm.inputs[0].secret);
        BOOST_TEST(npm.inputs[1].fallback == "x"); // a template is nobody's value
        BOOST_TEST(npm.inputs[2].named);
        BOOST_TEST(npm.inputs[2].fallback == "Bern");
        BOOST_TEST(npm.inputs[3].name == "mode");
        const auto& remote = read->packages.back();
        BOOST_TEST(remote.identifier == "https://a.example/mcp");
        BOOST_TEST((remote.inputs.front().kind == mcp_input_kind::header));
    }
}

BOOST_AUTO_TEST_CASE(a_page_has_those_that_can_be_read) {
    const auto read = read_registry_page(R"({"servers":[)" + std::string(server) +
                                             R"(,7,{"name":"x"},{"server":null}],"metadata":{"nextCursor":"c"}})",
                                         "r");
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST(read->servers.size() == 1U);
    BOOST_TEST(read->next_cursor == "c");
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_said_with_the_registry) {
    for (const std::string_view text : {"", "no", "[]", "{}", R"({"servers":{}})"}) {
        const auto read = read_registry_page(text, "https://r.example");
        BOOST_TEST_REQUIRE(!read);
        BOOST_TEST(read.error().detail.find("https://r.example") != std::string::npos);
    }
    BOOST_TEST(!read_registry_server(R"({"name":"only"})", "r"));
}

BOOST_AUTO_TEST_CASE(the_operators_list_is_whole_or_refused_with_the_place) {
    BOOST_TEST(read_catalogue("[" + std::string(server) + "]")->size() == 1U);
    BOOST_TEST(read_catalogue("[]")->empty());
    BOOST_TEST(!read_catalogue("{}"));
    const auto bad = read_catalogue("[" + std::string(server) + R"(,{"name":"x"}])");
    BOOST_TEST_REQUIRE(!bad);
    BOOST_TEST(bad.error().detail.find("server 2") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
