#include "actors/task/task_model.hpp"
#include "actors/task/task_performer.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/goal_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

// What becomes of a task when its agent fails: attempts, other agents, and what its goal hears.
using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::task_status;

namespace {

using task = entity<task_model>;
const uuid scout = id_of(20);
const uuid guard = id_of(21);
const uuid run = id_of(50);

task made(std::vector<std::string> capabilities = {}, std::optional<uuid> goal = {}) {
    create_task c;
    c.title = "Sum";
    c.agent_id = scout;
    c.capabilities = std::move(capabilities);
    c.goal_id = goal;
    task t;
    t.accepted(c);
    t.accepted(note_task_started{run, 1});
    return t;
}

task_document shown(const task& t) { return t.document<task_document>(); }

bool owes(const task& t, std::string_view prefix) {
    const auto owed = t.owed();
    return std::ranges::any_of(owed, [&](const auto& key) { return key.starts_with(prefix); });
}

void settle_all(task& t) {
    for (bool any = true; any;) {
        any = false;
        for (const auto& effect : task_model::resume(t.state())) {
            if (const auto* send = std::get_if<runtime::send_effect>(&effect)) {
                t.accepted(debt_settled{{send->key, true, "", "", {}}});
                any = true;
                break;
            }
        }
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(task_attempts)

BOOST_AUTO_TEST_CASE(it_waits_visibly_and_is_queued_again) {
    auto t = made();
    settle_all(t);
    t.accepted(note_task_attempt{run, 1, 1, t.now + 5000, "broken"});
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST(*shown(t).attempts == 1);
    BOOST_TEST((shown(t).again_at == t.now + 5000));
    BOOST_TEST(*shown(t).error == "broken");
    BOOST_TEST(t.owed() == texts{"attempt"});
    t.accepted(attempt_due{1});
    BOOST_TEST(owes(t, "enqueue_task/"));
    BOOST_TEST(!shown(t).again_at);
    t.accepted(note_task_started{id_of(51), 1});
    BOOST_TEST((shown(t).status == in_progress));
    BOOST_TEST((shown(t).run_id == id_of(51)));
}

BOOST_AUTO_TEST_CASE(an_edit_while_it_waits_does_not_queue_it) {
    auto t = made();
    settle_all(t);
    t.accepted(note_task_attempt{run, 1, 1, t.now + 5000, "broken"});
    update_task change;
    change.title = "Sum up";
    t.accepted(change);
    BOOST_TEST(!owes(t, "enqueue_task/"));
}

BOOST_AUTO_TEST_CASE(a_person_who_moves_it_ends_the_attempts) {
    auto t = made();
    t.accepted(note_task_attempt{run, 1, 1, t.now + 5000, "broken"});
    t.accepted(move_task{{inbox, {}, {}}});
    BOOST_TEST(!shown(t).again_at);
    BOOST_TEST(!shown(t).attempts);
    BOOST_TEST(t.accepted(attempt_due{1}).empty());
    BOOST_TEST(t.accepted(note_task_attempt{run, 1, 2, t.now, "late"}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(task_takeover)

BOOST_AUTO_TEST_CASE(another_agent_gets_what_one_gave_back) {
    auto t = made({"sql"});
    settle_all(t);
    t.accepted(return_task{1, "deleted"});
    BOOST_TEST((shown(t).status == inbox));
    BOOST_TEST(t.owed() == texts{"another_agent/1"});
    t.accepted(another_agent{1, guard, "Given to guard."});
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST((shown(t).agent_id == guard));
    BOOST_TEST(shown(t).messages == 1);
    BOOST_TEST(owes(t, "enqueue_task/"));
    BOOST_TEST(!owes(t, "another_agent/"));
    BOOST_TEST(t.accepted(another_agent{1, scout, "twice"}).empty());
}

BOOST_AUTO_TEST_CASE(another_agent_gets_what_one_failed_at_three_try_at_most) {
    auto t = made({"sql"});
    for (std::uint32_t n = 1; n <= 2; ++n) {
        t.accepted(note_task_finished{run, n, run_status::failed, {}, "broken", {}});
        BOOST_TEST((shown(t).status == failed));
        BOOST_TEST(owes(t, "another_agent/" + std::to_string(n)));
        t.accepted(another_agent{n, id_of(static_cast<std::uint8_t>(20 + n)), "Given."});
    }
    t.accepted(note_task_finished{run, 3, run_status::failed, {}, "broken", {}});
    BOOST_TEST(!owes(t, "another_agent/"));
    BOOST_TEST(t.state().tried.size() == 3U);
    t.accepted(assign_task{{scout}}); // a person begins anew
    BOOST_TEST(t.state().tried.empty());
}

BOOST_AUTO_TEST_CASE(when_nobody_else_can_people_are_told_once) {
    auto t = made({"sql"});
    t.principal = "user/" + to_string(id_of(90));
    settle_all(t);
    t.accepted(return_task{1, "deleted"});
    BOOST_TEST(names_of(t.accepted(another_agent{1, {}, "Nobody."})) == texts{"no_other_agent"});
    BOOST_TEST(!owes(t, "another_agent/"));
    BOOST_TEST((shown(t).status == inbox));
}

BOOST_AUTO_TEST_CASE(who_moves_it_meanwhile_decides) {
    auto t = made({"sql"});
    t.accepted(note_task_finished{run, 1, run_status::failed, {}, "broken", {}});
    t.accepted(move_task{{inbox, {}, {}}});
    BOOST_TEST(t.accepted(another_agent{1, guard, "Given."}).empty());
}

BOOST_AUTO_TEST_CASE(without_capabilities_nobody_else_is_looked_for) {
    auto t = made();
    t.accepted(return_task{1, "deleted"});
    BOOST_TEST(!owes(t, "another_agent/"));
}

BOOST_AUTO_TEST_CASE(the_first_that_is_able_and_did_not_try) {
    const std::vector<assignment_candidate> ranked{
        {scout, "scout", true, 90, {}}, {guard, "guard", true, 50, {}}, {run, "idle", false, 0, {}}};
    BOOST_TEST((first_untried(ranked, {})->agent_id == scout));
    BOOST_TEST((first_untried(ranked, {scout})->agent_id == guard));
    BOOST_TEST((first_untried(ranked, {scout, guard}) == nullptr));
}

BOOST_AUTO_TEST_CASE(its_goal_hears_where_it_is) {
    auto t = made({}, id_of(70));
    settle_all(t);
    t.accepted(note_task_finished{run, 1, run_status::succeeded, "42", {}, {}});
    for (const auto& key : t.owed()) {
        if (key.starts_with("note_goal_task/")) {
            const auto [to, told] = t.sent<note_goal_task>(key);
            BOOST_TEST(to.kind == "goal");
            BOOST_TEST((to.id == id_of(70)));
            BOOST_TEST((told.status == review));
            BOOST_TEST(*told.result == "42");
            return;
        }
    }
    BOOST_FAIL("the goal is told nothing");
}

BOOST_AUTO_TEST_SUITE_END()
