#pragma once

#include "schemas/base/described.hpp"
#include "schemas/task.hpp"

#include <optional>
#include <string>

/// Commands to a goal (kind "goal") from other features.
namespace troupe {

/// From a task that was made for it: where it is now, and what came of it. In the order in which it happened.
struct note_goal_task {
    uuid task_id;
    std::optional<task_status> status; ///< None: it was deleted.
    std::optional<std::string> result = {};
    std::optional<std::string> error = {};
    std::optional<json::raw> output = {};
};
BOOST_DESCRIBE_STRUCT(note_goal_task, (), (task_id, status, result, error, output))

} // namespace troupe

TROUPE_NAMED(troupe::note_goal_task)
