#include "tests/runtime/cluster/small_nodes.hpp"

using namespace troupe;
using namespace troupe::test;

BOOST_FIXTURE_TEST_SUITE(clustered_committers, three_nodes)

BOOST_AUTO_TEST_CASE(they_join_and_own_all_shards_between_them) {
    place_all();
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        BOOST_TEST(std::ranges::count_if(nodes, [&](auto& n) { return n->owned[shard]; }) == 1);
    }
}

BOOST_AUTO_TEST_CASE(an_append_is_answered_after_a_majority_and_an_activation_waits_for_it) {
    place_all();
    const auto a = entity();
    auto& owner = *shower_of(0);
    std::size_t told = 0;
    owner.services.on_committed = [&](const auto& records) { told += records.size(); };
    const auto first = activate(owner, a);
    BOOST_REQUIRE(first->has_value() && (*first)->has_value());
    all.net.cut.insert(owner.replica);
    const auto done = append(owner, a, ***first);
    const auto second = activate(owner, a);
    BOOST_TEST(!done->has_value());
    BOOST_TEST(!second->has_value());
    BOOST_TEST(told == 0u);
    all.net.plug_in(owner.replica); // and it sends again what was lost
    settle();
    BOOST_REQUIRE(done->has_value());
    BOOST_TEST((*done)->has_value());
    BOOST_TEST(told == 1u);
    BOOST_REQUIRE(second->has_value() && (*second)->has_value());
    BOOST_TEST((*second)->value().version == 1u);
    for (const auto& n : nodes) {
        BOOST_TEST((log_of(*n->store, 0).back().command_id == "c1"));
    }
}

BOOST_AUTO_TEST_CASE(who_does_not_own_a_shard_refuses) {
    place_all();
    const auto a = entity();
    auto& other = **std::ranges::find_if(nodes, [](auto& n) { return !n->owned[0]; });
    const auto active = activate(other, a);
    BOOST_REQUIRE(active->has_value() && (*active)->has_error());
    BOOST_TEST(((*active)->error().code == code::unavailable));
    const auto done = append(other, a, {});
    BOOST_REQUIRE(done->has_value() && (*done)->has_error());
    BOOST_TEST(((*done)->error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(shards_of_one_that_goes_away_are_taken_by_others) {
    place_all();
    const auto a = entity();
    write(a);
    auto& gone = *shower_of(0);
    gone.vanish();
    until("the others own every shard", [&] {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            if (shower_of(shard) == nullptr) {
                return false;
            }
        }
        return true;
    });
    auto& owner = *shower_of(0);
    BOOST_TEST(&owner != &gone);
    const auto active = activate(owner, a);
    BOOST_REQUIRE(active->has_value() && (*active)->has_value());
    BOOST_TEST((*active)->value().version == 1u); // what was answered is there
    write(a);
}

BOOST_AUTO_TEST_CASE(an_append_in_flight_ends_with_the_ownership) {
    place_all();
    const auto a = entity();
    auto& owner = *shower_of(0);
    const auto first = activate(owner, a);
    all.net.cut.insert(owner.replica);
    const auto done = append(owner, a, ***first);
    const auto second = activate(owner, a);
    owner.agreed->keep_alive(false);
    until("it hears of its successor", [&] { return done->has_value(); });
    BOOST_REQUIRE((*done)->has_error());
    BOOST_TEST(((*done)->error().code == code::unknown_outcome));
    BOOST_TEST(!owner.owned[0]);
    BOOST_REQUIRE(second->has_value() && (*second)->has_error());
    BOOST_TEST(((*second)->error().code == code::unavailable));
}

// News of the new lease come in one burst with those of who took the shards meanwhile: `run_actors` sees whether two
// nodes show one.
BOOST_AUTO_TEST_CASE(a_new_lease_counts_only_when_it_was_told_which_shards_are_lost) {
    place_all();
    auto& before = *shower_of(0);
    all.net.cut.insert(before.replica);
    before.agreed->keep_alive(false);
    until("its lease is over", [&] { return !has_key(alive_key(before.settings.self.name)); });
    before.hears = false;
    before.agreed->keep_alive(true);
    before.news.run_some(1); // that it is over
    until("another one shows its shard", [&] { return shower_of(0) != nullptr; });
    BOOST_TEST(shower_of(0) != &before);
    BOOST_TEST(before.owned[0]); // as far as it knows
    before.news.run_some(1);     // the new one: it joins again
    settle();
    before.hears = true;
    settle();
    BOOST_TEST(!before.owned[0]);
    BOOST_TEST(before.services.serves_until_ms > all.now_ms);
}

BOOST_AUTO_TEST_CASE(who_is_there_again_keeps_its_shards_though_others_have_not_heard_of_it) {
    place_all();
    auto& owner = *shower_of(0);
    all.net.cut.insert(owner.replica);
    owner.agreed->keep_alive(false);
    until("its lease is over", [&] { return !has_key(alive_key(owner.settings.self.name)); });
    for (auto& n : nodes) {
        n->hears = n.get() == &owner;
    }
    owner.agreed->keep_alive(true);
    settle();
    BOOST_TEST(owner.shows(0));
    owner.hears = false; // not of a successor either
    for (int i = 0; i < 10; ++i) {
        step(); // the others believe it gone
    }
    for (auto& n : nodes) {
        n->hears = n.get() != &owner;
    }
    for (int i = 0; i < 20; ++i) {
        step();
    }
    BOOST_TEST(owner.shows(0));
}

BOOST_AUTO_TEST_CASE(a_node_of_another_cluster_is_turned_away) {
    place_all();
    nodes.push_back(std::make_unique<small_node>(3, all, 2));
    settle();
    BOOST_REQUIRE(nodes.back()->turned.has_value());
    BOOST_TEST((nodes.back()->turned->code == code::config_invalid));
    BOOST_TEST(nodes.back()->services.serves_until_ms == 0);
}

BOOST_AUTO_TEST_SUITE_END()
