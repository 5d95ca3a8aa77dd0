#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/goal.hpp"

#include <string_view>
#include <vector>

/// Break-downs of goals. Pure.
namespace troupe::actors {

inline constexpr std::size_t planned_tasks_max = 200;

/// The tasks in an order in which each stands behind those that it waits for; otherwise as they were (Kahn's
/// algorithm). `invalid_request` with the place: ids that are not unique or not there, tasks that wait in a circle, too
/// many of them, none.
expected<std::vector<planned_task>> ordered_plan(std::vector<planned_task> tasks);

/// Without a model: the usual steps to such a goal.
std::vector<planned_task> plan_of(goal_template from, std::string_view title);

/// The tasks of a roadmap. Markdown: a `##` heading begins a phase; `- [ ] Title` is a task, `- [x] Title` one that is
/// done, which others need not wait for; indented items below are what is known of it: `Depends on:` (ids or titles,
/// with commas), `Capability:`, `Priority:`, `Estimate:`, `Deliverables:`, `Acceptance:`, each with one or more values
/// or further items below. Everything else that is indented below it is its description. A task's id is the number of
/// its phase and its own in it, "1.2". `invalid_request` names lines.
expected<std::vector<planned_task>> read_roadmap(std::string_view text);

/// What is said to whoever does it: description, deliverables and acceptance as one text.
std::string whole_description(const planned_task& task);

} // namespace troupe::actors
