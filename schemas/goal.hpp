#pragma once

#include "schemas/base/described.hpp"
#include "schemas/task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Goals: what tasks are made for, how they hang together, and how far they are.
namespace troupe {

/// planning: a model breaks it down. active: its tasks are in work. blocked: one of them needs a person. failed: it
/// could not be broken down.
BOOST_DEFINE_ENUM_CLASS(goal_status, planning, active, blocked, done, failed, cancelled)
/// Break-downs without a model.
BOOST_DEFINE_ENUM_CLASS(goal_template, feature, bugfix, research)

/// A task of a plan, before it is one of the board.
struct planned_task {
    std::string id; ///< Unique in its plan: "1.2".
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> capabilities; ///< What whoever does it has to be able to do.
    std::vector<std::string> depends_on;   ///< Ids of others.
    std::string phase;
    std::string estimate; ///< As it was written: "3d".
    std::vector<std::string> deliverables;
    std::vector<std::string> acceptance; ///< What has to be true when it is done.
    static constexpr field_rule rules[] = {
        {.name = "id", .required = true, .min = 1, .max = 40, .doc = "Unique in the plan.", .example = "\"1.2\""},
        {.name = "title", .required = true, .min = 1, .max = 300, .doc = "In a line.", .example = "\"Parse dates\""},
        {.name = "description", .max = 20000, .doc = "All that whoever does it has to know."},
        {.name = "capabilities", .max = 20, .doc = "What whoever does it has to be able to do."},
        {.name = "depends_on", .max = 100, .doc = "Ids of tasks that have to be done before."},
        {.name = "phase", .max = 300, .doc = "Part of the plan that it belongs to."},
        {.name = "estimate", .max = 100, .doc = "How long it may take, as it was written."},
        {.name = "deliverables", .max = 100, .doc = "What is there when it is done."},
        {.name = "acceptance", .max = 100, .doc = "What has to be true when it is done."}};
};
BOOST_DESCRIBE_STRUCT(planned_task, (),
                      (id, title, description, priority, capabilities, depends_on, phase, estimate, deliverables,
                       acceptance))

/// What a break-down gives: POST /goals/plan, and what a model is asked for.
struct goal_plan {
    std::vector<planned_task> tasks;
    static constexpr field_rule rules[] = {
        {.name = "tasks", .required = true, .max = 200, .doc = "In any order; no circles."}};
};
BOOST_DESCRIBE_STRUCT(goal_plan, (), (tasks))

/// POST /goals/plan
struct plan_goal_body {
    std::string roadmap;
    static constexpr field_rule rules[] = {
        {.name = "roadmap",
         .required = true,
         .min = 1,
         .max = 200000,
         .doc = "Markdown: `##` headings are phases, list items with a box are tasks.",
         .example = R"("## Phase 1\n- [ ] Parse dates\n  - Capability: code\n")"}};
};
BOOST_DESCRIBE_STRUCT(plan_goal_body, (), (roadmap))

/// POST /goals. Its tasks come from the roadmap, else from the template, else from a model.
struct create_goal_body {
    std::string title;
    std::string description;
    std::string target;
    std::string roadmap;
    std::optional<goal_template> from_template;
    std::string model;
    std::optional<uuid> project_id;
    bool verify = false;
    std::uint32_t agents_max = 0;
    std::int64_t stalled_after_ms = 3600LL * 1000;
    static constexpr field_rule rules[] = {
        {.name = "title",
         .required = true,
         .min = 1,
         .max = 300,
         .doc = "What is to be reached, in a line.",
         .example = "\"Dates in all formats are read\""},
        {.name = "description", .max = 20000, .doc = "What whoever plans it has to know."},
        {.name = "target", .max = 1000, .doc = "How one sees that it is reached.", .example = "\"All tests pass\""},
        {.name = "roadmap", .max = 200000, .doc = "Markdown that lists its tasks (POST /goals/plan shows which)."},
        {.name = "from_template", .doc = "A break-down without a model."},
        {.name = "model", .max = 200, .doc = "Breaks it down where there is neither; the node's default when empty."},
        {.name = "project_id", .doc = "The project whose files its tasks work on."},
        {.name = "verify",
         .doc = "Whatever an agent ends is checked by one with the capability `qa`: done, or a task that mends it. "
                "Without, people look at it."},
        {.name = "agents_max", .max = 20, .doc = "Agents that may be made for it where nobody can do a task."},
        {.name = "stalled_after_ms",
         .min = 1000,
         .max = 30LL * 24 * 3600 * 1000,
         .doc = "A task on which nothing happened for so long blocks the goal."}};
};
BOOST_DESCRIBE_STRUCT(create_goal_body, (),
                      (title, description, target, roadmap, from_template, model, project_id, verify, agents_max,
                       stalled_after_ms))

struct goal_progress {
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    std::uint32_t percent = 0; ///< Of tasks that were not cancelled.
};
BOOST_DESCRIBE_STRUCT(goal_progress, (), (total, done, percent))

/// One of a goal's tasks.
struct goal_task_document {
    std::string id; ///< In the plan.
    std::string title;
    std::string phase;
    std::vector<std::string> depends_on;
    std::optional<uuid> task_id;    ///< None: it is about to be made.
    std::optional<std::string> key; ///< "TASK-017"
    std::optional<task_status> status;
    std::uint32_t checks = 0;           ///< How often it was checked.
    std::optional<uuid> checked_by;     ///< The task that checks it just now.
    std::optional<uuid> mended_by;      ///< The task that mends what a check found.
    std::optional<std::string> blocker; ///< Why it needs a person.
};
BOOST_DESCRIBE_STRUCT(goal_task_document, (),
                      (id, title, phase, depends_on, task_id, key, status, checks, checked_by, mended_by, blocker))

/// GET /goals/{id}
struct goal_document {
    uuid id;
    std::string title;
    std::string description;
    std::string target;
    goal_status status = goal_status::planning;
    goal_progress progress;
    std::optional<uuid> project_id;
    bool verify = false;
    std::uint32_t agents_max = 0;
    std::vector<uuid> agents_made;
    std::vector<goal_task_document> tasks;
    std::optional<uuid> planner_run_id; ///< The run that broke it down.
    std::optional<std::string> error;   ///< Why it failed.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(goal_document, (),
                      (id, title, description, target, status, progress, project_id, verify, agents_max, agents_made,
                       tasks, planner_run_id, error, created_by, created_at, updated_at))

} // namespace troupe
