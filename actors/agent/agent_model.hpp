#pragma once

#include "actors/agent/agent_v3.hpp"
#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/base/described.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// An agent: its settings and the durable queue of its tasks. Pure.
///
/// Tasks start when a place is free, the most urgent first, of those the earliest. Whenever the agent may work,
/// either all places are taken or the queue is empty: every decision that frees a place also fills it.
namespace troupe::actors {

/// A queue is part of one state and one document: this bounds both.
inline constexpr std::size_t agent_queue_max = 1000;
/// Policies of tools, with those that people had it remember; each call is held against them.
inline constexpr std::size_t agent_tools_max = 100;

// ---- commands of people; bodies of the API where they have one

struct create_agent : agent_settings {
    static constexpr int version = 4;
};
BOOST_DESCRIBE_STRUCT(create_agent, (agent_settings), ())
struct update_agent : update_agent_body {
    static constexpr int version = 4;
};
BOOST_DESCRIBE_STRUCT(update_agent, (update_agent_body), ())
struct start_agent {};
BOOST_DESCRIBE_STRUCT(start_agent, (), ())
struct stop_agent {};
BOOST_DESCRIBE_STRUCT(stop_agent, (), ())
struct pause_agent {};
BOOST_DESCRIBE_STRUCT(pause_agent, (), ())
struct resume_agent {};
BOOST_DESCRIBE_STRUCT(resume_agent, (), ())
struct heartbeat_agent {};
BOOST_DESCRIBE_STRUCT(heartbeat_agent, (), ())
struct delete_agent {};
BOOST_DESCRIBE_STRUCT(delete_agent, (), ())
/// What is in work is broken off and begun anew, at once; a stopped or paused agent works again.
struct restart_agent {};
BOOST_DESCRIBE_STRUCT(restart_agent, (), ())
/// Settings as it had them: all of them, so that what came later goes.
struct restore_agent {
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(restore_agent, (), (settings))

// ---- commands of its own alarms; each is about the moment that it was set for

struct heartbeat_due {
    timestamp due;
};
BOOST_DESCRIBE_STRUCT(heartbeat_due, (), (due))
/// The task that waits for the longest has done so for too long.
struct queue_due {
    timestamp due;
};
BOOST_DESCRIBE_STRUCT(queue_due, (), (due))

// ---- events

struct agent_created {
    static constexpr int version = 4;
    using previous = v3::agent_created;
    uuid organization;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_created, (), (organization, settings))
struct agent_updated {
    static constexpr int version = 4;
    using previous = v3::agent_updated;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_updated, (), (settings))
struct agent_started {};
BOOST_DESCRIBE_STRUCT(agent_started, (), ())
struct agent_stopped {};
BOOST_DESCRIBE_STRUCT(agent_stopped, (), ())
struct agent_paused {};
BOOST_DESCRIBE_STRUCT(agent_paused, (), ())
struct agent_resumed {};
BOOST_DESCRIBE_STRUCT(agent_resumed, (), ())
struct agent_heartbeat {};
BOOST_DESCRIBE_STRUCT(agent_heartbeat, (), ())
struct agent_deleted {};
BOOST_DESCRIBE_STRUCT(agent_deleted, (), ())
struct agent_restarted {};
BOOST_DESCRIBE_STRUCT(agent_restarted, (), ())
/// By the node. `missed`: so many had been due before, while nobody was there. `run_id`: what it does now.
struct agent_beat {
    std::uint32_t missed = 0;
    std::optional<uuid> run_id;
};
BOOST_DESCRIBE_STRUCT(agent_beat, (), (missed, run_id))
/// Nobody outside had shown that it is there.
struct heartbeat_missed {
    std::uint32_t in_a_row = 0;
};
BOOST_DESCRIBE_STRUCT(heartbeat_missed, (), (in_a_row))
/// It waited for too long, or its agent is in error: it is given back.
struct task_given_back {
    uuid task_id;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(task_given_back, (), (task_id, reason))
/// It is tried again then.
struct attempt_ended {
    uuid task_id;
    uuid run_id;
    std::uint32_t failed = 0; ///< Attempts that failed so far.
    timestamp again_at;
    std::string error;
};
BOOST_DESCRIBE_STRUCT(attempt_ended, (), (task_id, run_id, failed, again_at, error))
/// What it did at a heartbeat ended.
struct beat_run_ended {
    uuid run_id;
    run_status status = run_status::failed;
};
BOOST_DESCRIBE_STRUCT(beat_run_ended, (), (run_id, status))

struct task_queued {
    static constexpr int version = 2;
    using previous = v1::task_queued;
    enqueue_task task;
};
BOOST_DESCRIBE_STRUCT(task_queued, (), (task))
struct task_dequeued {
    uuid task_id;
};
BOOST_DESCRIBE_STRUCT(task_dequeued, (), (task_id))
struct task_started {
    uuid task_id;
    uuid run_id;
};
BOOST_DESCRIBE_STRUCT(task_started, (), (task_id, run_id))
struct task_cancel_requested {
    uuid task_id;
    uuid run_id;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(task_cancel_requested, (), (task_id, run_id, reason))
struct task_finished {
    static constexpr int version = 2;
    using previous = v1::task_finished;
    uuid task_id;
    uuid run_id;
    run_status status = run_status::failed;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<json::raw> output;
};
BOOST_DESCRIBE_STRUCT(task_finished, (), (task_id, run_id, status, result, error, output))

// ---- state

struct agent_state {
    static constexpr int version = 4;
    using previous = v3::agent_state;
    uuid id;
    uuid organization;
    bool deleted = false;
    agent_settings settings;
    bool stopped = false;
    bool paused = false;
    std::optional<std::string> error;
    std::map<std::string, enqueue_task> queue;   ///< By urgency, then arrival: the first is the next.
    std::map<std::string, running_task> running; ///< By run id.
    std::uint64_t arrivals = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    std::optional<timestamp> heartbeat_at;
    debts owed;
    std::optional<timestamp> beat_due;
    std::uint64_t beats = 0;
    std::uint32_t beats_missed = 0;                 ///< In a row.
    std::optional<uuid> beat_run;                   ///< What it does at a heartbeat, just now.
    std::map<std::string, std::uint32_t> attempts;  ///< That failed, by task.
    std::map<std::string, timestamp> waiting_since; ///< By task in the queue.
    std::vector<uuid> restarting;                   ///< Runs that are broken off to be begun anew.
};
BOOST_DESCRIBE_STRUCT(agent_state, (),
                      (id, organization, deleted, settings, stopped, paused, error, queue, running, arrivals, completed,
                       failed, created_by, created_at, updated_at, heartbeat_at, owed, beat_due, beats, beats_missed,
                       beat_run, attempts, waiting_since, restarting))

namespace v1 {

inline auto upcast(const task_queued& old) { return with_defaults<troupe::actors::task_queued>(old); }
inline auto upcast(const task_finished& old) { return with_defaults<troupe::actors::task_finished>(old); }

} // namespace v1

namespace v3 {

inline auto upcast(const agent_created& old) { return with_defaults<troupe::actors::agent_created>(old); }
inline auto upcast(const agent_updated& old) { return with_defaults<troupe::actors::agent_updated>(old); }
inline auto upcast(const agent_state& old) { return with_defaults<troupe::actors::agent_state>(old); }

} // namespace v3

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_agent)
TROUPE_NAMED(troupe::actors::update_agent)
TROUPE_NAMED(troupe::actors::start_agent)
TROUPE_NAMED(troupe::actors::stop_agent)
TROUPE_NAMED(troupe::actors::pause_agent)
TROUPE_NAMED(troupe::actors::resume_agent)
TROUPE_NAMED(troupe::actors::heartbeat_agent)
TROUPE_NAMED(troupe::actors::delete_agent)
TROUPE_NAMED(troupe::actors::restart_agent)
TROUPE_NAMED(troupe::actors::restore_agent)
TROUPE_NAMED(troupe::actors::heartbeat_due)
TROUPE_NAMED(troupe::actors::queue_due)
TROUPE_NAMED(troupe::actors::agent_restarted)
TROUPE_NAMED(troupe::actors::agent_beat)
TROUPE_NAMED(troupe::actors::heartbeat_missed)
TROUPE_NAMED(troupe::actors::task_given_back)
TROUPE_NAMED(troupe::actors::attempt_ended)
TROUPE_NAMED(troupe::actors::beat_run_ended)
TROUPE_NAMED(troupe::actors::agent_created)
TROUPE_NAMED(troupe::actors::agent_updated)
TROUPE_NAMED(troupe::actors::agent_started)
TROUPE_NAMED(troupe::actors::agent_stopped)
TROUPE_NAMED(troupe::actors::agent_paused)
TROUPE_NAMED(troupe::actors::agent_resumed)
TROUPE_NAMED(troupe::actors::agent_heartbeat)
TROUPE_NAMED(troupe::actors::agent_deleted)
TROUPE_NAMED(troupe::actors::task_queued)
TROUPE_NAMED(troupe::actors::task_dequeued)
TROUPE_NAMED(troupe::actors::task_started)
TROUPE_NAMED(troupe::actors::task_cancel_requested)
TROUPE_NAMED(troupe::actors::task_finished)

namespace troupe::actors {

/// Rules beyond those of the described members: what a name may look like.
expected<void> check_agent_settings(const agent_settings& settings);

struct agent_model {
    static constexpr std::string_view kind = "agent";
    using state = agent_state;
    using command = std::variant<create_agent, update_agent, start_agent, stop_agent, pause_agent, resume_agent,
                                 heartbeat_agent, delete_agent, enqueue_task, dequeue_task, run_ended, remember_rule,
                                 debt_settled, restart_agent, restore_agent, heartbeat_due, queue_due>;
    using event = std::variant<agent_created, agent_updated, agent_started, agent_stopped, agent_paused, agent_resumed,
                               agent_heartbeat, agent_deleted, task_queued, task_dequeued, task_started,
                               task_cancel_requested, task_finished, debt_cleared, agent_restarted, agent_beat,
                               heartbeat_missed, task_given_back, attempt_ended, beat_run_ended>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Agents that were created.
    static std::vector<usage_amount> uses(const state& after, const event&);
    /// Itself, until it is deleted.
    static std::vector<usage_amount> holds(const state&);
};

} // namespace troupe::actors
