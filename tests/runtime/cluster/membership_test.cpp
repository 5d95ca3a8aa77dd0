// What a membership refuses. Its work with others: tests/system/cluster_test.py.

#include "runtime/cluster/membership.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

cluster_node node(std::string name, bool alive, bool draining) {
    return {make_uuid(), std::move(name), 1, alive, draining, false};
}

} // namespace

BOOST_AUTO_TEST_SUITE(membership_suite)

BOOST_AUTO_TEST_CASE(shards_go_to_nodes_that_are_known_and_up_and_not_drained) {
    const std::vector nodes{node("n1", true, false), node("n2", true, true), node("n3", false, false)};
    BOOST_TEST(check_leads(nodes, "n1").has_value());
    const auto drained = check_leads(nodes, "n2");
    BOOST_REQUIRE(drained.has_error());
    BOOST_TEST((drained.error().code == code::conflict));
    BOOST_TEST(drained.error().detail.find("being drained") != std::string::npos);
    const auto down = check_leads(nodes, "n3");
    BOOST_REQUIRE(down.has_error());
    BOOST_TEST((down.error().code == code::conflict));
    const auto unknown = check_leads(nodes, "n4");
    BOOST_REQUIRE(unknown.has_error());
    BOOST_TEST((unknown.error().code == code::not_found));
    BOOST_TEST(unknown.error().detail.find("no node \"n4\"") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
