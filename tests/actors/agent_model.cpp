#include "actors/agent/agent_model.hpp"

#include "schemas/name_messages.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using agent = entity<agent_model>;

create_agent named(const std::string& name, std::uint32_t places = 1) {
    create_agent c;
    c.name = name;
    c.role = "Technical";
    c.instructions = "Be brief.";
    c.model = "rehearsal";
    c.tools = {{"run_command", tool_policy::ask}};
    c.limits = {10, 2000, 0, 0};
    c.max_concurrent_tasks = places;
    return c;
}

debt_settled settled(const std::string& key, bool ok = true, const std::string& detail = "") {
    return {{key, ok, ok ? "" : "not_found", detail, {}}};
}

agent made(std::uint32_t places = 1) {
    agent a;
    a.accepted(named("Scout", places));
    a.accepted(settled("confirm_name/1"));
    return a;
}

enqueue_task task(std::uint8_t n, task_priority priority = task_priority::medium) {
    return {id_of(n), 1, "Task " + std::to_string(n), "", priority, id_of(30), {}};
}

/// Pays all debts until none is left; the wire names in the order in which they went out.
texts pay(agent& a) {
    texts sent;
    for (auto keys = a.owed(); !keys.empty(); keys = a.owed()) {
        for (const auto& key : keys) {
            sent.push_back(key.substr(0, key.find('/')));
            a.accepted(settled(key));
        }
    }
    return sent;
}

uuid run_of(const agent& a, std::uint8_t n) {
    for (const auto& [run, entry] : a.state().running) {
        if (entry.task_id == id_of(n)) {
            return *parse_uuid(run);
        }
    }
    BOOST_FAIL("the task is not in work");
    return {};
}

run_ended ended(const agent& a, std::uint8_t n, run_status status = run_status::succeeded) {
    return {run_of(a, n), id_of(n), status, "42", {}};
}

agent_document shown(const agent& a) { return a.document<agent_document>(); }

std::vector<uuid> ids(std::initializer_list<std::uint8_t> numbers) {
    std::vector<uuid> out;
    for (const auto n : numbers) {
        out.push_back(id_of(n));
    }
    return out;
}

agent_status status_of(const agent& a) { return shown(a).status; }

} // namespace

BOOST_AUTO_TEST_SUITE(agent_model_suite)

BOOST_AUTO_TEST_CASE(created_agent_owes_the_confirmation_of_its_name) {
    agent a;
    a.accepted(named("Scout"));
    BOOST_TEST(a.owed() == texts{"confirm_name/1"}, boost::test_tools::per_element());
    const auto [to, message] = a.sent<confirm_name>("confirm_name/1");
    BOOST_TEST((to == entity_address{organization, "name", name_id(organization, "agent", "scout")}));
    BOOST_TEST((message.owner == id_of(1)));
    a.accepted(settled("confirm_name/1"));
    BOOST_TEST(a.owed().empty());
    BOOST_TEST((status_of(a) == agent_status::idle));
    BOOST_TEST(shown(a).session_key == "agent:technical:scout");
    BOOST_TEST(a.filters() == (texts{"", "status=idle", "name=Scout", "name=agent:technical:scout", "name=scout"}),
               boost::test_tools::per_element());
    BOOST_TEST((a.refused(named("Scout")).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(lost_name_is_an_error_that_a_new_name_mends) {
    agent a;
    a.accepted(named("Scout"));
    a.accepted(settled("confirm_name/1", false, "The name is taken."));
    BOOST_TEST((status_of(a) == agent_status::error));
    BOOST_TEST(shown(a).error.value() == "The name is taken.");
    update_agent c;
    c.name = "Scout 2";
    a.accepted(c);
    BOOST_TEST(a.owed() == (texts{"confirm_name/2", "release_name/3"}), boost::test_tools::per_element());
    pay(a);
    BOOST_TEST((status_of(a) == agent_status::idle));
}

BOOST_AUTO_TEST_CASE(new_spelling_of_the_same_name_releases_nothing) {
    auto a = made();
    update_agent c;
    c.name = "SCOUT";
    a.accepted(c);
    BOOST_TEST(shown(a).settings.name == "SCOUT");
    BOOST_TEST(a.owed().empty());
}

BOOST_AUTO_TEST_CASE(bad_settings_are_refused_with_their_place) {
    for (const auto* name : {"", " scout", "scout ", "a\nb", "018f3c1e-0000-7000-8000-000000000000"}) {
        agent a;
        BOOST_TEST(a.refused(named(name)).errors.at(0).pointer == "/name");
    }
    agent a;
    BOOST_TEST(a.refused(named("scout", 0)).errors.at(0).pointer == "/max_concurrent_tasks");
    BOOST_TEST(a.refused(named("scout", 101)).errors.at(0).pointer == "/max_concurrent_tasks");
}

BOOST_AUTO_TEST_CASE(update_keeps_what_is_not_given_and_a_repeat_changes_nothing) {
    auto a = made();
    update_agent c;
    c.instructions = "Be thorough.";
    a.accepted(c);
    BOOST_TEST(shown(a).settings.instructions == "Be thorough.");
    BOOST_TEST(shown(a).settings.model == "rehearsal");
    BOOST_TEST(shown(a).settings.tools.size() == 1u);
    BOOST_TEST(a.accepted(c).empty());
    update_agent bad;
    bad.max_concurrent_tasks = 0;
    BOOST_TEST((a.refused(bad).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(task_starts_at_once_when_a_place_is_free) {
    auto a = made();
    auto t = task(2);
    t.description = "All of it.";
    t.limits.steps = 3;
    BOOST_TEST(names_of(a.accepted(t)) == (texts{"task_queued", "task_started"}), boost::test_tools::per_element());
    BOOST_TEST((status_of(a) == agent_status::busy));
    BOOST_TEST(a.owed() == texts{"create_run/2"}, boost::test_tools::per_element());
    const auto [to, run] = a.sent<create_run>("create_run/2");
    BOOST_TEST((to == entity_address{organization, "run", run_of(a, 2)}));
    BOOST_TEST(run.goal == "Task 2\n\nAll of it.");
    BOOST_TEST((run.agent_id == id_of(1)));
    BOOST_TEST((run.task_id == id_of(2)));
    BOOST_TEST((run.project_id == id_of(30)));
    BOOST_TEST(run.instructions == "Be brief.");
    BOOST_TEST(run.model == "rehearsal");
    BOOST_TEST((run.tools.at("run_command") == tool_policy::ask));
    BOOST_TEST(run.limits.steps == 3u);     // the task's
    BOOST_TEST(run.limits.tokens == 2000u); // the agent's
    a.accepted(settled("create_run/2"));    // the task hears of its run when it is there
    BOOST_TEST(a.owed() == texts{"note_task_started/3"}, boost::test_tools::per_element());
    const auto [task_address, note] = a.sent<note_task_started>("note_task_started/3");
    BOOST_TEST((task_address == entity_address{organization, "task", id_of(2)}));
    BOOST_TEST((note.run_id == to.id));
    BOOST_TEST(note.assignment == 1u);
}

BOOST_AUTO_TEST_CASE(repeated_enqueue_changes_nothing_queued_or_running) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    BOOST_TEST(a.accepted(task(2)).empty());
    BOOST_TEST(a.accepted(task(3)).empty());
}

BOOST_AUTO_TEST_CASE(queue_goes_by_urgency_then_arrival) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3, task_priority::low));
    a.accepted(task(4));
    a.accepted(task(5, task_priority::urgent));
    a.accepted(task(6));
    a.accepted(task(7, task_priority::high));
    BOOST_TEST((shown(a).queued == ids({5, 7, 4, 6, 3})));
    for (const std::uint8_t next : {5, 7, 4, 6, 3}) {
        const auto now = static_cast<std::uint8_t>(shown(a).running.at(0).bytes[15]);
        a.accepted(ended(a, now));
        BOOST_TEST((shown(a).running == ids({next})));
    }
    BOOST_TEST(shown(a).queued.empty());
    BOOST_TEST(shown(a).completed == 5u);
}

BOOST_AUTO_TEST_CASE(changed_task_moves_in_the_queue_and_keeps_its_arrival) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    a.accepted(task(4));
    a.accepted(task(5));
    a.accepted(task(4, task_priority::high));
    BOOST_TEST((shown(a).queued == ids({4, 3, 5})));
    a.accepted(task(4));
    BOOST_TEST((shown(a).queued == ids({3, 4, 5})));
}

BOOST_AUTO_TEST_CASE(no_more_tasks_at_a_time_than_there_are_places) {
    auto a = made(2);
    for (std::uint8_t n = 2; n < 6; ++n) {
        a.accepted(task(n));
    }
    BOOST_TEST(shown(a).running.size() == 2u);
    update_agent c;
    c.max_concurrent_tasks = 3;
    BOOST_TEST(names_of(a.accepted(c)) == (texts{"agent_updated", "task_started"}), boost::test_tools::per_element());
    BOOST_TEST((shown(a).queued == ids({5})));
    c.max_concurrent_tasks = 1;
    a.accepted(c);
    BOOST_TEST(names_of(a.accepted(ended(a, 2))) == texts{"task_finished"}, boost::test_tools::per_element());
    BOOST_TEST((shown(a).queued == ids({5})));
}

BOOST_AUTO_TEST_CASE(end_of_a_run_is_told_to_the_task_and_starts_the_next) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    BOOST_TEST(pay(a) == (texts{"create_run", "note_task_started"}), boost::test_tools::per_element());
    const auto end = ended(a, 2);
    BOOST_TEST(names_of(a.accepted(end)) == (texts{"task_finished", "task_started"}), boost::test_tools::per_element());
    BOOST_TEST(a.owed() == (texts{"note_task_finished/4", "create_run/5"}), boost::test_tools::per_element());
    const auto note = a.sent<note_task_finished>("note_task_finished/4").second;
    BOOST_TEST((note.run_id == end.run_id));
    BOOST_TEST((note.status == run_status::succeeded));
    BOOST_TEST(note.result.value() == "42");
    BOOST_TEST(note.assignment == 1u);
    BOOST_TEST(a.accepted(end).empty());
}

BOOST_AUTO_TEST_CASE(task_hears_of_start_before_end) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(ended(a, 2, run_status::failed));
    BOOST_TEST(shown(a).failed == 1u);
    BOOST_TEST(a.owed() == (texts{"create_run/2", "note_task_started/3"}), boost::test_tools::per_element());
    a.accepted(settled("note_task_started/3"));
    BOOST_TEST(a.owed() == (texts{"create_run/2", "note_task_finished/4"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(run_that_cannot_be_created_fails_the_task_and_the_next_starts) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    BOOST_TEST(names_of(a.accepted(settled("create_run/2", false, "no such model"))) ==
                   (texts{"debt_cleared", "task_finished", "task_started"}),
               boost::test_tools::per_element());
    a.accepted(settled("note_task_started/3"));
    const auto note = a.sent<note_task_finished>("note_task_finished/4").second;
    BOOST_TEST((note.status == run_status::failed));
    BOOST_TEST(note.error.value().find("no such model") != std::string::npos);
    BOOST_TEST((shown(a).running == ids({3})));
}

BOOST_AUTO_TEST_CASE(unwanted_task_leaves_the_queue_or_its_run_is_cancelled) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    pay(a);
    a.accepted(dequeue_task{id_of(3), 1, "moved"});
    BOOST_TEST(shown(a).queued.empty());
    BOOST_TEST(a.owed().empty());
    a.accepted(dequeue_task{id_of(2), 1, "moved"});
    BOOST_TEST(a.owed() == texts{"cancel_run/4"}, boost::test_tools::per_element());
    const auto [to, message] = a.sent<cancel_run>("cancel_run/4");
    BOOST_TEST((to.id == run_of(a, 2)));
    BOOST_TEST(message.reason == "moved");
    BOOST_TEST(a.accepted(dequeue_task{id_of(2), 1, "moved"}).empty());
    BOOST_TEST(a.accepted(dequeue_task{id_of(9), 1, "unknown"}).empty());
    pay(a);
    a.accepted(ended(a, 2, run_status::cancelled));
    BOOST_TEST(shown(a).completed + shown(a).failed == 0u);
    BOOST_TEST(pay(a) == texts{"note_task_finished"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(new_assignment_of_a_task_waits_beside_the_run_that_is_being_cancelled) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(dequeue_task{id_of(2), 1, "moved"});
    auto again = task(2);
    again.assignment = 2;
    a.accepted(again);
    BOOST_TEST((shown(a).queued == ids({2})));
    BOOST_TEST(a.accepted(dequeue_task{id_of(2), 1, "moved"}).empty()); // late: of the older assignment
    a.accepted(ended(a, 2, run_status::cancelled));
    BOOST_TEST(a.state().running.begin()->second.assignment == 2u);
}

BOOST_AUTO_TEST_CASE(paused_or_stopped_agent_keeps_its_queue_and_starts_nothing) {
    using pair = std::pair<agent_model::command, agent_model::command>;
    for (const auto& [off, on] : {pair{pause_agent{}, resume_agent{}}, pair{stop_agent{}, start_agent{}}}) {
        auto a = made(2);
        a.accepted(task(2));
        a.accepted(off);
        BOOST_TEST(a.accepted(off).empty());
        a.accepted(task(3));
        a.accepted(task(4));
        BOOST_TEST(names_of(a.accepted(ended(a, 2))) == texts{"task_finished"}, boost::test_tools::per_element());
        BOOST_TEST((shown(a).queued == ids({3, 4})));
        a.accepted(on);
        BOOST_TEST((shown(a).running.size() == 2u));
        BOOST_TEST(a.accepted(on).empty());
    }
}

BOOST_AUTO_TEST_CASE(status_says_what_the_agent_does) {
    auto a = made();
    a.accepted(pause_agent{});
    BOOST_TEST((status_of(a) == agent_status::idle));
    a.accepted(task(2));
    BOOST_TEST((status_of(a) == agent_status::blocked));
    BOOST_TEST(shown(a).paused);
    a.accepted(stop_agent{});
    BOOST_TEST((status_of(a) == agent_status::offline));
    a.accepted(resume_agent{});
    BOOST_TEST((status_of(a) == agent_status::offline));
    BOOST_TEST(shown(a).running.empty());
    a.accepted(start_agent{});
    BOOST_TEST((status_of(a) == agent_status::busy));
    a.accepted(ended(a, 2));
    BOOST_TEST((status_of(a) == agent_status::idle));
}

BOOST_AUTO_TEST_CASE(heartbeat_is_seen) {
    auto a = made();
    BOOST_TEST(!shown(a).heartbeat_at);
    a.now = a.now + 5000;
    a.accepted(heartbeat_agent{});
    BOOST_TEST((shown(a).heartbeat_at == a.now));
}

BOOST_AUTO_TEST_CASE(full_queue_refuses_and_still_takes_changes) {
    auto a = made();
    agent_state full = a.state();
    full.paused = true;
    for (std::size_t i = 0; i < agent_queue_max; ++i) {
        const auto t = enqueue_task{derive_uuid({std::to_string(i)}), 1, "t", "", task_priority::medium, {}, {}};
        full = agent_model::apply(std::move(full), task_queued{t}, {id_of(1), i + 10, {}, "node"});
    }
    const runtime::context context{{organization, "agent", id_of(1)}, 2000, {}, "node", make_uuid};
    const auto refused = agent_model::decide(full, task(2), context);
    BOOST_TEST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == code::conflict));
    const auto change = enqueue_task{derive_uuid({"7"}), 1, "t", "", task_priority::high, {}, {}};
    BOOST_TEST(agent_model::decide(full, change, context)->size() == 1u);
}

BOOST_AUTO_TEST_CASE(deleted_agent_gives_back_its_tasks_and_its_name_and_cancels_its_runs) {
    auto a = made();
    a.accepted(task(2));
    a.accepted(task(3));
    pay(a);
    const auto end = ended(a, 2, run_status::cancelled);
    a.accepted(delete_agent{});
    BOOST_TEST(!a.view().exists);
    BOOST_TEST(a.accepted(delete_agent{}).empty());
    BOOST_TEST(a.owed() == (texts{"release_name/4", "return_task/5", "cancel_run/6"}),
               boost::test_tools::per_element());
    BOOST_TEST((a.sent<return_task>("return_task/5").first.id == id_of(3)));
    BOOST_TEST((a.sent<release_name>("release_name/4").second.owner == id_of(1)));
    BOOST_TEST(names_of(a.accepted(end)) == texts{"task_finished"}, boost::test_tools::per_element());
    pay(a);
    BOOST_TEST(a.owed().empty());
    BOOST_TEST((a.refused(task(4)).code == code::not_found));
    BOOST_TEST((a.refused(heartbeat_agent{}).code == code::not_found));
    BOOST_TEST((a.refused(named("Scout")).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(run_that_has_not_ended_does_not_end_the_task) {
    auto a = made();
    a.accepted(task(2));
    BOOST_TEST((a.refused(ended(a, 2, run_status::waiting)).code == code::invalid_request));
    BOOST_TEST(a.accepted(run_ended{id_of(99), {}, run_status::failed, {}, {}}).empty());
}

BOOST_AUTO_TEST_CASE(what_was_never_created_is_not_there) {
    agent a;
    BOOST_TEST((a.refused(task(2)).code == code::not_found));
    BOOST_TEST((a.refused(start_agent{}).code == code::not_found));
    BOOST_TEST((a.refused(delete_agent{}).code == code::not_found));
    BOOST_TEST((a.refused(update_agent{}).code == code::not_found));
    BOOST_TEST(!a.view().exists);
}

BOOST_AUTO_TEST_CASE(an_agent_holds_its_place_until_it_is_deleted) {
    entity<agent_model> a;
    a.quota = [](std::string_view, std::int64_t, std::int64_t) -> expected<void> {
        return problem{code::quota_exceeded, "full"};
    };
    create_agent c;
    c.name = "scout";
    BOOST_TEST((a.refused(c).code == code::quota_exceeded));
    BOOST_TEST(agent_model::holds(a.state()).empty());
    a.quota = [](std::string_view what, std::int64_t amount, std::int64_t) -> expected<void> {
        BOOST_TEST(what == "agents");
        BOOST_TEST(amount == 1);
        return {};
    };
    const auto made = a.accepted(c);
    BOOST_TEST((agent_model::uses(a.state(), made.front()) == std::vector{usage_amount{"agents_created", 1}}));
    BOOST_TEST((agent_model::holds(a.state()) == std::vector{usage_amount{"agents", 1}}));
    a.accepted(delete_agent{});
    BOOST_TEST(agent_model::holds(a.state()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
