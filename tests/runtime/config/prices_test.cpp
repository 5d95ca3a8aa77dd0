#include "runtime/config/prices.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using runtime::parse_prices;

BOOST_AUTO_TEST_SUITE(model_prices)

BOOST_AUTO_TEST_CASE(prices_are_read_to_the_millionth) {
    const auto prices = parse_prices("openai/gpt-4.1-mini=0.40/1.60, a=b=3/0.000001 ,c=1000/2.5");
    BOOST_REQUIRE(prices.has_value());
    BOOST_TEST(prices->size() == 3u);
    BOOST_TEST(prices->at("openai/gpt-4.1-mini").input_micros == 400'000);
    BOOST_TEST(prices->at("openai/gpt-4.1-mini").output_micros == 1'600'000);
    BOOST_TEST(prices->at("a=b").output_micros == 1);
    BOOST_TEST(prices->at("c").input_micros == 1'000'000'000);
    BOOST_TEST(parse_prices("")->empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_price_is_named) {
    for (const std::string bad : {"x", "x=1", "=1/2", "x=1/", "x=/1", "x=-1/2", "x=1.1234567/2", "x=1e3/2",
                                  "x=1/2,x=1/2", ",", "x=1 000/2", "x=12345678/1"}) {
        const auto refused = parse_prices(bad);
        BOOST_REQUIRE_MESSAGE(refused.has_error(), bad);
        BOOST_TEST((refused.error().code == code::config_invalid));
        BOOST_TEST(refused.error().detail.find("MODEL=INPUT/OUTPUT") != std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()
