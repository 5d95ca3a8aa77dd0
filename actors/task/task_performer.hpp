#pragma once

#include "actors/task/task_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "schemas/task.hpp"

#include <vector>

namespace troupe::actors {

/// The performer of tasks: looks for the best agent that has what a task needs and did not try it yet, and whether ties
/// to other tasks close a circle. `s` outlives it.
runtime::performer_of<task_model> make_task_performer(const runtime::services& s);

/// The first that is able and was not tried. Pure.
const assignment_candidate* first_untried(const std::vector<assignment_candidate>& ranked,
                                          const std::vector<uuid>& tried);

} // namespace troupe::actors
