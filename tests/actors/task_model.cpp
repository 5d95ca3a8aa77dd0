#include "actors/task/task_model.hpp"

#include "actors/task/task_moves.hpp"
#include "schemas/agent_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::task_status;

namespace {

using task = entity<task_model>;
const uuid scout = id_of(20);
const uuid guard = id_of(21);
const uuid run = id_of(50);

create_task body(std::optional<uuid> agent = {}) {
    create_task c;
    c.title = "Sum";
    c.description = "Add the numbers.";
    c.priority = task_priority::high;
    c.labels = {"math"};
    c.project_id = id_of(30);
    c.agent_id = agent;
    c.limits = budget{5, 0, 0, 0};
    return c;
}

task made(std::optional<uuid> agent = {}) {
    task t;
    t.accepted(body(agent));
    return t;
}

debt_settled settled(const std::string& key, bool ok = true, const std::string& detail = "") {
    return {{key, ok, ok ? "" : "not_found", detail, {}}};
}

/// With the agent, its enqueue_task accepted.
task queued() {
    auto t = made(scout);
    t.accepted(settled("enqueue_task/1"));
    return t;
}

task working() {
    auto t = queued();
    t.accepted(note_task_started{run, 1});
    return t;
}

task_document shown(const task& t) { return t.document<task_document>(); }

move_task to(task_status s) { return {{s}}; }

/// A task in that status, by the way of people where there is one.
task in(task_status s) {
    static const std::map<task_status, std::vector<task_status>> ways = {{inbox, {}},
                                                                         {in_progress, {in_progress}},
                                                                         {review, {in_progress, review}},
                                                                         {done, {in_progress, review, done}},
                                                                         {blocked, {blocked}},
                                                                         {cancelled, {cancelled}},
                                                                         {failed, {in_progress, failed}}};
    if (s == assigned) {
        return queued();
    }
    auto t = queued();
    t.accepted(to(inbox));
    t.accepted(settled("dequeue_task/2"));
    t.accepted(assign_task{{scout}});
    for (const auto step : ways.at(s)) {
        t.accepted(to(step));
    }
    if (s == inbox) {
        t.accepted(to(inbox));
    }
    return t;
}

} // namespace

BOOST_AUTO_TEST_SUITE(task_model_suite)

BOOST_AUTO_TEST_CASE(created_task_is_in_the_inbox_and_owes_nothing) {
    auto t = made();
    BOOST_TEST((shown(t).status == inbox));
    BOOST_TEST(shown(t).created_by == "key/tester");
    BOOST_TEST(t.owed().empty());
    BOOST_TEST(t.filters() == (texts{"", "status=inbox", "project_id=" + to_string(id_of(30))}),
               boost::test_tools::per_element());
    BOOST_TEST((t.refused(body()).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(task_created_with_an_agent_is_assigned_and_owed_to_it) {
    auto t = made(scout);
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST(t.owed() == texts{"enqueue_task/1"}, boost::test_tools::per_element());
    const auto [address, message] = t.sent<enqueue_task>("enqueue_task/1");
    BOOST_TEST((address == entity_address{organization, "agent", scout}));
    BOOST_TEST((message.task_id == id_of(1)));
    BOOST_TEST(message.assignment == 1u);
    BOOST_TEST(message.title == "Sum");
    BOOST_TEST((message.priority == task_priority::high));
    BOOST_TEST(message.limits.steps == 5u);
    t.accepted(settled("enqueue_task/1"));
    BOOST_TEST(t.owed().empty());
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST(t.accepted(settled("enqueue_task/1")).empty());
}

BOOST_AUTO_TEST_CASE(refused_by_the_agent_it_is_back_in_the_inbox_with_the_reason) {
    auto t = made(scout);
    t.accepted(settled("enqueue_task/1", false, "There is no agent."));
    BOOST_TEST((shown(t).status == inbox));
    BOOST_TEST(!shown(t).agent_id);
    BOOST_TEST(shown(t).error.value().find("There is no agent.") != std::string::npos);
    BOOST_TEST(t.owed().empty());
}

BOOST_AUTO_TEST_CASE(refusal_of_an_older_assignment_does_not_touch_the_newer_one) {
    auto t = made(scout);
    t.accepted(assign_task{{guard}});
    t.accepted(settled("enqueue_task/1", false, "gone"));
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST((shown(t).agent_id == guard));
}

BOOST_AUTO_TEST_CASE(agent_moves_it_through_the_columns) {
    auto t = queued();
    t.accepted(note_task_started{run, 1});
    BOOST_TEST((shown(t).status == in_progress));
    BOOST_TEST((shown(t).run_id == run));
    BOOST_TEST(t.accepted(note_task_started{run, 1}).empty());
    t.accepted(note_task_finished{run, 1, run_status::succeeded, "42", {}});
    BOOST_TEST((shown(t).status == review));
    BOOST_TEST(shown(t).result.value() == "42");
    BOOST_TEST(t.accepted(note_task_finished{run, 1, run_status::failed, {}, "late"}).empty());
    BOOST_TEST(t.accepted(note_task_started{run, 1}).empty());
    BOOST_TEST(t.owed().empty());
}

BOOST_AUTO_TEST_CASE(failed_and_cancelled_runs_show_on_the_task) {
    auto a = working();
    a.accepted(note_task_finished{run, 1, run_status::failed, {}, "budget"});
    BOOST_TEST((shown(a).status == failed));
    BOOST_TEST(shown(a).error.value() == "budget");
    auto b = working();
    b.accepted(note_task_finished{run, 1, run_status::cancelled, {}, "stopped"});
    BOOST_TEST((shown(b).status == cancelled));
}

BOOST_AUTO_TEST_CASE(news_of_an_older_assignment_is_ignored) {
    auto t = working();
    t.accepted(assign_task{{guard}});
    BOOST_TEST(t.accepted(note_task_finished{run, 1, run_status::cancelled, {}, "stopped"}).empty());
    BOOST_TEST(t.accepted(return_task{1, "deleted"}).empty());
    t.accepted(note_task_started{id_of(51), 2});
    BOOST_TEST((shown(t).run_id == id_of(51)));
}

BOOST_AUTO_TEST_CASE(another_agent_gets_it_and_the_first_is_told) {
    auto t = working();
    t.accepted(assign_task{{guard}});
    BOOST_TEST(t.owed() == (texts{"dequeue_task/2", "enqueue_task/3"}), boost::test_tools::per_element());
    const auto [address, message] = t.sent<dequeue_task>("dequeue_task/2");
    BOOST_TEST((address.id == scout));
    BOOST_TEST(message.assignment == 1u);
    BOOST_TEST((t.sent<enqueue_task>("enqueue_task/3").first.id == guard));
    BOOST_TEST(t.accepted(assign_task{{guard}}).empty());
}

BOOST_AUTO_TEST_CASE(one_agent_hears_of_it_in_order) {
    auto t = made(scout);
    t.accepted(to(cancelled));
    BOOST_TEST(t.owed() == texts{"enqueue_task/1"}, boost::test_tools::per_element()); // else a dequeue may overtake it
    t.accepted(settled("enqueue_task/1"));
    BOOST_TEST(t.owed() == texts{"dequeue_task/2"}, boost::test_tools::per_element());
    t.accepted(settled("dequeue_task/2"));
    BOOST_TEST(t.owed().empty());
    BOOST_TEST((shown(t).status == cancelled));
}

BOOST_AUTO_TEST_CASE(moving_and_deleting_take_it_from_the_agent) {
    auto a = working();
    a.accepted(to(blocked));
    BOOST_TEST(a.owed() == texts{"dequeue_task/2"}, boost::test_tools::per_element());
    auto b = working();
    b.accepted(delete_task{});
    BOOST_TEST(b.owed() == texts{"dequeue_task/2"}, boost::test_tools::per_element());
    BOOST_TEST(!b.view().exists);
    auto c = working();
    c.accepted(note_task_finished{run, 1, run_status::succeeded, "42", {}});
    c.accepted(to(done)); // the agent is through with it
    BOOST_TEST(c.owed().empty());
}

BOOST_AUTO_TEST_CASE(returned_task_waits_in_the_inbox) {
    auto t = queued();
    t.accepted(return_task{1, "The agent was deleted."});
    BOOST_TEST((shown(t).status == inbox));
    BOOST_TEST(shown(t).error.value() == "The agent was deleted.");
    BOOST_TEST(t.owed().empty());
}

BOOST_AUTO_TEST_CASE(changed_text_of_a_queued_task_reaches_the_agent) {
    auto t = queued();
    update_task c;
    c.title = "Sum and mean";
    c.labels = std::vector<std::string>{};
    t.accepted(c);
    BOOST_TEST(shown(t).title == "Sum and mean");
    BOOST_TEST(shown(t).description == "Add the numbers.");
    BOOST_TEST(shown(t).labels.empty());
    BOOST_TEST(t.sent<enqueue_task>("enqueue_task/2").second.title == "Sum and mean");
    BOOST_TEST(t.accepted(c).empty());
    auto other = queued();
    update_task labels;
    labels.labels = std::vector<std::string>{"urgent"};
    other.accepted(labels);
    BOOST_TEST(other.owed().empty());
}

BOOST_AUTO_TEST_CASE(only_the_moves_of_the_table_are_allowed) {
    const std::map<task_status, std::set<task_status>> table = {
        {inbox, {in_progress, blocked, cancelled}}, // assigned needs an agent: below
        {assigned, {inbox, in_progress, blocked, cancelled}},
        {in_progress, {inbox, assigned, review, blocked, cancelled, failed}},
        {review, {assigned, in_progress, done, cancelled}},
        {done, {inbox}},
        {blocked, {inbox, assigned, in_progress, cancelled}},
        {cancelled, {inbox}},
        {failed, {inbox, assigned, cancelled}}};
    for (const auto& [from, allowed] : table) {
        for (const auto& [target, unused] : table) {
            auto t = in(from);
            BOOST_TEST_REQUIRE((shown(t).status == from));
            BOOST_TEST_CONTEXT(detail::enum_name(from) << " to " << detail::enum_name(target)) {
                if (from == target) {
                    BOOST_TEST(t.accepted(to(target)).empty());
                } else if (allowed.contains(target)) {
                    t.accepted(to(target));
                    BOOST_TEST((shown(t).status == target));
                } else {
                    BOOST_TEST((t.refused(to(target)).code == code::conflict));
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(refused_move_names_the_allowed_ones) {
    auto t = made();
    BOOST_TEST(
        t.refused(to(done)).detail ==
        "A task cannot go from inbox to done. From inbox it can go to: assigned, in_progress, blocked, cancelled.");
    BOOST_TEST(t.refused(to(assigned)).detail.find("/assign") != std::string::npos);
    auto finished = in(done);
    BOOST_TEST((finished.refused(assign_task{{scout}}).code == code::conflict));
}

BOOST_AUTO_TEST_CASE(moving_back_to_assigned_queues_it_again) {
    auto t = working();
    t.accepted(note_task_finished{run, 1, run_status::failed, {}, "budget"});
    t.accepted(to(assigned));
    BOOST_TEST(t.sent<enqueue_task>("enqueue_task/2").second.assignment == 2u);
    BOOST_TEST(!shown(t).error);
}

BOOST_AUTO_TEST_CASE(a_queued_task_that_has_to_wait_is_taken_back_and_given_again) {
    auto t = queued();
    const auto other = id_of(40);
    update_task waits;
    waits.depends_on = std::vector{other};
    t.accepted(waits);
    BOOST_TEST(t.sent<dequeue_task>("dequeue_task/2").second.assignment == 1u);
    BOOST_TEST(t.sent<note_dependent>("note_dependent/3").second.waits);
    BOOST_TEST((shown(t).status == assigned));
    BOOST_TEST(t.accepted(note_task_started{run, 1}).empty()); // that was of the older assignment
    t.accepted(settled("dequeue_task/2"));
    t.accepted(settled("note_dependent/3"));
    t.accepted(note_links_checked{1, {}, false, ""});
    t.accepted(note_dependency{other, true, false});
    const auto given = t.owed();
    BOOST_TEST_REQUIRE(given.size() == 1u);
    BOOST_TEST(t.sent<enqueue_task>(given.front()).second.assignment == 2u);
    BOOST_TEST(t.accepted(note_dependency{other, true, false}).empty());
    t.accepted(note_task_started{run, 2});
    BOOST_TEST((shown(t).status == in_progress));
}

BOOST_AUTO_TEST_CASE(only_what_is_not_there_is_waited_for_no_more) {
    for (const auto& [code, waiting] : {std::pair("not_found", false), std::pair("quarantined", true)}) {
        auto c = body();
        c.depends_on = {id_of(40)};
        task t;
        t.accepted(c);
        t.accepted(debt_settled{{"note_dependent/1", false, code, "", {}}});
        BOOST_TEST(shown(t).waiting_for.has_value() == waiting);
    }
}

BOOST_AUTO_TEST_CASE(message_is_an_item_and_the_answer) {
    auto t = made();
    const auto before = to_json(t.state()).size();
    t.principal = "user/ada";
    t.accepted(add_message{{"first", message_type::comment, {}}});
    BOOST_TEST(t.items().at(0).collection == "messages");
    BOOST_TEST(t.items().at(0).key == "000000000001");
    BOOST_TEST(t.items().at(0).document == t.answer());
    const auto message = *from_json<message_document>(t.answer(), strictness::input);
    BOOST_TEST(message.author == "user/ada");
    BOOST_TEST(message.content == "first");
    BOOST_TEST((message.task_id == id_of(1)));
    BOOST_TEST((message.created_at == t.now));
    t.accepted(add_message{{"second", message_type::answer, message.id}});
    BOOST_TEST(t.items().at(0).key == "000000000002");
    BOOST_TEST(shown(t).messages == 2u);
    BOOST_TEST(to_json(t.state()).size() == before); // messages do not grow the state
    t.accepted(to(blocked));
    BOOST_TEST(t.answer() == t.view().document);
    BOOST_TEST(t.items().empty());
}

BOOST_AUTO_TEST_CASE(deleted_task_takes_reports_but_nothing_else) {
    auto t = working();
    t.accepted(delete_task{});
    BOOST_TEST(t.accepted(delete_task{}).empty());
    BOOST_TEST((t.refused(add_message{{"x", message_type::comment, {}}}).code == code::not_found));
    BOOST_TEST((t.refused(to(blocked)).code == code::not_found));
    BOOST_TEST((t.refused(body()).code == code::already_exists));
    BOOST_TEST(t.accepted(note_task_finished{run, 1, run_status::cancelled, {}, {}}).empty());
    t.accepted(settled("dequeue_task/2"));
    BOOST_TEST(t.owed().empty());
}

BOOST_AUTO_TEST_CASE(what_was_never_created_is_not_there) {
    task t;
    BOOST_TEST((t.refused(to(blocked)).code == code::not_found));
    BOOST_TEST((t.refused(delete_task{}).code == code::not_found));
    BOOST_TEST((t.refused(assign_task{{scout}}).code == code::not_found));
    BOOST_TEST(t.accepted(note_task_started{run, 1}).empty());
    BOOST_TEST(!t.view().exists);
}

BOOST_AUTO_TEST_CASE(a_task_takes_its_place_in_the_day_before_it_is_there_and_counts_once) {
    std::vector<std::string> asked;
    task t;
    t.quota = [&](std::string_view what, std::int64_t amount, std::int64_t) -> expected<void> {
        asked.push_back(std::string(what) + "/" + std::to_string(amount));
        return {};
    };
    const auto events = t.accepted(body(scout));
    BOOST_TEST(asked == texts{"tasks/1"}, boost::test_tools::per_element());
    std::int64_t used = 0;
    for (const auto& e : events) {
        for (const auto& u : task_model::uses(t.state(), e)) {
            BOOST_TEST(u.what == "tasks");
            used += u.amount;
        }
    }
    BOOST_TEST(used == 1);
    update_task renamed;
    renamed.title = "Other";
    t.accepted(renamed);
    BOOST_TEST(asked.size() == 1u); // only creating is limited
}

BOOST_AUTO_TEST_CASE(over_the_limit_no_task_is_made) {
    task t;
    t.quota = [](std::string_view, std::int64_t, std::int64_t) -> expected<void> {
        return problem{code::quota_exceeded, "full"};
    };
    BOOST_TEST((t.refused(body()).code == code::quota_exceeded));
}

BOOST_AUTO_TEST_CASE(there_is_a_quiet_way_between_any_two_columns) {
    using enum task_status;
    constexpr task_status all[] = {inbox, assigned, in_progress, review, done, blocked, cancelled, failed};
    for (const auto from : all) {
        for (const auto to : all) {
            const auto way = way_to(from, to);
            BOOST_TEST((from == to || !way.empty()), detail::enum_name(from)
                                                         << " to " << detail::enum_name(to) << " has no way");
            auto at = from;
            for (const auto next : way) {
                BOOST_TEST(may_move(at, next));
                BOOST_TEST((next == to || (next != assigned && next != cancelled && next != done && next != failed)));
                at = next;
            }
            BOOST_TEST((at == to));
        }
    }
}

BOOST_AUTO_TEST_CASE(ties_are_checked_once_more_and_those_that_close_a_circle_are_taken_back) {
    entity<task_model> task;
    create_task made;
    made.title = "t";
    made.depends_on = {id_of(5)};
    BOOST_REQUIRE(task.when(made));
    const auto looks = [&] {
        const auto all = task_model::resume(task.state());
        return std::ranges::count_if(all, [](const runtime::effect& e) {
            const auto* perform = std::get_if<runtime::perform_effect>(&e);
            return perform != nullptr && perform->type == "check_links";
        });
    };
    BOOST_TEST(looks() == 0); // to a new one nothing leads
    update_task tied;
    tied.depends_on = {id_of(5), id_of(6)};
    tied.parent_id = id_of(7);
    BOOST_REQUIRE(task.when(tied));
    BOOST_TEST(looks() == 1);
    BOOST_TEST(task.when(note_links_checked{0, {id_of(6)}, false, "late"})->empty());
    BOOST_REQUIRE(task.when(note_links_checked{1, {id_of(6)}, true, "a waits for b"}));
    BOOST_TEST(looks() == 0);
    BOOST_TEST(task.state().depends_on.size() == 1U);
    BOOST_TEST(!task.state().parent_id);
    BOOST_TEST(task.state().messages == 1U);
    update_task less;
    less.depends_on = std::vector<uuid>{};
    BOOST_REQUIRE(task.when(less));
    BOOST_TEST(looks() == 0); // what is taken away closes nothing
    BOOST_REQUIRE(task.when(tied));
    BOOST_REQUIRE(task.when(delete_task{}));
    BOOST_TEST(task.when(note_links_checked{2, {id_of(6)}, true, "a waits for b"})->empty());
}

BOOST_AUTO_TEST_SUITE_END()
