#pragma once

#include "actors/task/task_v1.hpp"

/// What tasks stored once: without number, parent, dependencies, people and place on the board. Never changes.
namespace troupe::actors::v2 {

struct task_created {
    static constexpr int version = 2;
    using previous = v1::task_created;
    uuid organization;
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
    std::optional<json::raw> parameters;
};
BOOST_DESCRIBE_STRUCT(task_created, (),
                      (organization, title, description, priority, labels, due, project_id, limits, parameters))

struct task_state {
    static constexpr int version = 2;
    using previous = v1::task_state;
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
    std::uint32_t assignment = 0;
    bool live = false;
    std::optional<uuid> run_id;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::uint64_t messages = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    std::optional<json::raw> parameters;
    std::optional<json::raw> output;
};
BOOST_DESCRIBE_STRUCT(task_state, (),
                      (id, organization, deleted, title, description, status, priority, labels, due, project_id, limits,
                       agent_id, assignment, live, run_id, result, error, messages, created_by, created_at, updated_at,
                       owed, parameters, output))

} // namespace troupe::actors::v2
