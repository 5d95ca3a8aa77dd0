#include "actors/audit/sink_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(audit_sink_entity)

BOOST_FIXTURE_TEST_CASE(positions_move_on_by_shard_and_never_back, entity<sink_model>) {
    accepted(note_delivered{{{7, 10, {1000}}, {3, 4, {900}}}});
    accepted(note_delivered{{{7, 12, {1100}}}});
    BOOST_TEST(accepted(note_delivered{{{7, 11, {1050}}, {3, 4, {900}}}}).empty());
    const auto shown = document<audit_sink_state>();
    BOOST_REQUIRE(shown.positions.size() == 2U);
    BOOST_TEST(shown.positions[0].shard == 3U);
    BOOST_TEST(shown.positions[0].seq == 4U);
    BOOST_TEST(shown.positions[1].seq == 12U);
    BOOST_TEST(shown.positions[1].time.ms == 1100);
}

BOOST_AUTO_TEST_CASE(another_place_begins_anew) {
    BOOST_TEST((audit_sink_address("https://a") != audit_sink_address("https://b")));
    BOOST_TEST((audit_sink_address("https://a") == audit_sink_address("https://a")));
}

BOOST_AUTO_TEST_SUITE_END()
