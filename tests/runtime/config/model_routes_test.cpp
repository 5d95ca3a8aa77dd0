#include "runtime/config/model_routes.hpp"

#include "runtime/config/model_providers.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::runtime;

namespace {

/// The first thing that is wrong with one route of these members, or nothing.
std::string mistake(const std::string& members) {
    const auto parsed = parse_model_routes("[{" + members + "}]");
    return parsed ? "" : parsed.error().errors.front().pointer + " " + parsed.error().errors.front().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_routes_config)

BOOST_AUTO_TEST_CASE(routes_are_read_with_their_defaults) {
    BOOST_TEST(parse_model_routes("")->empty());
    const auto parsed = parse_model_routes(
        R"([{"name":"a","models":[{"model":"x/m"}]},
            {"name":"b","policy":"weighted","models":[{"model":"x","weight":3},{"model":"y","weight":"7"}]}])");
    BOOST_REQUIRE(parsed.has_value());
    BOOST_CHECK(parsed->at(0).policy == route_policy::priority);
    BOOST_TEST(parsed->at(0).models.at(0).weight == 1u);
    BOOST_CHECK(parsed->at(1).policy == route_policy::weighted);
    BOOST_TEST(parsed->at(1).models.at(0).weight == 3u);
    BOOST_TEST(parsed->at(1).models.at(1).weight == 7u); // as files have it
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused_with_its_place) {
    const std::string models = R"(,"models":[{"model":"x"}])";
    BOOST_TEST(mistake(R"("name":"a")" + models) == "");
    BOOST_TEST(mistake(R"("name":"A b")" + models).starts_with("/0/name"));
    BOOST_TEST(mistake(R"("name":"a")").starts_with("/0/models"));
    BOOST_TEST(mistake(R"("name":"a","models":[])").starts_with("/0/models"));
    BOOST_TEST(mistake(R"("name":"a","policy":"luck")" + models).starts_with("/0/policy"));
    BOOST_TEST(mistake(R"("name":"a","models":[{"model":"route:b"}])").starts_with("/0/models/0/model"));
    BOOST_TEST(mistake(R"("name":"a","models":[{"model":"x","weight":0}])").starts_with("/0/models/0/weight"));
    BOOST_TEST(mistake(R"("name":"a","models":[{"model":"x","weight":"much"}])").starts_with("/0/models/0/weight"));
    BOOST_TEST(check_model_routes(R"([{"name":"a","models":[{"model":"x"}]},{"name":"a","models":[{"model":"x"}]}])")
                   .value()
                   .starts_with("/1/name"));
}

BOOST_AUTO_TEST_CASE(providers_say_how_many_calls_they_take) {
    const auto read = [](const std::string& more) {
        return parse_model_providers(R"([{"name":"p","wire":"openai")" + more + "}]");
    };
    BOOST_TEST(read("")->front().calls_max == 32u);
    BOOST_TEST(read(R"(,"calls_max":"4")")->front().calls_max == 4u);
    BOOST_TEST(read(R"(,"calls_max":0)").error().errors.front().pointer == "/0/calls_max");
    BOOST_TEST(!parse_model_providers(R"([{"name":"route","wire":"openai"}])")); // route:NAME is taken
}

BOOST_AUTO_TEST_SUITE_END()
