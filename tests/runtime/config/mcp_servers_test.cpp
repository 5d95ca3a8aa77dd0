#include "runtime/config/mcp_servers.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::runtime;

namespace {

std::string mistake(const std::string& members) {
    const auto parsed = parse_mcp_servers("[{" + members + "}]");
    return parsed ? "" : parsed.error().errors.front().pointer + " " + parsed.error().errors.front().message;
}

const std::string good = R"("name":"files","command":["node","server.js"])";

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_servers_config)

BOOST_AUTO_TEST_CASE(a_short_one_has_defaults_and_all_can_be_said) {
    BOOST_TEST(parse_mcp_servers("")->empty());
    const auto servers = parse_mcp_servers("[{" + good + "}]");
    BOOST_REQUIRE(servers.has_value());
    const auto& s = servers->front();
    BOOST_TEST((s.sandbox && !s.network));
    BOOST_TEST(s.time_out_ms == 60'000U);
    for (const char* more : {R"(,"sandbox":false,"network":true,"time_out_ms":1500)",
                             R"(,"sandbox":"false","network":"true","time_out_ms":"1500")"}) { // as a file has them
        const auto said = parse_mcp_servers("[{" + good + more + "}]");
        BOOST_TEST((!said->front().sandbox && said->front().network && said->front().time_out_ms == 1500U), more);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused_with_its_place) {
    BOOST_TEST(mistake(good) == "");
    BOOST_TEST(mistake(R"("name":"A b","command":["x"])").starts_with("/0/name"));
    BOOST_TEST(mistake(R"("name":"a")").starts_with("/0/command"));
    BOOST_TEST(mistake(R"("name":"a","command":[])").starts_with("/0/command"));
    BOOST_TEST(mistake(R"("name":"a","command":[""])").starts_with("/0/command"));
    BOOST_TEST(mistake(good + R"(,"sandbox":"perhaps")").starts_with("/0/sandbox"));
    BOOST_TEST(mistake(good + R"(,"time_out_ms":0)").starts_with("/0/time_out_ms"));
    BOOST_TEST(mistake(good + R"(,"environment":{"A=B":"x"})").starts_with("/0/environment/"));
    BOOST_TEST(mistake(good + R"(,"roots":["/project"])") == "");
    BOOST_TEST(mistake(good + R"(,"roots":["/project","files"])").starts_with("/0/roots/1"));
    BOOST_TEST(mistake(good + R"(,"colour":"red")").starts_with("/0/colour"));
    const auto twice = parse_mcp_servers("[{" + good + "},{" + good + "}]");
    BOOST_TEST(twice.error().errors.front().pointer == "/1/name");
}

BOOST_AUTO_TEST_SUITE_END()
