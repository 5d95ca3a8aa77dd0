// When a blob counts as being at a majority. With stores and links: blob_exchange_test.cpp.

#include "runtime/cluster/blob_spreads.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid node(std::uint8_t n) {
    uuid out;
    out.bytes[15] = n;
    return out;
}

struct world {
    blob_members members{3, {node(2), node(3)}};
    int offers = 0;
    std::int64_t now = 1000;
    blob_spreads s{spread_ports{[this]() -> const blob_members& { return members; },
                                [this](const uuid&, const storage::blob_id&) { ++offers; }}};
    storage::blob_id id;

    std::shared_ptr<std::optional<bool>> begin() {
        auto out = std::make_shared<std::optional<bool>>();
        s.begin(
            id, [out](const expected<void>& what) { *out = what.has_value(); }, now);
        return out;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_blob_spreads)

BOOST_AUTO_TEST_CASE(what_others_said_of_an_earlier_put_does_not_count) {
    world w;
    const auto first = w.begin();
    w.s.on_stored(node(2), w.id, w.now);
    w.s.go_on(w.now += blob_spreads::others_wait_ms);
    BOOST_TEST((*first == true));
    BOOST_TEST(w.s.outstanding() == 1u); // the third node gets it, too
    const auto again = w.begin();
    BOOST_TEST(!again->has_value());
    BOOST_TEST(w.offers == 4);
    w.s.on_stored(node(3), w.id, w.now);
    w.s.go_on(w.now += blob_spreads::others_wait_ms);
    BOOST_TEST((*again == true));
}

BOOST_AUTO_TEST_CASE(whoever_is_connected_is_waited_for_a_moment_and_who_is_not_is_not) {
    world w;
    const auto said = w.begin();
    w.s.on_stored(node(2), w.id, w.now);
    BOOST_TEST(!said->has_value()); // a command that names it may be the third one's to decide
    w.s.on_stored(node(3), w.id, w.now);
    BOOST_TEST((*said == true));
    BOOST_TEST(w.s.outstanding() == 0u);
    w.members.up = {node(2)};
    const auto with_two = w.begin();
    w.s.on_stored(node(2), w.id, w.now);
    BOOST_TEST((*with_two == true));
}

BOOST_AUTO_TEST_CASE(a_large_blob_may_take_its_time_as_long_as_somebody_takes_it) {
    world w;
    const auto said = w.begin();
    w.now += blob_spreads::wait_max_ms - 1;
    w.s.on_want(w.id, w.now);
    w.now += blob_spreads::wait_max_ms - 1;
    w.s.go_on(w.now);
    BOOST_TEST(!said->has_value());
    w.now += 1;
    w.s.go_on(w.now);
    BOOST_TEST((*said == false));
    w.now += blob_spreads::keep_ms;
    w.s.go_on(w.now);
    BOOST_TEST(w.s.outstanding() == 0u);
}

BOOST_AUTO_TEST_CASE(nobody_knows_a_majority_before_the_members_are_known) {
    world w;
    w.members = {};
    const auto said = w.begin();
    BOOST_TEST(!said->has_value());
    w.members = {1, {}};
    w.s.go_on(w.now);
    BOOST_TEST((*said == true));
    BOOST_TEST(w.s.outstanding() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
