#include "actors/run/run_children.hpp"
#include "actors/run/run_context.hpp"
#include "actors/tool/tool.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();

agent_settings scout() {
    agent_settings s;
    s.name = "scout";
    s.kind = "tester";
    s.instructions = "Scout around.";
    s.model = "rehearsal:scout";
    s.tools = {{"run_command", tool_policy::allow}};
    s.limits = {7, 0, 0, 0};
    s.on_unknown = unknown_policy::skip;
    return s;
}

asked_call delegate_call(std::string more = "") {
    return {"id8", "delegate", R"({"agent":"scout","goal":"Look at a part")" + std::move(more) + "}"};
}
asked_call hand_off_call() { return {"id9", "hand_off", R"({"agent":"scout","message":"Go on."})"}; }

/// What the performer tells when it found the agent.
record_agent found(const run& r, std::uint32_t call = 1) {
    const auto& p = r.state().progress;
    return {p.step, call, call_of(r, call).attempt, wish_for_agent(p, call_of(r, call), agent_id, scout())};
}

create_run wish_of_a_caller() {
    auto c = wish();
    c.tools = {{"run_command(rm *)", tool_policy::deny}};
    c.limits = {20, 100'120, 0, 0};
    return c;
}

std::string told(const run& r) { return r.state().messages.back().content; }

} // namespace

BOOST_AUTO_TEST_SUITE(run_delegation)

BOOST_AUTO_TEST_CASE(a_delegated_run_is_the_agents_within_the_callers_rules) {
    auto r = started(wish_of_a_caller());
    r.accepted(reply(r, {delegate_call()}));
    const auto owed = r.owed();
    BOOST_TEST(std::ranges::count(owed, "tool/1/1/1") == 1); // the performer looks for the agent
    BOOST_TEST(names_of(r.accepted(found(r))) == texts{"child_started"}, each);
    const auto child = r.sent<create_run>("create_run/1").second;
    BOOST_TEST(child.goal == "Look at a part");
    BOOST_TEST((child.agent_id == agent_id));
    BOOST_TEST((child.parent_run_id == id_of(1)));
    BOOST_TEST(child.instructions == "Scout around.");
    BOOST_TEST(child.model == "rehearsal:scout");
    BOOST_TEST(child.kind == "tester");
    BOOST_TEST((child.tools == scout().tools));
    BOOST_TEST((child.ceilings == std::vector{wish_of_a_caller().tools}));
    BOOST_TEST((child.on_unknown == unknown_policy::skip));
    BOOST_TEST(child.limits.steps == 7U); // the agent's, which is less than the part
    BOOST_TEST(child.limits.tokens == 50'000U);
    BOOST_TEST(child.depth == 1U);
    BOOST_TEST(std::ranges::count(r.owed(), "tool/1/1/1") == 0);
    BOOST_TEST(r.accepted(found(r)).empty()); // twice

    r.accepted({run_ended{*call_of(r, 1).child_run_id, {}, run_status::succeeded, "Found.", {}, {}, {3, 400, 0, 5}}});
    BOOST_TEST(told(r) == "Found.");
    BOOST_TEST(document(r).used.tokens == 520U);
}

BOOST_AUTO_TEST_CASE(the_callers_denial_wins_over_what_the_agent_may) {
    auto r = started(wish_of_a_caller());
    r.accepted(reply(r, {delegate_call()}));
    const auto child = started(found(r).wish);
    const auto& p = child.state().progress;
    const auto& shell = *find_tool("run_command");
    BOOST_TEST((judge(p, shell, R"({"command":"rm -r x"})").policy == tool_policy::deny));
    BOOST_TEST((judge(p, shell, R"({"command":"ls"})").policy == tool_policy::allow));
}

BOOST_AUTO_TEST_CASE(an_agent_that_is_not_there_is_an_error_for_the_model) {
    auto r = started();
    r.accepted(reply(r, {delegate_call()}));
    r.accepted(result(r, 1, "There is no agent 'scout'. There are: cook.", true));
    BOOST_TEST(told(r) == "There is no agent 'scout'. There are: cook.");
    BOOST_TEST(r.state().progress.model_call.has_value());
    BOOST_TEST(r.accepted(record_agent{1, 1, 1, wish()}).empty()); // late
}

BOOST_AUTO_TEST_CASE(a_result_schema_that_cannot_be_is_an_error_for_the_model) {
    auto r = started();
    r.accepted(reply(r, {delegate_call(R"(,"result_schema":{"type":"string"})")}));
    r.accepted(found(r));
    BOOST_TEST(told(r).find("/result_schema") != std::string::npos, told(r));
}

BOOST_AUTO_TEST_CASE(a_hand_off_ends_the_run_and_gives_all_that_is_left) {
    auto c = wish_of_a_caller();
    c.task_id = task_id;
    auto r = started(c);
    r.accepted(reply(r, {hand_off_call()}));
    const auto events = r.accepted(found(r));
    BOOST_TEST(names_of(events) == (texts{"handed_off", "tool_call_finished", "run_finished"}), each);
    BOOST_TEST((document(r).status == run_status::succeeded));
    BOOST_TEST(document(r).result->find("scout") != std::string::npos);
    const auto [to, fork] = r.sent<fork_run>("fork_run/1");
    BOOST_TEST(document(r).result->find(to_string(to.id)) != std::string::npos);
    BOOST_TEST((fork.run_id == id_of(1)));
    BOOST_TEST(fork.step == 1U);
    BOOST_TEST(fork.message == "Go on.");
    BOOST_TEST(fork.run.goal == c.goal);
    BOOST_TEST(!fork.run.task_id);
    BOOST_TEST(!fork.run.parent_run_id);
    BOOST_TEST((fork.run.agent_id == agent_id));
    BOOST_TEST((fork.run.ceilings == std::vector{c.tools}));
    BOOST_TEST(fork.run.limits.steps == 7U);
    BOOST_TEST(fork.run.limits.tokens == 100'000U);
    BOOST_TEST(fork.run.depth == 1U);
    BOOST_TEST((call_of(r, 1).child_run_id == to.id));
    const auto owed = r.owed();
    BOOST_TEST(std::ranges::none_of(owed, [](const auto& key) { return key.starts_with("cancel_run"); }));
}

BOOST_AUTO_TEST_CASE(a_hand_off_comes_alone) {
    auto r = started();
    r.accepted(reply(r, {hand_off_call(), read_call()}));
    BOOST_TEST(call_of(r, 1).is_error);
    BOOST_TEST((document(r).status == run_status::running));
}

BOOST_AUTO_TEST_CASE(who_has_to_give_a_result_back_hands_nothing_off) {
    const auto offers = [](const create_run& c) {
        return std::ranges::count(tools_of(started(c).state().progress), "hand_off") == 1;
    };
    BOOST_TEST(offers(wish()));
    auto child = wish();
    child.parent_run_id = id_of(77);
    BOOST_TEST(!offers(child));
    auto asked = wish();
    asked.result_schema = json::raw{R"({"type":"object"})"};
    BOOST_TEST(!offers(asked));
    auto deep = wish();
    deep.depth = run_depth_max;
    BOOST_TEST(!offers(deep));
}

BOOST_AUTO_TEST_SUITE_END()
