#include "runtime/cluster/read_index.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid node(std::uint8_t n) {
    uuid out;
    out.bytes[15] = n;
    return out;
}

/// Node 1 owns shard 0, node 2 owns 1 and 2, node 3 owns 3.
struct world {
    shard_leaders leaders{node(1), node(2), node(2), node(3)};
    std::set<std::uint32_t> own{0};
    std::map<std::uint32_t, std::uint64_t> applied{{0, 10}, {1, 10}, {2, 10}, {3, 10}};
    std::vector<std::pair<uuid, index_question>> asked;
    std::vector<bool> done; ///< Whether it went well.
    std::int64_t now = 1000;
    read_index r{read_index_ports{4, [this] { return std::make_shared<const shard_leaders>(leaders); },
                                  [this](std::uint32_t shard) { return own.contains(shard); },
                                  [this](std::uint32_t shard) { return applied.at(shard); },
                                  [this](const uuid& to, const envelope& what) {
                                      asked.emplace_back(to, std::get<index_question>(what));
                                      return true;
                                  }},
                 5000};

    void read() {
        r.wait([this](expected<void> what) { done.push_back(what.has_value()); }, now);
    }
    void say(std::vector<std::pair<std::uint32_t, std::uint64_t>> indexes, std::size_t question = 0) {
        r.on_answer({asked.at(question).second.round, std::move(indexes)}, now);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_read_index)

BOOST_AUTO_TEST_CASE(a_node_that_owns_all_asks_nobody) {
    world w;
    w.own = {0, 1, 2, 3};
    w.read();
    BOOST_TEST(w.done.size() == 1u);
    BOOST_TEST(w.asked.empty());
}

BOOST_AUTO_TEST_CASE(a_read_waits_until_the_tables_hold_what_owners_had) {
    world w;
    w.read();
    BOOST_REQUIRE(w.asked.size() == 2u); // each once
    w.say({{1, 10}, {2, 12}});
    w.say({{3, 10}}, 1);
    BOOST_TEST(w.done.empty()); // shard 2 is behind
    w.applied[2] = 12;
    w.r.go_on(w.now);
    BOOST_TEST((w.done == std::vector<bool>{true}));
}

BOOST_AUTO_TEST_CASE(reads_that_come_while_owners_are_asked_share_the_next_question) {
    world w;
    w.read();
    w.read();
    w.read();
    BOOST_TEST(w.asked.size() == 2u);
    w.say({{1, 10}, {2, 10}});
    w.say({{3, 10}}, 1);
    BOOST_TEST(w.done.size() == 1u); // the answers may be of before the others came
    BOOST_REQUIRE(w.asked.size() == 4u);
    w.say({{1, 99}}, 0); // late, of the round before
    w.say({{1, 10}, {2, 10}}, 2);
    w.say({{3, 10}}, 3);
    BOOST_TEST(w.done.size() == 3u);
}

BOOST_AUTO_TEST_CASE(an_owner_that_does_not_answer_is_asked_again_and_its_follower_instead) {
    world w;
    w.read();
    w.say({{1, 10}, {2, 10}});
    w.now += 100;
    w.r.go_on(w.now);
    BOOST_TEST(w.asked.size() == 2u);
    w.leaders[3] = node(2);
    w.now += 100;
    w.r.go_on(w.now);
    BOOST_REQUIRE(w.asked.size() == 3u);
    BOOST_TEST((w.asked[2].first == node(2)));
    w.say({{3, 11}}, 2);
    w.applied[3] = 11;
    w.r.go_on(w.now);
    BOOST_TEST((w.done == std::vector<bool>{true}));
}

BOOST_AUTO_TEST_CASE(a_shard_that_became_ones_own_needs_no_answer) {
    world w;
    w.read();
    w.say({{1, 10}, {2, 10}});
    w.own.insert(3);
    w.r.go_on(w.now);
    BOOST_TEST((w.done == std::vector<bool>{true}));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_cut_off_refuses_reads_in_time) {
    world w;
    w.leaders[3] = uuid{};
    w.read();
    w.say({{1, 10}, {2, 10}});
    w.now += 4999;
    w.r.go_on(w.now);
    BOOST_TEST(w.done.empty());
    w.now += 1;
    w.r.go_on(w.now);
    BOOST_TEST((w.done == std::vector<bool>{false}));
    w.own.clear(); // and one that has lost its lease, of what it owns
    w.leaders[0] = uuid{};
    w.read();
    w.now += 5000;
    w.r.go_on(w.now);
    BOOST_TEST((w.done == std::vector<bool>{false, false}));
}

BOOST_AUTO_TEST_CASE(a_node_answers_for_what_it_may_show) {
    world w;
    w.own = {0, 2};
    const auto said = w.r.answer_to({7});
    BOOST_TEST(said.round == 7u);
    BOOST_TEST((said.applied == index_answer{7, {{0, 10}, {2, 10}}}.applied));
}

BOOST_AUTO_TEST_SUITE_END()
