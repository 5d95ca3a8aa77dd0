#include "actors/goal/goal_model.hpp"

#include "schemas/notification_messages.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task_messages.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using goal = entity<goal_model>;

planned_task planned(std::string id, texts depends_on = {}) {
    planned_task out;
    out.title = "Task " + id;
    out.id = std::move(id);
    out.depends_on = std::move(depends_on);
    return out;
}

create_goal wish(bool verify = false) {
    create_goal c;
    c.title = "Dates";
    c.verify = verify;
    c.tasks = {planned("b", {"a"}), planned("a")};
    return c;
}

std::optional<wanted_goal_task> wanted(const goal& g) {
    for (const auto& effect : goal_model::resume(g.state())) {
        if (const auto* perform = std::get_if<runtime::perform_effect>(&effect)) {
            return *from_json<wanted_goal_task>(perform->payload, strictness::stored);
        }
    }
    return std::nullopt;
}

/// The performer makes what is wanted; the id says which it is.
uuid make_next(goal& g, std::uint8_t id, std::string blocker = {}) {
    const auto w = wanted(g);
    BOOST_TEST_REQUIRE(w.has_value());
    g.accepted(note_task_made{w->index, w->part, w->round, id_of(id), id, {}, std::move(blocker)});
    return id_of(id);
}

goal made(bool verify = false) {
    goal g;
    g.principal = "user/" + to_string(id_of(90));
    g.accepted(wish(verify));
    make_next(g, 10);
    make_next(g, 11);
    return g;
}

goal_document shown(const goal& g) { return g.document<goal_document>(); }

void move(goal& g, const uuid& task, std::optional<task_status> to, std::optional<std::string> error = {}) {
    g.accepted(note_goal_task{task, to, std::nullopt, std::move(error), std::nullopt});
}

template <class Message>
std::vector<std::pair<uuid, Message>> sent(const goal& g) {
    std::vector<std::pair<uuid, Message>> out;
    for (const auto& d : g.state().owed.open) {
        if (d.type == wire_name<Message>::value) {
            out.emplace_back(d.to, *from_json<Message>(d.payload.text, strictness::stored));
        }
    }
    return out;
}

bool settled(const goal& g, const uuid& task, task_status to) {
    return std::ranges::any_of(sent<settle_task>(g),
                               [&](const auto& s) { return s.first == task && s.second.status == to; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(goals)

BOOST_AUTO_TEST_CASE(tasks_are_made_in_the_order_of_their_dependencies) {
    goal g;
    g.accepted(wish());
    BOOST_TEST(shown(g).tasks.front().id == "a");
    BOOST_TEST(wanted(g)->index == 0);
    make_next(g, 10);
    BOOST_TEST(wanted(g)->index == 1);
    make_next(g, 11);
    BOOST_TEST(!wanted(g));
    BOOST_TEST(*shown(g).tasks.front().key == "TASK-010");
    BOOST_TEST((shown(g).status == goal_status::active));
    BOOST_TEST(g.accepted(note_task_made{0, goal_part::work, 0, id_of(10), 10, {}, {}}).empty()); // twice
}

BOOST_AUTO_TEST_CASE(it_is_reached_when_all_is_done_or_not_wanted) {
    auto g = made();
    move(g, id_of(10), task_status::done);
    BOOST_TEST(shown(g).progress.percent == 50);
    move(g, id_of(11), std::nullopt); // deleted
    BOOST_TEST((shown(g).status == goal_status::done));
    BOOST_TEST(shown(g).progress.percent == 100);
    BOOST_TEST(sent<notify>(g).back().second.title == "Reached: Dates");
    BOOST_TEST((g.refused(cancel_goal{}).code == code::conflict));
}

BOOST_AUTO_TEST_CASE(without_checks_people_look_at_what_agents_ended) {
    auto g = made();
    move(g, id_of(10), task_status::review);
    BOOST_TEST(!wanted(g));
    BOOST_TEST((shown(g).tasks.front().status == task_status::review));
}

BOOST_AUTO_TEST_CASE(what_passes_its_check_is_done) {
    auto g = made(true);
    move(g, id_of(10), task_status::review);
    BOOST_TEST((wanted(g)->part == goal_part::check));
    const auto check = make_next(g, 20);
    move(g, check, task_status::in_progress);
    BOOST_TEST(!settled(g, id_of(10), task_status::done));
    move(g, check, task_status::review);
    BOOST_TEST(settled(g, check, task_status::done));
    BOOST_TEST(settled(g, id_of(10), task_status::done));
    BOOST_TEST(!wanted(g));
}

BOOST_AUTO_TEST_CASE(what_fails_its_check_is_mended_and_checked_again) {
    auto g = made(true);
    move(g, id_of(10), task_status::review);
    move(g, make_next(g, 20), task_status::failed, "2 of 3 tests failed");
    BOOST_TEST((wanted(g)->part == goal_part::mend));
    BOOST_TEST(g.state().items.front().report == "2 of 3 tests failed");
    const auto mend = make_next(g, 21);
    move(g, mend, task_status::review);
    BOOST_TEST(settled(g, mend, task_status::done));
    BOOST_TEST((wanted(g)->part == goal_part::check));
    BOOST_TEST(wanted(g)->round == 2);
    move(g, make_next(g, 22), task_status::review);
    BOOST_TEST(settled(g, id_of(10), task_status::done));
}

BOOST_AUTO_TEST_CASE(after_three_checks_a_person_is_asked) {
    auto g = made(true);
    move(g, id_of(10), task_status::review);
    for (std::uint8_t n = 1; n <= checks_max; ++n) {
        move(g, make_next(g, static_cast<std::uint8_t>(20 + n)), task_status::failed, "broken");
        if (n < checks_max) {
            move(g, make_next(g, static_cast<std::uint8_t>(30 + n)), task_status::review);
        }
    }
    BOOST_TEST(!wanted(g));
    BOOST_TEST((shown(g).status == goal_status::blocked));
    BOOST_TEST(shown(g).tasks.front().blocker->find("checked 3 times") != std::string::npos);
    move(g, id_of(10), task_status::done); // a person says so
    BOOST_TEST((shown(g).status == goal_status::active));
}

BOOST_AUTO_TEST_CASE(failures_block_and_are_told_until_somebody_goes_on) {
    auto g = made();
    move(g, id_of(10), task_status::failed, "no compiler");
    BOOST_TEST((shown(g).status == goal_status::blocked));
    BOOST_TEST(sent<notify>(g).back().second.text == "It failed: no compiler");
    move(g, id_of(10), task_status::assigned);
    BOOST_TEST((shown(g).status == goal_status::active));
}

BOOST_AUTO_TEST_CASE(who_nobody_can_do_is_a_blocker_at_once) {
    goal g;
    g.principal = "user/" + to_string(id_of(90));
    g.accepted(wish());
    make_next(g, 10, "Nobody can do this.");
    BOOST_TEST((shown(g).status == goal_status::blocked));
    move(g, id_of(10), task_status::assigned);
    BOOST_TEST((shown(g).status == goal_status::active));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_yet_is_said_once_and_tried_again) {
    goal g;
    g.accepted(wish());
    const note_task_made refusal{0, goal_part::work, 0, {}, 0, {}, "The plan allows no more tasks today."};
    BOOST_TEST(g.accepted(refusal).size() == 1U);
    BOOST_TEST(g.accepted(refusal).empty());
    BOOST_TEST((shown(g).status == goal_status::blocked));
    make_next(g, 10);
    BOOST_TEST((shown(g).status == goal_status::active));
}

BOOST_AUTO_TEST_CASE(what_stands_still_is_told_once_unless_it_waits_for_others) {
    auto g = made();
    const auto due = g.now + g.state().goal.stalled_after_ms;
    g.now = due;
    BOOST_TEST(g.accepted(stall_due{due}).size() == 1U);
    BOOST_TEST(shown(g).tasks.front().blocker.has_value());
    BOOST_TEST(!shown(g).tasks.back().blocker); // it waits for the first
    BOOST_TEST(g.accepted(stall_due{due}).empty());
    move(g, id_of(10), task_status::in_progress);
    BOOST_TEST(!shown(g).tasks.front().blocker);
}

BOOST_AUTO_TEST_CASE(a_goal_that_is_given_up_takes_its_tasks_with_it) {
    auto g = made();
    move(g, id_of(10), task_status::done);
    g.accepted(cancel_goal{});
    BOOST_TEST(!settled(g, id_of(10), task_status::cancelled));
    BOOST_TEST(settled(g, id_of(11), task_status::cancelled));
    BOOST_TEST((shown(g).status == goal_status::cancelled));
    BOOST_TEST(g.accepted(cancel_goal{}).empty());
    move(g, id_of(11), task_status::cancelled);
    BOOST_TEST((shown(g).status == goal_status::cancelled));
}

BOOST_AUTO_TEST_CASE(a_goal_that_is_deleted_is_given_up_and_shown_no_more) {
    auto g = made();
    move(g, id_of(10), task_status::done);
    BOOST_TEST(g.accepted(delete_goal{}).size() == 2U);
    BOOST_TEST(!g.view().exists);
    BOOST_TEST(settled(g, id_of(11), task_status::cancelled));
    BOOST_TEST((g.refused(delete_goal{}).code == code::not_found));
    BOOST_TEST((g.refused(cancel_goal{}).code == code::not_found));
    BOOST_TEST(g.accepted(note_goal_task{id_of(11), task_status::cancelled, {}, {}, {}}).empty());
    BOOST_TEST(!wanted(g).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_done_with_the_tasks_of_a_deleted_goal_is_their_own) {
    auto g = made();
    move(g, id_of(10), task_status::done);
    move(g, id_of(11), task_status::done);
    BOOST_TEST_REQUIRE((shown(g).status == goal_status::done));
    BOOST_TEST(g.accepted(delete_goal{}).size() == 1U);
    BOOST_TEST(g.accepted(note_goal_task{id_of(10), task_status::in_progress, {}, {}, {}}).empty()); // begun again
    BOOST_TEST(!settled(g, id_of(10), task_status::cancelled));
}

BOOST_AUTO_TEST_CASE(a_task_that_was_made_while_it_was_given_up_is_cancelled) {
    goal g;
    g.accepted(wish());
    const auto w = *wanted(g);
    g.accepted(cancel_goal{});
    const note_task_made late{w.index, w.part, w.round, id_of(10), 10, id_of(30), {}};
    g.accepted(late);
    BOOST_TEST(settled(g, id_of(10), task_status::cancelled));
    BOOST_TEST(shown(g).agents_made.size() == 1U);
    g.accepted(note_goal_task{id_of(11), task_status::in_progress, {}, {}, {}}); // its maker was killed
    BOOST_TEST(settled(g, id_of(11), task_status::cancelled));
    BOOST_TEST(g.accepted(note_goal_task{id_of(12), task_status::cancelled, {}, {}, {}}).empty());
}

BOOST_AUTO_TEST_CASE(a_check_that_was_made_while_a_person_ended_the_work_is_cancelled) {
    auto g = made(true);
    move(g, id_of(10), task_status::review);
    const auto w = *wanted(g);
    move(g, id_of(10), task_status::done);
    BOOST_TEST(!wanted(g));
    g.accepted(note_task_made{w.index, w.part, w.round, id_of(20), 20, {}, {}});
    BOOST_TEST(settled(g, id_of(20), task_status::cancelled));
    BOOST_TEST((shown(g).tasks.front().status == task_status::done));
}

BOOST_AUTO_TEST_CASE(what_a_task_tells_before_its_goal_knows_it_is_told_again) {
    goal g;
    g.accepted(wish());
    const note_goal_task ended{id_of(10), task_status::done, {}, {}, {}};
    BOOST_TEST((g.refused(ended).code == code::unavailable));
    make_next(g, 10);
    BOOST_TEST(g.accepted(ended).size() == 1U);
    make_next(g, 11);
    BOOST_TEST(g.accepted(note_goal_task{id_of(12), task_status::done, {}, {}, {}}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(goal_planning)

goal asked() {
    goal g;
    auto c = wish();
    c.tasks.clear();
    g.accepted(c);
    return g;
}

BOOST_AUTO_TEST_CASE(without_tasks_a_model_is_asked) {
    auto g = asked();
    BOOST_TEST((shown(g).status == goal_status::planning));
    const auto [run, asked_for] = sent<create_run>(g).front();
    BOOST_TEST(asked_for.agent_kind == "goal");
    BOOST_TEST(asked_for.result_schema.has_value());
    run_ended end{run, {}, run_status::succeeded, "done", {}};
    end.output = json::raw{to_json(goal_plan{{planned("b", {"a"}), planned("a")}})};
    g.accepted(end);
    BOOST_TEST((shown(g).status == goal_status::active));
    BOOST_TEST(shown(g).tasks.front().id == "a");
    BOOST_TEST(g.accepted(end).empty());
}

BOOST_AUTO_TEST_CASE(plans_that_are_none_fail_with_the_reason) {
    for (const std::string& output :
         {std::string(R"({"tasks":[]})"), std::string(R"({"tasks":[{"id":"a","title":"A","depends_on":["a"]}]})"),
          std::string(R"({"steps":1})")}) {
        auto g = asked();
        run_ended end{sent<create_run>(g).front().first, {}, run_status::succeeded, "done", {}};
        end.output = json::raw{output};
        g.accepted(end);
        BOOST_TEST((shown(g).status == goal_status::failed));
        BOOST_TEST(shown(g).error.has_value());
    }
    auto g = asked();
    g.accepted(run_ended{sent<create_run>(g).front().first, {}, run_status::failed, {}, "no model"});
    BOOST_TEST(shown(g).error->find("no model") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(goal_properties)

/// Whatever tasks say, in any order: a task that is wanted is made once for each round, and what is shown adds up.
BOOST_AUTO_TEST_CASE(any_news_leave_it_consistent) {
    std::mt19937 random(11);
    constexpr task_status all[] = {task_status::inbox,  task_status::assigned, task_status::in_progress,
                                   task_status::review, task_status::done,     task_status::blocked,
                                   task_status::failed, task_status::cancelled};
    for (int n = 0; n < 200; ++n) {
        auto g = made(true);
        std::vector<uuid> tasks{id_of(10), id_of(11)};
        for (int i = 0; i < 60; ++i) {
            if (wanted(g) && random() % 2 == 0) {
                tasks.push_back(make_next(g, static_cast<std::uint8_t>(20 + tasks.size())));
            }
            const auto& task = tasks[random() % tasks.size()];
            const auto to = random() % 20 == 0 ? std::nullopt : std::optional(all[random() % std::size(all)]);
            const auto heard = g.when(note_goal_task{task, to, std::nullopt, "news", std::nullopt});
            BOOST_TEST((heard || heard.error().code == code::unavailable)); // of one that it may not know yet
            const auto d = shown(g);
            BOOST_TEST(d.progress.done <= d.progress.total);
            for (const auto& item : g.state().items) {
                BOOST_TEST(item.checks <= checks_max + 60U);
                BOOST_TEST(!(item.check_id && item.mend_id));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
