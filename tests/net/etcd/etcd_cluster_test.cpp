// The coordinator over a real etcd of three members, which are killed, frozen and started again.
#include "schemas/base/clock.hpp"
#include "tests/net/etcd/etcd_fixture.hpp"
#include "tests/net/etcd/etcd_process.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <future>
#include <map>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net::test;

namespace {

/// Three members, and two nodes that know all of them.
struct three_members {
    three_members() {
        first.wait_until_ready();
        second.wait_until_ready();
    }
    /// Both have been told all that was written, in order, and without a map in between.
    void check_all_told(int count) const {
        for (const auto* node : {&first, &second}) {
            node->heard.wait_for("the last", [&](const auto& s) { return s.at("x") == fmt::format("{}", count - 1); });
            BOOST_TEST((node->heard.now().values_of("x") == numbers(0, count)));
            BOOST_TEST(node->heard.now().maps == 1);
        }
    }
    void wait_until_both(bool reachable) const {
        for (const auto* node : {&first, &second})
            node->heard.wait_for(reachable ? "reachable" : "unreachable",
                                 [&](const auto& s) { return reachable ? s.is_reachable() : s.is_unreachable(); });
    }

    etcd_servers servers{3};
    watching_node first{make(servers.endpoints())};
    watching_node second{make(servers.endpoints())};
};

/// Through both nodes by turns.
void write_five(three_members& w, int& next) {
    for (int i = 0; i < 5; ++i, ++next)
        set_at_last(i % 2 == 0 ? *w.first.at : *w.second.at, "x", fmt::format("{}", next));
}

} // namespace

BOOST_AUTO_TEST_SUITE(etcd_cluster)

BOOST_AUTO_TEST_CASE(any_member_may_be_killed_the_leader_too) {
    three_members w;
    BOOST_REQUIRE(commit(*w.first.at, set("nodes/first", "here")).value().applied);
    int next = 0;
    for (std::size_t member = 0; member < w.servers.size(); ++member) {
        w.servers.kill(member);
        write_five(w, next);
        w.servers.start(member);
        w.servers.wait_until_well(member);
    }
    w.check_all_told(next);
}

BOOST_AUTO_TEST_CASE(any_member_may_freeze_the_leader_too) {
    three_members w;
    int next = 0;
    for (std::size_t member = 0; member < w.servers.size(); ++member) {
        w.servers.freeze(member);
        write_five(w, next);
        for (const auto* node : {&w.first, &w.second})
            node->heard.wait_for("what was written meanwhile",
                                 [&](const auto& s) { return s.at("x") == fmt::format("{}", next - 1); });
        w.servers.thaw(member);
        w.servers.wait_until_well(member);
    }
    w.check_all_told(next);
}

BOOST_AUTO_TEST_CASE(outcomes_are_true_while_leaders_die_and_freeze_under_load) {
    three_members w;
    std::map<std::string, std::future<commit_result>> all;
    const auto begin_some = [&](const std::string& name) {
        for (int i = 0; i < 60; ++i) {
            const auto key = fmt::format("{} {}", name, i);
            all[key] = begin_commit(i % 2 == 0 ? *w.first.at : *w.second.at, {{{key, 0}}, {{key, "v"}}});
        }
    };
    begin_some("before the kill");
    const auto killed = w.servers.leader();
    w.servers.kill(killed);
    begin_some("after the kill");
    w.wait_until_both(true);
    set_at_last(*w.first.at, "x", "0");
    begin_some("before the freeze");
    const auto frozen = w.servers.leader((killed + 1) % 3);
    w.servers.freeze(frozen);
    begin_some("after the freeze");
    w.servers.start(killed);
    std::map<std::string, int> counts;
    std::vector<std::string> applied;
    std::vector<std::string> not_applied;
    for (auto& [key, future] : all) {
        const auto result = get(std::move(future));
        if (!result && result.error().code == code::unavailable)
            not_applied.push_back(key);
        else if (result)
            (result->applied ? applied : not_applied).push_back(key);
        ++counts[result ? (result->applied ? "applied" : "refused") : std::string(explain(result.error().code).name)];
    }
    w.servers.thaw(frozen); // what it holds may be applied now
    w.servers.wait_until_well(frozen);
    set_at_last(*w.second.at, "x", "1");
    w.check_all_told(2);
    for (const auto* node : {&w.first, &w.second}) {
        const auto map = node->heard.now().map;
        for (const auto& key : applied)
            BOOST_TEST(map.contains(key), key << " was applied and is not there");
        for (const auto& key : not_applied)
            BOOST_TEST(!map.contains(key), key << " was certainly not applied and is there");
    }
    BOOST_TEST((w.first.heard.now().map == w.second.heard.now().map));
    for (const auto& [outcome, count] : counts)
        BOOST_TEST_MESSAGE(fmt::format("{}: {}", outcome, count));
    BOOST_TEST(!applied.empty());
    BOOST_TEST(counts["refused"] == 0);
}

BOOST_AUTO_TEST_CASE(lease_and_its_keys_outlive_the_leader) {
    etcd_servers servers(3);
    auto s = settings_for(servers.endpoints());
    s.ttl_ms = 3'000;
    watching_node node(make(s));
    node.wait_until_ready();
    BOOST_REQUIRE(commit(*node.at, set("nodes/node", "here", true)).value().applied);
    const auto before = node.heard.now().leases.back();
    servers.kill(servers.leader());
    // Wherever it was connected: the lease goes on at another leader.
    node.heard.wait_for("more time", [&](const auto& seen) {
        return seen.leases.back().valid_until_ms >= before.valid_until_ms + s.ttl_ms / 2;
    });
    BOOST_TEST(node.heard.now().lease() == before.id);
    BOOST_TEST(node.heard.now().at("nodes/node") == "here");
    BOOST_TEST(node.heard.now().values_of("nodes/node").size() == 1);
}

BOOST_AUTO_TEST_CASE(without_a_majority_etcd_is_unreachable_until_there_is_one_again) {
    three_members w;
    set_at_last(*w.first.at, "x", "0");
    const auto leader = w.servers.leader();
    w.servers.kill(leader);
    w.servers.kill((leader + 1) % 3);
    w.wait_until_both(false);
    const auto why = w.first.heard.now().reachable.back().second;
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(why.find(w.servers.endpoint(i)) != std::string::npos);
    BOOST_TEST(has_code(commit(*w.first.at, set("x", "lost")), code::unavailable));
    w.servers.start(leader);
    w.wait_until_both(true);
    set_at_last(*w.first.at, "x", "1");
    w.check_all_told(2);
    for (const auto* node : {&w.first, &w.second})
        node->heard.wait_for("a lease that is valid", [](const auto& s) {
            return s.lease() != 0 && s.leases.back().valid_until_ms > monotonic_ms();
        });
}

BOOST_AUTO_TEST_CASE(frozen_majority_makes_it_unreachable_and_awake_it_serves_again) {
    three_members w;
    set_at_last(*w.first.at, "x", "0");
    w.servers.freeze(0);
    w.servers.freeze(1);
    w.wait_until_both(false);
    // Members answer connections while they are frozen, and the third has no quorum: nothing may be said to be applied.
    BOOST_TEST(has_code(commit(*w.first.at, set("x", "lost")), code::unavailable));
    w.servers.thaw(0);
    w.servers.thaw(1);
    w.wait_until_both(true);
    set_at_last(*w.second.at, "x", "1");
    w.check_all_told(2);
}

BOOST_AUTO_TEST_CASE(compaction_elsewhere_while_the_member_of_the_watch_is_stopped_gives_the_map_again) {
    etcd_servers servers(3);
    watching_node node(make({servers.endpoint(0)}));
    watching_node other(make({servers.endpoint(1), servers.endpoint(2)}));
    node.wait_until_ready();
    set_at_last(*other.at, "goes", "soon");
    for (const auto* one : {&node, &other})
        one->heard.wait_for("it", [](const auto& s) { return s.at("goes") == "soon"; });
    servers.kill(0);
    node.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
    for (const auto& value : numbers(0, 10))
        set_at_last(*other.at, "x", value);
    set_at_last(*other.at, "comes", "now");
    while (!commit(*other.at, {{}, {{"goes", std::nullopt}}})) { // more than once does no harm
    }
    other.heard.wait_for("its end", [](const auto& s) { return s.at("goes") == "(none)"; });
    servers.compact(1, servers.revision(1));
    servers.start(0);
    node.heard.wait_for("the map", [](const auto& s) { return s.maps == 2 && s.at("x") == "9"; });
    BOOST_TEST(node.heard.now().at("goes") == "(none)");
    BOOST_TEST(node.heard.now().at("comes") == "now");
    node.heard.wait_for("reachable", [](const auto& s) { return s.is_reachable(); });
    set_at_last(*other.at, "x", "10");
    node.heard.wait_for("changes after it", [](const auto& s) { return s.at("x") == "10"; });
}

BOOST_AUTO_TEST_SUITE_END()
