#include "actors/system/why.hpp"

#include "schemas/project.hpp"
#include "schemas/task.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using troupe::actors::test::id_of;

namespace {

constexpr timestamp now{1'000'000};

run_document run_in(run_status status) {
    run_document run;
    run.id = id_of(1);
    run.status = status;
    run.step = 3;
    run.limits = {20, 1000, 0, 0};
    run.created_at = {900'000};
    run.updated_at = {990'000};
    return run;
}

struct explained {
    why_document all;

    /// The first reason of that name; fails when there is none.
    [[nodiscard]] const why_reason& of(std::string_view reason) const {
        const auto found = std::ranges::find(all.reasons, reason, &why_reason::reason);
        BOOST_REQUIRE_MESSAGE(found != all.reasons.end(), "no reason '" << reason << "' in " << to_json(all));
        return *found;
    }
    [[nodiscard]] bool has(std::string_view reason) const {
        return std::ranges::find(all.reasons, reason, &why_reason::reason) != all.reasons.end();
    }
};

/// Facts of a node that is well.
why_facts well() {
    why_facts out;
    out.now = now;
    out.node.commands_max = 100;
    out.node.bytes_max = 1000;
    out.node.performing_max = 10;
    out.node.free_bytes = 1 << 30;
    out.node.free_bytes_min = 1 << 20;
    return out;
}

template <class Document>
explained explain(std::string_view kind, const Document& document, const why_facts& facts = well()) {
    return {explain_waiting(kind, document.id, to_json(document), facts)};
}

bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

run_document waiting_run(wait_reason reason, std::string problem_code = {}) {
    auto run = run_in(run_status::waiting);
    run.waiting.push_back({reason, id_of(7), "git push", {}, std::move(problem_code), 2});
    if (reason == wait_reason::back_off) {
        run.waiting[0].approval_id.reset();
        run.waiting[0].until = timestamp{1'030'000};
    }
    return run;
}

} // namespace

BOOST_AUTO_TEST_SUITE(why)

BOOST_AUTO_TEST_CASE(a_healthy_entity_waits_for_nothing) {
    auto run = run_in(run_status::succeeded);
    BOOST_TEST(explain("run", run).all.reasons.empty());
    const why_document other = explain_waiting("counter", id_of(1), R"({"total":1})", well());
    BOOST_TEST(other.reasons.empty());
    BOOST_TEST(other.summary == "It waits for nothing.");
}

BOOST_AUTO_TEST_CASE(approval_says_which_since_when_and_how_to_decide) {
    auto facts = well();
    facts.approvals.emplace_back();
    facts.approvals[0].id = id_of(7);
    facts.approvals[0].created_at = {950'000};
    const auto e = explain("run", waiting_run(wait_reason::approval), facts);
    const auto& r = e.of("approval");
    BOOST_TEST(holds(r.detail, "git push"));
    BOOST_TEST(holds(r.detail, to_string(id_of(7))));
    BOOST_TEST(r.since->ms == 950'000);
    BOOST_TEST(holds(r.remedy, "troupe run approve " + to_string(id_of(1))));
    BOOST_TEST(!e.has("working"));
}

BOOST_AUTO_TEST_CASE(question_and_unknown_step_say_how_to_answer) {
    BOOST_TEST(holds(explain("run", waiting_run(wait_reason::question)).of("question").remedy, "troupe run answer"));
    BOOST_TEST(
        holds(explain("run", waiting_run(wait_reason::unknown_step)).of("unknown_step").remedy, "troupe run retry"));
}

BOOST_AUTO_TEST_CASE(back_off_says_attempt_next_try_and_cause) {
    const auto e = explain("run", waiting_run(wait_reason::back_off, "internal"));
    const auto& r = e.of("back_off");
    BOOST_TEST(holds(r.detail, "attempt 2 failed"));
    BOOST_TEST(holds(r.detail, "in 30 s"));
    BOOST_TEST(holds(r.detail, "git push"));
    BOOST_TEST(r.until->ms == 1'030'000);
}

BOOST_AUTO_TEST_CASE(a_provider_that_fails_limits_or_is_not_there_is_named) {
    const auto limited = explain("run", waiting_run(wait_reason::back_off, "model_rate_limited"));
    BOOST_TEST(holds(limited.of("provider").detail, "limits the rate"));
    const auto away = explain("run", waiting_run(wait_reason::back_off, "model_unavailable"));
    BOOST_TEST(holds(away.of("provider").detail, "cannot be reached"));
    BOOST_TEST(holds(away.of("provider").remedy, "model.openai.base_url"));
    auto facts = well();
    facts.model = problem{code::model_unknown, "there is no openai key"};
    const auto e = explain("run", run_in(run_status::queued), facts);
    BOOST_TEST(holds(e.of("provider").detail, "no openai key"));
    BOOST_TEST(!explain("run", run_in(run_status::succeeded), facts).has("provider"));
}

BOOST_AUTO_TEST_CASE(a_budget_that_is_used_up_is_named_with_its_limit) {
    auto run = run_in(run_status::failed);
    run.error = "the budget is used up";
    BOOST_TEST(!explain("run", run).has("budget"));
    BOOST_TEST(holds(explain("run", run).of("ended").detail, "used up"));
    run.used.steps = 20;
    const auto e = explain("run", run);
    BOOST_TEST(holds(e.of("budget").detail, "20 of 20 steps"));
    BOOST_TEST(holds(e.of("budget").remedy, "--max-steps"));
    BOOST_TEST(!e.has("ended"));
    run.status = run_status::running;
    BOOST_TEST(holds(explain("run", run).of("budget").detail, "next model call"));
    run.status = run_status::succeeded; // with its last step
    BOOST_TEST(!explain("run", run).has("budget"));
}

BOOST_AUTO_TEST_CASE(what_is_at_work_is_named_from_its_steps) {
    auto facts = well();
    facts.steps.emplace_back();
    facts.steps[0].type = step_type::tool;
    facts.steps[0].tool = "run_command";
    facts.steps[0].step = 3;
    facts.steps[0].started_at = {980'000};
    const auto e = explain("run", run_in(run_status::running), facts);
    BOOST_TEST(holds(e.of("working").detail, "tool run_command of step 3"));
    BOOST_TEST(e.of("working").since->ms == 980'000);
    BOOST_TEST(holds(explain("run", run_in(run_status::queued)).of("starting").detail, "prepared"));
}

BOOST_AUTO_TEST_CASE(a_sandbox_that_is_not_there_concerns_runs_that_go_on) {
    auto facts = well();
    facts.node.sandbox = "bubblewrap is not installed";
    BOOST_TEST(holds(explain("run", run_in(run_status::running), facts).of("sandbox").detail, "bubblewrap"));
    BOOST_TEST(!explain("run", run_in(run_status::succeeded), facts).has("sandbox"));
    BOOST_TEST(!explain("run", run_in(run_status::running)).has("sandbox"));
}

BOOST_AUTO_TEST_CASE(a_queued_task_knows_its_place_and_what_is_before_it) {
    task_document task;
    task.id = id_of(3);
    task.status = task_status::assigned;
    task.agent_id = id_of(9);
    auto facts = well();
    facts.agent.emplace();
    facts.agent->id = id_of(9);
    facts.agent->settings.name = "scout";
    facts.agent->running = {id_of(1)};
    facts.agent->queued = {id_of(2), id_of(3)};
    const auto e = explain("task", task, facts);
    BOOST_TEST(holds(e.of("queue").detail, "agent scout"));
    BOOST_TEST(holds(e.of("queue").detail, "1 task is before it"));
    BOOST_TEST(holds(e.of("queue").detail, to_string(id_of(1))));
    facts.agent->paused = true;
    BOOST_TEST(explain("task", task, facts).of("queue").remedy == "troupe agent resume scout");
    facts.agent->paused = false;
    facts.agent->status = agent_status::offline;
    BOOST_TEST(explain("task", task, facts).of("queue").remedy == "troupe agent start scout");
}

BOOST_AUTO_TEST_CASE(a_task_tells_what_its_run_waits_for) {
    task_document task;
    task.id = id_of(3);
    BOOST_TEST(holds(explain("task", task).of("unassigned").remedy, "troupe task assign"));
    task.status = task_status::in_progress;
    task.run_id = id_of(1);
    auto facts = well();
    facts.run = waiting_run(wait_reason::approval);
    const auto e = explain("task", task, facts);
    BOOST_TEST(holds(e.of("working").remedy, "troupe why run"));
    BOOST_TEST(holds(e.of("approval").remedy, "troupe run approve " + to_string(id_of(1))));
    task.status = task_status::review;
    BOOST_TEST(holds(explain("task", task).of("review").remedy, "done"));
    task.status = task_status::failed;
    task.error = "no";
    facts.run = run_in(run_status::failed);
    facts.run->used.tokens = 1000;
    BOOST_TEST(holds(explain("task", task, facts).of("budget").detail, "1000 of 1000 tokens"));
    BOOST_TEST(explain("task", task).of("ended").detail == "no");
}

BOOST_AUTO_TEST_CASE(an_agent_tells_of_pause_stop_queue_and_error) {
    agent_document agent;
    agent.id = id_of(9);
    agent.settings.name = "scout";
    BOOST_TEST(explain("agent", agent).all.reasons.empty());
    agent.paused = true;
    agent.status = agent_status::offline;
    agent.error = "three runs failed";
    agent.running = {id_of(1)};
    agent.queued = {id_of(2)};
    const auto e = explain("agent", agent);
    BOOST_TEST(e.of("paused").remedy == "troupe agent resume scout");
    BOOST_TEST(e.of("stopped").remedy == "troupe agent start scout");
    BOOST_TEST(e.of("error").detail == "three runs failed");
    BOOST_TEST(holds(e.of("queue").detail, to_string(id_of(2)) + " is next"));
    BOOST_TEST(holds(e.of("working").remedy, "troupe why task"));
}

BOOST_AUTO_TEST_CASE(an_approval_waits_for_a_person_and_a_project_for_its_runs) {
    approval_document approval;
    approval.id = id_of(7);
    approval.text = "git push";
    BOOST_TEST(holds(explain("approval", approval).of("person").remedy, "troupe approval decide"));
    approval.status = approval_status::approved;
    BOOST_TEST(explain("approval", approval).all.reasons.empty());
    project_document project;
    project.id = id_of(5);
    BOOST_TEST(explain("project", project).all.reasons.empty());
    auto facts = well();
    facts.project_runs = {run_in(run_status::running)};
    BOOST_TEST(!explain("project", project, facts).has("turn"));
    facts.project_runs.push_back(run_in(run_status::waiting));
    const auto e = explain("project", project, facts);
    BOOST_TEST(holds(e.of("working").remedy, "troupe why run"));
    BOOST_TEST(holds(e.of("turn").detail, "take turns"));
}

BOOST_AUTO_TEST_CASE(poison_says_which_command_its_cause_and_how_to_go_on) {
    auto facts = well();
    facts.poison.push_back({{990'000}, "run", id_of(1), "start", "key-1", "boom", "key/admin", "", 4});
    auto e = explain("run", run_in(run_status::running), facts);
    BOOST_TEST(holds(e.of("poison").detail, "'start' (key-1)"));
    BOOST_TEST(holds(e.of("poison").detail, "boom"));
    BOOST_TEST(holds(e.of("poison").remedy, "new Idempotency-Key"));
    facts.poison[0].effect = "tool/3";
    e = explain("run", run_in(run_status::running), facts);
    BOOST_TEST(holds(e.of("poison").detail, "'tool/3', which is not done"));
    BOOST_TEST(holds(e.of("poison").remedy, "troupe run cancel"));
    facts.poison.resize(9, facts.poison[0]);
    e = explain("run", run_in(run_status::running), facts);
    BOOST_TEST(std::ranges::count(e.all.reasons, "poison", &why_reason::reason) == 4);
    const auto nothing = explain_waiting("run", id_of(1), "", facts); // it was poison from its first command on
    BOOST_TEST(holds(nothing.summary, "no document"));
}

BOOST_AUTO_TEST_CASE(quarantine_crash_and_effects_are_told_of_every_kind) {
    auto facts = well();
    facts.troubles.quarantine = {{900'000}, "event 3 cannot be read"};
    facts.troubles.crash = {3, {999'000}, {1'004'000}, "add", "boom"};
    facts.troubles.effects = {{"tool/1", 4, {999'000}, {1'012'000}, "no route to host"}};
    const explained e{explain_waiting("counter", id_of(1), "{}", facts)};
    BOOST_TEST(holds(e.of("quarantine").detail, "event 3 cannot be read"));
    BOOST_TEST(holds(e.of("quarantine").remedy, "journal verify"));
    BOOST_TEST(holds(e.of("crash").detail, "3 times in a row (command 'add')"));
    BOOST_TEST(holds(e.of("crash").detail, "in 4 s"));
    BOOST_TEST(holds(e.of("effect").detail, "'tool/1' failed 4 times and is tried again in 12 s: no route to host"));
    facts.node.performing = 10;
    const explained crowded{explain_waiting("counter", id_of(1), "{}", facts)};
    BOOST_TEST(!crowded.has("effect"));
    BOOST_TEST(holds(crowded.of("overload").detail, "tool/1"));
}

BOOST_AUTO_TEST_CASE(what_the_node_lacks_is_told_of_every_kind) {
    auto facts = well();
    facts.node.free_bytes = 1;
    facts.node.draining = true;
    facts.node.router = "restarting";
    facts.node.router_failure = "boom";
    facts.node.commands_outstanding = 100;
    const explained e{explain_waiting("counter", id_of(1), "{}", facts)};
    BOOST_TEST(holds(e.of("storage_full").detail, "0 MiB left"));
    BOOST_TEST(holds(e.of("storage_full").remedy, "make room"));
    BOOST_TEST(holds(e.of("draining").detail, "stopping"));
    BOOST_TEST(holds(e.of("overload").detail, "100 of 100 commands"));
    BOOST_TEST(holds(e.of("lease").detail, "no leases on a single node"));
    BOOST_TEST(holds(e.of("lease").detail, "restarting: boom"));
    facts = well();
    facts.node.bytes_outstanding = 1000;
    BOOST_TEST((explained{explain_waiting("counter", id_of(1), "{}", facts)}.has("overload")));
    facts = well();
    facts.node.free_bytes = 0;
    facts.node.free_bytes_min = 0; // not watched
    BOOST_TEST(explain_waiting("counter", id_of(1), "{}", facts).reasons.empty());
}

BOOST_AUTO_TEST_CASE(a_timer_says_when_it_is_due) {
    auto facts = well();
    facts.timers.push_back({{}, "time_is_up", {1'240'000}, "end_time", "{}", ""});
    facts.timers.push_back({{}, "back_off/1/2", {1'010'000}, "end_back_off", "{}", ""});
    facts.timers.push_back({{}, "overdue", {900'000}, "x", "{}", ""});
    const explained e{explain_waiting("counter", id_of(1), "{}", facts)};
    BOOST_TEST(e.all.reasons.size() == 2u); // a back-off is told with its cause
    BOOST_TEST(holds(e.of("timer").detail, "'time_is_up' sends 'end_time' in 4 min"));
    BOOST_TEST(e.of("timer").until->ms == 1'240'000);
    BOOST_TEST(holds(e.all.reasons.back().detail, "now"));
}

BOOST_AUTO_TEST_SUITE_END()
