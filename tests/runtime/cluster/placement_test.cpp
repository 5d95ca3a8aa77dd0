#include "runtime/cluster/placement.hpp"
#include "runtime/cluster/shard_policy.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid id_of(std::uint64_t number) {
    uuid id;
    for (std::size_t i = 0; i < sizeof number; ++i) {
        id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    }
    return id;
}

std::vector<cluster_node> nodes(std::size_t count) {
    std::vector<cluster_node> out;
    for (std::size_t i = 1; i <= count; ++i) {
        out.push_back({.replica = id_of(i), .name = "n" + std::to_string(i)});
    }
    return out;
}

bool holds(const std::vector<uuid>& all, const uuid& id) { return std::ranges::find(all, id) != all.end(); }

/// How many copies each node has, and how many shards it owns.
struct balance {
    std::map<uuid, std::size_t> copies;
    std::map<uuid, std::size_t> owned;
};
balance balance_of(const std::vector<cluster_node>& all, std::uint32_t shards, std::size_t copies) {
    balance out;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        const auto placed = place(shard, all, copies);
        BOOST_REQUIRE(placed.size() == std::min(copies, all.size()));
        ++out.owned[placed.front()];
        for (const auto& id : placed) {
            ++out.copies[id];
        }
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(placement)

BOOST_AUTO_TEST_CASE(shards_are_spread_evenly) {
    for (const auto count : {3U, 5U, 16U}) {
        const auto b = balance_of(nodes(count), 4096, 3);
        const double copies = 4096.0 * 3 / count;
        const double owned = 4096.0 / count;
        for (const auto& n : nodes(count)) { // within five deviations
            BOOST_TEST(std::abs(static_cast<double>(b.copies.at(n.replica)) - copies) <= 5 * std::sqrt(copies));
            BOOST_TEST(std::abs(static_cast<double>(b.owned.at(n.replica)) - owned) <= 5 * std::sqrt(owned));
        }
    }
}

BOOST_AUTO_TEST_CASE(weights_are_shares) {
    auto all = nodes(4);
    all[0].weight = 3;
    const auto b = balance_of(all, 4096, 1);
    BOOST_TEST(static_cast<double>(b.owned.at(id_of(1))) > 4096 * 0.5 - 160);
    BOOST_TEST(static_cast<double>(b.owned.at(id_of(1))) < 4096 * 0.5 + 160);
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_takes_only_its_own_share) {
    const auto before = nodes(9);
    const auto after = nodes(10);
    std::size_t moved = 0;
    for (std::uint32_t shard = 0; shard < 4096; ++shard) {
        const auto old = place(shard, before, 3);
        for (const auto& id : place(shard, after, 3)) {
            const bool is_new = !holds(old, id);
            BOOST_TEST((!is_new || id == id_of(10)));
            moved += is_new ? 1 : 0;
        }
    }
    BOOST_TEST(moved > 4096 * 3 / 10 - 200U);
    BOOST_TEST(moved < 4096 * 3 / 10 + 200U);
}

BOOST_AUTO_TEST_CASE(who_drains_is_lost_or_has_no_weight_gets_nothing) {
    auto all = nodes(6);
    all[0].draining = true;
    all[1].lost = true;
    all[2].weight = 0;
    all[3].alive = false; // for a moment: it keeps what it has
    const auto b = balance_of(all, 256, 3);
    BOOST_TEST(b.copies.size() == 3U);
    BOOST_TEST(b.copies.contains(id_of(4)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(shard_policies)

namespace {

/// A cluster in which every step succeeds at once, or is only noted.
struct world {
    std::vector<cluster_node> all;
    cluster_rules rules;
    std::uint32_t shard = 7;
    storage::replication::replica_set set;
    uuid preferred = {};

    [[nodiscard]] shard_situation at(const uuid& self, bool takes) const {
        shard_situation s{.shard = shard, .self = self, .set = set, .takes = takes, .commit = 10, .durable_at = {}};
        s.durable_at = [](const uuid&) { return std::optional<std::uint64_t>(10); };
        s.preferred = preferred;
        return s;
    }
    [[nodiscard]] shard_step ask(const shard_situation& s) const { return next_step(s, all, rules); }

    /// The owner's steps until it wants nothing; how many.
    std::size_t settle() {
        for (std::size_t steps = 0; steps < 100; ++steps) {
            const auto voters = set.voters.size();
            const auto step = ask(at(set.leader, true));
            if (const auto* change = std::get_if<change_step>(&step)) {
                BOOST_TEST((change->voters.size() >= voters || voters > rules.copies));
                set = {set.epoch + 1, set.leader, change->voters, change->learners};
            } else if (const auto* next = std::get_if<hand_over_step>(&step)) {
                BOOST_TEST(holds(set.voters, next->to));
                ++set.epoch;
                set.leader = next->to;
            } else {
                return steps;
            }
        }
        BOOST_FAIL("it never comes to rest");
        return 0;
    }
    [[nodiscard]] std::vector<uuid> placed() const { return place(shard, all, rules.copies, preferred); }
    [[nodiscard]] bool is_placed() const {
        auto wanted = placed();
        auto is = set.voters;
        std::ranges::sort(wanted);
        std::ranges::sort(is);
        const bool followed = std::ranges::all_of(all, [this](const auto& n) {
            return n.lost || !n.alive || holds(set.voters, n.replica) || holds(set.learners, n.replica);
        });
        return wanted == is && followed && set.leader == placed().front() &&
               !is_displaced(shard, set, all, rules, preferred);
    }
    cluster_node& node(const uuid& id) { return *std::ranges::find(all, id, &cluster_node::replica); }
};

world settled_world(std::size_t count) {
    world w{.all = nodes(count), .rules = {}, .set = {1, id_of(1), {id_of(1)}, {}}};
    w.settle();
    BOOST_REQUIRE(w.is_placed());
    return w;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_cluster_grows_from_one_node) {
    for (const auto count : {1U, 2U, 3U, 5U}) {
        settled_world(count);
    }
}

BOOST_AUTO_TEST_CASE(what_rests_asks_for_nothing) {
    auto w = settled_world(5);
    BOOST_TEST(w.settle() == 0U);
    for (const auto& n : w.all) {
        BOOST_TEST((w.ask(w.at(n.replica, n.replica == w.set.leader)) == shard_step()));
    }
}

BOOST_AUTO_TEST_CASE(voters_take_turns_to_replace_an_owner) {
    auto w = settled_world(3);
    const auto order = w.placed();
    w.node(order[0]).alive = false;
    auto first = w.at(order[1], false);
    BOOST_TEST((w.ask(first) == shard_step(campaign_step{})));
    auto second = w.at(order[2], false);
    BOOST_TEST((w.ask(second) == shard_step()));
    second.ownerless_ms = w.rules.turn_ms;
    BOOST_TEST((w.ask(second) == shard_step(campaign_step{})));
    second.ownerless_ms = 0;
    w.node(order[1]).alive = false; // then nobody is before it
    BOOST_TEST((w.ask(second) == shard_step(campaign_step{})));
    BOOST_TEST((w.ask(w.at(id_of(9), false)) == shard_step())); // no voter
}

BOOST_AUTO_TEST_CASE(an_owner_that_starts_anew_campaigns_at_once) {
    auto w = settled_world(3);
    auto s = w.at(w.set.leader, false);
    BOOST_TEST((w.ask(s) == shard_step(campaign_step{})));
    s.candidate = true;
    BOOST_TEST((w.ask(s) == shard_step()));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_away_for_a_moment_keeps_its_copies) {
    auto w = settled_world(5);
    w.node(w.placed()[1]).alive = false;
    BOOST_TEST(w.settle() == 0U);
}

BOOST_AUTO_TEST_CASE(a_lost_node_is_replaced_before_it_goes) {
    auto w = settled_world(5);
    const auto gone = w.placed()[2];
    w.node(gone).alive = false;
    w.node(gone).lost = true;
    w.settle();
    BOOST_TEST(w.is_placed());
    BOOST_TEST(!holds(w.set.voters, gone));
}

BOOST_AUTO_TEST_CASE(without_another_node_a_lost_one_stays_a_voter) {
    auto w = settled_world(3);
    const auto gone = w.placed()[2];
    w.node(gone).alive = false;
    w.node(gone).lost = true;
    BOOST_TEST(w.settle() == 0U);
    BOOST_TEST(w.set.voters.size() == 3U);
}

BOOST_AUTO_TEST_CASE(who_drains_gives_away_what_it_owns_and_then_its_copies) {
    auto w = settled_world(4);
    const auto leaves = w.set.leader;
    w.node(leaves).draining = true;
    w.settle();
    BOOST_TEST(w.is_placed());
    BOOST_TEST(!holds(w.set.voters, leaves));

    auto small = settled_world(3); // nobody else could have the copies
    const auto owner = small.set.leader;
    small.node(owner).draining = true;
    small.settle();
    BOOST_TEST((small.set.leader != owner));
    BOOST_TEST(small.set.voters.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_learner_votes_when_it_has_what_is_committed) {
    auto w = settled_world(3);
    const auto learner = w.placed()[2];
    std::erase(w.set.voters, learner);
    w.set.learners = {learner};
    auto s = w.at(w.set.leader, true);
    s.durable_at = [&](const uuid& id) { return std::optional<std::uint64_t>(id == learner ? 9 : 10); };
    BOOST_TEST((w.ask(s) == shard_step()));
    s.durable_at = [](const uuid&) { return std::optional<std::uint64_t>(10); };
    BOOST_TEST((std::get<change_step>(w.ask(s)).voters.size() == 3U));
}

BOOST_AUTO_TEST_CASE(all_nodes_beyond_the_copies_follow_without_a_vote) {
    auto w = settled_world(5);
    BOOST_TEST(w.set.voters.size() == 3U);
    BOOST_TEST(w.set.learners.size() == 2U);
    w.node(w.set.learners[0]).alive = false; // for a moment
    BOOST_TEST(w.settle() == 0U);
    const auto gone = w.set.learners[0];
    w.node(gone).lost = true;
    w.settle();
    BOOST_TEST(!holds(w.set.learners, gone));
    BOOST_TEST(!holds(w.set.voters, gone));

    std::erase_if(w.all, [&](const auto& n) { return n.replica == w.set.learners[0]; }); // somebody removed it
    w.settle();
    BOOST_TEST(w.set.learners.empty());
}

BOOST_AUTO_TEST_CASE(a_voter_that_is_not_wanted_any_more_goes_on_following) {
    auto w = settled_world(4);
    const auto leaves = w.placed()[1];
    w.node(leaves).draining = true;
    w.settle();
    BOOST_TEST(w.is_placed());
    BOOST_TEST(holds(w.set.learners, leaves));
}

BOOST_AUTO_TEST_CASE(a_shard_that_was_moved_by_hand_is_led_there_while_that_node_is_up) {
    auto w = settled_world(5);
    for (const auto& to : {w.set.learners[0], w.set.voters[1]}) {
        w.preferred = to;
        BOOST_TEST(w.ask(w.at(w.set.leader, true)).index() != 0U);
        BOOST_TEST(is_displaced(w.shard, w.set, w.all, w.rules, w.preferred));
        w.settle();
        BOOST_TEST((w.set.leader == to));
        BOOST_TEST(w.is_placed());
    }
    const auto moved = w.preferred;
    w.node(moved).draining = true;
    w.settle();
    BOOST_TEST((w.set.leader != moved));
    w.node(moved).draining = false;
    w.settle();
    BOOST_TEST((w.set.leader == moved));
    w.preferred = id_of(9); // whom nobody knows
    w.settle();
    BOOST_TEST((w.set.leader == place(w.shard, w.all, 3).front()));
}

BOOST_AUTO_TEST_CASE(who_follows_without_a_vote_moves_only_while_it_is_far_behind) {
    auto w = settled_world(4);
    const auto follower = w.set.learners.front();
    auto s = w.at(w.set.leader, true);
    s.commit = 5000;
    std::optional<std::uint64_t> reached = 4500;
    s.durable_at = [&](const uuid& id) { return id == follower ? reached : std::optional<std::uint64_t>(5000); };
    BOOST_TEST(!is_moving(s, w.all, w.rules));
    reached = 3500;
    BOOST_TEST(is_moving(s, w.all, w.rules));
    reached = std::nullopt;
    BOOST_TEST(is_moving(s, w.all, w.rules));
    w.node(follower).alive = false; // nobody waits for it
    BOOST_TEST(!is_moving(s, w.all, w.rules));
}

BOOST_AUTO_TEST_CASE(nobody_is_removed_whom_a_majority_needs) {
    auto w = settled_world(5);
    // Four voters, two of them down: the surplus one is up.
    const auto order = w.placed();
    const auto spare = std::ranges::find_if(w.all, [&](const auto& n) { return !holds(order, n.replica); })->replica;
    w.set.voters.push_back(spare);
    w.node(order[1]).alive = false;
    w.node(order[2]).alive = false;
    BOOST_TEST((w.ask(w.at(w.set.leader, true)) == shard_step()));
}

BOOST_AUTO_TEST_CASE(nothing_new_moves_over_the_bound) {
    world w{.all = nodes(3), .rules = {}, .set = {1, id_of(1), {id_of(1)}, {}}};
    auto s = w.at(id_of(1), true);
    s.may_move = false;
    BOOST_TEST((w.ask(s) == shard_step()));
}

BOOST_AUTO_TEST_CASE(few_copies_acknowledge_nothing) {
    BOOST_TEST(!has_quorum_of_copies(1, {.copies = 3}));
    BOOST_TEST(has_quorum_of_copies(2, {.copies = 3}));
    BOOST_TEST(has_quorum_of_copies(1, {.copies = 1}));
    BOOST_TEST(!has_quorum_of_copies(2, {.copies = 5}));
}

BOOST_AUTO_TEST_SUITE_END()
