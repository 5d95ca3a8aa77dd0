#include "runtime/cluster/cluster_glance.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid replica(std::uint8_t n) {
    uuid out;
    out.bytes[15] = n;
    return out;
}

/// Three nodes; n1 leads all shards.
cluster_glance three(std::size_t shards = 4) {
    cluster_glance out;
    out.self = "n1";
    out.serving = true;
    for (std::uint8_t n = 1; n <= 3; ++n) {
        out.nodes.push_back({replica(n), "n" + std::to_string(n)});
    }
    out.shards.assign(shards, {replica(1), true, true});
    return out;
}

std::vector<std::string> kinds_of(const std::vector<cluster_news>& all) {
    std::vector<std::string> out;
    for (const auto& one : all) {
        out.push_back(one.kind);
    }
    return out;
}

using kinds = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_glances)

BOOST_AUTO_TEST_CASE(nothing_is_told_of_what_stayed) {
    BOOST_TEST(news_between(three(), three()).empty());
    auto lost = three();
    lost.nodes[1].lost = true; // it is replaced some day: nothing that people see
    BOOST_TEST(news_between(three(), lost).empty());
}

BOOST_AUTO_TEST_CASE(each_change_of_a_node_is_told_with_its_name) {
    auto before = three();
    auto after = three();
    before.nodes.pop_back();
    const auto joined = news_between(before, after);
    BOOST_TEST((kinds_of(joined) == kinds{"node_joined"}));
    BOOST_TEST(joined[0].data == R"({"node":"n1","name":"n3","replica_id":")" + to_string(replica(3)) + "\"}");
    BOOST_TEST((kinds_of(news_between(after, before)) == kinds{"node_removed"}));
    auto changed = after;
    changed.nodes[1].alive = false;
    changed.nodes[2].draining = true;
    BOOST_TEST((kinds_of(news_between(after, changed)) == kinds{"node_down", "node_drained"}));
    BOOST_TEST((kinds_of(news_between(changed, after)) == kinds{"node_up", "node_resumed"}));
    changed = after;
    changed.nodes[2].replica = replica(9); // removed and replaced under the same name between two looks
    BOOST_TEST((kinds_of(news_between(after, changed)) == kinds{"node_joined"}));
}

BOOST_AUTO_TEST_CASE(shards_that_move_at_a_fail_over_are_one_event_with_counts_and_the_first_numbers) {
    const auto before = three(200);
    auto after = before;
    for (std::size_t n = 0; n < 200; ++n) {
        after.shards[n].leader = replica(n < 150 ? 2 : 3);
    }
    const auto told = news_between(before, after);
    BOOST_TEST((kinds_of(told) == kinds{"shards_moved"}));
    const auto data = json::document::parse(told[0].data).value();
    BOOST_TEST(data.root().int_or("count") == 200);
    BOOST_TEST(data.root().find("shards")->size() == news_shards_max);
    BOOST_TEST(data.root().pointer("/from/n1")->as_int().value() == 200);
    BOOST_TEST(data.root().pointer("/to/n2")->as_int().value() == 150);
    BOOST_TEST(data.root().pointer("/to/n3")->as_int().value() == 50);
    BOOST_TEST(leaders_changed(before, after) == 200u);
    BOOST_TEST(leaders_changed(after, after) == 0u);
}

BOOST_AUTO_TEST_CASE(a_leader_that_was_removed_meanwhile_has_its_name_and_a_new_shard_comes_from_nobody) {
    auto before = three(1);
    auto after = three(1);
    after.nodes.erase(after.nodes.begin());
    after.shards[0].leader = replica(2);
    const auto told = news_between(before, after);
    BOOST_TEST((kinds_of(told) == kinds{"node_removed", "shards_moved"}));
    BOOST_TEST(told[1].data.find(R"("from":{"n1":1},"to":{"n2":1})") != std::string::npos);
    before.shards[0].leader = uuid{};
    BOOST_TEST(news_between(before, after)[1].data.find(R"("from":{},"to":{"n2":1})") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shards_lose_their_quorum_and_get_it_back) {
    auto whole = three();
    auto broken = three();
    broken.shards[1].open = false;
    broken.shards[3].open = false;
    const auto lost = news_between(whole, broken);
    BOOST_TEST((kinds_of(lost) == kinds{"shards_closed"}));
    BOOST_TEST(lost[0].data == R"({"node":"n1","count":2,"shards":[1,3],"closed":2})");
    whole.shards[0].open = false;
    const auto back = news_between(broken, whole);
    BOOST_TEST((kinds_of(back) == kinds{"shards_closed", "shards_opened"}));
    BOOST_TEST(back[1].data == R"({"node":"n1","count":2,"shards":[1,3],"closed":1})");
}

BOOST_AUTO_TEST_CASE(the_end_of_the_own_lease_is_told_and_that_it_is_back) {
    auto without = three();
    without.serving = false;
    BOOST_TEST((kinds_of(news_between(three(), without)) == kinds{"lease_ended"}));
    BOOST_TEST((kinds_of(news_between(without, three())) == kinds{"lease_back"}));
}

BOOST_AUTO_TEST_SUITE_END()
