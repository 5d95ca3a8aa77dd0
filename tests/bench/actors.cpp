#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "tests/bench/bench.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

/// Actors in memory, under the scheduler settings of a node: calls, spawning, bytes of an idle one.
namespace troupe::bench {
namespace {

struct settings : caf::actor_system_config {
    settings() {
        set("scheduler.policy", caf::atom("sharing"));
        set("scheduler.max-throughput", std::size_t{30});
        set("scheduler.max-threads", std::size_t{std::max(2U, std::thread::hardware_concurrency())});
    }
};

caf::behavior echo(caf::event_based_actor*) {
    return {[](std::uint64_t n) { return n; }};
}

/// Calls, one after the other, until the count is used up; then ends.
class caller : public caf::event_based_actor {
public:
    caller(caf::actor_config& config, caf::actor server, std::uint64_t calls, std::atomic<std::size_t>& running)
        : caf::event_based_actor(config), server_(std::move(server)), left_(calls), running_(running) {}
    caf::behavior make_behavior() override {
        call();
        return {[](caf::unit_t) {}};
    }

private:
    void call() {
        if (left_-- == 0) {
            quit();
            --running_;
            running_.notify_one();
            return;
        }
        request(server_, caf::infinite, left_).then([this](std::uint64_t) { call(); });
    }
    caf::actor server_;
    std::uint64_t left_;
    std::atomic<std::size_t>& running_;
};

/// `callers` actors call, each has one call in flight.
void calls(std::size_t callers, std::size_t servers, std::uint64_t each) {
    settings config;
    caf::actor_system system(config);
    std::vector<caf::actor> targets;
    for (std::size_t i = 0; i < servers; ++i) {
        targets.push_back(system.spawn(echo));
    }
    std::atomic<std::size_t> running{0};
    const auto run = [&](std::uint64_t count) {
        running = callers;
        const auto began = now_us();
        for (std::size_t i = 0; i < callers; ++i) {
            system.spawn<caller>(targets[i % servers], count, running);
        }
        for (auto left = running.load(); left > 0; left = running.load()) {
            running.wait(left);
        }
        return seconds_since(began);
    };
    run(each / 10);
    const auto cpu_before = cpu_us();
    const auto seconds = run(each);
    const auto total = static_cast<double>(callers) * static_cast<double>(each);
    print_case("actor_call",
               fmt::format(R"("in_flight":{},"servers":{},"ops_per_s":{:.0f},"cpu_us_per_op":{:.2f})", callers, servers,
                           total / seconds, static_cast<double>(cpu_us() - cpu_before) / total));
    for (auto& t : targets) {
        caf::anon_send_exit(t, caf::exit_reason::user_shutdown);
    }
}

void spawning(std::size_t count) {
    settings config;
    caf::actor_system system(config);
    std::vector<caf::actor> idle;
    idle.reserve(count);
    const auto before = resident_bytes();
    const auto began = now_us();
    for (std::size_t i = 0; i < count; ++i) {
        idle.push_back(system.spawn(echo));
    }
    const auto seconds = seconds_since(began);
    const auto bytes = static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
    print_case("actor_spawn", fmt::format(R"("count":{},"ops_per_s":{:.0f},"bytes_per_idle_actor":{:.0f})", count,
                                          static_cast<double>(count) / seconds, bytes));
    for (auto& a : idle) {
        caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    }
}

/// A child that fails as soon as it runs, and is started again at once.
void restarts(std::uint64_t count) {
    settings config;
    caf::actor_system system(config);
    std::atomic<std::uint64_t> left{count};
    runtime::supervisor_spec spec;
    spec.restarts_max = std::numeric_limits<std::size_t>::max() / 2;
    spec.window_ms = 1;
    spec.wait = {.first_ms = 0, .max_ms = 0, .jitter = 0, .quiet_ms = 1};
    std::vector<runtime::supervised_child> children;
    children.push_back({{.id = "failing"}, [&](const runtime::child_context& child) {
                            const auto made = child.system.spawn(echo);
                            if (left.fetch_sub(1) > 1) {
                                caf::anon_send_exit(made, caf::exit_reason::unhandled_exception);
                            } else {
                                left.notify_one();
                            }
                            return made;
                        }});
    runtime::supervision_tree tree;
    const auto began = now_us();
    const auto cpu_before = cpu_us();
    const auto supervisor =
        runtime::spawn_supervisor(system, std::move(spec), std::move(children), {.path = "/", .tree = &tree});
    for (auto now = left.load(); now > 0; now = left.load()) {
        left.wait(now);
    }
    const auto seconds = seconds_since(began);
    print_case("supervised_restart",
               fmt::format(R"("ops_per_s":{:.0f},"cpu_us_per_op":{:.2f})", static_cast<double>(count) / seconds,
                           static_cast<double>(cpu_us() - cpu_before) / static_cast<double>(count)));
    runtime::end_supervisor(system, *supervisor, 5000);
}

} // namespace
} // namespace troupe::bench

int main() {
    using namespace troupe::bench;
    in_process_of_its_own([] { calls(64, 1, 20'000); });
    in_process_of_its_own([] { calls(64, 64, 20'000); });
    in_process_of_its_own([] { calls(1, 1, 200'000); });
    in_process_of_its_own([] { spawning(200'000); });
    in_process_of_its_own([] { restarts(50'000); });
}
