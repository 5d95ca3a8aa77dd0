// Placed children on their thread: what runs here, and the end of the lease.

#include "runtime/cluster/placed_children.hpp"

#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::cluster;

namespace {

uuid id_of(std::uint8_t number) {
    uuid id;
    id.bytes[15] = number;
    return id;
}

/// Starts what it is told to, and ends it unless it is stuck.
class small_runner final : public placed_runner {
public:
    void add_supervisor(const std::string&) override {}
    void start(placed_start what) override {
        const std::lock_guard lock(mutex_);
        part_ = what.part.start([](const std::string&) {}).value();
        ++started;
    }
    void stop(const std::string&, const std::string&) override {
        ++stopped;
        if (!stuck) {
            end();
        }
    }
    void end() {
        const std::lock_guard lock(mutex_);
        part_ = nullptr;
    }

    std::atomic<bool> stuck{false};
    std::atomic<int> started{0};
    std::atomic<int> stopped{0};

private:
    std::mutex mutex_;
    std::shared_ptr<void> part_;
};

/// n1, to which the coordinator gives whatever it wants.
struct host {
    host() {
        child_placement_settings self;
        self.name = "n1";
        self.replica = id_of(1);
        self.incarnation = id_of(2);
        self.settle_ms = 0;
        placed_ports ports;
        ports.runner = &runner;
        ports.monotonic = [this] { return now_ms.load(); };
        ports.end_process = [this](std::string_view) { ended = true; };
        ports.commit = [this](const transaction& what, const auto& done) {
            children->on_changes(what.then, ++revision);
            removed = !what.then.front().value;
            done(transaction_result{true, revision, {}});
        };
        children = std::make_unique<placed_children>(self, ports);
        children->on_map({{"alive/n1", to_json(alive_value{id_of(1), id_of(2), "1"}), 5}}, 5);
        children->note({{id_of(1), "n1"}}, 3000);
        children->start();
        const auto start = [this](placed_lease place, const part_failed&) -> expected<std::shared_ptr<void>> {
            lease = std::move(place);
            return std::shared_ptr<void>(std::make_shared<int>(1));
        };
        BOOST_REQUIRE(children->place({"mcp", 5, 60'000, {{"a", "server", 1, start}}}).has_value());
        until([this] { return runner.started == 1; });
    }
    static void until(const std::function<bool()>& holds) {
        while (!holds()) {
            std::this_thread::yield();
        }
    }

    small_runner runner;
    std::atomic<std::int64_t> now_ms{1000};
    std::atomic<std::uint64_t> revision{5};
    std::atomic<bool> ended{false};
    std::atomic<bool> removed{false};
    placed_lease lease;
    std::unique_ptr<placed_children> children; ///< The last: its thread uses the others.
};

} // namespace

BOOST_AUTO_TEST_SUITE(placed_children_thread)

BOOST_AUTO_TEST_CASE(it_acts_until_it_is_stopped_before_the_end_of_the_lease_and_gives_its_place_back) {
    host h;
    BOOST_TEST(h.lease.term == 6U);
    BOOST_TEST(h.lease.holds());
    h.now_ms = 2600;
    host::until([&] { return h.removed.load(); });
    BOOST_TEST(!h.lease.holds());
    BOOST_TEST(!h.ended);
    h.children->note({{id_of(1), "n1"}}, 60'000); // the lease is good again
    host::until([&] { return h.runner.started == 2; });
    BOOST_TEST(h.lease.term > 6U);
    h.children->stop(20'000);
    BOOST_TEST(h.runner.stopped == 2);
    BOOST_TEST(!h.ended);
}

BOOST_AUTO_TEST_CASE(one_that_does_not_end_with_the_lease_ends_the_process) {
    host h;
    h.runner.stuck = true;
    h.now_ms = 2600;
    host::until([&] { return h.runner.stopped == 1; });
    BOOST_TEST(!h.ended);
    BOOST_TEST(!h.removed);
    h.now_ms = 3200;
    host::until([&] { return h.ended.load(); });
    h.runner.end();
    host::until([&] { return h.removed.load(); }); // nobody had it before
}

BOOST_AUTO_TEST_CASE(one_that_does_not_end_with_its_node_ends_the_process) {
    host h;
    h.runner.stuck = true;
    h.children->stop(0);
    BOOST_TEST(h.ended);
    BOOST_TEST(!h.removed);
    h.runner.end();
}

BOOST_AUTO_TEST_SUITE_END()
