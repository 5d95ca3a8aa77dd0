#include "actors/agent/agent_model.hpp"

#include "actors/common/principals.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/notification_messages.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

// What follows from the events, and what is owed.
namespace troupe::actors {
namespace {

constexpr std::string_view task_kind = "task";
constexpr std::string_view run_kind = "run";
constexpr std::string_view name_kind = "name";
constexpr std::string_view inbox_kind = "inbox";

uuid name_of(const agent_state& s, const std::string& name) { return name_id(s.organization, agent_model::kind, name); }

/// Orders by urgency, then arrival.
std::string queue_key(task_priority priority, std::uint64_t arrival) {
    return fmt::format("{}/{:020}", static_cast<int>(task_priority::urgent) - static_cast<int>(priority), arrival);
}

std::uint64_t arrival_of(const std::string& key) {
    std::uint64_t arrival = 0;
    std::from_chars(key.data() + key.find('/') + 1, key.data() + key.size(), arrival);
    return arrival;
}

auto find_queued(agent_state& s, const uuid& task_id) {
    return std::ranges::find(s.queue, task_id, [](const auto& entry) { return entry.second.task_id; });
}

budget preferred(const budget& first, const budget& second) {
    const auto pick = [](auto a, auto b) { return a != 0 ? a : b; };
    return {pick(first.steps, second.steps), pick(first.tokens, second.tokens),
            pick(first.cost_micros, second.cost_micros), pick(first.time_ms, second.time_ms)};
}

create_run run_for(const agent_state& s, const enqueue_task& task) {
    const auto& settings = s.settings;
    return {task.description.empty() ? task.title : task.title + "\n\n" + task.description,
            task.project_id,
            s.id,
            task.task_id,
            settings.instructions,
            settings.model,
            settings.tools,
            preferred(task.limits, settings.limits),
            settings.on_unknown,
            "agent/" + to_string(s.id),
            std::string(agent_model::kind),
            settings.kind,
            task.parameters,
            {},
            settings.approvals.value_or(approval_terms{}),
            {},
            0,
            {},
            {},
            settings.limits_per_day};
}

bool beats(const agent_state& s) {
    return s.settings.heartbeat && s.settings.heartbeat->interval_ms > 0 && !s.stopped && !s.deleted;
}

/// The next heartbeat is an interval from now.
void set_beat(agent_state& s, timestamp now) {
    s.beat_due = beats(s) ? std::optional(now + s.settings.heartbeat->interval_ms) : std::nullopt;
}

/// It is there: what was missed counts no more.
void note_alive(agent_state& s, timestamp now) {
    s.heartbeat_at = now;
    ++s.beats;
    s.beats_missed = 0;
    set_beat(s, now);
}

void forget_waiting(agent_state& s, const uuid& task) { s.waiting_since.erase(to_string(task)); }

/// What it does at a heartbeat, beside its tasks.
create_run run_at_heartbeat(const agent_state& s) {
    const auto& settings = s.settings;
    create_run out;
    out.goal = settings.heartbeat->instructions;
    out.agent_id = s.id;
    out.instructions = settings.instructions;
    out.model = settings.model;
    out.tools = settings.tools;
    out.limits = settings.limits;
    out.on_unknown = settings.on_unknown;
    out.created_by = "agent/" + to_string(s.id);
    out.agent_kind = std::string(agent_model::kind);
    out.approvals = settings.approvals.value_or(approval_terms{});
    out.limits_per_day = settings.limits_per_day;
    return out;
}

void apply(agent_state& s, const agent_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.settings = e.settings;
    s.created_by = at.principal;
    s.created_at = at.time;
    owe(s.owed, name_kind, name_of(s, s.settings.name),
        confirm_name{std::string(agent_model::kind), s.settings.name, s.id, at.version});
    set_beat(s, at.time);
}

void apply(agent_state& s, const agent_updated& e, const runtime::event_context& at) {
    const auto before = name_of(s, s.settings.name);
    const bool other_beat = to_json(s.settings.heartbeat) != to_json(e.settings.heartbeat);
    s.settings = e.settings;
    if (other_beat) {
        s.beats_missed = 0;
        set_beat(s, at.time);
    }
    if (const auto after = name_of(s, s.settings.name); before != after) {
        owe(s.owed, name_kind, after, confirm_name{std::string(agent_model::kind), s.settings.name, s.id, at.version});
        owe(s.owed, name_kind, before, release_name{s.id, at.version});
    }
}

void apply(agent_state& s, const agent_started&, const runtime::event_context& at) {
    s.stopped = false;
    s.beats_missed = 0;
    set_beat(s, at.time);
}

void apply(agent_state& s, const agent_stopped&, const runtime::event_context& at) {
    s.stopped = true;
    set_beat(s, at.time);
}

void apply(agent_state& s, const agent_restarted&, const runtime::event_context& at) {
    s.stopped = false;
    s.paused = false;
    s.beats_missed = 0;
    set_beat(s, at.time);
    for (auto& [run, task] : s.running) {
        if (!task.cancelling) {
            task.cancelling = true;
            s.restarting.push_back(*parse_uuid(run));
            owe(s.owed, run_kind, s.restarting.back(), cancel_run{"The agent was restarted."});
        }
    }
}

void apply(agent_state& s, const agent_paused&, const runtime::event_context&) { s.paused = true; }

void apply(agent_state& s, const agent_resumed&, const runtime::event_context&) { s.paused = false; }

void apply(agent_state& s, const agent_heartbeat&, const runtime::event_context& at) { note_alive(s, at.time); }

void apply(agent_state& s, const agent_beat& e, const runtime::event_context& at) {
    note_alive(s, at.time);
    if (e.run_id) {
        s.beat_run = e.run_id;
        owe(s.owed, run_kind, *e.run_id, run_at_heartbeat(s));
    }
}

void apply(agent_state& s, const heartbeat_missed& e, const runtime::event_context& at) {
    s.beats_missed = e.in_a_row;
    set_beat(s, at.time);
    if (const auto whose = inbox_of(s.created_by); whose && e.in_a_row == s.settings.heartbeat->missed_max) {
        owe(s.owed, inbox_kind, *whose,
            notify{notification_kind::alert,
                   task_priority::high,
                   "No sign of life of agent " + s.settings.name,
                   "It missed " + std::to_string(e.in_a_row) +
                       " heartbeats. What waited for it went to others, or back to the inbox.",
                   {},
                   {},
                   "agent/" + to_string(s.id)});
    }
}

void apply(agent_state& s, const beat_run_ended&, const runtime::event_context&) { s.beat_run.reset(); }

void apply(agent_state& s, const agent_deleted&, const runtime::event_context& at) {
    s.deleted = true;
    s.beat_due.reset();
    s.waiting_since.clear();
    if (s.beat_run) {
        owe(s.owed, run_kind, *s.beat_run, cancel_run{"The agent was deleted."});
    }
    owe(s.owed, name_kind, name_of(s, s.settings.name), release_name{s.id, at.version});
    for (const auto& [key, task] : s.queue) {
        owe(s.owed, task_kind, task.task_id,
            return_task{task.assignment, "The agent '" + s.settings.name + "' was deleted."});
    }
    s.queue.clear();
    for (auto& [run, task] : s.running) {
        if (!task.cancelling) {
            task.cancelling = true;
            owe(s.owed, run_kind, *parse_uuid(run), cancel_run{"The agent was deleted."});
        }
    }
}

void apply(agent_state& s, const task_queued& e, const runtime::event_context& at) {
    s.waiting_since.try_emplace(to_string(e.task.task_id), at.time);
    auto arrival = s.arrivals + 1;
    if (const auto before = find_queued(s, e.task.task_id); before != s.queue.end()) {
        arrival = arrival_of(before->first);
        s.queue.erase(before);
    } else {
        s.arrivals = arrival;
    }
    s.queue[queue_key(e.task.priority, arrival)] = e.task;
}

void apply(agent_state& s, const task_dequeued& e, const runtime::event_context&) {
    if (const auto found = find_queued(s, e.task_id); found != s.queue.end()) {
        s.queue.erase(found);
    }
    forget_waiting(s, e.task_id);
    s.attempts.erase(to_string(e.task_id));
}

void apply(agent_state& s, const task_given_back& e, const runtime::event_context&) {
    if (const auto found = find_queued(s, e.task_id); found != s.queue.end()) {
        owe(s.owed, task_kind, e.task_id, return_task{found->second.assignment, e.reason});
        s.queue.erase(found);
    }
    forget_waiting(s, e.task_id);
    s.attempts.erase(to_string(e.task_id));
}

void apply(agent_state& s, const task_started& e, const runtime::event_context&) {
    const auto found = find_queued(s, e.task_id);
    if (found == s.queue.end()) {
        return;
    }
    const auto& task = found->second;
    owe(s.owed, run_kind, e.run_id, run_for(s, task));
    s.running[to_string(e.run_id)] = {task.task_id, task.assignment, false, false};
    forget_waiting(s, e.task_id);
    s.queue.erase(found);
}

/// Who follows a task to its run has to find it there.
void announce(agent_state& s, const uuid& run_id, running_task& task) {
    if (!task.announced) {
        task.announced = true;
        owe(s.owed, task_kind, task.task_id, note_task_started{run_id, task.assignment});
    }
}

void apply(agent_state& s, const task_cancel_requested& e, const runtime::event_context&) {
    if (const auto found = s.running.find(to_string(e.run_id)); found != s.running.end()) {
        found->second.cancelling = true;
        owe(s.owed, run_kind, e.run_id, cancel_run{e.reason});
    }
}

void apply(agent_state& s, const task_finished& e, const runtime::event_context&) {
    const auto found = s.running.find(to_string(e.run_id));
    if (found == s.running.end()) {
        return;
    }
    s.completed += e.status == run_status::succeeded ? 1 : 0;
    s.failed += e.status == run_status::failed ? 1 : 0;
    announce(s, e.run_id, found->second);
    owe(s.owed, task_kind, e.task_id,
        note_task_finished{e.run_id, found->second.assignment, e.status, e.result, e.error, e.output});
    s.attempts.erase(to_string(e.task_id));
    std::erase(s.restarting, e.run_id);
    s.running.erase(found);
}

void apply(agent_state& s, const attempt_ended& e, const runtime::event_context&) {
    const auto found = s.running.find(to_string(e.run_id));
    if (found == s.running.end()) {
        return;
    }
    announce(s, e.run_id, found->second);
    owe(s.owed, task_kind, e.task_id,
        note_task_attempt{e.run_id, found->second.assignment, e.failed, e.again_at, e.error});
    s.attempts[to_string(e.task_id)] = e.failed;
    std::erase(s.restarting, e.run_id);
    s.running.erase(found);
}

void apply(agent_state& s, const debt_cleared& e, const runtime::event_context&) {
    const auto* paid = find_debt(s.owed, e.number);
    if (paid && paid->type == wire_name<confirm_name>::value && paid->to == name_of(s, s.settings.name)) {
        s.error = e.ok ? std::nullopt : std::optional(e.detail);
    }
    const auto started = paid && e.ok && paid->type == wire_name<create_run>::value
                             ? s.running.find(to_string(paid->to))
                             : s.running.end();
    clear_debt(s.owed, e.number);
    if (started != s.running.end()) {
        announce(s, *parse_uuid(started->first), started->second);
    }
}

} // namespace

agent_state agent_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> agent_model::resume(const state& s) {
    auto out = effects_of(s.owed, s.organization);
    if (s.beat_due) {
        out.emplace_back(runtime::timer_effect{"heartbeat", *s.beat_due, std::string(wire_name<heartbeat_due>::value),
                                               to_json(heartbeat_due{*s.beat_due})});
    }
    if (const auto wait_ms = s.settings.queue_timeout_ms.value_or(0); wait_ms > 0 && !s.waiting_since.empty()) {
        const auto oldest = std::ranges::min(s.waiting_since | std::views::values);
        const auto due = oldest + wait_ms;
        out.emplace_back(
            runtime::timer_effect{"queue", due, std::string(wire_name<queue_due>::value), to_json(queue_due{due})});
    }
    return out;
}

} // namespace troupe::actors
