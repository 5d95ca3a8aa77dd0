#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <cstdint>

namespace troupe::test {

/// An actor system in which nothing happens by itself: messages are handled by `run`, time passes by `advance`.
/// No thread, no sleep; detached actors are scheduled like the others. Use it as a Boost.Test fixture.
class deterministic {
public:
    deterministic()
        : system(configure(config_)), scheduler(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {
        system.await_actors_before_shutdown(false); // a test that failed half-way must not hang
    }
    deterministic(const deterministic&) = delete;
    deterministic& operator=(const deterministic&) = delete;
    ~deterministic() { scheduler.clock().cancel_all(); }

    /// Handles messages until none is left, without letting time pass.
    void run() {
        while (scheduler.try_run_once()) {
        }
    }

    /// Lets time pass in steps of 1 ms at least until it is over, and handles what falls due on the way, in order.
    void advance(std::int64_t ms) {
        run();
        for (std::int64_t i = 0; i < ms; ++i) {
            scheduler.advance_time(std::chrono::milliseconds(1));
            run();
        }
    }

    /// Ends the actor as nobody can refuse, and handles what follows.
    void kill(const caf::actor& actor) {
        caf::anon_send_exit(actor, caf::exit_reason::kill);
        run();
    }

    caf::actor_system_config config_;
    caf::actor_system system;
    caf::scheduler::test_coordinator& scheduler;

private:
    static caf::actor_system_config& configure(caf::actor_system_config& config) {
        config.set("scheduler.policy", caf::atom("testing"));
        return config;
    }
};

} // namespace troupe::test
