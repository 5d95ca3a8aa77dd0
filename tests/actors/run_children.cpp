#include "actors/run/run_children.hpp"

#include "actors/run/run_context.hpp"
#include "actors/run/run_history.hpp"
#include "actors/tool/tool.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();
const uuid parent_id = id_of(77);

asked_call spawn_call(std::string more = "") {
    return {"id8", "spawn_agent", R"({"goal":"Look at a part")" + std::move(more) + "}"};
}

/// A run that waits for the run that it started.
run waiting(const create_run& c = wish(), std::string more = "") {
    auto r = started(c);
    r.accepted(reply(r, {spawn_call(std::move(more))}));
    return r;
}

uuid child_of(const run& r, std::uint32_t call = 1) { return call_of(r, call).child_run_id.value_or(uuid{}); }

run_ended succeeded(const run& r, std::uint32_t call = 1) {
    return {child_of(r, call), {}, run_status::succeeded, "It is blue.", {}, json::raw{R"({"colour":"blue"})"},
            {2, 1000, 50, 10}};
}

run_ended failed(const run& r, std::uint32_t call = 1) {
    return {child_of(r, call), {}, run_status::failed, {}, "It got lost.", {}, {1, 10, 0, 1}};
}

create_run wish_of_a_child() {
    auto c = wish();
    c.parent_run_id = parent_id;
    c.depth = 1;
    return c;
}

std::string told(const run& r) { return r.state().messages.back().content; }

create_run sent_wish(const run& r, std::string_view key = "create_run/1") { return r.sent<create_run>(key).second; }

} // namespace

BOOST_AUTO_TEST_SUITE(run_children)

BOOST_AUTO_TEST_CASE(a_child_has_a_part_of_the_budget_and_the_same_permissions) {
    auto c = wish();
    c.limits = {20, 100'000, 0, 600'000};
    c.tools = {{"run_command", tool_policy::deny}};
    c.ceilings = {{{"write", tool_policy::ask}}};
    c.model = "rehearsal:a";
    c.agent_id = agent_id;
    const auto r = waiting(c, R"(,"kind":"tester","limits":{"steps":100})");
    const auto [to, child] = r.sent<create_run>("create_run/1");
    BOOST_TEST((to.id == child_of(r)));
    BOOST_TEST(to.kind == "run");
    BOOST_TEST(child.goal == "Look at a part");
    BOOST_TEST(child.kind == "tester");
    BOOST_TEST(child.model == "rehearsal:a");
    BOOST_TEST((child.project_id == project_id));
    BOOST_TEST((child.agent_id == agent_id));
    BOOST_TEST((child.parent_run_id == id_of(1)));
    BOOST_TEST((child.tools == c.tools));
    BOOST_TEST((child.ceilings == c.ceilings));
    BOOST_TEST(child.depth == 1U);
    BOOST_TEST(child.limits.steps == 19U); // all that is left, though more was asked for
    BOOST_TEST(child.limits.tokens == (100'000U - 120U) / 2);
    BOOST_TEST(child.limits.time_ms == 300'000);
    BOOST_TEST(child.limits.cost_micros == 0);
    const auto owed = r.owed();
    BOOST_TEST(std::ranges::none_of(owed, [](const auto& key) { return key.starts_with("tool/"); }));
    BOOST_TEST((document(r).status == run_status::running));
    const auto step = *from_json<step_document>(r.items().back().document, strictness::stored);
    BOOST_TEST((step.child_run_id == child_of(r)));
    BOOST_TEST((step.status == step_status::started));
}

BOOST_AUTO_TEST_CASE(its_result_is_the_calls_and_its_use_the_parents) {
    auto r = waiting();
    const auto before = document(r).used;
    const auto end = succeeded(r);
    const auto events = r.accepted(end);
    BOOST_TEST(names_of(events) == (texts{"child_ended", "tool_call_finished", "model_call_started"}), each);
    BOOST_TEST(told(r) == "It is blue.\n\nOutput: {\"colour\":\"blue\"}");
    BOOST_TEST(!the<tool_call_finished>(events).is_error);
    BOOST_TEST(document(r).used.tokens == before.tokens + 1000);
    BOOST_TEST(document(r).used.cost_micros == before.cost_micros + 50);
    BOOST_TEST(document(r).used.time_ms == before.time_ms + 10);
    BOOST_TEST(document(r).used.steps == before.steps + 3); // and the next model call
    BOOST_TEST(r.accepted(end).empty());

    auto lost = waiting();
    BOOST_TEST(the<tool_call_finished>(lost.accepted(failed(lost))).is_error);
    BOOST_TEST(told(lost) == "The agent did not reach its goal: It got lost.");
    BOOST_TEST((document(lost).status == run_status::running));
}

BOOST_AUTO_TEST_CASE(several_work_side_by_side_and_share_what_is_left) {
    auto c = wish();
    c.limits = {100, 80'120, 0, 0};
    auto r = started(c);
    r.accepted(reply(r, {spawn_call(), spawn_call(), spawn_call(), read_call()}));
    for (std::uint32_t call = 1; call <= 3; ++call) {
        BOOST_TEST(call_of(r, call).lent.tokens == 20'000U);
    }
    BOOST_TEST(lent_of(r.state().progress).tokens == 60'000U);
    BOOST_TEST((call_of(r, 4).phase == call_phase::started));
    r.accepted(succeeded(r, 2));
    r.accepted(result(r, 4));
    BOOST_TEST(lent_of(r.state().progress).tokens == 40'000U);
    BOOST_TEST(!r.state().progress.model_call);
    r.accepted(succeeded(r, 1));
    r.accepted(failed(r, 3));
    BOOST_TEST(r.state().progress.model_call.has_value());
    BOOST_TEST(lent_of(r.state().progress).tokens == 0U);
}

BOOST_AUTO_TEST_CASE(so_many_work_at_once_and_no_more) {
    auto r = started();
    r.accepted(reply(r, std::vector<asked_call>(parallel_calls_max + 2, spawn_call())));
    const auto at_work = [&] {
        return std::ranges::count_if(r.state().progress.calls,
                                     [](const auto& call) { return call.phase == call_phase::started; });
    };
    BOOST_TEST(at_work() == std::ptrdiff_t{parallel_calls_max});
    r.accepted(succeeded(r, 3));
    BOOST_TEST(at_work() == std::ptrdiff_t{parallel_calls_max});
    BOOST_TEST((call_of(r, parallel_calls_max + 2).phase == call_phase::pending));
}

BOOST_AUTO_TEST_CASE(what_changes_the_project_itself_waits_for_its_children) {
    auto r = started();
    r.accepted(reply(r, {spawn_call(), shell_call(), spawn_call()}));
    BOOST_TEST((call_of(r, 2).phase == call_phase::pending));
    BOOST_TEST((call_of(r, 3).phase == call_phase::pending));
    r.accepted(succeeded(r, 1));
    BOOST_TEST((call_of(r, 2).phase == call_phase::started));
    BOOST_TEST((call_of(r, 3).phase == call_phase::pending));
}

BOOST_AUTO_TEST_CASE(its_clock_stands_still_while_only_children_work) {
    auto c = wish();
    c.limits = {100, 1'000'000, 0, 60'000};
    auto r = started(c);
    r.now = r.now + 1000;
    r.accepted(reply(r, {spawn_call(), read_call()}));
    BOOST_TEST(r.state().progress.working_since.has_value()); // the file is read
    r.now = r.now + 500;
    r.accepted(result(r, 2));
    BOOST_TEST(!r.state().progress.working_since);
    const auto owed = r.owed();
    BOOST_TEST(std::ranges::count(owed, "time") == 0);
    r.now = r.now + 3'600'000;
    auto end = succeeded(r, 1);
    end.used.time_ms = 20'000;
    r.accepted(end);
    BOOST_TEST(document(r).used.time_ms == 21'500);
    BOOST_TEST((r.state().progress.working_since == r.now));
}

BOOST_AUTO_TEST_CASE(cancel_goes_down_and_a_late_end_changes_nothing) {
    auto r = waiting();
    r.accepted(debt_settled{{"create_run/1", true, "", "", {}}});
    const auto end = succeeded(r);
    const auto child = child_of(r);
    r.accepted(cancel_run{"enough"});
    const auto [to, cancel] = r.sent<cancel_run>("cancel_run/2");
    BOOST_TEST((to.id == child));
    BOOST_TEST(!cancel.reason.empty());
    const auto used = document(r).used;
    BOOST_TEST(r.accepted(end).empty());
    BOOST_TEST((document(r).used.tokens == used.tokens));
}

BOOST_AUTO_TEST_CASE(a_child_that_was_not_created_yet_is_cancelled_after_it_was) {
    auto r = waiting();
    r.accepted(cancel_run{"enough"});
    BOOST_TEST(std::ranges::count(r.owed(), "cancel_run/2") == 0); // one receiver gets one after the other
    r.accepted(debt_settled{{"create_run/1", true, "", "", {}}});
    BOOST_TEST(std::ranges::count(r.owed(), "cancel_run/2") == 1);
}

BOOST_AUTO_TEST_CASE(the_end_goes_up_with_all_that_is_gone) {
    auto child = started(wish_of_a_child());
    BOOST_TEST((document(child).parent_run_id == parent_id));
    BOOST_TEST(std::ranges::count(child.filters(), "parent_run_id=" + to_string(parent_id)) == 1);
    child.accepted(reply(child, {finish_call("Blue.")}));
    const auto [to, end] = child.sent<run_ended>("run_ended/1");
    BOOST_TEST((to.id == parent_id));
    BOOST_TEST(to.kind == "run");
    BOOST_TEST(*end.result == "Blue.");
    BOOST_TEST((end.status == run_status::succeeded));
    BOOST_TEST(end.used.tokens == 120U);
    BOOST_TEST(end.used.steps == 1U);

    auto cut = started(wish_of_a_child());
    cut.accepted(mark_model_call{1, 1});
    const auto reserved = cut.state().progress.model_call->reserved_tokens;
    cut.accepted(cancel_run{"no longer needed"});
    const auto told_up = cut.sent<run_ended>("run_ended/1").second;
    BOOST_TEST(told_up.used.tokens == reserved); // nobody knows what the call came to

    auto of_children = waiting(wish_of_a_child());
    const auto lent = call_of(of_children, 1).lent.tokens;
    of_children.accepted(cancel_run{"no longer needed"});
    BOOST_TEST(of_children.sent<run_ended>("run_ended/3").second.used.tokens == 120 + lent);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_started_is_told_to_the_model) {
    auto poor = wish();
    poor.limits.steps = 2;
    const auto p = waiting(poor);
    BOOST_TEST(told(p).find("nothing for another agent") != std::string::npos, told(p));
    const auto odd = waiting(wish(), R"(,"result_schema":{"type":"string"})");
    BOOST_TEST(told(odd).find("/result_schema") != std::string::npos, told(odd));
    auto refused = waiting();
    const auto before = document(refused).used.tokens;
    refused.accepted(debt_settled{{"create_run/1", false, "organization_suspended", "No more runs.", {}}});
    BOOST_TEST(told(refused) == "The agent did not reach its goal: It could not be started: No more runs.");
    BOOST_TEST(document(refused).used.tokens == before);
    BOOST_TEST(lent_of(refused.state().progress).tokens == 0U);
    BOOST_TEST(refused.state().progress.model_call.has_value());
}

BOOST_AUTO_TEST_CASE(the_deepest_run_starts_no_other) {
    auto deep = wish();
    deep.depth = run_depth_max;
    const auto r = waiting(deep);
    BOOST_TEST(std::ranges::count(tools_of(r.state().progress), "spawn_agent") == 0);
    BOOST_TEST(told(r).find("no tool 'spawn_agent'") != std::string::npos, told(r));
    deep.depth = run_depth_max - 1;
    BOOST_TEST(sent_wish(waiting(deep)).depth == run_depth_max);
}

BOOST_AUTO_TEST_CASE(people_decide_on_it_as_on_other_calls) {
    auto asked = wish();
    asked.tools = {{"agent", tool_policy::ask}};
    auto r = waiting(asked);
    BOOST_TEST((document(r).status == run_status::waiting));
    BOOST_TEST(call_of(r, 1).text == "Let another agent work: Look at a part");
    auto denied = r;
    denied.accepted(resolved(denied, 1, decision::deny, "not now"));
    BOOST_TEST(told(denied).find("denied") != std::string::npos);
    r.accepted(resolved(r, 1, decision::approve, "", json::raw{R"({"goal":"Look at all"})"}));
    BOOST_TEST(sent_wish(r, "create_run/2").goal == "Look at all");
    BOOST_TEST((document(r).status == run_status::running));
}

BOOST_AUTO_TEST_CASE(rules_of_those_above_hold_beside_its_own) {
    auto c = wish_of_a_child();
    c.tools = {{"run_command", tool_policy::allow}, {"read_file", tool_policy::deny}};
    c.ceilings = {{{"run_command(rm *)", tool_policy::deny}}, {{"write", tool_policy::ask}}};
    const auto verdict = [&](std::string_view tool, std::string_view arguments) {
        return judge(started(c).state().progress, *find_tool(tool), arguments).policy;
    };
    BOOST_TEST((verdict("run_command", R"({"command":"rm -r x"})") == tool_policy::deny));
    BOOST_TEST((verdict("run_command", R"({"command":"ls"})") == tool_policy::allow));
    BOOST_TEST((verdict("write_file", R"({"path":"a","content":""})") == tool_policy::ask));
    BOOST_TEST((verdict("read_file", R"({"path":"a"})") == tool_policy::deny));
    c.ceilings.push_back({{"execute", tool_policy::deny}});
    BOOST_TEST(std::ranges::count(tools_of(started(c).state().progress), "run_command") == 0);
}

BOOST_AUTO_TEST_CASE(a_child_may_have_changed_what_was_verified) {
    auto r = waiting();
    BOOST_TEST(!r.state().progress.unverified);
    r.accepted(succeeded(r));
    BOOST_TEST(r.state().progress.unverified);
    auto nowhere = wish();
    nowhere.project_id.reset();
    auto n = waiting(nowhere);
    n.accepted(succeeded(n));
    BOOST_TEST(!n.state().progress.unverified);
}

BOOST_AUTO_TEST_SUITE_END()
