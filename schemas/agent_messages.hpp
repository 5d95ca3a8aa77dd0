#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"
#include "schemas/run.hpp"

/// Commands to an agent (kind "agent") from other features; `run_ended` goes to a run (kind "run"), too.
namespace troupe {

/// From a task: work on it. A task that is queued already is replaced and keeps its place among its priority.
struct enqueue_task {
    static constexpr int version = 2;
    uuid task_id;
    std::uint32_t assignment = 0; ///< Counts the task's assignments: tells news of an old one from the current one.
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::optional<uuid> project_id;
    budget limits; ///< What is not 0 goes before the agent's own limits.
    std::optional<json::raw> parameters = {};
};
BOOST_DESCRIBE_STRUCT(enqueue_task, (),
                      (task_id, assignment, title, description, priority, project_id, limits, parameters))

/// From a task: no longer wanted. Taken from the queue, or its run is cancelled.
struct dequeue_task {
    uuid task_id;
    std::uint32_t assignment = 0;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(dequeue_task, (), (task_id, assignment, reason))

/// From a run: a person said what is to be done with such calls from now on. It becomes one of the agent's `tools`.
struct remember_rule {
    std::string rule;
    tool_policy policy = tool_policy::allow;
};
BOOST_DESCRIBE_STRUCT(remember_rule, (), (rule, policy))

/// From a run, to the agent or the run that started it, when it has ended for good. Unknown runs are ignored.
struct run_ended {
    static constexpr int version = 3;
    uuid run_id;
    std::optional<uuid> task_id;
    run_status status = run_status::failed; ///< succeeded, failed or cancelled.
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<json::raw> output = {}; ///< Structured, as its schema wants it.
    budget used = {};                     ///< With what was reserved for calls that have no outcome.
};
BOOST_DESCRIBE_STRUCT(run_ended, (), (run_id, task_id, status, result, error, output, used))

} // namespace troupe

TROUPE_NAMED(troupe::enqueue_task)
TROUPE_NAMED(troupe::dequeue_task)
TROUPE_NAMED(troupe::remember_rule)
TROUPE_NAMED(troupe::run_ended)
