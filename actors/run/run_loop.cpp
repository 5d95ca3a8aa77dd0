#include "actors/run/run_loop.hpp"

#include "actors/run/run_children.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/run/run_model.hpp"
#include "actors/run/run_wait.hpp"
#include "actors/tool/policies.hpp"
#include "actors/tool/tool.hpp"
#include "actors/tool/tool_arguments.hpp"
#include "schemas/base/duration.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe::actors {
namespace {

constexpr std::string_view unknown_text = "It is not known whether this call happened: the node stopped while it ran, "
                                          "and it is not repeated. Find out what it "
                                          "left behind before you go on.";

run_event exhausted(std::string what) {
    return run_failed{std::string(explain(code::budget_exhausted).name),
                      what + " Start a run with a larger budget to go on."};
}

// ---- model calls

/// What one more call would reserve, or how the budget forbids it.
struct reservation {
    std::uint64_t tokens = 0;
    std::uint32_t output_tokens = output_tokens_max;
    std::int64_t cost_micros = 0;
};

std::optional<run_event> over_steps_or_time(const run_progress& p) {
    if (p.replied && p.limits.steps > 0 && p.used.steps >= p.limits.steps) {
        return exhausted(fmt::format("All {} steps of the run's budget are used.", p.limits.steps));
    }
    if (p.limits.time_ms > 0 && p.used.time_ms >= p.limits.time_ms) {
        return exhausted(fmt::format("The run has worked for {}; its budget is {}.", span_text(p.used.time_ms),
                                     span_text(p.limits.time_ms)));
    }
    return {};
}

/// The output shrinks to what the budget still has, down to a minimum.
std::optional<run_event> reserve(const run_progress& p, reservation& r) {
    const auto input = estimate_input_tokens(p);
    if (p.limits.tokens > 0) {
        const auto needed = p.used.tokens + input + output_tokens_min;
        if (needed > p.limits.tokens) {
            return exhausted(
                fmt::format("The token budget is used up: {} of {} tokens are used, and the next call needs about {}.",
                            p.used.tokens, p.limits.tokens, input + output_tokens_min));
        }
        const auto left = p.limits.tokens - p.used.tokens - input;
        r.output_tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, output_tokens_max));
    }
    r.tokens = input + r.output_tokens;
    r.cost_micros = cost_of(p.price, input, r.output_tokens);
    if (p.limits.cost_micros > 0 && p.used.cost_micros + r.cost_micros > p.limits.cost_micros) {
        return exhausted(
            fmt::format("The money budget is used up: {} of {} millionths are used, and the next call may cost {}.",
                        p.used.cost_micros, p.limits.cost_micros, r.cost_micros));
    }
    return {};
}

/// Of what the organization and the agent may use.
expected<void> take_of_the_day(const run_progress& p, const reservation& r, const runtime::context& context) {
    const auto tokens = static_cast<std::int64_t>(r.tokens);
    auto room = context.take("tokens", tokens);
    if (room && r.cost_micros > 0) {
        room = context.take("cost_micros", r.cost_micros);
    }
    const auto agent = agent_with_limits(p);
    const auto own = p.request.limits_per_day.value_or(daily_limits{});
    if (room && agent && own.tokens > 0) {
        room = context.take_part(part_of_count("tokens", *agent), tokens, static_cast<std::int64_t>(own.tokens));
    }
    if (room && agent && own.cost_micros > 0) {
        room = context.take_part(part_of_count("cost_micros", *agent), r.cost_micros, own.cost_micros);
    }
    return room;
}

run_event next_model_call(const run_progress& p, const runtime::context& context) {
    if (auto over = over_steps_or_time(p)) {
        return *over;
    }
    reservation r;
    if (auto over = reserve(p, r)) {
        return *over;
    }
    if (auto room = take_of_the_day(p, r, context); !room) { // after the run's own budget
        return run_failed{std::string(explain(room.error().code).name), room.error().detail};
    }
    const auto step = p.replied ? p.step + 1 : p.step;
    const auto attempt = p.replied ? 1 : p.attempt + 1;
    return model_call_started{step, attempt, r.tokens, r.output_tokens, r.cost_micros};
}

// ---- tool calls

/// A call of the current step with its place.
struct numbered_call {
    const run_progress& p;
    const call_state& state;
    std::uint32_t number = 0;
};

run_event answered(const numbered_call& c, std::string content, bool is_error) {
    return tool_call_finished{c.p.step, c.number, 0, c.state.tool, std::move(content), is_error, {}};
}

run_event denied(const numbered_call& c, std::string content) {
    return tool_call_denied{c.p.step, c.number, c.state.tool, std::move(content)};
}

/// The arguments as JSON; some models send nothing where nothing is needed.
json::raw arguments_of(const call_state& call) {
    auto raw = json::make_raw(call.arguments);
    return raw ? *raw : json::raw{"{}"};
}

run_event started(const numbered_call& c, const runtime::context& context, std::string rule = {}) {
    if (c.state.tool == spawn_agent_tool_name) {
        auto child = plan_child(c.p, c.number, std::move(rule), context);
        return child ? run_event(std::move(*child)) : answered(c, in_words(child.error()), true);
    }
    if (c.state.tool == wait_tool_name) {
        const auto due_at = end_of_wait(c.state.arguments, context.now);
        return due_at ? run_event(wait_started{c.p.step, c.number, *due_at, std::move(rule)})
                      : answered(c, in_words(due_at.error()), true);
    }
    return tool_call_started{c.p.step,     c.number,       c.state.attempt + 1, c.state.tool, arguments_of(c.state),
                             context.node, std::move(rule)};
}

run_event ask(const numbered_call& c, wait_reason reason, std::string text, const runtime::context& context) {
    const auto patience_ms = c.p.request.approvals.expires_after_ms;
    return approval_requested{context.make_id(),
                              c.p.step,
                              c.number,
                              reason,
                              std::move(text),
                              c.state.tool,
                              arguments_of(c.state),
                              patience_ms > 0 ? std::optional(context.now + patience_ms) : std::nullopt};
}

template <class T>
T decoded(const call_state& call) {
    auto read = from_json<T>(call.arguments, strictness::stored);
    return read ? std::move(*read) : T{};
}

/// What a person sees of a call that needs a decision.
std::string shown(const call_state& call) {
    if (call.tool == "run_command") {
        return "Run the command: " + decoded<run_command_arguments>(call).command;
    }
    if (call.tool == spawn_agent_tool_name) {
        return "Let another agent work: " + decoded<spawn_agent_arguments>(call).goal;
    }
    if (call.tool == delegate_tool_name) {
        const auto asked = decoded<delegate_arguments>(call);
        return "Let the agent " + asked.agent + " work: " + asked.goal;
    }
    if (call.tool == hand_off_tool_name) {
        const auto said = decoded<hand_off_arguments>(call);
        return "Hand off to the agent " + said.agent + ": " + said.message;
    }
    const auto path = decoded<list_files_arguments>(call).path;
    return "Call the tool " + call.tool + (path.empty() ? "" : " on " + path);
}

/// Why the call cannot be made as it is written, for the model to mend.
std::optional<std::string> mistake_in(const run_progress& p, const call_state& call) {
    const auto* tool = is_offered(p, call.tool) ? find_tool(call.tool) : nullptr;
    if (!tool) {
        std::string names;
        for (const auto& name : tools_of(p)) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return "There is no tool '" + call.tool + "'. There are: " + names + ".";
    }
    if (auto fits = tool->check(call.arguments); !fits) {
        return fits.error().detail;
    }
    if (call.tool == hand_off_tool_name && p.calls.size() > 1) {
        return "Call hand_off alone: nothing else of this reply happens beside it.";
    }
    if (!p.request.project_id && tool->needs_project) {
        return "This run has no project, so there are no files and no commands. Answer without the tool " + call.tool +
               ".";
    }
    return {};
}

run_event first_event(const numbered_call& c, const runtime::context& context) {
    if (auto mistake = mistake_in(c.p, c.state)) {
        return answered(c, std::move(*mistake), true);
    }
    if (c.state.tool == "finish") {
        auto mistake = mistake_in_finish(c.p, decoded<finish_arguments>(c.state));
        return mistake ? answered(c, std::move(*mistake), true) : answered(c, "The run ends here.", false);
    }
    auto verdict = judge(c.p, *find_tool(c.state.tool), c.state.arguments);
    if (verdict.policy == tool_policy::deny) {
        return denied(
            c, fmt::format("This call of {} is not allowed: the rule \"{}\" denies it. Reach the goal without it.",
                           c.state.tool, verdict.rule));
    }
    if (c.state.tool == "ask_human") {
        return ask(c, wait_reason::question, decoded<ask_human_arguments>(c.state).question, context);
    }
    if (verdict.policy == tool_policy::ask) {
        return ask(c, wait_reason::approval, shown(c.state), context);
    }
    return started(c, context, c.p.allowed.contains(verdict.rule) ? std::move(verdict.rule) : "");
}

run_event event_of_unknown(const numbered_call& c, const runtime::context& context) {
    switch (c.p.request.on_unknown) {
    case unknown_policy::retry:
        return started(c, context);
    case unknown_policy::skip:
        return tool_call_skipped{c.p.step, c.number, c.state.tool, std::string(unknown_text)};
    case unknown_policy::ask:
        break;
    }
    return ask(c, wait_reason::unknown_step,
               "The node stopped during this call, and nobody knows whether it happened. Retry it or skip it? " +
                   shown(c.state),
               context);
}

run_event event_of_resolved(const numbered_call& c, const runtime::context& context) {
    const auto& said = c.state.answer;
    switch (c.state.decision.value_or(decision::deny)) {
    case decision::approve:
    case decision::retry:
        break;
    case decision::answer:
        return answered(c, said, false);
    case decision::skip:
        return tool_call_skipped{c.p.step, c.number, c.state.tool, std::string(unknown_text)};
    case decision::deny:
        return denied(c, c.state.decided_by == expired_by
                             ? said
                             : "A person denied this call" + (said.empty() ? "." : ": " + said));
    }
    if (auto mistake = mistake_in(c.p, c.state)) {
        return answered(c, "A person approved this call with other arguments, which cannot be used: " + *mistake, true);
    }
    return started(c, context);
}

/// Nothing while the call is under way or waits for a person.
std::optional<run_event> event_of(const numbered_call& c, const runtime::context& context) {
    switch (c.state.phase) {
    case call_phase::pending:
        return first_event(c, context);
    case call_phase::unknown:
        return event_of_unknown(c, context);
    case call_phase::resolved:
        return event_of_resolved(c, context);
    case call_phase::started:
    case call_phase::asked:
    case call_phase::finished:
        break;
    }
    return {};
}

run_event end_of(const finish_arguments& said) {
    if (said.success) {
        return run_finished{said.result, said.output};
    }
    return run_failed{"goal_not_reached", said.result, said.output};
}

/// What may be at work beside others: it changes nothing, here or elsewhere, or it is a run of its own. All else has
/// its turn in the model's order.
bool is_free(const call_state& call) {
    const auto* tool = find_tool(call.tool);
    return !tool || starts_child(call.tool) || (tool->safety == repeat_safety::idempotent && !tool->writes);
}

/// The first event that is due for the calls of this step. `whole`: all of them are finished.
struct due_call {
    std::optional<run_event> event;
    bool whole = true;
};

due_call next_of_calls(const run_progress& p, const runtime::context& context) {
    std::size_t at_work = 0;
    bool all_free = true; // of those before that are not finished
    due_call out;
    for (std::uint32_t number = 1; number <= p.calls.size(); ++number) {
        const auto& call = p.calls[number - 1];
        if (call.phase == call_phase::finished) {
            if (out.whole && call.tool == "finish" && !call.is_error) {
                out.event = end_of(decoded<finish_arguments>(call));
                return out;
            }
            continue;
        }
        const bool free = is_free(call);
        if (out.whole || (all_free && free && at_work < parallel_calls_max)) {
            if ((out.event = event_of({p, call, number}, context))) {
                return out;
            }
        }
        at_work += call.phase == call_phase::started ? 1 : 0;
        all_free = all_free && free;
        out.whole = false;
    }
    return out;
}

// ---- answers without tool calls

run_event after_answer(const run_progress& p) {
    if (p.last_finish == reply_end::content_filter) {
        return run_failed{std::string(explain(code::model_refused).name),
                          "The provider's filter stopped the answer. Change the goal or the instructions."};
    }
    if (p.last_finish != reply_end::length) {
        auto told = answer_is_no_end(p);
        if (!told) {
            return run_finished{p.answer};
        }
        return p.continuations < continuations_max ? run_event(continuation_asked{p.step, std::move(*told)})
                                                   : run_event(not_finished(p));
    }
    if (p.continuations >= continuations_max) {
        return exhausted(fmt::format("The answer was cut at the output limit {} times.", p.continuations + 1));
    }
    return continuation_asked{p.step, "Your answer was cut at the output limit. Go on exactly where it ends."};
}

} // namespace

std::optional<run_event> next_event(const run_progress& p, const runtime::context& context) {
    if (has_ended(p) || p.status == run_status::queued || p.model_call || p.retry_at) {
        return {};
    }
    if (p.step == 0 || !p.replied) {
        return next_model_call(p, context);
    }
    auto due = next_of_calls(p, context);
    if (due.event || !due.whole) {
        return std::move(due.event);
    }
    return p.calls.empty() && !p.continuing ? after_answer(p) : next_model_call(p, context);
}

void run_draft::add(run_event e) {
    apply_progress(progress_, e, {context_.self.id, ++version_, context_.now, context_.principal});
    events_.push_back(std::move(e));
}

void run_draft::advance() {
    while (auto e = next_event(progress_, context_)) {
        add(std::move(*e));
    }
}

} // namespace troupe::actors
