#include "bin/cli/resolve.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::cli;

namespace {

const auto first = parse_uuid("018f3c1e-7d2a-7000-8000-000000000001").value();
const auto second = parse_uuid("018f3c1e-7d2b-7000-8000-000000000002").value();
const auto third = parse_uuid("aaaa3c1e-7d2b-7000-8000-000000000003").value();
const std::vector<candidate> all = {{first, "scout"}, {second, "builder"}, {third, "018f3c1e-7d2b"}};

} // namespace

BOOST_AUTO_TEST_SUITE(resolve)

BOOST_AUTO_TEST_CASE(a_unique_beginning_is_enough) {
    BOOST_TEST((choose("run", "018F3C1E-7D2A", all).value() == first));
    BOOST_TEST((choose("run", "aaaa", all).value() == third));
}

BOOST_AUTO_TEST_CASE(a_name_goes_before_a_beginning) {
    BOOST_TEST((choose("agent", "scout", all).value() == first));
    BOOST_TEST((choose("agent", "018f3c1e-7d2b", all).value() == third));
}

BOOST_AUTO_TEST_CASE(the_case_of_a_name_matters_only_when_both_are_there) {
    BOOST_TEST((choose("agent", "SCOUT", all).value() == first));
    BOOST_TEST((choose("task", "Scout", {{first, "scout"}, {second, "Scout"}}).value() == second));
    BOOST_TEST((choose("task", "SCOUT", {{first, "scout"}, {second, "Scout"}}).error().code == code::conflict));
}

BOOST_AUTO_TEST_CASE(an_ambiguous_beginning_lists_the_candidates) {
    const auto chosen = choose("run", "018f3c1e", all);
    BOOST_REQUIRE(!chosen);
    BOOST_TEST((chosen.error().code == code::conflict));
    BOOST_REQUIRE(chosen.error().errors.size() == 2U);
    BOOST_TEST(chosen.error().errors[0].pointer == to_string(first));
}

BOOST_AUTO_TEST_CASE(too_short_or_unknown_is_not_found) {
    BOOST_TEST((choose("run", "aaa", all).error().code == code::not_found));
    BOOST_TEST(choose("run", "aaa", all).error().detail.find("at least 4") != std::string::npos);
    BOOST_TEST((choose("run", "ffff", all).error().code == code::not_found));
    BOOST_TEST((choose("agent", "nobody", all).error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(short_ids_grow_until_they_differ) {
    BOOST_TEST(short_length({first, second}) == 13U);
    const auto twin = parse_uuid("018f3c1e-7d2a-7001-8000-000000000009").value();
    BOOST_TEST(short_length({first, twin}) == 18U);
    BOOST_TEST(short_id(first, 18) != short_id(twin, 18));
    BOOST_TEST(short_length({first, first}) == 36U);
}

BOOST_AUTO_TEST_SUITE_END()
