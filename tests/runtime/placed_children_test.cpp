// Placed children in the supervision tree of a node. Several nodes: tests/system/placed_children_test.py.

#include "runtime/node.hpp"
#include "runtime/supervision/tree.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::test;

namespace {

struct counts {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::mutex mutex;
    runtime::part_failed fail; ///< Of the newest.
    runtime::placed_lease lease;

    auto start() {
        return [this](runtime::placed_lease place, runtime::part_failed failed) -> expected<std::shared_ptr<void>> {
            {
                const std::lock_guard lock(mutex);
                fail = std::move(failed);
                lease = std::move(place);
            }
            ++begun;
            return std::shared_ptr<void>(this, [](void* to) { ++static_cast<counts*>(to)->ended; });
        };
    }
};

struct lone_node {
    explicit lone_node(bool starts = true) {
        runtime::config settings;
        settings.data = directory.path.string();
        settings.shards = 2;
        settings.storage_free_bytes_min = 0;
        settings.storage_cache_bytes = 8 << 20;
        node = std::move(runtime::node::open(settings).value());
        BOOST_REQUIRE(!starts || node->start({}).has_value());
    }
    /// Of the only child.
    [[nodiscard]] placed_child_document shown() const {
        const auto all = node->placed();
        return all.empty() ? placed_child_document() : all.front();
    }
    [[nodiscard]] std::string in_tree(const std::string& path) const {
        return node->parts().tree->to_json("/nodes/n1/placed/" + path, 0).value_or("");
    }

    temporary_directory directory;
    std::unique_ptr<runtime::node> node;
};

/// Only a test that fails waits for long: then the time of the suite is over.
void until(const std::function<bool()>& holds) {
    while (!holds()) {
        std::this_thread::yield();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(placed_children_suite)

BOOST_AUTO_TEST_CASE(at_a_node_alone_all_of_them_run_there_and_end_with_it) {
    lone_node host;
    counts one;
    counts two;
    BOOST_REQUIRE(host.node
                      ->place({.name = "mcp",
                               .children = {{.id = "a", .label = "server", .start = one.start()},
                                            {.id = "b", .label = "server", .start = two.start()}}})
                      .has_value());
    until([&] { return one.begun == 1 && two.begun == 1 && !host.in_tree("mcp/b/b").empty(); });
    BOOST_TEST(host.in_tree("mcp/a").find(R"("kind":"placed","status":"running")") != std::string::npos);
    BOOST_TEST(host.in_tree("mcp/a/a").find(R"("kind":"server")") != std::string::npos);
    until([&] { return host.shown().node == "n1"; });
    BOOST_TEST(host.shown().child == "a");
    BOOST_TEST(one.lease.holds());
    BOOST_TEST(one.lease.term > 0U);
    host.node->stop(20'000);
    BOOST_TEST(one.ended == 1);
    BOOST_TEST(two.ended == 1);
    BOOST_TEST(!one.lease.holds());
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused) {
    lone_node host;
    counts one;
    const auto refused = [&](const std::string& name, const std::string& id, double cost) -> std::optional<code> {
        const auto done = host.node->place(
            {.name = name, .children = {{.id = id, .label = "server", .cost = cost, .start = one.start()}}});
        return done ? std::nullopt : std::optional(done.error().code);
    };
    BOOST_TEST((refused("a/b", "c", 1) == code::invalid_request));
    BOOST_TEST((refused("a", "c/d", 1) == code::invalid_request));
    BOOST_TEST((refused("a", "c", 0) == code::invalid_request));
    BOOST_TEST(!refused("a", "c", 1).has_value());
    BOOST_TEST((refused("a", "d", 1) == code::already_exists));
}

BOOST_AUTO_TEST_CASE(before_the_start_and_after_the_stop_nothing_is_placed) {
    lone_node host(false);
    counts one;
    const auto place = [&] {
        return host.node->place({.name = "mcp", .children = {{.id = "a", .label = "server", .start = one.start()}}});
    };
    const auto early = place();
    BOOST_REQUIRE(early.has_error());
    BOOST_TEST((early.error().code == code::unavailable));
    BOOST_REQUIRE(host.node->start({}).has_value());
    BOOST_TEST(host.node->placed().empty());
    host.node->stop(20'000); // it has none to end
    const auto late = place();
    BOOST_REQUIRE(late.has_error());
    BOOST_TEST((late.error().code == code::unavailable));
    BOOST_TEST(one.begun == 0);
}

BOOST_AUTO_TEST_CASE(a_child_that_fails_is_restarted_here_and_given_up_when_it_fails_too_often) {
    lone_node host;
    counts one;
    BOOST_REQUIRE(
        host.node
            ->place(
                {.name = "mcp", .restarts_max = 1, .children = {{.id = "a", .label = "server", .start = one.start()}}})
            .has_value());
    for (int i = 1; i <= 2; ++i) {
        until([&] { return one.begun == i; });
        const std::lock_guard lock(one.mutex);
        one.fail("it cannot go on");
    }
    until([&] { return host.shown().failures == 1; });
    BOOST_TEST(one.ended == 2);
    BOOST_TEST(!host.shown().node.has_value());
    BOOST_TEST(host.shown().given_up_by.value() == "n1");
    BOOST_TEST(host.shown().last_failure.value().find("it cannot go on") != std::string::npos);
    until([&] { return one.begun == 3; }); // there is nobody else
}

BOOST_AUTO_TEST_SUITE_END()
