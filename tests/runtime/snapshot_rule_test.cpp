#include "runtime/entity/snapshot_rule.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::runtime;

BOOST_AUTO_TEST_SUITE(snapshot_rule)

BOOST_AUTO_TEST_CASE(a_snapshot_is_due_by_events_or_by_bytes) {
    const host_settings by;
    BOOST_TEST(!is_snapshot_due(by, by.snapshot_events - 1, 1000, 100));
    BOOST_TEST(is_snapshot_due(by, by.snapshot_events, 1000, 100));
    BOOST_TEST(is_snapshot_due(by, 1, by.snapshot_bytes, 100));
    BOOST_TEST(!is_snapshot_due(by, 1, by.snapshot_bytes, 2 * by.snapshot_bytes)); // a large state waits for as much
}

BOOST_AUTO_TEST_CASE(what_snapshots_of_a_growing_state_take_stays_linear) {
    // A life whose state is all that ever came, as a conversation's.
    const host_settings by;
    for (const std::uint64_t life : {10'000u, 100'000u}) {
        std::uint64_t state = 0, written = 0, last = 0, since = 0, events = 0;
        for (std::uint64_t n = 0; n < life; ++n) {
            state += 500;
            since += 500;
            if (is_snapshot_due(by, ++events, since, last)) {
                written += last = state;
                since = events = 0;
            }
        }
        BOOST_TEST(written < 4 * state, life);
    }
}

BOOST_AUTO_TEST_SUITE_END()
