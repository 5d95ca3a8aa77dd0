#include "runtime/supervision/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <string>
#include <thread>

using namespace troupe::runtime;

namespace {

struct worker : stall_subject {
    worker(std::string p, bool c) : path(std::move(p)), core(c) {}
    [[nodiscard]] std::string stall_path() const override { return path; }
    [[nodiscard]] bool is_core() const override { return core; }
    std::string path;
    bool core;
};

struct fixture {
    stall_watch watch{{.stall_ms = 1000, .end_ms = 3000}};
    std::shared_ptr<watched_thread> thread = watch.add("scheduler-1");
    worker router{"/nodes/n1/shards/3", true};
    worker entity{"/nodes/n1/shards/3/tasks/x", false};

    /// So many ticks of 500 ms: what the last one found.
    stall_watch::findings ticks(int count) {
        stall_watch::findings out;
        for (int i = 0; i < count; ++i) {
            out = watch.tick(500);
        }
        return out;
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(stall_watches, fixture)

BOOST_AUTO_TEST_CASE(who_is_at_the_same_work_for_too_long_is_named_once) {
    thread->begin(router);
    BOOST_TEST(ticks(2).begun.empty()); // seen first, then 500 ms
    const auto found = ticks(1);
    BOOST_REQUIRE(found.begun.size() == 1);
    BOOST_TEST(found.begun[0].path == router.path);
    BOOST_TEST(found.begun[0].thread == "scheduler-1");
    BOOST_TEST(found.begun[0].for_ms == 1000);
    BOOST_TEST(found.begun[0].core);
    BOOST_TEST(ticks(1).begun.empty());
    thread->end();
    const auto after = ticks(1);
    BOOST_REQUIRE(after.ended.size() == 1);
    BOOST_TEST(after.ended[0].path == router.path);
    BOOST_TEST(ticks(5).ended.empty());
}

BOOST_AUTO_TEST_CASE(new_work_each_tick_and_no_work_are_no_stall) {
    for (int i = 0; i < 10; ++i) {
        thread->begin(router);
        BOOST_TEST(ticks(1).begun.empty());
        thread->end();
    }
    BOOST_TEST(ticks(10).begun.empty());
}

BOOST_AUTO_TEST_CASE(a_beat_in_long_work_says_that_it_goes_on) {
    thread->begin(router);
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(ticks(2).begun.empty());
        thread->beat();
    }
    BOOST_TEST(ticks(3).begun.size() == 1);
    thread->beat();
    BOOST_TEST(ticks(1).ended.size() == 1);
    thread->end();
}

BOOST_AUTO_TEST_CASE(only_core_work_is_overdue_and_only_once) {
    thread->begin(entity);
    BOOST_TEST(ticks(100).overdue.empty());
    thread->end();
    ticks(1);
    thread->begin(router);
    BOOST_TEST(ticks(6).overdue.empty());
    const auto found = ticks(1);
    BOOST_REQUIRE(found.overdue.size() == 1);
    BOOST_TEST(found.overdue[0].for_ms == 3000);
    BOOST_TEST(ticks(10).overdue.empty());
    thread->end();
}

BOOST_AUTO_TEST_CASE(zero_means_that_nothing_is_ever_overdue) {
    stall_watch patient({.stall_ms = 1000, .end_ms = 0});
    const auto t = patient.add("a");
    t->begin(router);
    stall_watch::findings found;
    for (int i = 0; i < 1000; ++i) {
        found = patient.tick(500);
        BOOST_TEST(found.overdue.empty());
    }
    t->end();
}

BOOST_AUTO_TEST_CASE(a_thread_is_entered_once_and_leaves_with_its_end) {
    std::thread([&] {
        BOOST_TEST(&watch.this_thread("scheduler") == &watch.this_thread("scheduler"));
        BOOST_TEST(watch.threads() == 2u);
        const watched_work work(&watch, "scheduler", router);
        const watched_work unwatched(nullptr, "scheduler", router);
    }).join();
    BOOST_TEST(ticks(1).begun.empty());
    BOOST_TEST(watch.threads() == 1u);
}

BOOST_AUTO_TEST_CASE(a_shutdown_beyond_its_deadline_is_ended_with_what_is_left) {
    std::promise<std::string> said;
    const deadline_watchdog watchdog(
        1, [] { return std::string("still running: /nodes/n1/committer"); },
        [&](const std::string& why) { said.set_value(why); });
    BOOST_TEST(said.get_future().get() == "still running: /nodes/n1/committer");
}

BOOST_AUTO_TEST_CASE(a_shutdown_in_time_is_left_alone) {
    bool ended = false;
    {
        const deadline_watchdog watchdog(
            3'600'000, [] { return std::string(); }, [&](const std::string&) { ended = true; });
    }
    BOOST_TEST(!ended);
}

BOOST_AUTO_TEST_SUITE_END()
