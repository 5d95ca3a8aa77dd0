#include "runtime/supervision/part.hpp"

#include "runtime/supervision/supervisor_actor.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;

namespace {

/// A part that notes its starts and ends, under a supervisor in real threads.
struct fixture {
    fixture() {
        supervised_part part{"edge", "listener", [this](part_failed failed) -> expected<std::shared_ptr<void>> {
                                 const std::lock_guard lock(mutex);
                                 const auto number = std::to_string(said.size() + 1);
                                 said.push_back(std::move(failed));
                                 if (number == refused) {
                                     note("!" + number);
                                     return problem{code::address_in_use, "somebody has its place"};
                                 }
                                 note("+" + number);
                                 return std::shared_ptr<void>(this, [this, number](void*) {
                                     const std::lock_guard until(mutex);
                                     note("-" + number);
                                 });
                             }};
        std::vector<supervised_child> children;
        children.push_back(part_child(std::move(part)));
        supervisor = spawn_supervisor(system, {.restarts_max = 5, .wait = {.first_ms = 1, .jitter = 0}},
                                      std::move(children), {.path = "/n1", .tree = &tree})
                         .value();
    }

    /// Under the mutex.
    void note(const std::string& what) {
        log += (log.empty() ? "" : " ") + what;
        changed.notify_all();
    }

    /// What happened, as soon as it ends like this.
    std::string until(std::string_view end) {
        std::unique_lock lock(mutex);
        BOOST_TEST(changed.wait_for(lock, std::chrono::seconds(30), [&] { return log.ends_with(end); }), log);
        return log;
    }

    void say(std::size_t incarnation, const std::string& why) {
        part_failed to;
        {
            const std::lock_guard lock(mutex);
            to = said.at(incarnation - 1);
        }
        to(why);
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::string log;
    std::string refused;
    std::vector<part_failed> said;
    supervision_tree tree;
    caf::actor_system_config config;
    caf::actor_system system{config};
    caf::actor supervisor;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(supervised_parts, fixture)

BOOST_AUTO_TEST_CASE(a_part_that_cannot_go_on_ends_and_is_started_anew) {
    until("+1");
    say(1, "the cable is cut");
    BOOST_TEST(until("+2") == "+1 -1 +2");
    say(1, "again"); // who was replaced has nothing to say
    say(2, "the cable is cut");
    BOOST_TEST(until("+3") == "+1 -1 +2 -2 +3");
    const auto shown = tree.to_json("/n1/edge").value();
    BOOST_TEST(shown.find(R"("kind":"listener","status":"running","restarts":2)") != std::string::npos, shown);
    BOOST_TEST(shown.find("the cable is cut") != std::string::npos, shown);
    BOOST_TEST(end_supervisor(system, supervisor, 30'000));
    BOOST_TEST(until("-3") == "+1 -1 +2 -2 +3 -3");
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_is_tried_again) {
    until("+1");
    {
        const std::lock_guard lock(mutex);
        refused = "2";
    }
    say(1, "the cable is cut");
    BOOST_TEST(until("+3") == "+1 -1 !2 +3");
    BOOST_TEST(end_supervisor(system, supervisor, 30'000));
}

BOOST_AUTO_TEST_SUITE_END()
