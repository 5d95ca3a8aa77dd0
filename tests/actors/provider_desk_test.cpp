#include "actors/provider/provider_desk.hpp"

#include "runtime/supervision/supervisor_actor.hpp"
#include "tests/actors/scripted_model.hpp"
#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// A desk under a supervisor, and threads that wait at it.
struct scene {
    explicit scene(gate_settings settings = {.calls_max = 1})
        : desk(std::make_shared<provider_desk>("acme", settings)) {
        std::vector<runtime::supervised_child> children;
        auto child = runtime::nudged_child(desk->part());
        child.start = [this, start = child.start](const runtime::child_context& c) {
            const std::lock_guard lock(mutex);
            return actor = start(c);
        };
        children.push_back(std::move(child));
        supervisor = runtime::spawn_supervisor(system, {.wait = {.first_ms = 1, .jitter = 0}}, std::move(children),
                                               {.path = "/n1/providers", .tree = &tree})
                         .value();
    }
    ~scene() { runtime::end_supervisor(system, supervisor, 10'000); }
    scene(const scene&) = delete;

    caf::actor actor_now() {
        const std::lock_guard lock(mutex);
        return actor;
    }

    /// Asks from a thread of its own, as runs do; the answer is there when the actor has handled it.
    struct asking {
        std::optional<expected<provider_desk::lease>> answer;
        std::stop_source stop;
        std::atomic<bool> done{false};
        std::thread thread;
    };
    std::unique_ptr<asking> ask(call_wish wish = {.caller = "a", .patience_ms = 60'000, .known_patience_ms = 60'000}) {
        auto out = std::make_unique<asking>();
        out->thread = std::thread([this, me = out.get(), wish] {
            me->answer.emplace(desk->admit(wish, me->stop.get_token()));
            me->done = true;
        });
        return out;
    }
    static expected<provider_desk::lease> answer_of(asking& a) {
        a.thread.join();
        return std::move(*a.answer);
    }
    provider_desk::lease admitted() {
        auto place = desk->admit({.caller = "a", .patience_ms = 60'000, .known_patience_ms = 60'000}, {});
        BOOST_REQUIRE(place);
        return std::move(*place);
    }
    /// Until the desk shows it.
    template <class Condition>
    void until(Condition holds) const {
        BOOST_REQUIRE(runtime::test::eventually([&] { return holds(desk->health()); }));
    }
    void until_waiting(std::uint32_t calls) const {
        until([&](const provider_health& h) { return h.calls_waiting == calls; });
    }

    std::shared_ptr<provider_desk> desk;
    runtime::supervision_tree tree;
    std::mutex mutex;
    caf::actor actor;
    caf::actor_system_config config;
    caf::actor_system system{config};
    caf::actor supervisor;
};

} // namespace

BOOST_AUTO_TEST_SUITE(provider_desks)

BOOST_AUTO_TEST_CASE(call_waits_until_another_gives_its_place_back) {
    scene s;
    std::optional first = s.admitted();
    auto second = s.ask();
    s.until_waiting(1);
    BOOST_TEST(!second->done);
    first.reset(); // without an outcome
    BOOST_TEST(s.answer_of(*second).has_value());
    s.until([](const auto& h) { return h.calls_at_work == 0; });
    BOOST_TEST(s.desk->health().failures_in_row == 0u);
}

BOOST_AUTO_TEST_CASE(stop_ends_the_wait_and_takes_nothing) {
    scene s;
    std::optional first = s.admitted();
    auto second = s.ask();
    s.until_waiting(1);
    second->stop.request_stop();
    auto answer = s.answer_of(*second);
    BOOST_REQUIRE(!answer);
    BOOST_CHECK(answer.error().code == code::cancelled);
    s.until_waiting(0);
    first.reset();
    s.admitted();
}

BOOST_AUTO_TEST_CASE(outcome_is_told_also_when_the_model_throws) {
    scene s;
    scripted_model model({{.failure = problem{code::model_unavailable, "it broke"}}, {.throws = true}});
    BOOST_TEST(!s.admitted().call(model, {}, {}, {}));
    s.until([](const auto& h) { return h.failures_in_row == 1; });
    BOOST_TEST(s.desk->health().last_failure->detail == "it broke");
    BOOST_CHECK_THROW((void)s.admitted().call(model, {}, {}, {}), std::runtime_error);
    s.until([](const auto& h) { return h.calls_at_work == 0; });
}

BOOST_AUTO_TEST_CASE(actor_that_is_started_anew_knows_who_waits_and_who_is_at_work) {
    scene s;
    std::optional first = s.admitted();
    auto second = s.ask();
    s.until_waiting(1);
    const auto before = s.actor_now();
    caf::anon_send_exit(before, caf::exit_reason::kill);
    BOOST_REQUIRE(runtime::test::eventually([&] { return s.actor_now() != before; }));
    auto third = s.ask(); // the new one hears of it, and of the others
    s.until_waiting(2);
    BOOST_TEST(s.desk->health().calls_at_work == 1u);
    BOOST_TEST(!second->done);
    first.reset();
    BOOST_TEST(s.answer_of(*second).has_value());
    BOOST_TEST(s.answer_of(*third).has_value());
}

BOOST_AUTO_TEST_CASE(breaker_lets_the_waiting_call_through_when_its_time_has_come) {
    scene s({.failures_max = 2, .back_off_first_ms = 50});
    scripted_model model({{.failure = problem{code::model_unavailable, "it broke"}},
                          {.failure = problem{code::model_unavailable, "it broke"}},
                          {.text = "well"}});
    BOOST_TEST(!s.admitted().call(model, {}, {}, {}));
    BOOST_TEST(!s.admitted().call(model, {}, {}, {}));
    s.until([](const auto& h) { return h.status == provider_status::open; });
    auto place = s.admitted(); // its own timer wakes the actor
    BOOST_TEST(place.call(model, {}, {}, {})->content == "well");
    s.until([](const auto& h) { return h.status == provider_status::healthy; });
}

BOOST_AUTO_TEST_SUITE_END()
