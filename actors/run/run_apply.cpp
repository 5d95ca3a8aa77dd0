#include "actors/common/model.hpp"
#include "actors/run/context_fold.hpp"
#include "actors/run/run_children.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/run/run_model.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/approval_messages.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace troupe::actors {
namespace {

using runtime::event_context;

/// Settles working time up to now.
void tick(run_progress& p, timestamp now) {
    if (p.working_since) {
        p.used.time_ms += std::max<std::int64_t>(0, now - *p.working_since);
        p.working_since = now;
    }
    p.updated_at = now;
}

/// Beside children and waits the clock goes on only while it works itself: the time of children is counted by them.
void keep_time(run_progress& p, timestamp now) {
    if (p.status != run_status::running) {
        return;
    }
    p.working_since = waits_for_others(p) ? std::nullopt : std::optional(p.working_since.value_or(now));
}

/// The agent of the product that it works for.
std::optional<uuid> agent_of(const create_run& wish) {
    return wish.agent_kind == "agent" ? wish.agent_id : std::nullopt;
}

/// `apply` is total: a call that is not there is a defect of `decide`, and nothing happens to the others.
call_state* call_at(run_progress& p, std::uint32_t step, std::uint32_t call) {
    return step == p.step && call >= 1 && call <= p.calls.size() ? &p.calls[call - 1] : nullptr;
}

void apply(run_progress& p, const run_created& e, const event_context& at) {
    p.id = at.id;
    p.organization = e.organization;
    p.request = e;
    p.limits = e.limits;
    p.model = e.model;
    p.created_at = at.time;
}

void apply(run_progress& p, const run_forked& e, const event_context&) {
    p.forked_from = {e.run_id, e.step};
    p.fork_message = e.message;
}

void apply(run_progress& p, const context_given& e, const event_context&) {
    p.step = e.step;
    p.fork_message.clear();
    p.continuing = true; // the past ends with a step that is whole: the model goes on from there
    for (const auto& m : e.messages) {
        p.context_bytes += bytes_of(m);
        p.unverified = p.unverified || (m.role == "tool" && may_change_project(m.tool_name)); // whether it did or not
    }
}

void apply(run_progress& p, const run_started& e, const event_context& at) {
    p.status = run_status::running;
    p.model = e.model;
    p.version_before = e.version_before;
    p.limits = e.limits;
    p.price = e.price;
    p.organization_rules = e.tool_rules;
    p.started_at = at.time;
    p.working_since = at.time;
}

void apply(run_progress& p, const model_call_started& e, const event_context& at) {
    if (e.attempt == 1) {
        ++p.used.steps;
        p.failures = 0;
        p.invalid_replies = 0;
    }
    p.step = e.step;
    p.attempt = e.attempt;
    p.replied = false;
    p.continuing = false;
    p.retry_at.reset();
    p.trouble.clear();
    p.trouble_code.clear();
    p.step_started_at = at.time;
    p.model_call = open_model_call{e.reserved_tokens, e.output_tokens_max, e.reserved_cost_micros, false};
}

void apply(run_progress& p, const model_call_sent&, const event_context&) {
    if (p.model_call) {
        p.model_call->sent = true;
    }
}

/// A model that counts more tokens than were estimated does so at its next call, too. One that counts less is not
/// believed: some leave out what they had in a cache.
void learn_size(run_progress& p, std::uint64_t counted) {
    const auto estimated = p.model_call ? p.model_call->reserved_tokens - p.model_call->output_tokens_max : 0;
    if (estimated > 0) {
        const auto now = std::min(counted, 4 * estimated) * p.tokens_permille / estimated;
        p.tokens_permille = std::clamp<std::uint64_t>(now, 1000, 4000);
    }
}

void apply(run_progress& p, const model_call_finished& e, const event_context&) {
    learn_size(p, e.input_tokens);
    p.model_call.reset();
    p.replied = true;
    p.used.tokens += e.input_tokens + e.output_tokens;
    p.used.cost_micros += e.cost_micros;
    p.last_finish = e.finish;
    p.answer = (p.continuations > 0 ? p.answer : "") + e.content;
    p.calls.clear();
    for (const auto& call : e.tool_calls) {
        auto& added = p.calls.emplace_back();
        added.id = call.id;
        added.tool = call.name;
        added.arguments = call.arguments;
    }
    if (!p.calls.empty()) {
        p.continuations = 0;
        p.answer.clear();
    }
}

void apply(run_progress& p, const model_call_failed& e, const event_context&) {
    p.model_call.reset();
    p.used.tokens += e.spent_tokens;
    p.used.cost_micros += e.spent_cost_micros;
    p.retry_at = e.retry_at;
    p.trouble = e.detail;
    p.trouble_code = e.code;
    const auto failed = code_named(e.code).value_or(code::internal);
    p.invalid_replies += failed == code::model_reply_invalid ? 1 : 0;
    p.failures += failed != code::model_reply_invalid && failed != code::unknown_outcome ? 1 : 0;
}

void apply(run_progress& p, const context_folded& e, const event_context&) {
    p.model_call.reset();
    p.context_bytes -= std::min(p.context_bytes, e.freed_bytes);
    p.folded += e.messages.size();
}

void apply(run_progress& p, const continuation_asked&, const event_context&) {
    ++p.continuations;
    p.continuing = true;
}

void apply(run_progress& p, const tool_call_started& e, const event_context& at) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::started;
        call->attempt = e.attempt;
        call->intent_at = at.time;
        call->intent_node = e.node;
        call->rule = e.rule;
        call->started_at = call->started_at.value_or(at.time);
    }
}

void apply(run_progress& p, const wait_started& e, const event_context& at) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::started;
        call->started_at = call->started_at.value_or(at.time);
        call->due_at = e.due_at;
        call->rule = e.rule;
    }
}

void apply(run_progress& p, const child_started& e, const event_context& at) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::started;
        call->started_at = call->started_at.value_or(at.time);
        call->child_run_id = e.run_id;
        call->lent = e.wish.limits;
        call->rule = e.rule;
    }
    owe(p.owed, run_model::kind, e.run_id, e.wish);
}

void apply(run_progress& p, const handed_off& e, const event_context&) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->child_run_id = e.run_id;
    }
    owe(p.owed, run_model::kind, e.run_id, e.fork);
}

void apply(run_progress& p, const child_ended& e, const event_context&) {
    p.used.steps += e.end.used.steps;
    p.used.tokens += e.end.used.tokens;
    p.used.cost_micros += e.end.used.cost_micros;
    p.used.time_ms += e.end.used.time_ms;
    p.unverified = p.unverified || p.request.project_id; // it works on the same files
}

void apply(run_progress& p, const tool_call_finished& e, const event_context&) {
    p.unverified = e.attempt > 0 ? is_unverified_after(p, e) : p.unverified;
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::finished;
        call->is_error = e.is_error;
    }
}

void apply(run_progress& p, const tool_call_unknown& e, const event_context&) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::unknown;
    }
}

void close_without_outcome(run_progress& p, std::uint32_t step, std::uint32_t number) {
    if (auto* call = call_at(p, step, number)) {
        p.unverified = p.unverified || (call->attempt > 0 && may_change_project(call->tool)); // it may have happened
        call->phase = call_phase::finished;
        call->is_error = true;
    }
}

void apply(run_progress& p, const tool_call_denied& e, const event_context&) {
    close_without_outcome(p, e.step, e.call);
}
void apply(run_progress& p, const tool_call_skipped& e, const event_context&) {
    close_without_outcome(p, e.step, e.call);
}

void apply(run_progress& p, const approval_requested& e, const event_context& at) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::asked;
        call->reason = e.reason;
        call->approval_id = e.approval_id;
        call->text = e.text;
        call->expires_at = e.expires_at;
        call->started_at = call->started_at.value_or(at.time);
    }
    p.working_since.reset();
    owe(p.owed, "approval", e.approval_id,
        open_approval{p.id, step_key(e.step, e.call), e.reason, e.text, e.tool, e.arguments, agent_of(p.request),
                      e.expires_at, p.request.approvals.on_expiry});
}

void apply(run_progress& p, const approval_resolved& e, const event_context& at) {
    if (auto* call = call_at(p, e.step, e.call)) {
        call->phase = call_phase::resolved;
        call->approval_id.reset();
        call->expires_at.reset();
        call->decision = e.decision;
        call->answer = e.answer;
        call->decided_by = e.decided_by;
        if (e.arguments) {
            call->arguments = e.arguments->text;
        }
    }
    p.working_since = at.time;
    if (!e.remember) {
        return;
    }
    const auto policy = e.decision == decision::deny ? tool_policy::deny : tool_policy::allow;
    p.allowed[e.rule] = policy;
    if (const auto agent = agent_of(p.request); agent && *e.remember == remember_scope::agent) {
        owe(p.owed, p.request.agent_kind, *agent, remember_rule{e.rule, policy});
    }
}

/// The chat that it answers in.
std::optional<uuid> chat_of(const create_run& wish) {
    constexpr std::string_view mark = "chat/";
    return wish.created_by.starts_with(mark) ? parse_uuid(std::string_view(wish.created_by).substr(mark.size()))
                                             : std::nullopt;
}

/// The calls stay as they are until they are cleaned up; `resume` looks at the status first.
void end(run_progress& p, run_status status, const event_context& at, std::string_view why) {
    p.status = status;
    p.finished_at = at.time;
    p.working_since.reset();
    p.retry_at.reset();
    for (const auto& call : p.calls) {
        if (call.phase == call_phase::asked && call.approval_id) {
            owe(p.owed, "approval", *call.approval_id, withdraw_approval{std::string(why)});
        }
        if (call.phase == call_phase::started && call.child_run_id) {
            owe(p.owed, run_model::kind, *call.child_run_id, cancel_run{"The run that had started it has ended."});
        }
    }
    const run_ended news{p.id, p.request.task_id, status, p.result, p.error, p.output, spent_of(p)};
    if (p.request.parent_run_id) {
        owe(p.owed, run_model::kind, *p.request.parent_run_id, news);
    }
    if (p.request.agent_id && (p.request.task_id || p.request.agent_kind != "agent")) {
        owe(p.owed, p.request.agent_kind, *p.request.agent_id, news);
    }
    if (const auto chat = chat_of(p.request)) {
        owe(p.owed, "chat", *chat, news);
    }
}

void apply(run_progress& p, const run_finished& e, const event_context& at) {
    p.result = e.result;
    p.output = e.output;
    end(p, run_status::succeeded, at, "The run has finished.");
}

void apply(run_progress& p, const run_failed& e, const event_context& at) {
    p.error = e.detail;
    p.output = e.output;
    end(p, run_status::failed, at, "The run failed: " + e.detail);
}

void apply(run_progress& p, const run_cancelled& e, const event_context& at) {
    p.error = e.reason.empty() ? "cancelled" : "cancelled: " + e.reason;
    end(p, run_status::cancelled, at, "The run was cancelled.");
}

void apply(run_progress&, const work_time_moved&, const event_context&) {} // settled with the time

void apply(run_progress& p, const run_cleaned_up&, const event_context&) { p.calls.clear(); }

void apply(run_progress& p, const debt_cleared& e, const event_context&) { clear_debt(p.owed, e.number); }

} // namespace

std::string step_key(std::uint32_t step, std::uint32_t call) { return fmt::format("{:05}.{:03}", step, call); }

const call_state* find_asked(const run_progress& p, const uuid& approval_id) {
    const auto found = std::ranges::find_if(p.calls, [&](const call_state& call) {
        return call.phase == call_phase::asked && call.approval_id == approval_id;
    });
    return found == p.calls.end() ? nullptr : &*found;
}

void apply_progress(run_progress& p, const run_event& e, const event_context& at) {
    if (const auto added = message_of(p, e)) {
        p.context_bytes += bytes_of(*added);
    }
    if (const auto* moved = std::get_if<work_time_moved>(&e); moved && p.working_since) {
        p.working_since = moved->since; // what lies before was no work
    }
    tick(p, at.time);
    const bool was_elsewhere = has_work_elsewhere(p);
    std::visit([&](const auto& each) { actors::apply(p, each, at); }, e);
    if (was_elsewhere || has_work_elsewhere(p)) {
        keep_time(p, at.time);
    }
}

run_state run_model::apply(state s, const event& e, const runtime::event_context& at) {
    if (auto added = message_of(s.progress, e)) {
        s.messages.push_back(std::move(*added));
    }
    if (const auto* folded = std::get_if<context_folded>(&e)) {
        fold(s.messages, folded->messages);
    }
    if (const auto* past = std::get_if<context_given>(&e)) {
        s.messages.insert(s.messages.end(), past->messages.begin(), past->messages.end());
    }
    apply_progress(s.progress, e, at);
    return s;
}

v2::run_state v1::upcast(const v1::run_state& old) { return with_defaults<v2::run_state>(old); }

v3::run_state v2::upcast(const v2::run_state& old) { return with_defaults<v3::run_state>(old); }

v4::run_state v3::upcast(const v3::run_state& old) { return with_defaults<v4::run_state>(old); }

v5::run_state v4::upcast(const v4::run_state& old) { return with_defaults<v5::run_state>(old); }

troupe::actors::run_state v5::upcast(const v5::run_state& old) { return with_defaults<troupe::actors::run_state>(old); }

} // namespace troupe::actors
