#pragma once

#include "schemas/base/described.hpp"
#include "schemas/run.hpp"

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

} // namespace troupe

TROUPE_NAMED(troupe::note_task_started)
TROUPE_NAMED(troupe::note_task_finished)
TROUPE_NAMED(troupe::return_task)
