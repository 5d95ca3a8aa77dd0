#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/task.hpp"

#include <span>
#include <vector>

/// How people may move a task over the board. Agents move it by working: see task_model.
namespace troupe::actors {

/// Where a task may go from here, in the order of the board.
std::span<const task_status> moves_from(task_status from);

bool may_move(task_status from, task_status to);

/// The fewest moves by which people bring a task from one status to another without that anybody begins to work on it
/// or gives it up on the way; none: it is there, or there is no way.
std::vector<task_status> way_to(task_status from, task_status to);

/// `conflict` that names the allowed moves.
problem move_refused(task_status from, task_status to);

} // namespace troupe::actors
