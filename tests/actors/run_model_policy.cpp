#include "actors/run/run_context.hpp"
#include "actors/run/run_model.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/approval_messages.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();

create_run with_policy(const std::string& name, tool_policy policy) {
    auto c = wish();
    c.tools[name] = policy;
    return c;
}

/// A run that asks for its shell call.
run asking() {
    auto r = started(with_policy("run_command", tool_policy::ask));
    r.accepted(reply(r, {shell_call()}));
    return r;
}

timestamp due_of(const run& r, std::string_view key) {
    for (const auto& effect : run_model::resume(r.state())) {
        const auto* timer = std::get_if<runtime::timer_effect>(&effect);
        if (timer && timer->key == key) {
            return timer->due;
        }
    }
    BOOST_FAIL("there is no timer " << key);
    return {};
}

} // namespace

BOOST_AUTO_TEST_SUITE(run_model_failures)

BOOST_AUTO_TEST_CASE(attempt_is_marked_once) {
    auto r = started();
    BOOST_TEST(names_of(r.accepted(mark_model_call{1, 1})) == texts{"model_call_sent"}, each);
    BOOST_TEST((r.refused(mark_model_call{1, 1}).code == code::conflict));
    BOOST_TEST((r.refused(mark_model_call{1, 2}).code == code::conflict));
    BOOST_TEST(r.state().progress.model_call->sent);
}

BOOST_AUTO_TEST_CASE(lost_call_counts_as_spent_and_is_made_again_at_once) {
    auto r = started();
    const auto reserved = r.state().progress.model_call->reserved_tokens;
    r.accepted(mark_model_call{1, 1});
    const auto events = r.accepted(failure(r, code::unknown_outcome));
    BOOST_TEST(names_of(events) == (texts{"model_call_failed", "model_call_started"}), each);
    BOOST_TEST(the<model_call_failed>(events).spent_tokens == reserved);
    BOOST_TEST(document(r).used.tokens == reserved);
    BOOST_TEST(document(r).used.steps == 1u);
    BOOST_TEST(r.owed() == (texts{"model/1/2", "time"}), each);
    BOOST_TEST(!r.state().progress.model_call->sent);
}

BOOST_AUTO_TEST_CASE(lost_calls_are_bounded_by_the_budget) {
    auto r = started(wish(), begin({0, 40'000, 0, 0}));
    for (int n = 0; n < 100 && !has_ended(r.state().progress); ++n) {
        r.accepted(failure(r, code::unknown_outcome));
    }
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(document(r).used.tokens <= 40'000u);
}

BOOST_AUTO_TEST_CASE(busy_provider_is_asked_again_after_a_growing_wait) {
    auto r = started();
    const auto first = the<model_call_failed>(r.accepted(failure(r, code::model_unavailable)));
    BOOST_TEST((first.retry_at.value() == r.now + 1000));
    BOOST_TEST(first.spent_tokens == 0u);
    BOOST_TEST(r.owed() == (texts{"back_off/1/1", "time"}), each);
    BOOST_TEST((document(r).status == run_status::waiting));
    BOOST_TEST((document(r).waiting.at(0).reason == wait_reason::back_off));
    BOOST_TEST((document(r).waiting.at(0).until.value() == r.now + 1000));
    r.now = r.now + 1000;
    BOOST_TEST(names_of(r.accepted(end_back_off{1, 1})) == texts{"model_call_started"}, each);
    BOOST_TEST(r.accepted(end_back_off{1, 1}).empty());
    BOOST_TEST(r.owed() == (texts{"model/1/2", "time"}), each);
    const auto second = the<model_call_failed>(r.accepted(failure(r, code::model_unavailable)));
    BOOST_TEST((second.retry_at.value() == r.now + 2000));
}

BOOST_AUTO_TEST_CASE(provider_decides_how_long_to_wait_at_least) {
    auto r = started();
    const auto e = the<model_call_failed>(r.accepted(failure(r, code::model_rate_limited, 30)));
    BOOST_TEST((e.retry_at.value() == r.now + 30'000));
}

BOOST_AUTO_TEST_CASE(provider_that_stays_away_fails_the_run_in_the_end) {
    auto r = started();
    std::uint32_t attempts = 1;
    while (names_of(r.accepted(failure(r, code::model_unavailable))).back() != "run_failed") {
        r.accepted(end_back_off{1, attempts});
        ++attempts;
    }
    BOOST_TEST(attempts == model_attempts_max);
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(r.owed().empty());
}

BOOST_AUTO_TEST_CASE(stream_that_was_cut_counts_as_spent) {
    auto r = started();
    const auto reserved = r.state().progress.model_call->reserved_tokens;
    const auto e = the<model_call_failed>(r.accepted(failure(r, code::model_unavailable, {}, true)));
    BOOST_TEST(e.spent_tokens == reserved);
}

BOOST_AUTO_TEST_CASE(nonsense_is_tried_three_times_in_all) {
    auto r = started();
    auto empty = [&] { return names_of(r.accepted(reply(r, {}, " \n"))); };
    BOOST_TEST(empty() == texts{"model_call_failed"}, each);
    r.accepted(end_back_off{1, 1});
    BOOST_TEST(names_of(r.accepted(failure(r, code::model_reply_invalid))) == texts{"model_call_failed"}, each);
    r.accepted(end_back_off{1, 2});
    BOOST_TEST(empty() == (texts{"model_call_failed", "run_failed"}), each);
}

BOOST_AUTO_TEST_CASE(reply_beyond_its_bounds_is_nonsense) {
    auto r = started();
    BOOST_TEST(the<model_call_failed>(r.accepted(reply(r, {}, std::string(reply_bytes_max + 1, 'x')))).code ==
               "model_reply_invalid");
    auto many = started();
    BOOST_TEST(
        the<model_call_failed>(many.accepted(reply(many, std::vector<asked_call>(reply_calls_max + 1, read_call()))))
            .code == "model_reply_invalid");
}

BOOST_AUTO_TEST_CASE(success_forgets_earlier_failures) {
    auto r = started();
    r.accepted(failure(r, code::model_unavailable));
    r.accepted(end_back_off{1, 1});
    r.accepted(reply(r, {read_call()}));
    r.accepted(result(r, 1));
    const auto e = the<model_call_failed>(r.accepted(failure(r, code::model_unavailable)));
    BOOST_TEST((e.retry_at.value() == r.now + 1000));
}

BOOST_AUTO_TEST_CASE(refusals_end_the_run_with_the_providers_sentence) {
    for (const auto c :
         {code::model_refused, code::model_unknown, code::script_exhausted, code::script_invalid, code::internal}) {
        auto r = started();
        BOOST_TEST(names_of(r.accepted(failure(r, c))) == (texts{"model_call_failed", "run_failed"}), each);
        BOOST_TEST(document(r).error.value() == "It did not work.");
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(run_model_budgets)

BOOST_AUTO_TEST_CASE(limits_of_the_run_go_before_the_defaults) {
    auto c = wish();
    c.limits.steps = 3;
    auto r = started(c, begin({50, 5000, 0, 1000}));
    BOOST_TEST(document(r).limits.steps == 3u);
    BOOST_TEST(document(r).limits.tokens == 5000u);
}

BOOST_AUTO_TEST_CASE(last_step_of_the_budget_is_made_and_the_next_one_is_not) {
    auto r = started(wish(), begin({2, 0, 0, 0}));
    r.accepted(reply(r, {read_call()}));
    r.accepted(result(r, 1));
    r.accepted(reply(r, {read_call()}));
    const auto events = r.accepted(result(r, 1));
    BOOST_TEST(names_of(events) == (texts{"tool_call_finished", "run_failed"}), each);
    BOOST_TEST(the<run_failed>(events).code == "budget_exhausted");
    BOOST_TEST(the<run_failed>(events).detail.find("2 steps") != std::string::npos);
    BOOST_TEST(document(r).used.steps == 2u);
}

BOOST_AUTO_TEST_CASE(repeated_attempts_of_a_step_are_one_step) {
    auto r = started(wish(), begin({1, 0, 0, 0}));
    r.accepted(failure(r, code::model_unavailable));
    BOOST_TEST(names_of(r.accepted(end_back_off{1, 1})) == texts{"model_call_started"}, each);
    BOOST_TEST(document(r).used.steps == 1u);
}

BOOST_AUTO_TEST_CASE(tokens_are_reserved_before_the_call_and_settled_after_it) {
    auto r = started(wish(), begin({0, 6000, 0, 0}));
    const auto& open = *r.state().progress.model_call;
    BOOST_TEST(open.reserved_tokens == 6000u); // the output shrank to what is left
    BOOST_TEST(open.output_tokens_max < output_tokens_max);
    BOOST_TEST(document(r).used.tokens == 0u);
    r.accepted(reply(r, {read_call()}));
    BOOST_TEST(document(r).used.tokens == 120u);
    const auto events = r.accepted(result(r, 1, std::string(20'000, 'x')));
    BOOST_TEST(the<run_failed>(events).code == "budget_exhausted");
    BOOST_TEST(the<run_failed>(events).detail.find("120 of 6000 tokens") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(budget_too_small_for_one_call_makes_none) {
    run r;
    r.accepted(wish());
    BOOST_TEST(names_of(r.accepted(begin({0, 100, 0, 0}))) == (texts{"run_started", "run_failed"}), each);
    BOOST_TEST(r.owed().empty());
}

BOOST_AUTO_TEST_CASE(money_is_reserved_and_settled) {
    const model_price price{1'000'000, 2'000'000}; // a micro-unit a token, two for output
    auto r = started(wish(), begin({0, 0, 60'000, 0}, price));
    BOOST_TEST(r.state().progress.model_call->reserved_cost_micros > 2 * output_tokens_max);
    r.accepted(reply(r, {read_call()}));
    BOOST_TEST(document(r).used.cost_micros == 100 + 2 * 20);
    run poor;
    poor.accepted(wish());
    const auto events = poor.accepted(begin({0, 0, 100, 0}, price));
    BOOST_TEST(the<run_failed>(events).detail.find("money") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(working_time_ends_the_run) {
    auto r = started(wish(), begin({0, 0, 0, 10'000}));
    BOOST_TEST((due_of(r, "time") == r.now + 10'000));
    r.now = r.now + 4000;
    r.accepted(reply(r, {shell_call()}));
    BOOST_TEST((due_of(r, "time") == r.now + 6000));
    r.now = r.now + 5999;
    BOOST_TEST(r.accepted(check_time{}).empty());
    r.now = r.now + 1;
    BOOST_TEST(the<run_failed>(r.accepted(check_time{})).code == "budget_exhausted");
    BOOST_TEST(r.owed() == texts{"clean_up"}, each);
    BOOST_TEST(document(r).used.time_ms == 10'000);
}

BOOST_AUTO_TEST_CASE(time_in_which_the_node_was_away_is_no_working_time) {
    constexpr std::int64_t night_ms = 8LL * 3600 * 1000;
    auto r = started(wish(), begin({0, 0, 0, 10'000}));
    r.now = r.now + 4000;
    r.accepted(reply(r, {shell_call()}));
    r.now = r.now + night_ms;
    r.even_since = r.now + -1000; // since when there is a node again
    BOOST_TEST(names_of(r.accepted(check_time{})) == texts{"work_time_moved"}, each);
    BOOST_TEST(document(r).used.time_ms == 5000);
    BOOST_TEST((due_of(r, "time") == r.now + 5000)); // and no earlier: the timer would come again and again
    BOOST_TEST(r.accepted(check_time{}).empty());
    r.now = r.now + night_ms;
    r.even_since = r.now + -2000; // the same in one with what happens
    BOOST_TEST(names_of(r.accepted(result(r, 1))) ==
                   (texts{"work_time_moved", "tool_call_finished", "model_call_started"}),
               each);
    BOOST_TEST(document(r).used.time_ms == 7000);
    r.now = r.now + 3000;
    BOOST_TEST(the<run_failed>(r.accepted(check_time{})).code == "budget_exhausted");
    BOOST_TEST(document(r).used.time_ms == 10'000);
    r.even_since = r.now + 1; // nobody cares after the end
    BOOST_TEST(r.accepted(check_time{}).empty());
}

BOOST_AUTO_TEST_CASE(waits_for_people_cost_no_time) {
    auto r = started(wish(), begin({0, 0, 0, 10'000}));
    r.now = r.now + 3000;
    r.accepted(reply(r, {ask_call()}));
    BOOST_TEST(r.owed() == texts{"open_approval/1"}, each);
    r.now = r.now + 14LL * 24 * 3600 * 1000;
    BOOST_TEST(r.accepted(check_time{}).empty());
    r.accepted(resolved(r, 1, decision::answer, "the red one"));
    BOOST_TEST(document(r).used.time_ms == 3000);
    BOOST_TEST((due_of(r, "time") == r.now + 7000));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(run_model_people)

BOOST_AUTO_TEST_CASE(asked_call_waits_for_a_person_and_costs_nothing) {
    auto r = asking();
    BOOST_TEST(r.owed() == texts{"open_approval/1"}, each);
    const auto [to, message] = r.sent<open_approval>("open_approval/1");
    BOOST_TEST(to.kind == "approval");
    BOOST_TEST((to.id == *call_of(r, 1).approval_id));
    BOOST_TEST((message.run_id == id_of(1)));
    BOOST_TEST(message.step_key == "00001.001");
    BOOST_TEST((message.reason == wait_reason::approval));
    BOOST_TEST(message.text == "Run the command: make");
    BOOST_TEST(message.arguments.text == R"({"command":"make"})");
    r.accepted(debt_settled{{"open_approval/1", true, "", "", {}}});
    BOOST_TEST(r.owed().empty());
    const auto d = document(r);
    BOOST_TEST((d.status == run_status::waiting));
    BOOST_TEST((d.waiting.at(0).approval_id == call_of(r, 1).approval_id));
}

BOOST_AUTO_TEST_CASE(approved_call_is_made) {
    auto r = asking();
    const auto answer = resolved(r, 1, decision::approve);
    BOOST_TEST(names_of(r.accepted(answer)) == (texts{"approval_resolved", "tool_call_started"}), each);
    BOOST_TEST(r.accepted(answer).empty());
    BOOST_TEST((document(r).status == run_status::running));
    r.accepted(debt_settled{{"open_approval/1", true, "", "", {}}});
    BOOST_TEST(r.owed() == (texts{"tool/1/1/1", "time"}), each);
}

BOOST_AUTO_TEST_CASE(edited_call_is_made_with_the_persons_arguments) {
    auto r = asking();
    const auto events = r.accepted(resolved(r, 1, decision::approve, "", json::raw{R"({"command":"make test"})"}));
    BOOST_TEST(the<tool_call_started>(events).arguments.text == R"({"command":"make test"})");
}

BOOST_AUTO_TEST_CASE(edited_call_that_cannot_be_made_is_told_to_the_model) {
    auto r = asking();
    const auto events = r.accepted(resolved(r, 1, decision::approve, "", json::raw{R"({"order":66})"}));
    BOOST_TEST(names_of(events) == (texts{"approval_resolved", "tool_call_finished", "model_call_started"}), each);
    BOOST_TEST(the<tool_call_finished>(events).is_error);
}

BOOST_AUTO_TEST_CASE(denied_call_is_not_made_and_the_model_reads_why) {
    auto r = asking();
    const auto events = r.accepted(resolved(r, 1, decision::deny, "too risky"));
    BOOST_TEST(names_of(events) == (texts{"approval_resolved", "tool_call_denied", "model_call_started"}), each);
    BOOST_TEST(request_of(r.state()).messages.back().content == "A person denied this call: too risky");
    BOOST_TEST(request_of(r.state()).messages.back().tool_call_id == "id2");
}

BOOST_AUTO_TEST_CASE(answer_to_a_question_is_the_result_of_the_call) {
    auto r = started();
    const auto asked = r.accepted(reply(r, {ask_call()}));
    BOOST_TEST((the<approval_requested>(asked).reason == wait_reason::question));
    BOOST_TEST(the<approval_requested>(asked).text == "Which one?");
    const auto events = r.accepted(resolved(r, 1, decision::answer, "the red one"));
    BOOST_TEST(names_of(events) == (texts{"approval_resolved", "tool_call_finished", "model_call_started"}), each);
    BOOST_TEST(request_of(r.state()).messages.back().content == "the red one");
}

BOOST_AUTO_TEST_CASE(policy_names_a_tool_or_its_permission) {
    auto by_permission = started(with_policy("execute", tool_policy::deny));
    const auto events = by_permission.accepted(reply(by_permission, {shell_call()}));
    BOOST_TEST(names_of(events) == (texts{"model_call_finished", "tool_call_denied", "model_call_started"}), each);
    auto both = with_policy("execute", tool_policy::deny);
    both.tools["run_command"] = tool_policy::allow;
    auto r = started(both);
    BOOST_TEST(names_of(r.accepted(reply(r, {shell_call()}))).back() == "tool_call_started");
}

BOOST_AUTO_TEST_CASE(denied_tools_are_not_offered_and_finish_always_is) {
    auto c = with_policy("run_command", tool_policy::deny);
    c.tools["read"] = tool_policy::deny;
    const auto r = started(c);
    const auto offered = tools_of(r.state().progress);
    for (const auto& tool : all_tools()) {
        if (!is_offered(r.state().progress, tool.name)) {
            continue; // to runs of other kinds
        }
        const bool denied = tool.name == "run_command" || tool.like == "run_command" ||
                            (tool.permission == "read" && tool.name != "finish");
        BOOST_TEST((std::ranges::find(offered, tool.name) == offered.end()) == denied, tool.name);
    }
}

BOOST_AUTO_TEST_CASE(unknown_call_asks_a_person_by_default) {
    auto r = started();
    r.accepted(reply(r, {shell_call()}));
    const auto events = r.accepted(unknown_result(r, 1));
    BOOST_TEST(names_of(events) == (texts{"tool_call_unknown", "approval_requested"}), each);
    BOOST_TEST((the<approval_requested>(events).reason == wait_reason::unknown_step));
    auto skipping = r;
    BOOST_TEST(names_of(r.accepted(resolved(r, 1, decision::retry))) ==
                   (texts{"approval_resolved", "tool_call_started"}),
               each);
    BOOST_TEST(call_of(r, 1).attempt == 2u);
    BOOST_TEST(names_of(skipping.accepted(resolved(skipping, 1, decision::skip))) ==
                   (texts{"approval_resolved", "tool_call_skipped", "model_call_started"}),
               each);
    BOOST_TEST(request_of(skipping.state()).messages.back().content.find("not known whether") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unknown_call_is_retried_or_skipped_where_the_policy_says_so) {
    auto c = wish();
    c.on_unknown = unknown_policy::retry;
    auto retrying = started(c);
    retrying.accepted(reply(retrying, {shell_call()}));
    BOOST_TEST(names_of(retrying.accepted(unknown_result(retrying, 1))) ==
                   (texts{"tool_call_unknown", "tool_call_started"}),
               each);
    BOOST_TEST(retrying.owed() == (texts{"tool/1/1/2", "time"}), each);
    c.on_unknown = unknown_policy::skip;
    auto skipping = started(c);
    skipping.accepted(reply(skipping, {shell_call()}));
    BOOST_TEST(names_of(skipping.accepted(unknown_result(skipping, 1))) ==
                   (texts{"tool_call_unknown", "tool_call_skipped", "model_call_started"}),
               each);
}

BOOST_AUTO_TEST_CASE(run_that_ends_withdraws_what_it_asked_after_it_was_opened) {
    auto r = asking();
    const auto approval = *call_of(r, 1).approval_id;
    r.accepted(cancel_run{"enough"});
    BOOST_TEST(r.owed() == texts{"open_approval/1"}, each);
    r.accepted(debt_settled{{"open_approval/1", true, "", "", {}}});
    BOOST_TEST(r.owed() == texts{"withdraw_approval/2"}, each);
    BOOST_TEST((r.sent<withdraw_approval>("withdraw_approval/2").first.id == approval));
    r.accepted(debt_settled{{"withdraw_approval/2", true, "", "", {}}});
    BOOST_TEST(r.owed().empty());
    BOOST_TEST(r.accepted(resolve_approval{approval, "00001.001", decision::approve, "", {}, "key/person"}).empty());
}

BOOST_AUTO_TEST_CASE(decisions_about_something_else_change_nothing) {
    auto r = asking();
    BOOST_TEST(r.accepted(resolve_approval{id_of(99), "00001.001", decision::approve, "", {}, "key/person"}).empty());
    BOOST_TEST((document(r).status == run_status::waiting));
}

BOOST_AUTO_TEST_CASE(question_that_cannot_be_asked_fails_the_run_instead_of_waiting_for_ever) {
    auto r = asking();
    r.accepted(debt_settled{{"open_approval/1", false, "internal", "no approvals here", {}}});
    BOOST_TEST((document(r).status == run_status::failed));
}

BOOST_AUTO_TEST_CASE(a_model_call_reserves_tokens_of_the_organization_and_is_counted_by_what_it_used) {
    run r;
    std::int64_t asked = 0;
    r.quota = [&](std::string_view what, std::int64_t amount, std::int64_t) -> expected<void> {
        BOOST_TEST(what == "tokens");
        asked = amount;
        return {};
    };
    r.accepted(wish());
    r.accepted(begin());
    const auto reserved = r.state().progress.model_call->reserved_tokens;
    BOOST_TEST(asked == static_cast<std::int64_t>(reserved));
    BOOST_TEST((run_model::holds(r.state()) == std::vector{usage_amount{"tokens", asked}}));
    const auto& p = r.state().progress;
    r.accepted(mark_model_call{p.step, p.attempt});
    const auto finished = the<model_call_finished>(r.accepted(reply(r, {finish_call()})));
    BOOST_TEST(run_model::holds(r.state()).empty());
    const std::vector<usage_amount> expected{
        {"tokens", 120}, {"tokens_in:rehearsal", 100}, {"tokens_out:rehearsal", 20}};
    BOOST_TEST((run_model::uses(r.state(), finished) == expected));
}

BOOST_AUTO_TEST_CASE(limits_of_an_agents_day_are_taken_before_a_call_and_money_counts_for_all) {
    run r;
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> asked;
    r.quota = [&](std::string_view what, std::int64_t amount, std::int64_t limit) -> expected<void> {
        asked[std::string(what)] = {amount, limit};
        return {};
    };
    auto wanted = wish();
    wanted.agent_id = id_of(77);
    wanted.limits_per_day = daily_limits{50'000, 900};
    r.accepted(wanted);
    auto beginning = begin();
    beginning.price = {1'000'000, 2'000'000};
    r.accepted(beginning);
    const auto& call = *r.state().progress.model_call;
    const auto tokens = static_cast<std::int64_t>(call.reserved_tokens);
    const auto cost = call.reserved_cost_micros;
    BOOST_TEST(cost > tokens);
    const auto of_agent = [](std::string_view what) { return part_of_count(what, id_of(77)); };
    BOOST_TEST((asked["tokens"] == std::pair(tokens, no_quota)));
    BOOST_TEST((asked["cost_micros"] == std::pair(cost, no_quota)));
    BOOST_TEST((asked[of_agent("tokens")] == std::pair(tokens, std::int64_t{50'000})));
    BOOST_TEST((asked[of_agent("cost_micros")] == std::pair(cost, std::int64_t{900})));
    const std::vector<usage_amount> held{
        {"tokens", tokens}, {of_agent("tokens"), tokens}, {"cost_micros", cost}, {of_agent("cost_micros"), cost}};
    BOOST_TEST((run_model::holds(r.state()) == held));
    r.accepted(mark_model_call{1, 1});
    const auto finished = the<model_call_finished>(r.accepted(reply(r, {finish_call()})));
    const auto used = run_model::uses(r.state(), finished);
    for (const auto& [what, amount] : {std::pair(of_agent("tokens"), 120), std::pair(of_agent("cost_micros"), 140),
                                       std::pair(std::string("cost_micros"), 140)}) {
        BOOST_TEST((std::ranges::count(used, usage_amount{what, amount}) == 1), what);
    }
}

BOOST_AUTO_TEST_CASE(a_run_over_the_limit_of_its_organization_fails_as_one_over_its_budget) {
    run r;
    r.quota = [](std::string_view, std::int64_t, std::int64_t) -> expected<void> {
        return problem{code::quota_exceeded, "The plan allows 10 tokens."};
    };
    r.accepted(wish());
    const auto failed = the<run_failed>(r.accepted(begin()));
    BOOST_TEST(failed.code == "quota_exceeded");
    BOOST_TEST(document(r).error.value() == "The plan allows 10 tokens.");
    BOOST_TEST(run_model::holds(r.state()).empty());
}

BOOST_AUTO_TEST_CASE(a_call_that_had_left_when_the_run_ended_counts_as_lost) {
    auto r = started();
    const auto cancelled = the<run_cancelled>(r.accepted(cancel_run{"enough"}));
    BOOST_TEST(run_model::uses(r.state(), cancelled).empty()); // it had not left
    auto sent = started();
    const auto& p = sent.state().progress;
    sent.accepted(mark_model_call{p.step, p.attempt});
    const auto reserved = static_cast<std::int64_t>(p.model_call->reserved_tokens);
    const auto end = the<run_cancelled>(sent.accepted(cancel_run{"enough"}));
    BOOST_TEST(run_model::holds(sent.state()).empty());
    const auto used = run_model::uses(sent.state(), end);
    BOOST_REQUIRE(used.size() == 2u);
    BOOST_TEST((used[0] == usage_amount{"tokens", reserved}));
    BOOST_TEST((used[1] == usage_amount{"tokens_lost:rehearsal", reserved}));
}

BOOST_AUTO_TEST_SUITE_END()
