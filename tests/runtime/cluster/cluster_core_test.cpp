// A node's part in its cluster, input by input. Whole clusters are in cluster_simulation.cpp.

#include "runtime/cluster/cluster_view.hpp"
#include "tests/runtime/cluster/core_fixture.hpp"

using namespace core_fixture;
using storage::replication::replica_set;

BOOST_AUTO_TEST_SUITE(cluster_cores)

BOOST_AUTO_TEST_CASE(the_first_node_founds_the_cluster) {
    host h;
    h.core.on_map({}, 1, h.out);
    BOOST_TEST(h.out.empty()); // it has no lease yet
    h.core.on_lease({lease_id, 5000}, h.out);
    const auto what = h.one<commit_wanted>().what;
    BOOST_TEST(has(what, config_key, 0));
    BOOST_TEST(has(what, "members/n1", 0));
    BOOST_TEST(writes(what, config_key));
    BOOST_TEST(writes(what, "members/n1"));
    BOOST_TEST(writes(what, "alive/n1", true));
    BOOST_TEST(!h.core.joined());
}

BOOST_AUTO_TEST_CASE(a_founder_makes_every_register_once) {
    auto h = joined();
    h.tick(0);
    BOOST_TEST(h.take<create_shard>().size() == 2U);
    h.core.on_register_wanted(0, {1, a, {a}, {}}, 0, h.out);
    const auto asked = h.one<commit_wanted>();
    BOOST_TEST(has(asked.what, "shards/0000", 0));
    h.tick(50);
    BOOST_TEST(h.one<create_shard>().shard == 1U); // the other one is under way
    h.core.on_committed(asked.id, transaction_result{true, 12, {}}, h.out);
    BOOST_TEST((h.one<register_changed>().set == replica_set{1, a, {a}, {}}));
    BOOST_TEST(h.one<register_answered>().applied.value());
}

BOOST_AUTO_TEST_CASE(who_did_not_found_makes_no_register) {
    auto other = config();
    other.founder = b;
    host h;
    h.show({config_entry(other), member("n2", b, 4), alive("n2", b, 4)});
    const auto asked = h.one<commit_wanted>();
    h.core.on_changes(asked.what.then, 11, h.out);
    h.core.on_committed(asked.id, transaction_result{true, 11, {}}, h.out);
    h.tick(0);
    BOOST_TEST(h.take<create_shard>().empty());
    BOOST_TEST((h.core.nodes().size() == 2));
}

BOOST_AUTO_TEST_CASE(a_node_of_another_configuration_is_turned_away_with_what_differs) {
    const auto refused = [](config_value theirs, std::string_view word) {
        host h;
        h.show({config_entry(theirs)});
        const auto why = h.one<turned_away>().why;
        BOOST_TEST((why.code == code::config_invalid));
        BOOST_TEST(why.detail.find(word) != std::string::npos, why.detail);
        BOOST_TEST(h.take<commit_wanted>().empty());
        h.tick(0);
        BOOST_TEST(h.out.empty()); // it has said so
    };
    auto c = config();
    c.cluster = id_of(98);
    refused(c, "the id");
    c = config();
    c.shards = 256;
    refused(c, "256");
    c = config();
    c.hash_seed = 7;
    refused(c, "xxh64 7");
    c = config();
    c.copies = 5;
    refused(c, "copies");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_taken_is_refused) {
    host h;
    h.show({config_entry(), member("n1", b, 4)});
    const auto why = h.one<turned_away>().why;
    BOOST_TEST((why.code == code::conflict));
    BOOST_TEST(why.detail.find("n1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_an_empty_directory_joins) {
    auto other = config();
    other.founder = b;
    auto s = settings();
    s.is_new = false;
    host stranger(s);
    stranger.show({config_entry(other)});
    BOOST_TEST((stranger.one<turned_away>().why.code == code::conflict));
    host known(s);
    known.show({config_entry(other), member("n1", a, 4)});
    BOOST_TEST(known.take<turned_away>().empty());
    BOOST_TEST(known.take<commit_wanted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(all_wait_for_the_founder_that_the_file_names) {
    auto s = settings();
    s.founder = b;
    host h(s);
    h.show({});
    h.tick(1);
    BOOST_TEST(h.out.empty());
    auto theirs = config();
    theirs.founder = b;
    h.core.on_changes({{std::string(config_key), to_json(theirs), false}}, 11, h.out);
    BOOST_TEST(writes(h.one<commit_wanted>().what, "members/n1"));
}

BOOST_AUTO_TEST_CASE(a_founder_with_data_writes_the_config_when_all_else_is_there) {
    bool ready = false;
    auto s = settings();
    s.founder = a;
    s.founds = true;
    s.is_new = false;
    s.may_found = [&] { return ready; };
    host h(s);
    h.show({});
    h.tick(1);
    BOOST_TEST(h.out.empty());
    ready = true;
    h.tick(2);
    const auto what = h.one<commit_wanted>().what;
    BOOST_TEST(has(what, "config", 0));
    BOOST_TEST(writes(what, "config"));

    host late(s);
    auto theirs = config();
    theirs.founder = b;
    late.show({config_entry(theirs)});
    BOOST_TEST(late.one<turned_away>().why.detail.find("a prefix of its own") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_directory_with_data_makes_no_map_that_is_gone) {
    auto s = settings();
    s.founder = a; // it has, once
    s.is_new = false;
    host h(s);
    h.show({});
    BOOST_TEST(h.one<turned_away>().why.detail.find("knows nothing of this cluster") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_restart_takes_its_key_over_from_the_life_before) {
    host h;
    h.show({config_entry(), member("n1", a, 4), alive("n1", a, 5)}); // of another incarnation
    const auto what = h.one<commit_wanted>().what;
    BOOST_TEST(has(what, "members/n1", 4));
    BOOST_TEST(writes(what, "alive/n1", true));
    BOOST_TEST(!h.core.joined());
}

BOOST_AUTO_TEST_CASE(a_register_is_swapped_only_if_nobody_was_faster) {
    auto h = joined();
    h.core.on_changes({{shard_key(1), encode_register({4, b, {a, b}, {}}), false}}, 20, h.out);
    BOOST_TEST(h.one<register_changed>().shard == 1U);
    h.core.on_register_wanted(1, {5, a, {a, b}, {}}, 4, h.out);
    const auto asked = h.one<commit_wanted>();
    BOOST_REQUIRE(asked.what.when.size() == 1);
    BOOST_TEST(has(asked.what, "shards/0001", 20));

    const entry theirs{shard_key(1), encode_register({5, b, {a, b}, {}}), 21};
    h.core.on_committed(asked.id, transaction_result{false, 22, {theirs}}, h.out);
    BOOST_TEST((h.one<register_changed>().set.leader == b)); // before the answer
    BOOST_TEST(!h.one<register_answered>().applied.value());

    h.core.on_register_wanted(1, {5, a, {a, b}, {}}, 4, h.out); // it is known to be too late
    BOOST_TEST(h.take<commit_wanted>().empty());
    BOOST_TEST(!h.one<register_answered>().applied.value());
}

BOOST_AUTO_TEST_CASE(a_leader_that_is_gone_is_replaced_only_while_it_is_gone) {
    auto h = joined();
    const auto back = change{alive_key("n2"), alive("n2", b, 0).value, false};
    h.core.on_changes({{member_key("n2"), member("n2", b, 0).value, false},
                       back,
                       {shard_key(1), encode_register({4, b, {a, b}, {}}), false}},
                      20, h.out);
    h.out.clear();
    h.core.on_register_wanted(1, {5, a, {a, b}, {}}, 4, h.out); // as it was asked to
    auto asked = h.one<commit_wanted>();
    BOOST_TEST(asked.what.when.size() == 1U);
    h.core.on_committed(asked.id, transaction_result{false, 20, {}}, h.out);

    h.core.on_changes({{alive_key("n2"), std::nullopt, false}}, 21, h.out);
    h.tick(0);
    h.tick(5000);
    h.out.clear();
    h.core.on_register_wanted(1, {5, a, {a, b}, {}}, 4, h.out);
    asked = h.one<commit_wanted>();
    BOOST_TEST(has(asked.what, "alive/n2", 0));
    h.core.on_committed(asked.id, problem{code::unknown_outcome, "no answer"}, h.out);
    h.core.on_changes({back}, 22, h.out);
    h.core.on_register_wanted(1, {5, a, {a, b}, {}}, 4, h.out); // once more
    BOOST_TEST(has(h.one<commit_wanted>().what, "alive/n2", 0));
}

BOOST_AUTO_TEST_CASE(nobody_knows_what_became_of_a_lost_answer) {
    auto h = joined();
    h.core.on_register_wanted(0, {1, a, {a}, {}}, 0, h.out);
    h.core.on_committed(h.one<commit_wanted>().id, problem{code::unknown_outcome, "no answer"}, h.out);
    BOOST_TEST(!h.one<register_answered>().applied.has_value());
}

BOOST_AUTO_TEST_CASE(an_older_register_changes_nothing) {
    auto h = joined();
    h.core.on_changes({{shard_key(0), encode_register({4, b, {a, b}, {}}), false}}, 20, h.out);
    h.core.on_changes({{shard_key(0), encode_register({3, a, {a, b}, {}}), false}}, 19, h.out);
    BOOST_TEST(h.core.shard(0).epoch == 4U);
    h.core.on_changes({{shard_key(0), "no register", false}, {"shards/9999", "{}", false}}, 21, h.out);
    BOOST_TEST(h.core.shard(0).epoch == 4U);
}

BOOST_AUTO_TEST_CASE(a_lease_counts_when_all_is_known_that_came_before_its_key) {
    auto h = joined();
    BOOST_TEST(h.core.serves_until_ms() == 5000);
    h.core.on_lease({lease_id, 6000}, h.out); // extended
    BOOST_TEST(h.core.serves_until_ms() == 6000);
    h.core.on_lease({0, 0}, h.out);
    BOOST_TEST(h.core.serves_until_ms() == 0);
    h.core.on_lease({6, 9000}, h.out); // a new one: others may have what was its
    BOOST_TEST(h.core.serves_until_ms() == 0);
    const auto asked = h.one<commit_wanted>();
    h.core.on_committed(asked.id, transaction_result{true, 40, {}}, h.out);
    BOOST_TEST(h.core.serves_until_ms() == 0);
    h.core.on_changes(asked.what.then, 40, h.out);
    BOOST_TEST(h.core.serves_until_ms() == 9000);
}

BOOST_AUTO_TEST_CASE(a_join_that_failed_is_tried_again) {
    host h;
    h.show({config_entry()});
    h.core.on_committed(h.one<commit_wanted>().id, problem{code::unavailable, "no quorum"}, h.out);
    BOOST_TEST(h.out.empty());
    h.tick(50);
    BOOST_TEST(h.take<commit_wanted>().size() == 1U);
    h.tick(100);
    BOOST_TEST(h.out.empty()); // it is under way
}

BOOST_AUTO_TEST_CASE(a_join_that_was_refused_learns_what_stood_in_its_way) {
    host h;
    h.show({config_entry()});
    const auto asked = h.one<commit_wanted>();
    BOOST_TEST(has(asked.what, config_key, 3));
    auto found = config_entry();
    found.revision = 7;
    h.core.on_committed(asked.id, transaction_result{false, 12, {found, member("n1", a, 9)}}, h.out);
    h.tick(50);
    const auto again = h.one<commit_wanted>();
    BOOST_TEST(has(again.what, config_key, 7));
    BOOST_TEST(has(again.what, member_key("n1"), 9));
}

BOOST_AUTO_TEST_CASE(more_nodes_than_may_be_do_not_join) {
    for (const std::size_t most : {1, 2}) {
        auto mine = settings();
        mine.members_max = most;
        host h(mine);
        h.show({config_entry({the_cluster, 2, "xxh64", 0, 3, b}), member("n2", b, 4)});
        BOOST_TEST(h.take<turned_away>().size() == (most == 1 ? 1U : 0U));
    }
}

BOOST_AUTO_TEST_CASE(a_pin_counts_until_it_is_taken_back) {
    auto h = joined();
    BOOST_TEST((h.core.pin(1) == uuid()));
    h.core.on_changes({{pin_key(1), to_json(pin_value{b}), false}}, 21, h.out);
    BOOST_TEST((h.core.pin(1) == b));
    h.core.on_changes({{pin_key(9), to_json(pin_value{b}), false}}, 22, h.out); // no such shard
    h.core.on_changes({{pin_key(1), std::nullopt, false}}, 23, h.out);
    BOOST_TEST((h.core.pin(1) == uuid()));
    h.core.on_changes({{pin_key(1), "{\"leader\":", false}}, 24, h.out); // written by hand
    BOOST_TEST((h.core.pin(1) == uuid()));
    h.core.on_changes({{pin_key(0), to_json(pin_value{b}), false}}, 25, h.out);
    h.core.on_map({config_entry()}, 30, h.out); // it went while the watch was broken
    BOOST_TEST((h.core.pin(0) == uuid()));
}

BOOST_AUTO_TEST_CASE(commands_are_taken_where_a_majority_of_the_copies_that_are_wanted_is_alive) {
    auto h = joined();
    const auto c = id_of(3);
    std::uint64_t revision = 20;
    const auto change = [&](std::string key, std::optional<std::string> value) {
        h.core.on_changes({{std::move(key), std::move(value), false}}, ++revision, h.out);
    };
    change(shard_key(0), encode_register({1, a, {a}, {}}));
    BOOST_TEST(!h.core.takes_commands(0)); // one copy of three
    change(member_key("n2"), member("n2", b, 0).value);
    change(member_key("n3"), member("n3", c, 0).value);
    change(shard_key(0), encode_register({2, a, {a, b, c}, {}}));
    BOOST_TEST(!h.core.takes_commands(0)); // who is alive is alone
    change(alive_key("n2"), alive("n2", b, 0).value);
    BOOST_TEST(h.core.takes_commands(0));
    const auto view = view_of(h.core, 4000);
    BOOST_TEST((view.summary.status == cluster_status::partial)); // the other shard has no register
    BOOST_TEST(view.summary.shards_closed == 1u);
    BOOST_TEST(view.summary.lease_left_ms == 1000);
    BOOST_REQUIRE(view.summary.nodes.size() == 3u);
    BOOST_TEST((view.summary.nodes[2].status == cluster_node_status::down));
    BOOST_TEST(view.summary.nodes[0].shards_led == 1u);
    BOOST_TEST(view.shards[0].open);
    BOOST_TEST(view.shards[0].leader == "n1");
    BOOST_TEST(view.shards[0].voters == (std::vector<std::string>{"n1", "n2", "n3"}), boost::test_tools::per_element());
    change(shard_key(1), encode_register({1, b, {a, b, c}, {}}));
    BOOST_TEST((view_of(h.core, 4000).summary.status == cluster_status::degraded));
    change(alive_key("n3"), alive("n3", c, 0).value);
    BOOST_TEST((view_of(h.core, 9000).summary.status == cluster_status::ok));
    change(alive_key("n2"), std::nullopt);
    change(alive_key("n3"), std::nullopt);
    BOOST_TEST(!h.core.takes_commands(0));
}

BOOST_AUTO_TEST_CASE(peers_are_all_members_but_this_node) {
    auto h = joined();
    h.core.on_changes({{member_key("n2"), member("n2", b, 0).value, false}}, 20, h.out);
    const auto peers = h.one<peers_changed>().peers;
    BOOST_REQUIRE(peers.size() == 1);
    BOOST_TEST((peers[0] == peer_place{b, "n2", "10.0.0.2", 7118}));
    h.core.on_changes({{alive_key("n2"), alive("n2", b, 0).value, false}}, 21, h.out);
    BOOST_TEST(h.take<peers_changed>().empty());
    h.core.on_changes({{member_key("n2"), std::nullopt, false}}, 22, h.out);
    BOOST_TEST(h.one<peers_changed>().peers.empty());
}

BOOST_AUTO_TEST_CASE(who_is_away_for_long_is_lost_and_found_when_it_comes_back) {
    auto h = joined();
    h.core.on_changes({{member_key("n2"), member("n2", b, 0).value, false}}, 20, h.out);
    const auto second = [&] { return *std::ranges::find(h.core.nodes(), b, &cluster_node::replica); };
    h.tick(100);
    BOOST_TEST(!second().alive);
    BOOST_TEST(!second().lost);
    h.tick(1100);
    BOOST_TEST(second().lost);
    h.core.on_changes({{alive_key("n2"), alive("n2", b, 0).value, false}}, 21, h.out);
    h.tick(1200);
    BOOST_TEST(second().alive);
    BOOST_TEST(!second().lost);
    h.core.on_changes({{alive_key("n2"), std::nullopt, false}}, 22, h.out);
    h.tick(1300);
    BOOST_TEST(!second().lost); // its time begins anew
}

BOOST_AUTO_TEST_CASE(keys_of_contents_are_not_its_business) {
    auto h = joined();
    const auto key = content_key(1);
    const auto subject = subject_key(b);
    h.core.on_changes({{key, encode_content_key({1, b, "wrapped", {}})}, {subject, to_json(subject_value{1})}}, 12,
                      h.out);
    h.core.on_changes({{key, std::nullopt}, {subject, std::nullopt}}, 13, h.out);
    BOOST_TEST(h.out.empty());
    BOOST_TEST(h.core.joined());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(isolated_nodes)

namespace {

/// `n1` with others that are alive.
struct beside_others : host {
    explicit beside_others(std::vector<uuid> them) : host(joined()), others(std::move(them)) {
        for (std::size_t i = 0; i < others.size(); ++i) {
            const auto name = "n" + std::to_string(i + 2);
            core.on_changes({{member_key(name), member(name, others[i], 0).value, false},
                             {alive_key(name), alive(name, others[i], 0).value, true}},
                            20 + i, out);
            core.on_peer(others[i], true);
        }
        tick(0);
        out.clear();
    }
    void lose(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            core.on_peer(others[i], false);
        }
    }
    /// Long enough that it may leave; whether it does.
    bool leaves() {
        tick(1000);
        tick(1000 + core.settings().isolated_ms - 1);
        BOOST_TEST(!core.isolated());
        tick(1000 + core.settings().isolated_ms);
        return core.isolated();
    }
    std::vector<uuid> others;
};

} // namespace

BOOST_AUTO_TEST_CASE(who_reaches_too_few_of_those_that_are_alive_leaves_and_comes_back) {
    beside_others h({b, id_of(3)});
    BOOST_TEST(h.core.serves_until_ms() == 5000);
    h.lose(2);
    BOOST_TEST(h.leaves());
    BOOST_TEST(h.core.serves_until_ms() == 0);
    const auto left = h.one<commit_wanted>();
    BOOST_TEST(has(left.what, "alive/n1", 11)); // that of this life, and no later one
    BOOST_TEST((left.what.then == std::vector<change>{{"alive/n1", std::nullopt, false}}));
    h.tick(1600);
    BOOST_TEST(h.take<commit_wanted>().empty()); // it is under way
    h.core.on_committed(left.id, problem{code::unknown_outcome, "?"}, h.out);
    h.tick(1650);
    const auto again = h.one<commit_wanted>();
    h.core.on_changes(again.what.then, 30, h.out);
    h.core.on_committed(again.id, transaction_result{true, 30, {}}, h.out);
    BOOST_TEST(!h.core.joined());
    h.core.on_lease({lease_id + 1, 9000}, h.out);
    h.tick(1700);
    BOOST_TEST(h.take<commit_wanted>().empty()); // as long as it is alone

    h.core.on_peer(b, true);
    h.tick(1750);
    const auto back = h.one<commit_wanted>();
    BOOST_TEST(writes(back.what, "alive/n1", true));
    h.core.on_changes(back.what.then, 31, h.out);
    h.core.on_committed(back.id, transaction_result{true, 31, {}}, h.out);
    BOOST_TEST(h.core.serves_until_ms() == 9000);
}

BOOST_AUTO_TEST_CASE(who_comes_back_before_its_key_is_gone_writes_it_anew) {
    beside_others h({b, id_of(3)});
    h.lose(2);
    BOOST_TEST(h.leaves());
    const auto left = h.one<commit_wanted>();
    h.core.on_peer(b, true);
    h.tick(1600);
    BOOST_TEST(h.take<commit_wanted>().empty());
    h.core.on_committed(left.id, transaction_result{false, 30, {}}, h.out);
    h.tick(1650);
    BOOST_TEST(writes(h.one<commit_wanted>().what, "alive/n1", true));
    BOOST_TEST(h.core.serves_until_ms() == 0); // until that is done
}

BOOST_AUTO_TEST_CASE(a_majority_stays_and_so_does_half_of_them_with_the_first_one) {
    beside_others most({b, id_of(3)});
    most.lose(1);
    BOOST_TEST(!most.leaves());

    beside_others half({b, id_of(3), id_of(4)}); // n1 is the first one
    half.lose(2);
    BOOST_TEST(!half.leaves());

    beside_others other_half({uuid(), id_of(3), id_of(4)}); // one before it, which it does not reach
    other_half.lose(2);
    BOOST_TEST(other_half.leaves());
}

BOOST_AUTO_TEST_CASE(who_is_not_alive_is_not_missed) {
    beside_others h({b, id_of(3)});
    for (const auto* name : {"n2", "n3"}) {
        h.core.on_changes({{alive_key(name), std::nullopt, false}}, 40, h.out);
    }
    h.lose(2);
    BOOST_TEST(!h.leaves());
}

BOOST_AUTO_TEST_CASE(one_that_was_never_connected_has_time_for_it) {
    beside_others h({b});
    h.core.on_changes({{member_key("n3"), member("n3", id_of(3), 0).value, false},
                       {alive_key("n3"), alive("n3", id_of(3), 0).value, true},
                       {member_key("n4"), member("n4", id_of(4), 0).value, false},
                       {alive_key("n4"), alive("n4", id_of(4), 0).value, true},
                       {member_key("n5"), member("n5", id_of(5), 0).value, false},
                       {alive_key("n5"), alive("n5", id_of(5), 0).value, true}},
                      30, h.out);
    h.core.on_peer(b, true);
    BOOST_TEST(!h.leaves());
    h.tick(1000 + h.core.settings().connect_ms);
    BOOST_TEST(h.core.isolated());
}

// ---- an ordered end

BOOST_AUTO_TEST_CASE(a_node_that_is_about_to_end_says_so_once_and_counts_as_drained) {
    auto h = joined();
    h.core.retire();
    h.tick(100);
    const auto asked = h.one<commit_wanted>();
    BOOST_TEST(has(asked.what, "alive/n1", 11));
    BOOST_TEST(writes(asked.what, "alive/n1", true));
    h.tick(150);
    BOOST_TEST(h.take<commit_wanted>().empty()); // it is under way
    h.core.on_changes(asked.what.then, 12, h.out);
    h.core.on_committed(asked.id, transaction_result{true, 12, {}}, h.out);
    BOOST_REQUIRE(h.core.nodes().size() == 1U);
    BOOST_TEST(h.core.nodes().front().alive);
    BOOST_TEST(h.core.nodes().front().draining);
    BOOST_TEST(h.core.joined());
    h.out.clear();
    h.tick(200);
    BOOST_TEST(h.take<commit_wanted>().empty());
}

BOOST_AUTO_TEST_CASE(what_could_not_be_said_is_said_again) {
    auto h = joined();
    h.core.retire();
    h.tick(100);
    h.core.on_committed(h.one<commit_wanted>().id, problem{code::unavailable, "etcd is away"}, h.out);
    h.tick(150);
    BOOST_TEST(h.take<commit_wanted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(who_comes_back_leads_again) {
    auto h = joined();
    h.core.on_changes(
        {{"members/n2", member("n2", b, 0).value}, {"alive/n2", to_json(alive_value{b, id_of(60), "1", true})}}, 12,
        h.out);
    BOOST_TEST(h.core.nodes().back().draining);
    h.core.on_changes({{"alive/n2", std::nullopt}}, 13, h.out);
    BOOST_TEST(!h.core.nodes().back().draining);
    h.core.on_changes({{"alive/n2", alive("n2", b, 0).value}}, 14, h.out);
    BOOST_TEST(h.core.nodes().back().alive);
    BOOST_TEST(!h.core.nodes().back().draining);
}

BOOST_AUTO_TEST_SUITE_END()
