#pragma once

#include "actors/common/debts.hpp"
#include "schemas/agent.hpp"
#include "schemas/run.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What agents stored once: without parameters of tasks, outputs of runs and terms of approvals. Never changes.
namespace troupe::actors {

struct running_task {
    uuid task_id;
    std::uint32_t assignment = 0;
    bool cancelling = false;
    bool announced = false; ///< The task is told of its run only when the run is there.
};
BOOST_DESCRIBE_STRUCT(running_task, (), (task_id, assignment, cancelling, announced))

} // namespace troupe::actors

namespace troupe::actors::v1 {

struct agent_settings {
    std::string name;
    std::string kind = "custom";
    std::string role;
    std::vector<std::string> capabilities;
    std::string instructions;
    std::string model;
    std::map<std::string, tool_policy> tools;
    budget limits;
    std::uint32_t max_concurrent_tasks = 1;
    unknown_policy on_unknown = unknown_policy::ask;
    json::raw custom_parameters;
};
BOOST_DESCRIBE_STRUCT(agent_settings, (),
                      (name, kind, role, capabilities, instructions, model, tools, limits, max_concurrent_tasks,
                       on_unknown, custom_parameters))

struct enqueue_task {
    uuid task_id;
    std::uint32_t assignment = 0;
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::optional<uuid> project_id;
    budget limits;
};
BOOST_DESCRIBE_STRUCT(enqueue_task, (), (task_id, assignment, title, description, priority, project_id, limits))

struct agent_created {
    uuid organization;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_created, (), (organization, settings))

struct agent_updated {
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_updated, (), (settings))

struct task_queued {
    enqueue_task task;
};
BOOST_DESCRIBE_STRUCT(task_queued, (), (task))

struct task_finished {
    uuid task_id;
    uuid run_id;
    run_status status = run_status::failed;
    std::optional<std::string> result;
    std::optional<std::string> error;
};
BOOST_DESCRIBE_STRUCT(task_finished, (), (task_id, run_id, status, result, error))

struct agent_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    bool deleted = false;
    agent_settings settings;
    bool stopped = false;
    bool paused = false;
    std::optional<std::string> error;
    std::map<std::string, enqueue_task> queue;
    std::map<std::string, running_task> running;
    std::uint64_t arrivals = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    std::optional<timestamp> heartbeat_at;
    debts owed;
};
BOOST_DESCRIBE_STRUCT(agent_state, (),
                      (id, organization, deleted, settings, stopped, paused, error, queue, running, arrivals, completed,
                       failed, created_by, created_at, updated_at, heartbeat_at, owed))

} // namespace troupe::actors::v1
