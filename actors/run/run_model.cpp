#include "actors/run/run_model.hpp"

#include "actors/common/model.hpp"
#include "actors/run/run_children.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/run/run_loop.hpp"
#include "actors/run/run_wait.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/base/limits.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<run_event>;
using decision_result = expected<events>;
using runtime::context;

constexpr std::int64_t back_off_first_ms = 1'000;
constexpr std::int64_t back_off_max_ms = 60'000;

const events nothing{};

/// The events, then everything that is due after them.
template <class... Event>
events go_on(const run_progress& p, const context& c, Event... first) {
    run_draft draft(p, c);
    (draft.add(std::move(first)), ...);
    draft.advance();
    return draft.take();
}

bool is_open(const run_progress& p, std::uint32_t step, std::uint32_t attempt) {
    return !has_ended(p) && p.model_call && p.step == step && p.attempt == attempt;
}

// ---- beginning and end

decision_result decide(const run_progress& p, create_run c, const context& ctx) {
    if (c.created_by.empty()) {
        c.created_by = ctx.principal;
    }
    if (exists(p)) {
        return to_json(p.request) == to_json(c) ? decision_result(nothing) : exists_already("run", ctx.self.id);
    }
    if (c.goal.empty()) {
        return problem{code::invalid_request, "A run needs a goal: what it is to reach.", {{"/goal", "is required"}}};
    }
    return events{run_created{std::move(c), ctx.self.organization}};
}

decision_result decide(const run_progress& p, fork_run c, const context& ctx) {
    auto made = decide(p, std::move(c.run), ctx);
    if (made && !made->empty()) {
        made->push_back(run_forked{c.run_id, c.step, std::move(c.message)});
    }
    return made;
}

/// What fits into one event, well below its bound: JSON may double it.
constexpr std::size_t context_part_bytes = limits::event_bytes_max / 4;

void add_context(events& to, std::uint32_t step, const std::vector<context_message>& messages) {
    context_given part{step, {}};
    std::size_t bytes = 0;
    for (const auto& m : messages) {
        if (bytes + bytes_of(m) > context_part_bytes && !part.messages.empty()) {
            to.emplace_back(std::exchange(part, {step, {}}));
            bytes = 0;
        }
        bytes += bytes_of(m);
        part.messages.push_back(m);
    }
    to.emplace_back(std::move(part));
}

decision_result decide(const run_progress& p, const give_context& c, const context&) {
    if (p.status != run_status::queued || !p.forked_from || p.continuing) {
        return nothing;
    }
    events out;
    add_context(out, p.forked_from->step, c.messages);
    return out;
}

decision_result decide(const run_progress& p, begin_conversation c, const context& ctx) {
    auto made = decide(p, std::move(c.run), ctx);
    if (made && !made->empty() && !c.messages.empty()) {
        add_context(*made, 0, c.messages);
    }
    return made;
}

budget in_force(budget given, const budget& defaults) {
    given.steps = given.steps == 0 ? defaults.steps : given.steps;
    given.tokens = given.tokens == 0 ? defaults.tokens : given.tokens;
    given.cost_micros = given.cost_micros == 0 ? defaults.cost_micros : given.cost_micros;
    given.time_ms = given.time_ms == 0 ? defaults.time_ms : given.time_ms;
    return given;
}

decision_result decide(const run_progress& p, const begin_run& c, const context& ctx) {
    if (p.status != run_status::queued || (p.forked_from && !p.continuing)) {
        return nothing;
    }
    if (auto fits = check_wish(p.request); !fits) { // a wish of an agent, which nobody had checked
        return events{run_failed{std::string(explain(fits.error().code).name), in_words(fits.error())}};
    }
    return go_on(p, ctx,
                 run_started{c.model, c.version_before, in_force(p.request.limits, c.defaults), c.price, c.tool_rules});
}

decision_result decide(const run_progress& p, const record_start_failure& c, const context&) {
    return p.status == run_status::queued ? events{run_failed{c.code, c.detail}} : nothing;
}

decision_result decide(const run_progress& p, const cancel_run& c, const context&) {
    return has_ended(p) ? nothing : events{run_cancelled{c.reason}};
}

decision_result decide(const run_progress& p, const record_clean_up&, const context&) {
    return owes_clean_up(p) ? events{run_cleaned_up{}} : nothing;
}

// ---- model calls

decision_result decide(const run_progress& p, const mark_model_call& c, const context&) {
    if (!is_open(p, c.step, c.attempt)) {
        return problem{code::conflict, "This model call is not wanted any more. Drop it."};
    }
    if (p.model_call->sent) {
        return problem{code::conflict, "This attempt was sent already. Report it as lost."};
    }
    return events{model_call_sent{c.step, c.attempt}};
}

/// Whether asking again may help, and when.
struct retry_plan {
    bool again = false;
    std::optional<timestamp> at; ///< Empty: at once.
};

retry_plan plan_retry(const run_progress& p, code failed, std::optional<std::uint32_t> retry_after_s, timestamp now) {
    const bool invalid = failed == code::model_reply_invalid;
    const auto before = invalid ? p.invalid_replies : p.failures;
    switch (failed) {
    case code::unknown_outcome:
        return {true, {}}; // bounded by the budget: the reservation is spent each time
    case code::model_reply_invalid:
    case code::model_rate_limited:
    case code::model_unavailable:
    case code::deadline_exceeded:
        break;
    default:
        return {};
    }
    if (before + 1 >= (invalid ? invalid_replies_max : model_attempts_max)) {
        return {};
    }
    const auto wait_ms = std::min(back_off_max_ms, back_off_first_ms << std::min(before, 6U));
    const auto asked_ms = std::int64_t{retry_after_s.value_or(0)} * 1000;
    return {true, now + std::max(wait_ms, asked_ms)};
}

/// Without a usage the reservation is spent wherever the provider may have done work.
bool may_have_cost(code failed, bool streamed) {
    return streamed || failed == code::unknown_outcome || failed == code::model_reply_invalid ||
           failed == code::deadline_exceeded;
}

decision_result fail_call(const run_progress& p, const record_model_failure& c, const context& ctx) {
    const auto failed = code_named(c.code).value_or(code::internal);
    const bool spent = may_have_cost(failed, c.streamed);
    const auto plan = plan_retry(p, failed, c.retry_after_s, ctx.now);
    const model_call_failed event{c.step,
                                  c.attempt,
                                  c.code,
                                  c.detail,
                                  spent ? p.model_call->reserved_tokens : 0,
                                  spent ? p.model_call->reserved_cost_micros : 0,
                                  plan.at};
    if (plan.again) {
        return go_on(p, ctx, event);
    }
    const auto tries = c.attempt > 1 ? fmt::format(" (attempt {} of this step)", c.attempt) : "";
    return events{event, run_failed{c.code, c.detail + tries}};
}

decision_result decide(const run_progress& p, const record_model_failure& c, const context& ctx) {
    return is_open(p, c.step, c.attempt) ? fail_call(p, c, ctx) : nothing;
}

decision_result decide(const run_progress& p, const fold_context& c, const context& ctx) {
    if (!is_open(p, c.step, c.attempt) || p.model_call->sent || c.messages.empty()) {
        return nothing;
    }
    return go_on(p, ctx, context_folded{c});
}

/// Why a reply cannot be used at all.
std::optional<std::string> nonsense_in(const record_model_reply& c) {
    auto bytes = c.content.size() + c.reasoning.size() + c.reasoning_state.size();
    for (const auto& call : c.tool_calls) {
        bytes += call.id.size() + call.name.size() + call.arguments.size();
    }
    if (bytes > reply_bytes_max) {
        return fmt::format("The model's reply has {} bytes; at most {} can be used.", bytes, reply_bytes_max);
    }
    if (c.tool_calls.size() > reply_calls_max) {
        return fmt::format("The model's reply has {} tool calls; at most {} can be used.", c.tool_calls.size(),
                           reply_calls_max);
    }
    const bool empty = c.tool_calls.empty() && c.content.find_first_not_of(" \t\r\n") == std::string::npos;
    if (empty && c.finish != reply_end::content_filter) {
        return "The model's reply is empty: no text and no tool call.";
    }
    return {};
}

decision_result decide(const run_progress& p, const record_model_reply& c, const context& ctx) {
    if (!is_open(p, c.step, c.attempt)) {
        return nothing;
    }
    if (auto nonsense = nonsense_in(c)) {
        return fail_call(
            p, {c.step, c.attempt, std::string(explain(code::model_reply_invalid).name), *nonsense, {}, true}, ctx);
    }
    return go_on(
        p, ctx,
        model_call_finished{c.step, c.attempt, c.content, c.reasoning, c.tool_calls, c.input_tokens, c.output_tokens,
                            cost_of(c.price.value_or(p.price), c.input_tokens, c.output_tokens), c.finish, c.model,
                            c.reasoning_state, c.provider, c.cached_tokens, c.reasoning_tokens, c.price, c.route});
}

decision_result decide(const run_progress& p, const end_back_off& c, const context& ctx) {
    const bool due = !has_ended(p) && p.retry_at && p.step == c.step && p.attempt == c.attempt;
    if (!due) {
        return nothing;
    }
    auto rested = p;
    rested.retry_at.reset();
    return go_on(rested, ctx);
}

decision_result decide(const run_progress& p, const end_wait& c, const context& ctx) {
    const bool waits = !has_ended(p) && c.step == p.step && c.call >= 1 && c.call <= p.calls.size() &&
                       p.calls[c.call - 1].due_at && p.calls[c.call - 1].phase == call_phase::started;
    return waits ? go_on(p, ctx, result_of_wait(p, c.call, ctx.now)) : nothing;
}

// ---- tools and people

template <class Outcome>
const call_state* find_started(const run_progress& p, const Outcome& c) {
    if (has_ended(p) || c.step != p.step || c.call < 1 || c.call > p.calls.size()) {
        return nullptr;
    }
    const auto& call = p.calls[c.call - 1];
    const bool open = call.phase == call_phase::started && !call.child_run_id;
    return open && call.attempt == c.attempt ? &call : nullptr;
}

json::raw bounded_details(const json::raw& details) {
    if (details.text.size() <= details_bytes_max) {
        return details;
    }
    return {R"({"omitted_bytes":)" + std::to_string(details.text.size()) + "}"};
}

decision_result decide(const run_progress& p, const record_tool_result& c, const context& ctx) {
    const auto* call = find_started(p, c);
    if (!call) {
        return nothing;
    }
    if (c.unknown) {
        return go_on(p, ctx, tool_call_unknown{c.step, c.call, c.attempt, call->tool});
    }
    return go_on(p, ctx,
                 tool_call_finished{c.step, c.call, c.attempt, call->tool, bounded_content(c.content), c.is_error,
                                    bounded_details(c.details)});
}

decision_result decide(const run_progress& p, const record_agent& c, const context& ctx) {
    const auto* call = find_started(p, c);
    if (!call || !names_agent(call->tool)) {
        return nothing;
    }
    auto plan = plan_agent(p, c, ctx);
    if (!plan) {
        return go_on(p, ctx,
                     tool_call_finished{c.step, c.call, c.attempt, call->tool, in_words(plan.error()), true, {}});
    }
    run_draft draft(p, ctx);
    std::ranges::for_each(*plan, [&](auto& e) { draft.add(std::move(e)); });
    draft.advance();
    return draft.take();
}

decision_result decide(const run_progress& p, const run_ended& c, const context& ctx) {
    const auto call = has_ended(p) ? 0 : call_of_child(p, c.run_id);
    return call == 0 ? nothing : go_on(p, ctx, child_ended{p.step, call, c}, result_of_child(p, call, c));
}

decision_result decide(const run_progress& p, const resolve_approval& c, const context& ctx) {
    const auto* asked = has_ended(p) ? nullptr : find_asked(p, c.approval_id);
    if (!asked) {
        return nothing;
    }
    const auto number = static_cast<std::uint32_t>(asked - p.calls.data()) + 1;
    approval_resolved resolved{c.approval_id, p.step,       number,     c.decision, c.answer,
                               c.arguments,   c.decided_by, c.remember, c.rule};
    if (c.decided_by == expired_by && p.request.approvals.on_expiry == expiry_action::fail) {
        return events{std::move(resolved), run_failed{"approval_expired", "Nobody decided in time: " + asked->text}};
    }
    return go_on(p, ctx, std::move(resolved));
}

decision_result decide(const run_progress& p, const check_time&, const context& ctx) {
    const bool working = !has_ended(p) && p.working_since && p.limits.time_ms > 0;
    if (!working || p.used.time_ms + (ctx.now - *p.working_since) < p.limits.time_ms) {
        return nothing;
    }
    return events{
        run_failed{std::string(explain(code::budget_exhausted).name),
                   fmt::format("The run has worked for its whole time budget of {} ms. Start a run with a larger "
                               "budget to go on.",
                               p.limits.time_ms)}};
}

decision_result decide(const run_progress& p, const debt_settled& c, const context& ctx) {
    const auto* paid = find_debt(p.owed, c.key);
    if (!paid) {
        return nothing;
    }
    auto settled = cleared(*paid, c);
    const auto child = has_ended(p) ? 0 : call_of_child(p, paid->to);
    if (!c.ok && child > 0 && paid->type == wire_name<create_run>::value) {
        const run_ended end{paid->to, {}, run_status::failed, {}, "It could not be started: " + c.detail};
        return go_on(p, ctx, std::move(settled), child_ended{p.step, child, end}, result_of_child(p, child, end));
    }
    events out{std::move(settled)};
    if (!c.ok && paid->type == wire_name<open_approval>::value && !has_ended(p)) {
        out.push_back(run_failed{c.code, "A person could not be asked: " + c.detail}); // else it would wait for ever
    }
    return out;
}

// ---- what is owed

runtime::effect perform(std::string key, std::string_view type, std::string payload, bool survives = false) {
    return runtime::perform_effect{std::move(key), std::string(type), std::move(payload), survives};
}

template <class Command>
runtime::effect timer(std::string key, timestamp due, const Command& command) {
    return runtime::timer_effect{std::move(key), due, std::string(wire_name<Command>::value), to_json(command)};
}

} // namespace

expected<std::vector<run_event>> run_model::decide(const state& s, const command& c, const runtime::context& context) {
    const auto& p = s.progress;
    const bool makes_it = std::holds_alternative<create_run>(c) || std::holds_alternative<fork_run>(c) ||
                          std::holds_alternative<begin_conversation>(c);
    if (!exists(p) && !makes_it) {
        return no_such("run", context.self.id);
    }
    const auto judge = [&](const run_progress& as_it_is) {
        return std::visit([&](const auto& each) { return actors::decide(as_it_is, each, context); }, c);
    };
    if (has_ended(p) || !p.working_since || context.even_since <= *p.working_since) {
        return judge(p);
    }
    // Nobody worked while the node was away, and a clock that was set measures nothing.
    const work_time_moved moved{std::min(context.even_since, context.now)};
    auto rested = p;
    rested.working_since = moved.since;
    auto decided = judge(rested);
    // The timer of the budget is set anew, too: else it would come again and again.
    if (decided && (!decided->empty() || std::holds_alternative<check_time>(c))) {
        decided->insert(decided->begin(), moved);
    }
    return decided;
}

std::vector<runtime::effect> run_model::resume(const state& s) {
    const auto& p = s.progress;
    auto effects = effects_of(p.owed, p.organization);
    if (owes_clean_up(p)) {
        effects.push_back(perform("clean_up", run_effects::clean_up, "{}"));
    }
    if (!exists(p) || has_ended(p)) {
        return effects;
    }
    if (p.status == run_status::queued) {
        effects.push_back(perform("start", run_effects::start, "{}"));
    }
    if (p.model_call) {
        effects.push_back(perform(fmt::format("model/{}/{}", p.step, p.attempt), run_effects::call_model,
                                  to_json(mark_model_call{p.step, p.attempt})));
    }
    for (std::uint32_t number = 1; number <= p.calls.size(); ++number) {
        const auto& call = p.calls[number - 1];
        if (call.phase == call_phase::started && call.due_at) {
            effects.push_back(timer(fmt::format("wait/{}/{}", p.step, number), *call.due_at, end_wait{p.step, number}));
        } else if (call.phase == call_phase::started && !call.child_run_id) {
            effects.push_back(perform(fmt::format("tool/{}/{}/{}", p.step, number, call.attempt),
                                      run_effects::call_tool, to_json(call_reference{p.step, number, call.attempt}),
                                      true));
        }
    }
    if (p.retry_at) {
        effects.push_back(
            timer(fmt::format("back_off/{}/{}", p.step, p.attempt), *p.retry_at, end_back_off{p.step, p.attempt}));
    }
    if (p.working_since && p.limits.time_ms > 0) {
        effects.push_back(timer("time", *p.working_since + (p.limits.time_ms - p.used.time_ms), check_time{}));
    }
    return effects;
}

} // namespace troupe::actors
