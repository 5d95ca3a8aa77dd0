#include "actors/run/run_context.hpp"
#include "actors/run/run_model.hpp"
#include "actors/tool/tool.hpp"
#include "tests/actors/run_fixture.hpp"

#include "schemas/agent_messages.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const auto each = boost::test_tools::per_element();

/// A whole run: two steps with tools, and the end.
std::vector<run_event> whole_history() {
    run r;
    std::vector<run_event> all;
    const auto add = [&](const run_command& c) {
        for (auto& e : r.accepted(c)) {
            all.push_back(std::move(e));
        }
    };
    add(wish());
    add(begin());
    add(mark_model_call{1, 1});
    add(reply(r, {read_call(), shell_call()}, "I look."));
    add(result(r, 1));
    add(result(r, 2));
    add(mark_model_call{2, 1});
    add(reply(r, {finish_call()}));
    return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(run_model_loop)

BOOST_AUTO_TEST_CASE(created_run_waits_for_its_start) {
    run r;
    BOOST_TEST(names_of(r.accepted(wish())) == texts{"run_created"}, each);
    BOOST_TEST(r.owed() == texts{"start"}, each);
    BOOST_TEST((document(r).status == run_status::queued));
    BOOST_TEST(document(r).goal == "Mend the calculator");
    BOOST_TEST(r.filters() == (texts{"", "status=queued", "project_id=" + to_string(project_id)}), each);
}

BOOST_AUTO_TEST_CASE(creation_repeats_and_another_one_is_refused) {
    run r;
    r.accepted(wish());
    BOOST_TEST(r.accepted(wish()).empty());
    auto other = wish();
    other.goal = "Something else";
    BOOST_TEST((r.refused(other).code == code::already_exists));
}

BOOST_AUTO_TEST_CASE(run_without_a_goal_is_refused) {
    run r;
    auto c = wish();
    c.goal.clear();
    BOOST_TEST((r.refused(c).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(what_was_never_created_is_not_there) {
    run r;
    BOOST_TEST((r.refused(begin()).code == code::not_found));
    BOOST_TEST((r.refused(cancel_run{"x"}).code == code::not_found));
    BOOST_TEST((r.refused(record_model_reply{}).code == code::not_found));
    BOOST_TEST(!r.view().exists);
}

BOOST_AUTO_TEST_CASE(intent_of_the_first_call_is_decided_with_the_start) {
    run r;
    r.accepted(wish());
    const auto events = r.accepted(begin());
    BOOST_TEST(names_of(events) == (texts{"run_started", "model_call_started"}), each);
    BOOST_TEST(the<run_started>(events).version_before == 7u);
    BOOST_TEST(r.owed() == (texts{"model/1/1", "time"}), each);
    BOOST_TEST(r.accepted(begin()).empty());
    BOOST_TEST((document(r).status == run_status::running));
    BOOST_TEST(document(r).model == "rehearsal");
}

BOOST_AUTO_TEST_CASE(start_that_fails_ends_the_run_with_the_reason) {
    run r;
    r.accepted(wish());
    r.accepted(record_start_failure{"model_unknown", "There is no model 'x'."});
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(document(r).error.value() == "There is no model 'x'.");
    BOOST_TEST(r.owed().empty());
    BOOST_TEST(r.accepted(begin()).empty());
    auto going = started();
    BOOST_TEST(going.accepted(record_start_failure{"internal", "late"}).empty());
}

BOOST_AUTO_TEST_CASE(answer_without_tool_calls_is_the_result) {
    auto r = started();
    BOOST_TEST(names_of(r.accepted(reply(r, {}, "42"))) == (texts{"model_call_finished", "run_finished"}), each);
    BOOST_TEST((document(r).status == run_status::succeeded));
    BOOST_TEST(document(r).result.value() == "42");
    BOOST_TEST(r.owed().empty());
    BOOST_TEST(r.filters().at(1) == "status=succeeded");
}

BOOST_AUTO_TEST_CASE(calls_of_a_step_run_one_after_the_other_and_then_the_model_goes_on) {
    auto r = started();
    BOOST_TEST(names_of(r.accepted(reply(r, {read_call(), shell_call()}, "I look."))) ==
                   (texts{"model_call_finished", "tool_call_started"}),
               each);
    BOOST_TEST(r.owed() == (texts{"tool/1/1/1", "time"}), each);
    BOOST_TEST(names_of(r.accepted(result(r, 1))) == (texts{"tool_call_finished", "tool_call_started"}), each);
    BOOST_TEST(r.owed() == (texts{"tool/1/2/1", "time"}), each);
    BOOST_TEST(names_of(r.accepted(result(r, 2))) == (texts{"tool_call_finished", "model_call_started"}), each);
    BOOST_TEST(r.owed() == (texts{"model/2/1", "time"}), each);
    const auto d = document(r);
    BOOST_TEST(d.step == 2u);
    BOOST_TEST(d.used.steps == 2u);
    BOOST_TEST(d.used.tokens == 120u);
}

BOOST_AUTO_TEST_CASE(finish_ends_the_run_and_calls_after_it_are_not_made) {
    auto r = started();
    BOOST_TEST(names_of(r.accepted(reply(r, {finish_call(), shell_call()}))) ==
                   (texts{"model_call_finished", "tool_call_finished", "run_finished"}),
               each);
    BOOST_TEST(document(r).result.value() == "All is well.");
}

BOOST_AUTO_TEST_CASE(finish_without_success_is_a_failure_with_the_models_words) {
    auto r = started();
    r.accepted(reply(r, {finish_call("I could not.", false)}));
    BOOST_TEST((document(r).status == run_status::failed));
    BOOST_TEST(document(r).error.value() == "I could not.");
}

BOOST_AUTO_TEST_CASE(late_and_repeated_outcomes_change_nothing) {
    auto r = started();
    const auto first = reply(r, {read_call(), read_call("b.txt")});
    r.accepted(first);
    BOOST_TEST(r.accepted(first).empty());
    const auto one = result(r, 1);
    r.accepted(one);
    BOOST_TEST(r.accepted(one).empty());
    auto wrong_attempt = result(r, 2);
    ++wrong_attempt.attempt;
    BOOST_TEST(r.accepted(wrong_attempt).empty());
    auto wrong_call = result(r, 2);
    wrong_call.call = 9;
    BOOST_TEST(r.accepted(wrong_call).empty());
    r.accepted(result(r, 2));
    r.accepted(reply(r, {}, "done"));
    BOOST_TEST(r.accepted(first).empty());
    BOOST_TEST(r.accepted(one).empty());
    BOOST_TEST(r.accepted(cancel_run{"late"}).empty());
    BOOST_TEST(r.accepted(end_back_off{2, 1}).empty());
    BOOST_TEST(r.accepted(check_time{}).empty());
    BOOST_TEST(r.accepted(record_model_failure{1, 1, "model_refused", "no", {}, false}).empty());
    BOOST_TEST((document(r).status == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(crash_after_any_event_owes_exactly_what_was_owed_before_it) {
    const auto history = whole_history();
    const std::vector<texts> owed = {{"start"},              // run_created
                                     {"time"},               // run_started; never the end of a batch
                                     {"model/1/1", "time"},  // model_call_started
                                     {"model/1/1", "time"},  // model_call_sent
                                     {"time"},               // model_call_finished; never the end of a batch
                                     {"tool/1/1/1", "time"}, // tool_call_started
                                     {"time"},               // tool_call_finished; never the end of a batch
                                     {"tool/1/2/1", "time"}, // tool_call_started
                                     {"time"},               // tool_call_finished; never the end of a batch
                                     {"model/2/1", "time"},  // model_call_started
                                     {"model/2/1", "time"},  // model_call_sent
                                     {"time"},               // model_call_finished; never the end of a batch
                                     {"time"},               // tool_call_finished of finish; never the end of a batch
                                     {}};                    // run_finished
    BOOST_TEST_REQUIRE(history.size() == owed.size());
    for (std::size_t n = 1; n <= history.size(); ++n) {
        const run replayed(id_of(1), {history.begin(), history.begin() + static_cast<std::ptrdiff_t>(n)});
        BOOST_TEST_CONTEXT("after " << n << " events: " << encode_named(history[n - 1]).first) {
            BOOST_TEST(replayed.owed() == owed[n - 1], each);
        }
    }
}

BOOST_AUTO_TEST_CASE(model_is_given_everything_that_was_said) {
    auto r = started();
    r.accepted(reply(r, {read_call()}, "I look."));
    r.accepted(result(r, 1, "hello", true));
    const auto request = request_of(r.state());
    BOOST_TEST_REQUIRE(request.messages.size() == 4u);
    BOOST_TEST((request.messages[0].role == net::role::system));
    BOOST_TEST(request.messages[1].content == "Mend the calculator");
    BOOST_TEST((request.messages[2].role == net::role::assistant));
    BOOST_TEST(request.messages[2].tool_calls.at(0).name == "read_file");
    BOOST_TEST((request.messages[3].role == net::role::tool));
    BOOST_TEST(request.messages[3].tool_call_id == "id1");
    BOOST_TEST(request.messages[3].tool_name == "read_file");
    BOOST_TEST(request.messages[3].content == "hello");
    BOOST_TEST(request.messages[3].is_error);
    BOOST_TEST(request.idempotency_key == to_string(id_of(1)) + "/2");
    const auto offered = [&](const tool_info& tool) { return is_offered(r.state().progress, tool.name); };
    BOOST_TEST(request.tools.size() == static_cast<std::size_t>(std::ranges::count_if(all_tools(), offered)));
}

BOOST_AUTO_TEST_CASE(model_reads_results_in_the_order_of_its_calls) {
    auto r = started();
    auto first = read_call();
    auto second = read_call();
    first.id = "first";
    second.id = "second";
    r.accepted(reply(r, {first, second}));
    r.accepted(result(r, 2, "two"));
    r.accepted(result(r, 1, "one"));
    const auto request = request_of(r.state());
    BOOST_TEST_REQUIRE(request.messages.size() == 5u);
    BOOST_TEST(request.messages[3].content == "one");
    BOOST_TEST(request.messages[4].content == "two");
}

BOOST_AUTO_TEST_CASE(reasoning_goes_back_to_the_provider_it_came_from_and_to_no_other) {
    auto r = started();
    auto thought = reply(r, {read_call()}, "I look.");
    thought.reasoning = "hm";
    thought.reasoning_state = R"([{"type":"thinking"},7,null])";
    thought.provider = "claude";
    const auto before = estimate_input_tokens(r.state().progress);
    const auto events = r.accepted(thought);
    BOOST_TEST(the<model_call_finished>(events).reasoning_state == thought.reasoning_state);
    BOOST_TEST(the<model_call_finished>(events).provider == "claude");
    r.accepted(result(r, 1));
    BOOST_TEST(estimate_input_tokens(r.state().progress) >= before + thought.reasoning_state.size() / 4);
    const auto same = request_of(r.state(), "claude").messages[2];
    BOOST_TEST(same.reasoning == "hm");
    BOOST_TEST(same.reasoning_state == thought.reasoning_state);
    for (const char* provider : {"openai", ""}) {
        const auto other = request_of(r.state(), provider).messages[2];
        BOOST_TEST(other.content == "I look.");
        BOOST_TEST(other.reasoning.empty());
        BOOST_TEST(other.reasoning_state.empty());
    }
}

BOOST_AUTO_TEST_CASE(run_without_a_project_has_no_tools_for_files) {
    auto c = wish();
    c.project_id.reset();
    auto r = started(c);
    BOOST_TEST(tools_of(r.state().progress) ==
                   (texts{"spawn_agent", "wait", "delegate", "hand_off", "ask_human", "finish"}),
               each);
    const auto events = r.accepted(reply(r, {read_call()}));
    BOOST_TEST(the<tool_call_finished>(events).is_error);
    BOOST_TEST(the<tool_call_finished>(events).content.find("no project") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bad_calls_are_answered_without_performing_anything) {
    const std::vector<std::pair<asked_call, std::string>> table = {
        {{"x", "launch_rocket", "{}"}, "There is no tool 'launch_rocket'"},
        {{"x", "read_file", "{not json"}, ""},
        {{"x", "read_file", R"({"path":7})"}, "path"},
        {{"x", "read_file", R"({"path":"a","colour":"red"})"}, "colour"},
        {{"x", "finish", "{}"}, "result"},
        {{"x", "ask_human", "[]"}, ""}};
    for (const auto& [call, says] : table) {
        auto r = started();
        const auto events = r.accepted(reply(r, {call}));
        BOOST_TEST(names_of(events) == (texts{"model_call_finished", "tool_call_finished", "model_call_started"}),
                   each);
        BOOST_TEST(the<tool_call_finished>(events).is_error);
        BOOST_TEST(the<tool_call_finished>(events).attempt == 0u);
        BOOST_TEST(the<tool_call_finished>(events).content.find(says) != std::string::npos);
        BOOST_TEST(r.owed() == (texts{"model/2/1", "time"}), each);
    }
}

BOOST_AUTO_TEST_CASE(steps_are_listed_once_and_outcomes_replace_intents) {
    run r;
    std::map<std::string, step_document> steps;
    const auto keep = [&] {
        for (const auto& item : r.items()) {
            BOOST_TEST(item.collection == "steps");
            steps[item.key] = *from_json<step_document>(item.document, strictness::input);
        }
    };
    for (const auto& e : whole_history()) {
        r.now = r.now + 10;
        r.fold({e});
        keep();
    }
    std::set<std::string> keys;
    for (const auto& [key, d] : steps) {
        keys.insert(key);
        BOOST_TEST(d.key == key);
        BOOST_TEST((d.status == step_status::succeeded));
        BOOST_TEST(d.finished_at.has_value());
    }
    BOOST_TEST(keys == (std::set<std::string>{"00001.000", "00001.001", "00001.002", "00002.000", "00002.001"}), each);
    BOOST_TEST(steps["00001.000"].content == "I look.");
    BOOST_TEST(steps["00001.000"].input_tokens == 100u);
    BOOST_TEST(steps["00001.002"].tool == "run_command");
    BOOST_TEST(steps["00001.002"].arguments.text == R"({"command":"make"})");
    BOOST_TEST((*steps["00001.002"].finished_at > steps["00001.002"].started_at));
}

BOOST_AUTO_TEST_CASE(steps_under_way_at_the_end_do_not_stay_started) {
    auto r = started();
    r.accepted(reply(r, {shell_call()}));
    r.accepted(cancel_run{"enough"});
    BOOST_TEST_REQUIRE(r.items().size() == 1u);
    const auto d = *from_json<step_document>(r.items()[0].document, strictness::input);
    BOOST_TEST((d.status == step_status::failed));
    BOOST_TEST(d.error.has_value());
}

BOOST_AUTO_TEST_CASE(ended_run_owes_the_end_of_its_command_until_it_is_reported) {
    auto r = started();
    r.accepted(reply(r, {shell_call()}));
    BOOST_TEST(r.accepted(record_clean_up{}).empty()); // it goes on
    r.accepted(cancel_run{"enough"});
    BOOST_TEST(r.owed() == texts{"clean_up"}, each);
    BOOST_TEST(names_of(r.accepted(record_clean_up{})) == texts{"run_cleaned_up"}, each);
    BOOST_TEST(r.owed().empty());
    BOOST_TEST(r.accepted(record_clean_up{}).empty());
    BOOST_TEST((document(r).status == run_status::cancelled));
}

BOOST_AUTO_TEST_CASE(ended_run_that_performed_nothing_last_owes_no_clean_up) {
    auto r = started();
    r.accepted(reply(r, {finish_call()}));
    BOOST_TEST(r.owed().empty());
}

BOOST_AUTO_TEST_CASE(run_of_an_agent_reports_its_end_until_it_is_heard) {
    auto c = wish();
    c.agent_id = agent_id;
    c.task_id = task_id;
    auto r = started(c);
    BOOST_TEST(r.filters().size() == 5u);
    r.accepted(reply(r, {}, "42"));
    BOOST_TEST(r.owed() == texts{"run_ended/1"}, each);
    const auto [to, message] = r.sent<run_ended>("run_ended/1");
    BOOST_TEST((to == entity_address{organization, "agent", agent_id}));
    BOOST_TEST((message.run_id == id_of(1)));
    BOOST_TEST((message.task_id.value() == task_id));
    BOOST_TEST((message.status == run_status::succeeded));
    BOOST_TEST(message.result.value() == "42");
    r.accepted(debt_settled{{"run_ended/1", true, "", "", {}}});
    BOOST_TEST(r.owed().empty());
    BOOST_TEST(r.accepted(debt_settled{{"run_ended/1", true, "", "", {}}}).empty());
}

BOOST_AUTO_TEST_CASE(agent_of_another_kind_hears_of_the_end_without_a_task) {
    auto c = wish();
    c.agent_id = agent_id;
    auto r = started(c);
    r.accepted(reply(r, {}, "42"));
    BOOST_TEST(r.owed().empty()); // an agent of the product knows runs by their tasks
    c.agent_kind = "reviewer";
    r = started(c);
    r.accepted(reply(r, {}, "42"));
    const auto [to, message] = r.sent<run_ended>("run_ended/1");
    BOOST_TEST((to == entity_address{organization, "reviewer", agent_id}));
    BOOST_TEST(!message.task_id);
    BOOST_TEST(message.result.value() == "42");
}

BOOST_AUTO_TEST_CASE(cut_answer_is_continued_a_bounded_number_of_times) {
    auto r = started();
    const auto cut = [&](std::string text) {
        auto x = reply(r, {}, std::move(text));
        x.finish = reply_end::length;
        return r.accepted(x);
    };
    BOOST_TEST(names_of(cut("one ")) == (texts{"model_call_finished", "continuation_asked", "model_call_started"}),
               each);
    BOOST_TEST((request_of(r.state()).messages.back().role == net::role::user));
    cut("two ");
    r.accepted(reply(r, {}, "three"));
    BOOST_TEST(document(r).result.value() == "one two three");

    r = started();
    for (std::uint32_t n = 0; n < continuations_max; ++n) {
        BOOST_TEST(names_of(cut("more ")).back() == "model_call_started");
    }
    BOOST_TEST(the<run_failed>(cut("more ")).code == "budget_exhausted");
}

BOOST_AUTO_TEST_CASE(filtered_answer_is_a_refusal) {
    auto r = started();
    auto x = reply(r, {}, "");
    x.finish = reply_end::content_filter;
    BOOST_TEST(the<run_failed>(r.accepted(x)).code == "model_refused");
}

BOOST_AUTO_TEST_CASE(events_of_a_hundred_calls_grow_linearly) {
    auto r = started(wish(), begin({}));
    const std::string content(5000, 'x');
    const auto bytes_of_events = [&](const run_command& c) {
        std::size_t sum = 0;
        for (const auto& e : r.accepted(c)) {
            sum += encode_named(e).second.size();
        }
        return sum;
    };
    std::vector<std::size_t> bytes;
    for (int n = 0; n < 100; ++n) {
        const auto replied = bytes_of_events(reply(r, {read_call()}, "I read."));
        bytes.push_back(replied + bytes_of_events(result(r, 1, content)));
    }
    BOOST_TEST(bytes.back() < bytes.front() + 100);
    BOOST_TEST(r.state().messages.size() == 200u);
    BOOST_TEST(document(r).step == 101u);
}

BOOST_AUTO_TEST_CASE(large_results_are_bounded) {
    auto r = started();
    r.accepted(reply(r, {read_call()}));
    auto x = result(r, 1, std::string(100'000, 'x'));
    x.details.text = '"' + std::string(details_bytes_max, 'y') + '"';
    const auto e = the<tool_call_finished>(r.accepted(x));
    BOOST_TEST(e.content.size() < 33'000u);
    BOOST_TEST(e.details.text.find("omitted_bytes") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(run_can_be_cancelled_in_every_phase) {
    const auto history = whole_history();
    for (std::size_t n = 1; n < history.size(); ++n) {
        run r(id_of(1), {history.begin(), history.begin() + static_cast<std::ptrdiff_t>(n)});
        r.accepted(cancel_run{"enough"});
        BOOST_TEST((document(r).status == run_status::cancelled));
        BOOST_TEST(document(r).error.value() == "cancelled: enough");
        r.accepted(record_clean_up{});
        BOOST_TEST(r.owed().empty());
        BOOST_TEST(r.accepted(cancel_run{"again"}).empty());
    }
}

// ---- several calls of one reply

namespace {

std::vector<std::uint32_t> started_calls(const std::vector<run_event>& events) {
    std::vector<std::uint32_t> out;
    for (const auto& e : events) {
        if (const auto* call = std::get_if<tool_call_started>(&e)) {
            out.push_back(call->call);
        }
    }
    return out;
}

using numbers = std::vector<std::uint32_t>;

} // namespace

BOOST_AUTO_TEST_CASE(calls_that_only_read_are_at_work_side_by_side) {
    auto r = started();
    r.accepted(mark_model_call{1, 1});
    BOOST_TEST(started_calls(r.accepted(reply(r, {read_call("a"), read_call("b"), read_call("c")}))) ==
                   (numbers{1, 2, 3}),
               each);
    BOOST_TEST(r.accepted(result(r, 2)).size() == 1U);
    BOOST_TEST(r.accepted(result(r, 3)).size() == 1U);
    BOOST_TEST(names_of(r.accepted(result(r, 1))) == (texts{"tool_call_finished", "model_call_started"}), each);
    BOOST_TEST(request_of(r.state()).messages.size() == 6U);
}

BOOST_AUTO_TEST_CASE(what_changes_something_waits_for_those_before_and_holds_those_after) {
    auto r = started();
    r.accepted(mark_model_call{1, 1});
    const auto first = r.accepted(reply(r, {read_call("a"), read_call("b"), shell_call(), read_call("c")}));
    BOOST_TEST(started_calls(first) == (numbers{1, 2}), each);
    BOOST_TEST(started_calls(r.accepted(result(r, 2))).empty());
    BOOST_TEST(started_calls(r.accepted(result(r, 1))) == (numbers{3}), each);
    BOOST_TEST(started_calls(r.accepted(result(r, 3))) == (numbers{4}), each);
}

BOOST_AUTO_TEST_CASE(only_so_many_at_a_time) {
    auto r = started();
    r.accepted(mark_model_call{1, 1});
    const auto first = r.accepted(reply(r, std::vector<asked_call>(parallel_calls_max + 2, read_call())));
    BOOST_TEST(started_calls(first).size() == parallel_calls_max);
    BOOST_TEST(started_calls(r.accepted(result(r, 3))) == (numbers{parallel_calls_max + 1}), each);
}

BOOST_AUTO_TEST_CASE(an_approval_holds_what_comes_after_it_only_where_that_changes_something) {
    auto asks = wish();
    asks.tools = {{"read_file", tool_policy::ask}};
    auto r = started(asks);
    r.accepted(mark_model_call{1, 1});
    const auto events = r.accepted(reply(r, {read_call(), {"x", "list_files", "{}"}, shell_call()}));
    BOOST_TEST(names_of(events) == (texts{"model_call_finished", "approval_requested", "tool_call_started"}), each);
    BOOST_TEST(started_calls(events) == (numbers{2}), each);
    BOOST_TEST(started_calls(r.accepted(result(r, 2))).empty());
    BOOST_TEST(started_calls(r.accepted(resolved(r, 1, decision::approve))) == (numbers{1}), each);
    BOOST_TEST(started_calls(r.accepted(result(r, 1))) == (numbers{3}), each);
}

BOOST_AUTO_TEST_CASE(a_finish_beside_other_calls_waits_for_those_before_it) {
    auto r = started();
    r.accepted(mark_model_call{1, 1});
    r.accepted(reply(r, {read_call(), finish_call(), read_call()}));
    BOOST_TEST((document(r).status == run_status::running));
    BOOST_TEST(names_of(r.accepted(result(r, 1))) ==
                   (texts{"tool_call_finished", "tool_call_finished", "run_finished"}),
               each);
}

BOOST_AUTO_TEST_SUITE_END()
