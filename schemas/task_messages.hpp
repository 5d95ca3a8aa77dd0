#pragma once

#include "schemas/base/described.hpp"
#include "schemas/run.hpp"
#include "schemas/task.hpp"

/// Commands to a task (kind "task") from other features.
namespace troupe {

/// From the agent: work began. Ignored unless it is about the task's current assignment.
struct note_task_started {
    uuid run_id;
    std::uint32_t assignment = 0; ///< As in `enqueue_task`.
};
BOOST_DESCRIBE_STRUCT(note_task_started, (), (run_id, assignment))

/// From the agent: the run ended. succeeded → review, failed → failed, cancelled → cancelled.
struct note_task_finished {
    static constexpr int version = 2;
    uuid run_id;
    std::uint32_t assignment = 0;
    run_status status = run_status::failed;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<json::raw> output = {}; ///< Of the run.
};
BOOST_DESCRIBE_STRUCT(note_task_finished, (), (run_id, assignment, status, result, error, output))

/// From the agent: it gives back a queued task because it goes away.
struct return_task {
    std::uint32_t assignment = 0;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(return_task, (), (assignment, reason))

/// From the agent: an attempt failed, or was broken off, and it wants the task again at `again_at`.
struct note_task_attempt {
    uuid run_id;
    std::uint32_t assignment = 0;
    std::uint32_t attempts = 0; ///< That failed so far.
    timestamp again_at;
    std::string error;
};
BOOST_DESCRIBE_STRUCT(note_task_attempt, (), (run_id, assignment, attempts, again_at, error))

/// From a person or an agent. `number`: as the board gave it for this task; 0: it has none. `capabilities`: what
/// whoever does it has to be able to do, should its agent fail. `goal_id`: it is told what becomes of the task.
struct create_task : create_task_body {
    static constexpr int version = 4;
    std::uint64_t number = 0;
    std::vector<std::string> capabilities = {};
    std::optional<uuid> goal_id = {};
};
BOOST_DESCRIBE_STRUCT(create_task, (create_task_body), (number, capabilities, goal_id))

/// From a person or an agent: something is said. `mentions`: whom the route found behind the names in it.
struct add_message : add_message_body {
    static constexpr int version = 3;
    std::vector<mention> mentions = {};
};
BOOST_DESCRIBE_STRUCT(add_message, (add_message_body), (mentions))

/// From its goal: what it made of the agent's result. Nothing happens where the task cannot go there from where it is
/// by now.
struct settle_task {
    task_status status = task_status::done;
    std::string reason; ///< Said on the task.
};
BOOST_DESCRIBE_STRUCT(settle_task, (), (status, reason))

/// From another task: it waits for this one to be done, or does no longer.
struct note_dependent {
    uuid task_id;
    bool waits = true;
};
BOOST_DESCRIBE_STRUCT(note_dependent, (), (task_id, waits))

/// From a task for which this one waits. `gone`: it was deleted, nobody waits for it any more.
struct note_dependency {
    uuid task_id;
    bool done = false;
    bool gone = false;
};
BOOST_DESCRIBE_STRUCT(note_dependency, (), (task_id, done, gone))

/// From a part of this task: where it was and where it is now. Without `from` it is new, without `to` it is gone.
struct note_subtask {
    std::optional<task_status> from;
    std::optional<task_status> to;
};
BOOST_DESCRIBE_STRUCT(note_subtask, (), (from, to))

/// From a message of this task: somebody changed it, took it back or reacted to it.
struct note_message_changed {
    uuid message_id;
};
BOOST_DESCRIBE_STRUCT(note_message_changed, (), (message_id))

/// To the board (kind "board", with the organization's id): the next number, for that task.
struct take_task_number {
    uuid task_id;
};
BOOST_DESCRIBE_STRUCT(take_task_number, (), (task_id))

/// The board's answer.
struct task_number {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(task_number, (), (number))

} // namespace troupe

TROUPE_NAMED(troupe::note_task_attempt)
TROUPE_NAMED(troupe::settle_task)
TROUPE_NAMED(troupe::create_task)
TROUPE_NAMED(troupe::add_message)
TROUPE_NAMED(troupe::note_dependent)
TROUPE_NAMED(troupe::note_dependency)
TROUPE_NAMED(troupe::note_subtask)
TROUPE_NAMED(troupe::note_message_changed)
TROUPE_NAMED(troupe::take_task_number)
TROUPE_NAMED(troupe::note_task_started)
TROUPE_NAMED(troupe::note_task_finished)
TROUPE_NAMED(troupe::return_task)
