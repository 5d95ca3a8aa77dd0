#pragma once

#include "actors/common/debts.hpp"
#include "schemas/task.hpp"

#include <optional>
#include <string>
#include <vector>

/// What tasks stored once: without parameters and outputs, and without anything that ties them to others. Never
/// changes.
namespace troupe::actors::v1 {

struct task_created {
    uuid organization;
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
};
BOOST_DESCRIBE_STRUCT(task_created, (), (organization, title, description, priority, labels, due, project_id, limits))

struct work_finished {
    uuid run_id;
    task_status status = task_status::failed;
    std::optional<std::string> result;
    std::optional<std::string> error;
};
BOOST_DESCRIBE_STRUCT(work_finished, (), (run_id, status, result, error))

struct task_updated {
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<task_priority> priority;
    std::optional<std::vector<std::string>> labels;
    std::optional<timestamp> due;
};
BOOST_DESCRIBE_STRUCT(task_updated, (), (title, description, priority, labels, due))

struct message_added {
    uuid id;
    std::string author;
    message_type type = message_type::comment;
    std::string content;
    std::optional<uuid> reply_to;
};
BOOST_DESCRIBE_STRUCT(message_added, (), (id, author, type, content, reply_to))

struct task_state {
    static constexpr int version = 1;
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
};
BOOST_DESCRIBE_STRUCT(task_state, (),
                      (id, organization, deleted, title, description, status, priority, labels, due, project_id, limits,
                       agent_id, assignment, live, run_id, result, error, messages, created_by, created_at, updated_at,
                       owed))

} // namespace troupe::actors::v1
