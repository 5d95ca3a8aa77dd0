#include "schemas/base/duration.hpp"

#include <boost/test/unit_test.hpp>

using troupe::span_text;

BOOST_AUTO_TEST_SUITE(durations)

BOOST_AUTO_TEST_CASE(spans_are_said_in_the_unit_that_fits) {
    BOOST_TEST(span_text(-5) == "0 ms");
    BOOST_TEST(span_text(999) == "999 ms");
    BOOST_TEST(span_text(5000) == "5 s");
    BOOST_TEST(span_text(119'499) == "119 s");
    BOOST_TEST(span_text(119'500) == "2 min");
    BOOST_TEST(span_text(1'792'000) == "29 min");
    BOOST_TEST(span_text(7'200'000) == "2 h");
    BOOST_TEST(span_text(30LL * 86'400'000) == "30 days");
    BOOST_TEST(span_text(9'223'372'036'854'775'807) == "106751991167 days");
}

BOOST_AUTO_TEST_SUITE_END()
