#include "actors/agent/agent_model.hpp"
#include "schemas/notification_messages.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

// Heartbeats, attempts, time-outs of the queue, restarts and older settings of agents.
using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using agent = entity<agent_model>;

debt_settled settled(const std::string& key, bool ok = true) { return {{key, ok, ok ? "" : "not_found", "", {}}}; }

create_agent named(const std::string& name) {
    create_agent c;
    c.name = name;
    return c;
}

agent made(const create_agent& c) {
    agent a;
    a.principal = "user/" + to_string(id_of(90));
    a.accepted(c);
    a.accepted(settled("confirm_name/1"));
    return a;
}

create_agent beating(bool external = false, const std::string& instructions = "") {
    auto c = named("Scout");
    c.heartbeat = heartbeat_terms{30'000, external, 2, instructions};
    return c;
}

enqueue_task task(std::uint8_t n) { return {id_of(n), 1, "Task " + std::to_string(n), "", {}, id_of(30), {}}; }

agent_document shown(const agent& a) { return a.document<agent_document>(); }

std::optional<timestamp> alarm(const agent& a, std::string_view key) {
    for (const auto& effect : agent_model::resume(a.state())) {
        if (const auto* timer = std::get_if<runtime::timer_effect>(&effect); timer && timer->key == key) {
            return timer->due;
        }
    }
    return std::nullopt;
}

/// The alarm rings, `late_ms` after its time.
std::vector<agent_model::event> ring(agent& a, std::int64_t late_ms = 0) {
    const auto due = alarm(a, "heartbeat");
    BOOST_TEST_REQUIRE(due.has_value());
    a.now = *due + late_ms;
    return a.accepted(heartbeat_due{*due});
}

uuid run_of(const agent& a) {
    BOOST_TEST_REQUIRE(!a.state().running.empty());
    return *parse_uuid(a.state().running.begin()->first);
}

template <class Message>
Message last_sent(const agent& a) {
    std::optional<Message> found;
    for (const auto& d : a.state().owed.open) {
        if (d.type == wire_name<Message>::value) {
            found = *from_json<Message>(d.payload.text, strictness::stored);
        }
    }
    BOOST_TEST_REQUIRE(found.has_value());
    return *found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_heartbeats)

BOOST_AUTO_TEST_CASE(each_beat_sets_the_alarm_for_the_next) {
    auto a = made(beating());
    const auto first = a.now + 30'000;
    BOOST_TEST((alarm(a, "heartbeat") == first));
    BOOST_TEST(names_of(ring(a)) == texts{"agent_beat"});
    BOOST_TEST((shown(a).heartbeat_at == first));
    BOOST_TEST((shown(a).heartbeat_due == first + 30'000));
    BOOST_TEST(*shown(a).heartbeats == 1);
    BOOST_TEST(a.accepted(heartbeat_due{first}).empty()); // it rang twice
}

BOOST_AUTO_TEST_CASE(without_an_interval_there_is_no_alarm) {
    auto a = made(named("Scout"));
    BOOST_TEST(!alarm(a, "heartbeat"));
    a.accepted(heartbeat_agent{});
    BOOST_TEST(!alarm(a, "heartbeat"));
    BOOST_TEST(!shown(a).heartbeats);
}

BOOST_AUTO_TEST_CASE(beats_that_nobody_was_there_for_are_counted) {
    auto a = made(beating());
    const auto decided = ring(a, 95'000); // the node was away
    BOOST_TEST(std::get<agent_beat>(decided.front()).missed == 3);
    BOOST_TEST((shown(a).heartbeat_due == a.now + 30'000));
}

BOOST_AUTO_TEST_CASE(a_stopped_agent_has_no_beats_until_it_starts) {
    auto a = made(beating());
    a.accepted(stop_agent{});
    BOOST_TEST(!alarm(a, "heartbeat"));
    a.accepted(start_agent{});
    BOOST_TEST((alarm(a, "heartbeat") == a.now + 30'000));
}

BOOST_AUTO_TEST_CASE(what_it_does_at_a_beat_is_one_run_at_a_time) {
    auto a = made(beating(false, "Look around."));
    const auto run = *std::get<agent_beat>(ring(a).front()).run_id;
    BOOST_TEST(last_sent<create_run>(a).goal == "Look around.");
    BOOST_TEST(!last_sent<create_run>(a).task_id);
    BOOST_TEST(!std::get<agent_beat>(ring(a).front()).run_id); // the first one is not over
    a.accepted(run_ended{run, {}, run_status::succeeded, "All is well.", {}});
    BOOST_TEST(shown(a).completed == 0); // no task
    BOOST_TEST(std::get<agent_beat>(ring(a).front()).run_id.has_value());
}

BOOST_AUTO_TEST_CASE(with_tasks_in_work_it_does_nothing_else) {
    auto a = made(beating(false, "Look around."));
    a.accepted(task(2));
    BOOST_TEST(!std::get<agent_beat>(ring(a).front()).run_id);
}

BOOST_AUTO_TEST_CASE(one_that_gives_no_sign_of_life_gives_its_queue_back) {
    auto a = made(beating(true));
    a.accepted(task(2));
    a.accepted(task(3));
    BOOST_TEST(names_of(ring(a)) == texts{"heartbeat_missed"});
    BOOST_TEST((shown(a).status == agent_status::busy));
    BOOST_TEST(names_of(ring(a)) == (texts{"heartbeat_missed", "task_given_back"}));
    BOOST_TEST((shown(a).status == agent_status::error));
    BOOST_TEST(shown(a).error.has_value());
    BOOST_TEST((last_sent<return_task>(a).assignment == 1));
    BOOST_TEST((last_sent<notify>(a).kind == notification_kind::alert));
    BOOST_TEST(shown(a).queued.empty());
    BOOST_TEST(names_of(ring(a)) == texts{"heartbeat_missed"}); // said once
    a.accepted(heartbeat_agent{});
    BOOST_TEST((shown(a).status == agent_status::busy));
    BOOST_TEST(*shown(a).heartbeats_missed == 0);
}

BOOST_AUTO_TEST_CASE(an_interval_has_a_least_length) {
    agent a;
    auto c = beating();
    c.heartbeat->interval_ms = 999;
    BOOST_TEST(a.refused(c).errors.front().pointer == "/heartbeat/interval_ms");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(agent_attempts)

BOOST_AUTO_TEST_CASE(a_task_that_fails_is_asked_for_again_after_a_growing_wait) {
    auto c = named("Scout");
    c.retry = retry_terms{3, 1000};
    auto a = made(c);
    for (const std::int64_t wait_ms : {1000, 2000}) {
        a.accepted(task(2));
        BOOST_TEST(names_of(a.accepted(run_ended{run_of(a), id_of(2), run_status::failed, {}, "broken"})) ==
                   texts{"attempt_ended"});
        BOOST_TEST((last_sent<note_task_attempt>(a).again_at == a.now + wait_ms));
        BOOST_TEST(last_sent<note_task_attempt>(a).error == "broken");
        BOOST_TEST(shown(a).failed == 0);
    }
    a.accepted(task(2));
    BOOST_TEST(names_of(a.accepted(run_ended{run_of(a), id_of(2), run_status::failed, {}, "broken"})) ==
               texts{"task_finished"});
    BOOST_TEST(shown(a).failed == 1);
    BOOST_TEST(a.state().attempts.empty());
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_is_not_tried_again) {
    auto c = named("Scout");
    c.retry = retry_terms{3, 1000};
    auto a = made(c);
    a.accepted(task(2));
    a.accepted(dequeue_task{id_of(2), 1, "not wanted"});
    BOOST_TEST(names_of(a.accepted(run_ended{run_of(a), id_of(2), run_status::failed, {}, "broken"})) ==
               texts{"task_finished"});
}

BOOST_AUTO_TEST_CASE(a_restart_breaks_off_and_begins_anew_at_once) {
    auto a = made(named("Scout"));
    a.accepted(task(2));
    a.accepted(pause_agent{});
    a.accepted(restart_agent{});
    BOOST_TEST(!shown(a).paused);
    const auto run = run_of(a);
    BOOST_TEST(names_of(a.accepted(run_ended{run, id_of(2), run_status::cancelled, {}, {}})) == texts{"attempt_ended"});
    BOOST_TEST((last_sent<note_task_attempt>(a).again_at == a.now));
    BOOST_TEST(last_sent<note_task_attempt>(a).attempts == 0);
    BOOST_TEST(a.state().restarting.empty());
}

BOOST_AUTO_TEST_CASE(a_run_that_ends_by_itself_while_it_is_restarted_counts) {
    auto a = made(named("Scout"));
    a.accepted(task(2));
    a.accepted(restart_agent{});
    BOOST_TEST(names_of(a.accepted(run_ended{run_of(a), id_of(2), run_status::succeeded, "42", {}})) ==
               texts{"task_finished"});
    BOOST_TEST(shown(a).completed == 1);
}

BOOST_AUTO_TEST_CASE(what_waits_too_long_is_given_back) {
    auto c = named("Scout");
    c.queue_timeout_ms = 5000;
    auto a = made(c);
    a.accepted(task(2));
    BOOST_TEST(!alarm(a, "queue"));
    a.accepted(task(3));
    a.now = a.now + 1000;
    a.accepted(task(4));
    const auto due = alarm(a, "queue");
    BOOST_TEST((due == a.now + 4000));
    a.now = *due;
    BOOST_TEST(names_of(a.accepted(queue_due{*due})) == texts{"task_given_back"});
    BOOST_TEST((shown(a).queued == std::vector{id_of(4)}));
    BOOST_TEST((alarm(a, "queue") == *due + 1000));
    BOOST_TEST(a.accepted(queue_due{*due}).empty());
}

BOOST_AUTO_TEST_CASE(older_settings_come_back_whole) {
    auto c = named("Scout");
    c.model = "rehearsal";
    auto a = made(c);
    update_agent change;
    change.model = "other";
    change.retry = retry_terms{5, 0};
    a.accepted(change);
    a.accepted(restore_agent{c});
    BOOST_TEST(to_json(shown(a).settings) == to_json(static_cast<const agent_settings&>(c)));
    BOOST_TEST(a.accepted(restore_agent{c}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
