#include "actors/agent/agent_model.hpp"

#include "actors/common/model.hpp"
#include "actors/tool/policies.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/run_messages.hpp"

#include <algorithm>
#include <iterator>
#include <type_traits>

// Decisions. What follows from them is in agent_state.cpp, what is shown in agent_views.cpp.
namespace troupe::actors {
namespace {

using events = std::vector<agent_model::event>;
using decision_result = expected<events>;

bool exists(const agent_state& s) { return !s.id.is_nil() && !s.deleted; }

std::size_t free_places(std::size_t running, std::uint32_t max, bool may_work) {
    return may_work && running < max ? max - running : 0;
}

/// Starts the first of the queue on the free places.
void start_queued(events& decided, const agent_state& s, std::size_t places, const runtime::context& context) {
    for (auto next = s.queue.begin(); places > 0 && next != s.queue.end(); ++next, --places) {
        decided.emplace_back(task_started{next->second.task_id, context.make_id()});
    }
}

/// The first wait, doubled for each attempt that failed after the first.
std::int64_t backoff_ms(const retry_terms& terms, std::uint32_t failed) {
    constexpr std::int64_t longest_ms = 3600LL * 1000;
    auto wait = terms.backoff_ms;
    for (std::uint32_t i = 1; i < failed && wait < longest_ms; ++i) {
        wait *= 2;
    }
    return std::min(wait, longest_ms);
}

/// Whether the task is tried again after this end, and when.
std::optional<attempt_ended> next_attempt(const agent_state& s, const run_ended& end, timestamp now) {
    const auto& ended = s.running.at(to_string(end.run_id));
    const auto before = s.attempts.find(to_string(ended.task_id));
    const auto failed = before == s.attempts.end() ? 0 : before->second;
    if (std::ranges::count(s.restarting, end.run_id) > 0 && end.status == run_status::cancelled) {
        return attempt_ended{ended.task_id, end.run_id, failed, now, "The agent was restarted."};
    }
    const auto terms = s.settings.retry.value_or(retry_terms{});
    if (!exists(s) || ended.cancelling || end.status != run_status::failed || failed + 1 >= terms.attempts) {
        return std::nullopt;
    }
    return attempt_ended{ended.task_id, end.run_id, failed + 1, now + backoff_ms(terms, failed + 1),
                         end.error.value_or("")};
}

/// The end of a run, and what it makes room for.
events finish(const agent_state& s, const run_ended& end, const runtime::context& context) {
    const auto& ended = s.running.at(to_string(end.run_id));
    events decided;
    if (auto again = next_attempt(s, end, context.now)) {
        decided.emplace_back(std::move(*again));
    } else {
        decided.emplace_back(task_finished{ended.task_id, end.run_id, end.status, end.result, end.error, end.output});
    }
    start_queued(
        decided, s,
        free_places(s.running.size() - 1, s.settings.max_concurrent_tasks, exists(s) && !s.stopped && !s.paused),
        context);
    return decided;
}

agent_settings merged(agent_settings settings, const update_agent_body& given) {
    const auto replace = [](auto& old, const auto& value) {
        if (value) {
            old = *value;
        }
    };
    replace(settings.name, given.name);
    replace(settings.kind, given.kind);
    replace(settings.role, given.role);
    replace(settings.capabilities, given.capabilities);
    replace(settings.instructions, given.instructions);
    replace(settings.model, given.model);
    replace(settings.tools, given.tools);
    replace(settings.limits, given.limits);
    replace(settings.max_concurrent_tasks, given.max_concurrent_tasks);
    replace(settings.on_unknown, given.on_unknown);
    replace(settings.custom_parameters, given.custom_parameters);
    const auto replace_optional = [](auto& old, const auto& value) {
        if (value) {
            old = value;
        }
    };
    replace_optional(settings.approvals, given.approvals);
    replace_optional(settings.limits_per_day, given.limits_per_day);
    replace_optional(settings.heartbeat, given.heartbeat);
    replace_optional(settings.retry, given.retry);
    replace_optional(settings.queue_timeout_ms, given.queue_timeout_ms);
    return settings;
}

decision_result decide(const agent_state& s, const create_agent& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("agent", context.self.id);
    }
    if (auto ok = check_agent_settings(c); !ok) {
        return ok.error();
    }
    if (auto room = context.take("agents", 1); !room) {
        return room.error();
    }
    return events{agent_created{context.self.organization, c}};
}

decision_result with_settings(const agent_state& s, agent_settings settings, const runtime::context& context) {
    if (auto ok = check_agent_settings(settings); !ok) {
        return ok.error();
    }
    if (to_json(settings) == to_json(s.settings)) {
        return events{};
    }
    const auto places = free_places(s.running.size(), settings.max_concurrent_tasks, !s.stopped && !s.paused);
    events decided{agent_updated{std::move(settings)}};
    start_queued(decided, s, places, context);
    return decided;
}

decision_result decide(const agent_state& s, const update_agent& c, const runtime::context& context) {
    return with_settings(s, merged(s.settings, c), context);
}

decision_result decide(const agent_state& s, const restore_agent& c, const runtime::context& context) {
    return with_settings(s, c.settings, context);
}

decision_result decide(const agent_state& s, const restart_agent&, const runtime::context& context) {
    events decided{agent_restarted{}};
    start_queued(decided, s, free_places(s.running.size(), s.settings.max_concurrent_tasks, true), context);
    return decided;
}

/// Beats that were due while nobody was there, the node or the whole cluster.
std::uint32_t beats_slept_through(const heartbeat_terms& terms, timestamp due, timestamp now) {
    const auto late = std::max<std::int64_t>(now - due, 0);
    return static_cast<std::uint32_t>(std::min<std::int64_t>(late / terms.interval_ms, 1'000'000));
}

/// All that waits for an agent that does not answer goes back.
void give_back_queue(events& decided, const agent_state& s, const std::string& reason) {
    for (const auto& [key, task] : s.queue) {
        decided.emplace_back(task_given_back{task.task_id, reason});
    }
}

decision_result decide(const agent_state& s, const heartbeat_due& c, const runtime::context& context) {
    if (s.beat_due != c.due || !s.settings.heartbeat) {
        return events{};
    }
    const auto& terms = *s.settings.heartbeat;
    if (terms.external) {
        events decided{heartbeat_missed{s.beats_missed + 1}};
        if (s.beats_missed + 1 == terms.missed_max) {
            give_back_queue(decided, s, "The agent '" + s.settings.name + "' gave no sign of life.");
        }
        return decided;
    }
    const bool idle = s.running.empty() && s.queue.empty() && !s.beat_run && !s.paused;
    agent_beat beat{beats_slept_through(terms, c.due, context.now), {}};
    if (idle && !terms.instructions.empty()) {
        beat.run_id = context.make_id();
    }
    return events{beat};
}

decision_result decide(const agent_state& s, const queue_due& c, const runtime::context&) {
    events decided;
    const auto wait_ms = s.settings.queue_timeout_ms.value_or(0);
    for (const auto& [task, since] : s.waiting_since) {
        if (wait_ms > 0 && since + wait_ms <= c.due) {
            decided.emplace_back(task_given_back{*parse_uuid(task), "It waited in the queue of agent '" +
                                                                        s.settings.name + "' for longer than " +
                                                                        std::to_string(wait_ms) + " ms."});
        }
    }
    return decided;
}

decision_result decide(const agent_state& s, const start_agent&, const runtime::context& context) {
    if (!s.stopped) {
        return events{};
    }
    events decided{agent_started{}};
    start_queued(decided, s, free_places(s.running.size(), s.settings.max_concurrent_tasks, !s.paused), context);
    return decided;
}

decision_result decide(const agent_state& s, const stop_agent&, const runtime::context&) {
    return s.stopped ? events{} : events{agent_stopped{}};
}

decision_result decide(const agent_state& s, const pause_agent&, const runtime::context&) {
    return s.paused ? events{} : events{agent_paused{}};
}

decision_result decide(const agent_state& s, const resume_agent&, const runtime::context& context) {
    if (!s.paused) {
        return events{};
    }
    events decided{agent_resumed{}};
    start_queued(decided, s, free_places(s.running.size(), s.settings.max_concurrent_tasks, !s.stopped), context);
    return decided;
}

decision_result decide(const agent_state&, const heartbeat_agent&, const runtime::context&) {
    return events{agent_heartbeat{}};
}

decision_result decide(const agent_state&, const delete_agent&, const runtime::context&) {
    return events{agent_deleted{}};
}

decision_result decide(const agent_state& s, const enqueue_task& c, const runtime::context& context) {
    const auto known = [&](const auto& entry) {
        return entry.second.task_id == c.task_id && entry.second.assignment >= c.assignment;
    };
    if (std::ranges::any_of(s.running, known)) {
        return events{};
    }
    const auto queued = std::ranges::find(s.queue, c.task_id, [](const auto& entry) { return entry.second.task_id; });
    if (queued != s.queue.end()) {
        const bool news = queued->second.assignment <= c.assignment && to_json(queued->second) != to_json(c);
        return news ? events{task_queued{c}} : events{};
    }
    if (s.queue.size() >= agent_queue_max) {
        return problem{code::conflict, "The queue of agent '" + s.settings.name + "' is full with " +
                                           std::to_string(s.queue.size()) +
                                           " tasks. Assign the task to another agent, or later."};
    }
    events decided{task_queued{c}};
    if (free_places(s.running.size(), s.settings.max_concurrent_tasks, !s.stopped && !s.paused) > 0) {
        decided.emplace_back(task_started{c.task_id, context.make_id()}); // the queue is empty when a place is free
    }
    return decided;
}

decision_result decide(const agent_state& s, const dequeue_task& c, const runtime::context&) {
    const auto meant = [&](const auto& entry) {
        return entry.second.task_id == c.task_id && entry.second.assignment <= c.assignment;
    };
    if (std::ranges::any_of(s.queue, meant)) {
        return events{task_dequeued{c.task_id}};
    }
    events decided;
    for (const auto& [run, task] : s.running) {
        if (task.task_id == c.task_id && task.assignment <= c.assignment && !task.cancelling) {
            decided.emplace_back(task_cancel_requested{task.task_id, *parse_uuid(run), c.reason});
        }
    }
    return decided;
}

decision_result decide(const agent_state& s, const run_ended& c, const runtime::context& context) {
    const bool at_heartbeat = s.beat_run == c.run_id;
    if (!at_heartbeat && !s.running.contains(to_string(c.run_id))) {
        return events{};
    }
    if (c.status != run_status::succeeded && c.status != run_status::failed && c.status != run_status::cancelled) {
        return problem{
            code::invalid_request, "A run ends as succeeded, failed or cancelled.", {{"/status", "is no end"}}};
    }
    return at_heartbeat ? events{beat_run_ended{c.run_id, c.status}} : finish(s, c, context);
}

decision_result decide(const agent_state& s, const remember_rule& c, const runtime::context&) {
    auto settings = s.settings;
    if (!settings.tools.contains(c.rule) && settings.tools.size() >= agent_tools_max) {
        return problem{code::conflict, "The agent '" + settings.name + "' has " + std::to_string(agent_tools_max) +
                                           " policies of tools already. Take some out."};
    }
    settings.tools[c.rule] = c.policy;
    return to_json(settings) == to_json(s.settings) ? events{} : events{agent_updated{std::move(settings)}};
}

decision_result decide(const agent_state& s, const debt_settled& c, const runtime::context& context) {
    const auto* paid = find_debt(s.owed, c.key);
    if (!paid) {
        return events{};
    }
    events decided{cleared(*paid, c)};
    if (!c.ok && paid->type == wire_name<create_run>::value && s.running.contains(to_string(paid->to))) {
        auto ended =
            finish(s, {paid->to, {}, run_status::failed, {}, "The run could not be created: " + c.detail}, context);
        std::ranges::move(ended, std::back_inserter(decided));
    } else if (!c.ok && paid->type == wire_name<create_run>::value && s.beat_run == paid->to) {
        decided.emplace_back(beat_run_ended{paid->to, run_status::failed});
    }
    return decided;
}

/// What others report is taken even after the end, so that no debt stays open.
template <class Command>
constexpr bool also_when_deleted = std::is_same_v<Command, dequeue_task> || std::is_same_v<Command, run_ended> ||
                                   std::is_same_v<Command, debt_settled>;

} // namespace

expected<void> check_agent_settings(const agent_settings& settings) {
    const auto bad = [](const std::string& pointer, const std::string& detail) {
        return problem{code::invalid_request, detail, {{pointer, detail}}};
    };
    const auto& name = settings.name;
    const bool blank_ends = name.empty() || name.front() == ' ' || name.back() == ' ';
    if (blank_ends ||
        std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return bad("/name", "A name needs at least one character, no blank at its ends and no control characters.");
    }
    if (parse_uuid(name)) {
        return bad("/name", "A name must not look like an id. Choose another name.");
    }
    if (fold_name(name).starts_with("agent:")) {
        return bad("/name", "A name must not look like a session key. Choose one that does not begin with 'agent:'.");
    }
    if (settings.max_concurrent_tasks < 1 || settings.max_concurrent_tasks > 100) {
        return bad("/max_concurrent_tasks", "An agent works on 1 to 100 tasks at the same time.");
    }
    if (settings.approvals && settings.approvals->expires_after_ms < 0) {
        return bad("/approvals/expires_after_ms", "An approval cannot expire before it is asked for. 0 is never.");
    }
    constexpr std::int64_t interval_ms_min = 1000;
    if (settings.heartbeat && settings.heartbeat->interval_ms != 0 &&
        settings.heartbeat->interval_ms < interval_ms_min) {
        return bad("/heartbeat/interval_ms", "A heartbeat is each 1000 ms at most, or 0 for never.");
    }
    return check_policies(settings.tools);
}

expected<std::vector<agent_model::event>> agent_model::decide(const state& s, const command& c,
                                                              const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (std::is_same_v<Command, delete_agent>) {
                if (s.deleted) {
                    return events{};
                }
            }
            if constexpr (!also_when_deleted<Command> && !std::is_same_v<Command, create_agent>) {
                if (!exists(s)) {
                    return no_such("agent", context.self.id);
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

std::vector<usage_amount> agent_model::uses(const state&, const event& e) {
    return std::holds_alternative<agent_created>(e) ? std::vector{usage_amount{"agents_created", 1}}
                                                    : std::vector<usage_amount>{};
}

std::vector<usage_amount> agent_model::holds(const state& s) {
    return exists(s) ? std::vector{usage_amount{"agents", 1}} : std::vector<usage_amount>{};
}

} // namespace troupe::actors
