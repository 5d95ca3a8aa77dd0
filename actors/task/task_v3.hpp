#pragma once

#include "actors/common/upcast.hpp"
#include "actors/task/task_v2.hpp"

/// What tasks stored once: without capabilities, goal and attempts. Never changes.
namespace troupe::actors::v3 {

struct task_created {
    static constexpr int version = 3;
    using previous = v2::task_created;
    uuid organization;
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
    std::optional<json::raw> parameters;
    std::uint64_t number = 0; ///< On the board of its organization; 0: none.
    std::vector<uuid> assignees = {};
    std::optional<uuid> parent_id = {};
    std::vector<uuid> depends_on = {};
};
BOOST_DESCRIBE_STRUCT(task_created, (),
                      (organization, title, description, priority, labels, due, project_id, limits, parameters, number,
                       assignees, parent_id, depends_on))

struct task_state {
    static constexpr int version = 3;
    using previous = v2::task_state;
    uuid id;
    uuid organization;
    bool deleted = false;
    std::string title;
    std::string description;
    task_status status = task_status::inbox;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
    std::optional<uuid> agent_id;
    std::uint32_t assignment = 0; ///< Number of the newest one.
    bool live = false;            ///< It is with the agent.
    std::optional<uuid> run_id;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::uint64_t messages = 0; ///< Only their number: they are items of a collection.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    std::optional<json::raw> parameters;
    std::optional<json::raw> output;
    std::uint64_t number = 0;
    std::vector<uuid> assignees;
    std::optional<uuid> parent_id;
    std::vector<uuid> depends_on;
    std::vector<uuid> unmet;      ///< Of those, the ones that are not done: no agent begins before.
    std::vector<uuid> dependents; ///< They wait for this one.
    subtask_counts subtasks;
    std::string rank; ///< Empty: it has no number, and nobody put it anywhere; it stands behind the others.
};
BOOST_DESCRIBE_STRUCT(task_state, (),
                      (id, organization, deleted, title, description, status, priority, labels, due, project_id, limits,
                       agent_id, assignment, live, run_id, result, error, messages, created_by, created_at, updated_at,
                       owed, parameters, output, number, assignees, parent_id, depends_on, unmet, dependents, subtasks,
                       rank))

} // namespace troupe::actors::v3

namespace troupe::actors::v2 {

inline auto upcast(const task_created& old) { return with_defaults<v3::task_created>(old); }
inline auto upcast(const task_state& old) { return with_defaults<v3::task_state>(old); }

} // namespace troupe::actors::v2
