#pragma once

#include "actors/common/upcast.hpp"
#include "actors/task/task_v1.hpp"
#include "actors/task/task_v3.hpp"

/// What tasks stored once: without attachments, and with dates that could not be taken back. Never changes.
namespace troupe::actors::v4 {

struct task_updated {
    static constexpr int version = 2;
    using previous = v1::task_updated;
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<task_priority> priority;
    std::optional<std::vector<std::string>> labels;
    std::optional<timestamp> due;
    std::optional<std::vector<uuid>> assignees = {};
    std::optional<uuid> parent_id = {};
    std::optional<std::vector<uuid>> depends_on = {};
};
BOOST_DESCRIBE_STRUCT(task_updated, (), (title, description, priority, labels, due, assignees, parent_id, depends_on))

struct message_added {
    static constexpr int version = 2;
    using previous = v1::message_added;
    uuid id;
    std::string author;
    message_type type = message_type::comment;
    std::string content;
    std::optional<uuid> reply_to;
    std::vector<mention> mentions = {};
};
BOOST_DESCRIBE_STRUCT(message_added, (), (id, author, type, content, reply_to, mentions))

struct task_state {
    static constexpr int version = 4;
    using previous = v3::task_state;
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
    std::vector<std::string> capabilities; ///< With any, another agent that has them takes over from one that fails.
    std::optional<uuid> goal_id;
    std::uint32_t attempts = 0; ///< Of this assignment that failed.
    std::optional<timestamp> again_at;
    std::vector<uuid> tried; ///< Agents that failed at it since somebody chose one.
    bool looking = false;    ///< For another agent.
};
BOOST_DESCRIBE_STRUCT(task_state, (),
                      (id, organization, deleted, title, description, status, priority, labels, due, project_id, limits,
                       agent_id, assignment, live, run_id, result, error, messages, created_by, created_at, updated_at,
                       owed, parameters, output, number, assignees, parent_id, depends_on, unmet, dependents, subtasks,
                       rank, capabilities, goal_id, attempts, again_at, tried, looking))

} // namespace troupe::actors::v4

namespace troupe::actors::v1 {

inline auto upcast(const task_updated& old) { return with_defaults<v4::task_updated>(old); }
inline auto upcast(const message_added& old) { return with_defaults<v4::message_added>(old); }

} // namespace troupe::actors::v1

namespace troupe::actors::v3 {

inline auto upcast(const task_state& old) { return with_defaults<v4::task_state>(old); }

} // namespace troupe::actors::v3
