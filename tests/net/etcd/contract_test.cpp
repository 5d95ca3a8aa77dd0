// What every coordinator promises (runtime/cluster/coordinator.hpp): in memory, and over a real etcd.
#include "net/etcd/etcd_coordinator.hpp"
#include "runtime/cluster/memory_coordinator.hpp"
#include "schemas/base/clock.hpp"
#include "tests/net/etcd/etcd_process.hpp"
#include "tests/runtime/cluster/recorder.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net::test;
using namespace troupe::test;
using runtime::cluster::memory_coordinator;
using runtime::cluster::memory_map;

namespace {

struct memory_world {
    std::unique_ptr<cluster::coordinator> make() { return std::make_unique<memory_coordinator>(map); }
    void end_lease(std::uint64_t id) { map->end_lease(id); }

    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
};

struct etcd_world {
    /// One etcd for all tests of this suite; each has a prefix of its own.
    static etcd_servers& servers() {
        static etcd_servers one;
        return one;
    }
    etcd_world() {
        static int next = 0;
        prefix = fmt::format("/contract{}/", next++);
    }
    std::unique_ptr<cluster::coordinator> make() {
        net::etcd_settings s;
        s.endpoints = servers().endpoints();
        s.prefix = prefix;
        s.ttl_ms = 5'000;
        s.request_time_out_ms = 15'000; // busy machines
        return std::move(net::make_etcd_coordinator(s)).value();
    }
    void end_lease(std::uint64_t id) { servers().post(0, "/v3/lease/revoke", fmt::format(R"({{"ID":"{}"}})", id)); }

    std::string prefix;
};

using worlds = boost::mpl::list<memory_world, etcd_world>;

code code_of(const commit_result& result) {
    BOOST_REQUIRE(!result);
    BOOST_TEST(!result.error().detail.empty());
    return result.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(coordinator_contract)

BOOST_AUTO_TEST_CASE_TEMPLATE(map_comes_first_and_changes_after_it, world, worlds) {
    world w;
    watching_node first(w.make());
    first.wait_until_ready();
    BOOST_TEST(first.heard.now().map.empty());
    BOOST_REQUIRE(commit(*first.at, set("a", "1")).value().applied);
    BOOST_REQUIRE(commit(*first.at, set("b", "2")).value().applied);
    watching_node second(w.make());
    second.wait_until_ready();
    BOOST_TEST(second.heard.now().at("a") == "1");
    BOOST_TEST(second.heard.now().changes.empty());
    BOOST_REQUIRE(commit(*first.at, {{}, {{"a", std::nullopt}, {"c", "3"}}}).value().applied);
    for (auto* node : {&first, &second}) {
        node->heard.wait_for("the change", [](const auto& s) { return s.at("c") == "3"; });
        BOOST_TEST(node->heard.now().at("a") == "(none)");
        BOOST_TEST(node->heard.now().at("b") == "2");
        BOOST_TEST(node->heard.now().maps == 1);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(conditions_decide_and_what_is_there_is_told, world, worlds) {
    world w;
    watching_node node(w.make());
    const auto made = commit(*node.at, {{{"a", 0}}, {{"a", "1"}}}).value();
    BOOST_TEST(made.applied);
    BOOST_TEST(made.found.empty());
    BOOST_TEST(made.revision > 0);
    const auto again = commit(*node.at, {{{"a", 0}, {"not there", 0}}, {{"a", "2"}, {"b", "2"}}}).value();
    BOOST_TEST(!again.applied);
    BOOST_TEST(again.revision == made.revision);
    BOOST_REQUIRE(again.found.size() == 1);
    BOOST_TEST((again.found[0] == cluster::entry{"a", "1", made.revision}));
    const auto next = commit(*node.at, {{{"a", made.revision}}, {{"a", "2"}}}).value();
    BOOST_TEST(next.applied);
    BOOST_TEST(next.revision > made.revision);
    BOOST_TEST(!commit(*node.at, {{{"a", made.revision}}, {{"a", "3"}}}).value().applied);
    const auto gone = commit(*node.at, {{{"not there", next.revision}}, {{"a", "3"}}}).value();
    BOOST_TEST(!gone.applied);
    BOOST_TEST(gone.found.empty());
    node.heard.wait_for("what was applied", [](const auto& s) { return s.at("a") == "2"; });
    BOOST_TEST(node.heard.now().at("b") == "(none)");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(only_one_of_many_makes_a_key, world, worlds) {
    world w;
    watching_node first(w.make());
    watching_node second(w.make());
    for (int round = 0; round < 20; ++round) {
        const auto key = fmt::format("shard {}", round);
        auto one = begin_commit(*first.at, {{{key, 0}}, {{key, "first"}}});
        auto other = begin_commit(*second.at, {{{key, 0}}, {{key, "second"}}});
        const auto a = get(std::move(one)).value();
        const auto b = get(std::move(other)).value();
        BOOST_TEST(a.applied != b.applied);
        BOOST_REQUIRE((a.applied ? b : a).found.size() == 1);
        BOOST_TEST((a.applied ? b : a).found[0].value == (a.applied ? "first" : "second"));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(everyone_hears_the_same_in_the_same_order_and_nothing_is_split, world, worlds) {
    world w;
    watching_node first(w.make());
    watching_node second(w.make());
    first.wait_until_ready();
    second.wait_until_ready();
    std::vector<std::future<commit_result>> all;
    for (int i = 0; i < 100; ++i) {
        const auto value = fmt::format("{}", i);
        all.push_back(
            begin_commit(i % 2 == 0 ? *first.at : *second.at, {{}, {{"x", value}, {"y", value}, {"z", value}}}));
    }
    std::uint64_t last = 0;
    for (auto& one : all)
        last = std::max(last, get(std::move(one)).value().revision);
    std::vector<std::string> told[2];
    for (const int i : {0, 1}) {
        auto& heard = i == 0 ? first.heard : second.heard;
        heard.wait_for("all changes", [&](const auto& s) { return s.revision >= last; });
        const auto seen = heard.now();
        for (const auto& call : seen.changes)
            BOOST_TEST(call.changes.size() % 3 == 0);
        told[i] = seen.values_of("x");
        BOOST_TEST(told[i].size() == 100);
        BOOST_TEST((seen.values_of("y") == told[i]));
        BOOST_TEST((seen.values_of("z") == told[i]));
        BOOST_TEST(seen.revision == last);
    }
    BOOST_TEST((told[0] == told[1]));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(leased_keys_go_with_a_node_that_stops_at_once, world, worlds) {
    world w;
    watching_node stays(w.make());
    {
        watching_node leaves(w.make());
        leaves.wait_until_ready();
        BOOST_REQUIRE(commit(*leaves.at, set("nodes/leaves", "here", true)).value().applied);
        BOOST_REQUIRE(commit(*leaves.at, set("kept", "for ever")).value().applied);
        stays.heard.wait_for("both", [](const auto& s) { return s.at("kept") == "for ever"; });
        BOOST_TEST(stays.heard.now().at("nodes/leaves") == "here");
    }
    stays.heard.wait_for("its end", [](const auto& s) { return s.at("nodes/leaves") == "(none)"; });
    BOOST_TEST(stays.heard.now().at("kept") == "for ever");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(lost_lease_is_told_takes_its_keys_along_and_is_replaced, world, worlds) {
    world w;
    watching_node loser(w.make());
    watching_node other(w.make());
    loser.wait_until_ready();
    other.wait_until_ready();
    const auto lease = loser.heard.now().lease();
    BOOST_TEST(lease != other.heard.now().lease());
    BOOST_TEST(loser.heard.now().leases.back().valid_until_ms > monotonic_ms());
    BOOST_REQUIRE(commit(*loser.at, {{}, {{"mine", "1", true}, {"ours", "1"}}}).value().applied);
    w.end_lease(lease);
    for (auto* node : {&loser, &other})
        node->heard.wait_for("its keys' end",
                             [](const auto& s) { return s.at("ours") == "1" && s.at("mine") == "(none)"; });
    loser.heard.wait_for("a new lease", [&](const auto& s) { return s.lease() != 0 && s.lease() != lease; });
    const auto told = loser.heard.now().leases;
    BOOST_TEST(std::count(told.begin(), told.end(), cluster::lease{}) == 1);
    BOOST_TEST(other.heard.now().lease() != 0);
    BOOST_REQUIRE(commit(*loser.at, set("mine", "2", true)).value().applied);
    other.heard.wait_for("the key under the new lease", [](const auto& s) { return s.at("mine") == "2"; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(own_leased_keys_are_told_as_leased, world, worlds) {
    world w;
    watching_node owner(w.make());
    watching_node other(w.make());
    owner.wait_until_ready();
    other.wait_until_ready();
    BOOST_REQUIRE(commit(*owner.at, {{}, {{"a", "1", true}, {"b", "1"}}}).value().applied);
    for (auto* node : {&owner, &other}) {
        node->heard.wait_for("both", [](const auto& s) { return s.at("b") == "1"; });
        const auto changes = node->heard.now().changes.at(0).changes;
        BOOST_TEST((changes == std::vector<cluster::change>{{"a", "1", node == &owner}, {"b", "1", false}}));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(key_written_without_lease_outlives_the_lease, world, worlds) {
    world w;
    watching_node node(w.make());
    node.wait_until_ready();
    BOOST_REQUIRE(commit(*node.at, set("a", "1", true)).value().applied);
    BOOST_REQUIRE(commit(*node.at, set("a", "2")).value().applied);
    BOOST_REQUIRE(commit(*node.at, set("b", "1", true)).value().applied);
    w.end_lease(node.heard.now().lease());
    node.heard.wait_for("the other's end", [](const auto& s) {
        return !s.values_of("b").empty() && s.values_of("b").back() == "(removed)";
    });
    BOOST_TEST(node.heard.now().at("a") == "2");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(removing_what_is_not_there_changes_nothing, world, worlds) {
    world w;
    watching_node node(w.make());
    const auto before = commit(*node.at, set("a", "1")).value();
    const auto nothing = commit(*node.at, {{}, {{"b", std::nullopt}}}).value();
    BOOST_TEST(nothing.applied);
    BOOST_TEST(nothing.revision == before.revision);
    BOOST_TEST(commit(*node.at, {{{"a", before.revision}}, {}}).value().applied);
    BOOST_TEST(commit(*node.at, set("a", "2")).value().revision == before.revision + 1);
    node.heard.wait_for("what came after it", [](const auto& s) { return s.at("a") == "2"; });
    BOOST_TEST(node.heard.now().values_of("b").empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keys_and_values_are_any_bytes, world, worlds) {
    world w;
    watching_node node(w.make());
    node.wait_until_ready();
    std::string bytes;
    for (int i = 0; i < 256; ++i)
        bytes += static_cast<char>(i);
    BOOST_REQUIRE(commit(*node.at, {{}, {{bytes, "1"}, {"\xff\xff", bytes}, {"/", ""}, {"\"\\", bytes + bytes}}})
                      .value()
                      .applied);
    node.heard.wait_for("them", [](const auto& s) { return s.map.size() == 4; });
    watching_node later(w.make());
    later.wait_until_ready();
    for (auto* one : {&node, &later}) {
        BOOST_TEST(one->heard.now().at(bytes) == "1");
        BOOST_TEST((one->heard.now().at("\xff\xff") == bytes));
        BOOST_TEST(one->heard.now().at("/").empty());
    }
    const auto refused = commit(*node.at, {{{"\xff\xff", 0}}, {}}).value();
    BOOST_REQUIRE(refused.found.size() == 1);
    BOOST_TEST((refused.found[0].value == bytes));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(transaction_as_big_as_it_may_be_is_taken_and_one_more_refused, world, worlds) {
    world w;
    watching_node node(w.make());
    node.wait_until_ready();
    cluster::transaction most;
    for (std::size_t i = 0; i < cluster::transaction_max; ++i)
        most.then.push_back(
            {fmt::format("{:04}", i), std::string(cluster::transaction_bytes_max / cluster::transaction_max - 4, 'v')});
    BOOST_TEST(commit(*node.at, most).value().applied);
    node.heard.wait_for("all of it", [&](const auto& s) { return s.map.size() == most.then.size(); });
    BOOST_TEST(node.heard.now().changes.size() == 1);
    auto bytes = most;
    *bytes.then[0].value += "v";
    BOOST_TEST((code_of(commit(*node.at, bytes)) == code::invalid_request));
    auto many = most;
    many.when.push_back({"a", 0});
    BOOST_TEST((code_of(commit(*node.at, many)) == code::invalid_request));
    BOOST_TEST((code_of(commit(*node.at, {{}, {{"a", "1"}, {"a", "2"}}})) == code::invalid_request));
    BOOST_TEST((code_of(commit(*node.at, set("", "1"))) == code::invalid_request));
    BOOST_TEST((code_of(commit(*node.at, {{{"", 0}}, {}})) == code::invalid_request));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(callbacks_come_on_one_thread_that_is_not_the_callers, world, worlds) {
    world w;
    watching_node node(w.make());
    std::promise<std::thread::id> promise;
    std::atomic<bool> inside{true};
    node.at->commit(set("a", "1"), [&](commit_result) {
        while (inside) // so it cannot be called inside of `commit`: that would never end
            std::this_thread::yield();
        promise.set_value(std::this_thread::get_id());
    });
    inside = false;
    const auto thread = promise.get_future().get();
    node.heard.wait_for("the change", [](const auto& s) { return s.at("a") == "1"; });
    BOOST_TEST((thread == node.heard.thread()));
    BOOST_TEST((thread != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(commit_from_a_callback_is_taken, world, worlds) {
    world w;
    watching_node node(w.make());
    std::promise<commit_result> promise;
    node.at->commit(set("a", "1"), [&](commit_result) {
        node.at->commit(set("a", "2"), [&](commit_result r) { promise.set_value(std::move(r)); });
    });
    BOOST_TEST(promise.get_future().get().value().applied);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nobody_is_called_after_stop_and_what_is_under_way_before_it, world, worlds) {
    world w;
    watching_node other(w.make());
    recorder heard;
    const auto node = w.make();
    node->start(heard);
    std::atomic<int> done{0};
    for (int i = 0; i < 50; ++i)
        node->commit(set("a", fmt::format("{}", i)), [&](const commit_result&) { ++done; });
    node->stop();
    BOOST_TEST(done == 50);
    const auto end = heard.now();
    node->commit(set("a", "late"), [&](const commit_result&) { ++done; });
    BOOST_REQUIRE(commit(*other.at, set("b", "1")).value().applied);
    other.heard.wait_for("the change", [](const auto& s) { return s.at("b") == "1"; });
    BOOST_TEST(done == 50);
    BOOST_TEST(heard.now().revision == end.revision);
    BOOST_TEST(other.heard.now().at("a") != "late");
    node->stop(); // again does no harm
}

BOOST_AUTO_TEST_CASE_TEMPLATE(coordinator_that_was_never_started_goes_quietly, world, worlds) {
    world w;
    const auto never = w.make();
    never->stop();
}

BOOST_AUTO_TEST_SUITE_END()
