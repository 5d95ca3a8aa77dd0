#include "runtime/supervision/supervisor_core.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;

namespace {

using policy = restart_policy;

supervisor_spec spec_of(restart_strategy strategy, std::vector<child_spec> children) {
    return {.strategy = strategy,
            .restarts_max = 3,
            .window_ms = 10'000,
            .wait = {.first_ms = 100, .max_ms = 1000, .jitter = 0, .quiet_ms = 5000},
            .children = std::move(children)};
}

std::vector<child_spec> abc() { return {{.id = "a"}, {.id = "b"}, {.id = "c"}}; }

/// "start a, stop b": what a test compares.
std::string text(const supervisor_core::actions& actions) {
    static constexpr const char* names[] = {"start", "stop", "kill", "abandon", "finished", "escalate"};
    std::string out;
    for (const auto& a : actions) {
        out += out.empty() ? "" : ", ";
        out += names[static_cast<int>(a.what)];
        out += a.child.empty() ? "" : " " + a.child;
    }
    return out;
}

/// A core that has started at time 0.
struct started {
    explicit started(supervisor_spec spec) : core(std::move(spec), [] { return 0.5; }) { first = text(core.start(0)); }
    std::string fails(const char* id, std::int64_t now) { return text(core.child_exited(id, true, "boom", now)); }
    std::string ends(const char* id, std::int64_t now) { return text(core.child_exited(id, false, "", now)); }
    std::string tick(std::int64_t now) { return text(core.tick(now)); }
    supervisor_core core;
    std::string first;
};

} // namespace

BOOST_AUTO_TEST_SUITE(supervisor_core_decisions)

BOOST_AUTO_TEST_CASE(children_start_in_order) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    BOOST_TEST(s.first == "start a, start b, start c");
    BOOST_TEST(!s.core.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(one_for_one_restarts_only_the_failed_after_the_back_off) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    BOOST_TEST(s.fails("b", 1000) == "");
    BOOST_TEST(s.core.next_due().value() == 1100);
    BOOST_TEST(s.tick(1099) == "");
    BOOST_TEST(s.tick(1100) == "start b");
    BOOST_TEST(!s.core.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(one_for_all_stops_the_others_in_reverse_and_starts_all_in_order) {
    started s(spec_of(restart_strategy::one_for_all, abc()));
    BOOST_TEST(s.fails("b", 1000) == "stop c");
    BOOST_TEST(s.tick(1100) == ""); // due, but the group is not down yet
    BOOST_TEST(s.ends("c", 1200) == "stop a");
    BOOST_TEST(s.ends("a", 1300) == "start a, start b, start c");
}

BOOST_AUTO_TEST_CASE(rest_for_one_spares_the_earlier) {
    started s(spec_of(restart_strategy::rest_for_one, abc()));
    BOOST_TEST(s.fails("b", 1000) == "stop c");
    BOOST_TEST(s.ends("c", 1010) == "");
    BOOST_TEST(s.tick(1100) == "start b, start c");
    BOOST_TEST(s.fails("c", 9000) == "");
    BOOST_TEST(s.tick(9100) == "start c");
}

BOOST_AUTO_TEST_CASE(an_earlier_failure_widens_a_group_that_waits) {
    started s(spec_of(restart_strategy::rest_for_one, abc()));
    BOOST_TEST(s.fails("c", 1000) == "");
    BOOST_TEST(s.fails("a", 1050) == "stop b");
    BOOST_TEST(s.ends("b", 1060) == "");
    BOOST_TEST(s.tick(1100) == ""); // c's own time; the group starts together
    BOOST_TEST(s.tick(1150) == "start a, start b, start c");
}

BOOST_AUTO_TEST_CASE(a_child_that_fails_while_its_group_goes_down_counts_once) {
    started s(spec_of(restart_strategy::one_for_all, abc()));
    BOOST_TEST(s.fails("a", 1000) == "stop c");
    BOOST_TEST(s.fails("b", 1001) == ""); // its turn had not come
    BOOST_TEST(s.fails("c", 1002) == "");
    BOOST_TEST(s.tick(1100) == "start a, start b, start c");
    BOOST_TEST(s.core.find("b")->attempt == 0);
    BOOST_TEST(!s.core.find("b")->last_failure_ms.has_value());
}

BOOST_AUTO_TEST_CASE(the_policy_decides_who_comes_back) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "p", .restart = policy::permanent},
                                                      {.id = "r", .restart = policy::transient},
                                                      {.id = "t", .restart = policy::temporary}}));
    s.ends("p", 0);
    s.ends("r", 0);
    s.fails("t", 0);
    BOOST_TEST(s.tick(100) == "start p");
    BOOST_TEST(s.core.find("r") != nullptr); // an operator may start it again
    BOOST_TEST(s.core.find("t") == nullptr); // nothing piles up
    BOOST_TEST(text(s.core.restart_child("r", 200).value()) == "start r");
    s.fails("r", 300);
    BOOST_TEST(s.tick(400) == "start r");
}

BOOST_AUTO_TEST_CASE(a_group_restart_does_not_wake_those_that_ended) {
    started s(
        spec_of(restart_strategy::one_for_all,
                {{.id = "a"}, {.id = "r", .restart = policy::transient}, {.id = "t", .restart = policy::temporary}}));
    s.ends("r", 0);
    BOOST_TEST(s.fails("a", 1000) == "stop t");
    BOOST_TEST(s.ends("t", 1001) == "");
    BOOST_TEST(s.tick(1100) == "start a");
}

BOOST_AUTO_TEST_CASE(too_many_failures_stop_all_and_escalate) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    for (std::int64_t i = 0; i < 3; ++i) {
        s.fails("a", i * 2000);
        BOOST_TEST(s.tick(i * 2000 + 1999) == "start a");
    }
    BOOST_TEST(s.fails("a", 6000) == "stop c"); // the 4th within 10 s, of 3 allowed
    BOOST_TEST(s.ends("c", 6001) == "stop b");
    const auto end = s.core.child_exited("b", false, "", 6002);
    BOOST_TEST(text(end) == "escalate");
    BOOST_TEST(end[0].reason == "4 failures within 10 s, the last of a: boom");
    BOOST_TEST(!s.core.next_due().has_value());
}

BOOST_AUTO_TEST_CASE(failures_outside_the_window_do_not_count) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    for (std::int64_t i = 0; i < 20; ++i) {
        BOOST_TEST(s.fails("a", i * 4000) == "");
        BOOST_TEST(s.tick(i * 4000 + 3999) == "start a");
    }
}

BOOST_AUTO_TEST_CASE(failures_of_all_children_count_together) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    s.fails("a", 0);
    s.fails("b", 1);
    s.fails("c", 2);
    s.tick(100);                                 // a
    BOOST_TEST(s.fails("a", 200) == "escalate"); // b and c wait for their restart: nobody is left to stop
}

BOOST_AUTO_TEST_CASE(intensity_is_a_function_of_history_and_now) {
    BOOST_TEST(exceeds_intensity({}, 0, 0, 1000));
    BOOST_TEST(!exceeds_intensity({}, 0, 1, 1000));
    BOOST_TEST(exceeds_intensity({500}, 1499, 1, 1000));
    BOOST_TEST(!exceeds_intensity({500}, 1500, 1, 1000));
}

BOOST_AUTO_TEST_CASE(back_off_doubles_to_its_limit_and_jitter_only_shortens) {
    const back_off wait{.first_ms = 100, .max_ms = 700, .jitter = 0.5};
    BOOST_TEST(back_off_ms(wait, 0, 0) == 100);
    BOOST_TEST(back_off_ms(wait, 1, 0) == 200);
    BOOST_TEST(back_off_ms(wait, 2, 0) == 400);
    BOOST_TEST(back_off_ms(wait, 3, 0) == 700);
    BOOST_TEST(back_off_ms(wait, 4'000'000'000U, 0) == 700);
    BOOST_TEST(back_off_ms(wait, 1, 0.5) == 150);
    BOOST_TEST(back_off_ms({.first_ms = 0, .max_ms = 0}, 5, 0.9) == 0);
}

BOOST_AUTO_TEST_CASE(back_off_starts_over_after_a_quiet_period) {
    auto spec = spec_of(restart_strategy::one_for_one, abc());
    spec.restarts_max = 100;
    started s(std::move(spec));
    s.fails("a", 0);
    BOOST_TEST(s.core.next_due().value() == 100);
    s.tick(100);
    s.fails("a", 200);
    BOOST_TEST(s.core.next_due().value() == 400); // doubled
    s.tick(400);
    s.fails("a", 5199);
    BOOST_TEST(s.core.next_due().value() == 5599); // not quiet for long enough
    s.tick(5599);
    s.fails("a", 10'199);
    BOOST_TEST(s.core.next_due().value() == 10'299);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(supervisor_core_shutdown)

BOOST_AUTO_TEST_CASE(shutdown_stops_one_after_the_other_in_reverse) {
    started s(spec_of(restart_strategy::one_for_one, abc()));
    BOOST_TEST(text(s.core.shutdown(0)) == "stop c");
    BOOST_TEST(text(s.core.shutdown(0)) == ""); // asked again: nothing new
    BOOST_TEST(s.ends("c", 1) == "stop b");
    BOOST_TEST(s.fails("b", 2) == "stop a"); // how it ends no longer matters
    BOOST_TEST(s.ends("a", 3) == "finished");
}

BOOST_AUTO_TEST_CASE(shutdown_does_not_start_who_waits) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a"}}));
    s.fails("a", 0);
    BOOST_TEST(text(s.core.shutdown(50)) == "finished");
    BOOST_TEST(s.tick(1000) == "");
}

BOOST_AUTO_TEST_CASE(one_that_does_not_end_is_killed_then_abandoned) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a", .shutdown_ms = 300}}));
    s.core.shutdown(0);
    BOOST_TEST(s.core.next_due().value() == 300);
    BOOST_TEST(s.tick(299) == "");
    BOOST_TEST(s.tick(300) == "kill a");
    BOOST_TEST(s.core.next_due().value() == 2300);
    BOOST_TEST(s.tick(2300) == "abandon a, finished");
    BOOST_TEST(s.ends("a", 9000) == ""); // it came round after all
}

BOOST_AUTO_TEST_CASE(no_patience_means_kill_at_once) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a", .shutdown_ms = 0}}));
    BOOST_TEST(text(s.core.shutdown(0)) == "kill a");
    BOOST_TEST(s.ends("a", 1) == "finished");
}

BOOST_AUTO_TEST_CASE(a_shutdown_may_take_what_each_child_may_take) {
    BOOST_TEST(shutdown_ms_of({}) == 0);
    BOOST_TEST(shutdown_ms_of({{.id = "a", .shutdown_ms = 300}, {.id = "b", .shutdown_ms = 0}}) == 4300);
}

BOOST_AUTO_TEST_CASE(a_specification_is_described_for_people) {
    BOOST_TEST(describe(child_spec{.id = "a", .restart = policy::transient, .shutdown_ms = 300}) ==
               "transient, 300 ms to end");
    BOOST_TEST(describe(child_spec{.id = "a", .shutdown_ms = 0, .strategy = "one_for_one"}) ==
               "permanent, killed at the end; children one_for_one");
    BOOST_TEST(describe(spec_of(restart_strategy::rest_for_one, {})) == "rest_for_one, up to 3 failures in 10 s");
}

BOOST_AUTO_TEST_CASE(a_supervisor_without_children_ends_at_once) {
    started s(spec_of(restart_strategy::one_for_all, {}));
    BOOST_TEST(text(s.core.shutdown(0)) == "finished");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(supervisor_core_operations)

BOOST_AUTO_TEST_CASE(children_can_be_added_and_removed) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a"}}));
    BOOST_TEST(text(s.core.add_child({.id = "b"}, 0).value()) == "start b");
    BOOST_TEST((s.core.add_child({.id = "b"}, 0).error().code == code::already_exists));
    BOOST_TEST(text(s.core.remove_child("a", 0).value()) == "stop a");
    BOOST_TEST((s.core.restart_child("a", 0).error().code == code::unavailable));
    BOOST_TEST(s.fails("a", 1) == "");
    BOOST_TEST(s.core.find("a") == nullptr);
    BOOST_TEST((s.core.remove_child("a", 2).error().code == code::not_found));
    BOOST_TEST(text(s.core.add_child({.id = "a"}, 3).value()) == "start a");
}

BOOST_AUTO_TEST_CASE(a_child_that_waits_can_be_removed) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a"}}));
    s.fails("a", 0);
    BOOST_TEST(text(s.core.remove_child("a", 1).value()) == "");
    BOOST_TEST(s.tick(1000) == "");
    BOOST_TEST(s.core.children().empty());
}

BOOST_AUTO_TEST_CASE(a_wished_restart_is_at_once_and_no_failure) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a"}}));
    for (std::int64_t i = 0; i < 10; ++i) { // more often than the intensity allows failures
        BOOST_TEST(text(s.core.restart_child("a", i).value()) == "stop a");
        BOOST_TEST(s.ends("a", i) == "start a");
    }
    s.fails("a", 100);
    BOOST_TEST(text(s.core.restart_child("a", 101).value()) == "start a"); // does not wait for the back-off
}

BOOST_AUTO_TEST_CASE(nothing_is_added_while_it_ends) {
    started s(spec_of(restart_strategy::one_for_one, {{.id = "a"}}));
    s.core.shutdown(0);
    BOOST_TEST((s.core.add_child({.id = "b"}, 0).error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(exits_of_strangers_change_nothing) {
    started s(spec_of(restart_strategy::one_for_all, abc()));
    BOOST_TEST(s.fails("z", 0) == "");
}

BOOST_AUTO_TEST_CASE(specifications_are_checked) {
    const auto accepts = [](supervisor_spec spec) { return validate(spec).has_value(); };
    BOOST_TEST(accepts(spec_of(restart_strategy::one_for_one, abc())));
    BOOST_TEST(accepts(spec_of(restart_strategy::one_for_one, {{.id = "acme~scout_1.0:@-"}})));
    BOOST_TEST(!accepts(spec_of(restart_strategy::one_for_one, {{.id = ""}})));
    BOOST_TEST(!accepts(spec_of(restart_strategy::one_for_one, {{.id = "a/b"}})));
    BOOST_TEST(!accepts(spec_of(restart_strategy::one_for_one, {{.id = std::string(201, 'x')}})));
    BOOST_TEST(!accepts(spec_of(restart_strategy::one_for_one, {{.id = "a"}, {.id = "a"}})));
    BOOST_TEST(!accepts(spec_of(restart_strategy::one_for_one, {{.id = "a", .shutdown_ms = -1}})));
    auto no_window = spec_of(restart_strategy::one_for_one, {});
    no_window.window_ms = 0;
    BOOST_TEST(!accepts(no_window));
    auto no_jitter = spec_of(restart_strategy::one_for_one, {});
    no_jitter.wait.jitter = 1.5;
    BOOST_TEST(!accepts(no_jitter));
}

BOOST_AUTO_TEST_SUITE_END()
