#include "actors/run/run_replay.hpp"

#include "actors/common/model.hpp"
#include "runtime/entity/kind.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using command = std::optional<run_command>;

/// The first event that says what the command was; a moved clock goes before it.
const run_event& leading(const std::vector<run_event>& events) {
    const auto found =
        std::ranges::find_if(events, [](const run_event& e) { return !std::holds_alternative<work_time_moved>(e); });
    return found == events.end() ? events.front() : *found;
}

template <class Event>
const Event* find(const std::vector<run_event>& events) {
    for (const auto& e : events) {
        if (const auto* found = std::get_if<Event>(&e)) {
            return found;
        }
    }
    return nullptr;
}

/// The command that came in, by the event that it became first.
struct cause_of {
    const run_progress& p;
    const recorded_command& all;

    command operator()(const run_created& e) const {
        const auto* forked = find<run_forked>(all.events);
        const create_run made = e;
        if (find<context_given>(all.events)) {
            return begin_conversation{made, given()};
        }
        return forked ? command(fork_run{made, forked->run_id, forked->step, forked->message}) : command(made);
    }
    [[nodiscard]] std::vector<context_message> given() const {
        std::vector<context_message> out;
        for (const auto& e : all.events) {
            if (const auto* part = std::get_if<context_given>(&e)) {
                out.insert(out.end(), part->messages.begin(), part->messages.end());
            }
        }
        return out;
    }
    command operator()(const context_given&) const { return give_context{given()}; }
    command operator()(const run_started& e) const {
        return begin_run{e.model, e.version_before, e.limits, e.price, e.tool_rules};
    }
    command operator()(const model_call_started& e) const { return end_back_off{e.step, e.attempt - 1}; }
    command operator()(const model_call_sent& e) const { return mark_model_call{e.step, e.attempt}; }
    command operator()(const model_call_finished& e) const {
        return record_model_reply{e.step,         e.attempt,       e.content,          e.reasoning, e.tool_calls,
                                  e.input_tokens, e.output_tokens, e.finish,           e.model,     e.reasoning_state,
                                  e.provider,     e.cached_tokens, e.reasoning_tokens, e.price,     e.route};
    }
    command operator()(const model_call_failed& e) const {
        record_model_failure out{e.step, e.attempt, e.code, e.detail, {}, e.spent_tokens > 0};
        if (e.retry_at) { // whole seconds, whoever asked for them
            out.retry_after_s = static_cast<std::uint32_t>((*e.retry_at - all.records.front().time) / 1000);
        }
        return out;
    }
    command operator()(const context_folded& e) const { return fold_context(e); }
    command operator()(const tool_call_finished& e) const {
        if (e.call >= 1 && e.call <= p.calls.size() && p.calls[e.call - 1].due_at) {
            return end_wait{e.step, e.call};
        }
        return record_tool_result{e.step, e.call, e.attempt, e.content, e.is_error, false, e.details};
    }
    command operator()(const child_started& e) const { return agent_for(e.step, e.call, e.wish); }
    command operator()(const handed_off& e) const { return agent_for(e.step, e.call, e.fork.run); }
    [[nodiscard]] record_agent agent_for(std::uint32_t step, std::uint32_t call, const create_run& wish) const {
        return {step, call, call <= p.calls.size() ? p.calls[call - 1].attempt : 0, wish};
    }
    command operator()(const child_ended& e) const { return e.end; }
    command operator()(const tool_call_unknown& e) const {
        return record_tool_result{e.step, e.call, e.attempt, "", false, true, {}};
    }
    command operator()(const approval_resolved& e) const {
        return resolve_approval{
            e.approval_id, step_key(e.step, e.call), e.decision, e.answer, e.arguments, e.decided_by, e.remember,
            e.rule};
    }
    command operator()(const run_failed& e) const {
        return p.status == run_status::queued ? command(record_start_failure{e.code, e.detail}) : command(check_time{});
    }
    command operator()(const run_cancelled& e) const { return cancel_run{e.reason}; }
    command operator()(const run_cleaned_up&) const { return record_clean_up{}; }
    command operator()(const debt_cleared& e) const {
        const auto* paid = find_debt(p.owed, e.number);
        debt_settled out;
        out.key = paid ? key_of(*paid) : "";
        out.ok = e.ok;
        out.code = e.code;
        out.detail = e.detail;
        return out;
    }
    command operator()(const work_time_moved&) const { return check_time{}; } // and nothing else came of it
    template <class Event>
    command operator()(const Event&) const {
        return {}; // it never comes first
    }
};

/// What the decision could know beside the state, as the records have it.
class recorded_context {
public:
    recorded_context(const entity_address& self, const recorded_command& recorded) : recorded_(recorded) {
        const auto& first = recorded.records.front();
        context_.self = self;
        context_.version = first.entity_seq - 1;
        context_.now = first.time;
        context_.principal = first.principal;
        context_.make_id = [this] { return next_id(); };
        context_.quota = [this](std::string_view, std::int64_t, std::int64_t) { return quota(); };
        if (const auto* moved = find<work_time_moved>(recorded.events)) {
            context_.even_since = moved->since;
        }
        if (const auto* call = find<tool_call_started>(recorded.events)) {
            context_.node = call->node;
        }
    }
    recorded_context(const recorded_context&) = delete;
    recorded_context& operator=(const recorded_context&) = delete;

    [[nodiscard]] const runtime::context& get() const { return context_; }

private:
    /// Ids that were made are in the events.
    uuid next_id() {
        std::size_t seen = 0;
        for (const auto& e : recorded_.events) {
            const auto made =
                std::visit(visitor{[](const approval_requested& x) { return x.approval_id; },
                                   [](const child_started& x) { return x.run_id; },
                                   [](const handed_off& x) { return x.run_id; }, [](const auto&) { return uuid(); }},
                           e);
            if (made != uuid() && seen++ == ids_) {
                ++ids_;
                return made;
            }
        }
        return {};
    }
    /// The plan of that moment is known by what came of it.
    [[nodiscard]] expected<void> quota() const {
        const auto* failed = find<run_failed>(recorded_.events);
        const auto why = failed ? code_named(failed->code) : std::nullopt;
        const bool refused = why == code::quota_exceeded || why == code::organization_suspended;
        return refused ? expected<void>(problem{*why, failed->detail}) : expected<void>();
    }

    const recorded_command& recorded_;
    std::size_t ids_ = 0;
    runtime::context context_;
};

} // namespace

run_replay::run_replay(const uuid& organization, const uuid& run)
    : self_{organization, std::string(run_model::kind), run} {
    result_.run_id = run;
    result_.identical = true;
}

std::optional<run_command> run_replay::command_of(const recorded_command& recorded) const {
    return std::visit(cause_of{state_.progress, recorded}, leading(recorded.events));
}

void run_replay::diverge(const recorded_command& recorded, std::size_t at, const run_event* instead) {
    const auto& r = recorded.records[std::min(at, recorded.records.size() - 1)];
    auto& out = result_.divergence.emplace();
    out.event = r.entity_seq;
    if (at < recorded.events.size()) {
        const auto [type, payload] = encode_named(recorded.events[at]);
        out.type = type;
        out.recorded = {payload};
    }
    if (instead) {
        const auto [type, payload] = encode_named(*instead);
        out.replayed_type = type;
        out.replayed = {payload};
    }
    result_.identical = false;
}

void run_replay::count(const run_event& e) {
    ++result_.events;
    result_.model_calls += std::holds_alternative<model_call_finished>(e) ? 1 : 0;
    const auto* done = std::get_if<tool_call_finished>(&e);
    result_.tool_calls += done && done->attempt > 0 ? 1 : 0;
}

bool run_replay::take(const recorded_command& recorded) {
    ++result_.commands;
    const recorded_context context(self_, recorded);
    const auto wanted = command_of(recorded);
    const auto decided = wanted ? run_model::decide(state_, *wanted, context.get())
                                : expected<std::vector<run_event>>(std::vector<run_event>{});
    const auto events = decided ? *decided : std::vector<run_event>{};
    for (std::size_t i = 0; i < std::max(events.size(), recorded.events.size()); ++i) {
        const auto* instead = i < events.size() ? &events[i] : nullptr;
        const bool same =
            instead && i < recorded.events.size() && encode_named(*instead) == encode_named(recorded.events[i]);
        if (!same) {
            diverge(recorded, i, instead);
            return false;
        }
    }
    for (std::size_t i = 0; i < recorded.events.size(); ++i) {
        const auto& r = recorded.records[i];
        count(recorded.events[i]);
        state_ = run_model::apply(std::move(state_), recorded.events[i], {self_.id, r.entity_seq, r.time, r.principal});
    }
    return true;
}

replay_document run_replay::result() const { return result_; }

} // namespace troupe::actors
