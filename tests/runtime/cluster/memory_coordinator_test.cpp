// What the coordinator in memory adds for tests and simulations. What every coordinator promises: tests/net/etcd.
#include "runtime/cluster/memory_coordinator.hpp"
#include "tests/runtime/cluster/recorder.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::test;
using namespace troupe::runtime::cluster;

namespace {

/// Two nodes on one map whose callbacks and clock the test turns.
struct simulated {
    simulated() {
        first.start(one);
        second.start(other);
        queue.run_some();
    }
    ~simulated() {
        for (const auto* heard : {&one, &other})
            for (const auto& wrong : heard->now().wrong)
                BOOST_ERROR(wrong);
    }
    /// The answer, once the queue has run; nothing: it never comes.
    std::optional<commit_result> commit(memory_coordinator& at, transaction what) {
        std::optional<commit_result> out;
        at.commit(std::move(what), [&](commit_result result) { out = std::move(result); });
        BOOST_TEST(!out);
        queue.run_some();
        return out;
    }

    run_queue queue;
    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
    recorder one;
    recorder other;
    memory_coordinator first{map, {queue.as_executor(), 9'000}};
    memory_coordinator second{map, {queue.as_executor(), 9'000}};
};

} // namespace

BOOST_AUTO_TEST_SUITE(coordinator_in_memory)

BOOST_AUTO_TEST_CASE(nothing_is_called_but_by_the_queue_and_always_in_the_same_order) {
    std::vector<std::string> orders;
    for (int run = 0; run < 2; ++run) {
        simulated s;
        std::string order;
        for (int i = 0; i < 5; ++i)
            (i % 2 == 0 ? s.first : s.second).commit(set("x", "1"), [&order, i](const commit_result&) {
                order += static_cast<char>('0' + i);
            });
        BOOST_TEST(order.empty());
        BOOST_TEST(s.one.now().at("x") == "(none)");
        BOOST_TEST(s.queue.waiting() == 15); // each tells both nodes, and is done
        BOOST_TEST(s.queue.run_some(3) == 3);
        BOOST_TEST(order == "0");
        s.queue.run_some();
        BOOST_TEST(s.queue.waiting() == 0);
        orders.push_back(order);
    }
    BOOST_TEST(orders[0] == "01234");
    BOOST_TEST(orders[0] == orders[1]);
}

BOOST_AUTO_TEST_CASE(leases_are_extended_on_the_maps_clock_and_end_for_a_node_that_is_cut) {
    simulated s;
    BOOST_TEST((s.one.now().leases.back().valid_until_ms == 9'000));
    BOOST_REQUIRE(s.commit(s.first, set("nodes/first", "here", true))->value().applied);
    s.map->advance(2'999);
    BOOST_TEST(s.queue.run_some() == 0);
    s.map->advance(3'000);
    s.queue.run_some();
    BOOST_TEST(s.one.now().leases.back().valid_until_ms == 12'000);
    const auto lease = s.one.now().lease();
    s.first.cut("The cable is out.");
    s.map->advance(11'999);
    s.queue.run_some();
    BOOST_TEST(s.other.now().at("nodes/first") == "here");
    s.map->advance(12'000);
    s.queue.run_some();
    BOOST_TEST(s.other.now().at("nodes/first") == "(none)");
    BOOST_TEST(s.one.now().at("nodes/first") == "here"); // it hears nothing
    BOOST_TEST(s.one.now().lease() == lease);
    BOOST_TEST(s.other.now().lease() != 0);
    s.first.heal();
    s.queue.run_some();
    BOOST_TEST(s.one.now().at("nodes/first") == "(none)");
    BOOST_TEST(s.one.now().lease() != lease);
    BOOST_TEST(s.one.now().leases.back().valid_until_ms == 21'000);
    BOOST_TEST((s.one.now().leases.at(s.one.now().leases.size() - 2) == cluster::lease{}));
}

BOOST_AUTO_TEST_CASE(node_that_is_cut_hears_what_it_missed_or_gets_the_map_again) {
    simulated s;
    for (const bool compacted : {false, true}) {
        s.first.cut("The cable is out.");
        BOOST_REQUIRE(s.commit(s.second, set("x", "1"))->value().applied);
        BOOST_REQUIRE(s.commit(s.second, {{}, {{"x", std::nullopt}, {"y", "2"}}})->value().applied);
        const auto refused = s.commit(s.first, set("x", "3"));
        BOOST_TEST((refused->error().code == code::unavailable));
        BOOST_TEST(refused->error().detail == "The cable is out.");
        const auto before = s.one.now();
        BOOST_TEST(before.is_unreachable());
        BOOST_TEST(before.at("x") == "(none)");
        s.first.heal(compacted);
        s.queue.run_some();
        BOOST_TEST(s.one.now().is_reachable());
        BOOST_TEST(s.one.now().maps == before.maps + (compacted ? 1 : 0));
        BOOST_TEST(s.one.now().changes.size() == before.changes.size() + (compacted ? 0 : 2));
        BOOST_TEST(s.one.now().at("y") == "2");
        BOOST_TEST((s.one.now().map == s.other.now().map));
        BOOST_TEST(s.one.now().revision == s.map->revision());
    }
}

BOOST_AUTO_TEST_CASE(answers_can_be_lost_before_and_after_the_commit) {
    simulated s;
    s.first.set_fate(memory_coordinator::fate::lost_before);
    BOOST_TEST((s.commit(s.first, set("x", "before"))->error().code == code::unknown_outcome));
    BOOST_TEST(s.other.now().at("x") == "(none)");
    s.first.set_fate(memory_coordinator::fate::lost_after);
    BOOST_TEST((s.commit(s.first, set("x", "after"))->error().code == code::unknown_outcome));
    BOOST_TEST(s.other.now().at("x") == "after");
    BOOST_TEST(s.one.now().at("x") == "after");
    s.first.set_fate(memory_coordinator::fate::answered);
    BOOST_TEST(s.commit(s.first, set("x", "1"))->value().applied);
}

BOOST_AUTO_TEST_CASE(frozen_node_loses_its_lease_and_gets_one_when_it_wakes) {
    simulated s;
    BOOST_REQUIRE(s.commit(s.first, set("nodes/first", "here", true))->value().applied);
    s.first.keep_alive(false);
    s.map->advance(9'000);
    s.queue.run_some();
    BOOST_TEST(s.other.now().at("nodes/first") == "(none)");
    const auto refused = s.commit(s.first, set("nodes/first", "again", true));
    BOOST_TEST((refused->error().code == code::unavailable));
    BOOST_TEST(s.commit(s.first, set("x", "1"))->value().applied);
    s.first.keep_alive(true);
    BOOST_TEST(s.commit(s.first, set("nodes/first", "again", true))->value().applied);
    BOOST_TEST(s.one.now().lease() != 0);
}

BOOST_AUTO_TEST_CASE(killed_node_calls_nobody_and_its_lease_runs_out) {
    simulated s;
    BOOST_REQUIRE(s.commit(s.first, set("nodes/first", "here", true))->value().applied);
    const auto calls = s.one.now();
    s.first.commit(set("x", "1"), [](const commit_result&) { BOOST_ERROR("a killed node was called"); });
    s.first.vanish();
    s.queue.run_some();
    BOOST_TEST(!s.commit(s.first, set("x", "2")));
    BOOST_TEST(s.one.now().revision == calls.revision);
    BOOST_TEST(s.other.now().at("x") == "1");
    s.map->advance(8'999);
    s.queue.run_some();
    BOOST_TEST(s.other.now().at("nodes/first") == "here");
    s.map->advance(9'000);
    s.queue.run_some();
    BOOST_TEST(s.other.now().at("nodes/first") == "(none)");
}

BOOST_AUTO_TEST_CASE(node_that_begins_cut_off_gets_the_map_when_it_can) {
    simulated s;
    BOOST_REQUIRE(s.commit(s.second, set("x", "1"))->value().applied);
    recorder heard;
    memory_coordinator late(s.map, {s.queue.as_executor(), 9'000});
    late.cut("No route.");
    late.start(heard);
    s.queue.run_some();
    BOOST_TEST(heard.now().maps == 0);
    BOOST_TEST((heard.now().reachable == std::vector<std::pair<bool, std::string>>{{false, "No route."}}));
    BOOST_REQUIRE(s.commit(s.second, set("x", "2"))->value().applied);
    late.heal();
    s.queue.run_some();
    BOOST_TEST(heard.now().maps == 1);
    BOOST_TEST(heard.now().changes.empty());
    BOOST_TEST(heard.now().at("x") == "2");
    BOOST_TEST(heard.now().lease() != 0);
    late.stop();
    s.first.stop();
    BOOST_TEST(s.map->entries().size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
