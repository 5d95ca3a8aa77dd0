#pragma once

#include "actors/goal/goal_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"

namespace troupe::actors {

/// Makes the tasks of goals, one after the other: takes a number of the board, finds an agent that can do it, or makes
/// one where the goal allows that, and creates the task in the name of whoever made the goal. All ids follow from goal
/// and place, so that what is done twice is there once. `s` outlives it.
runtime::performer_of<goal_model> make_goal_performer(const runtime::services& s);

} // namespace troupe::actors
