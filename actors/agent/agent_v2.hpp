#pragma once

#include "actors/agent/agent_v1.hpp"
#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "schemas/agent_messages.hpp"

#include <map>
#include <optional>
#include <string>

/// What agents stored once: without limits of a day. Terms of approvals that said nothing stood there. Never changes.
namespace troupe::actors::v2 {

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
    approval_terms approvals;
};
BOOST_DESCRIBE_STRUCT(agent_settings, (),
                      (name, kind, role, capabilities, instructions, model, tools, limits, max_concurrent_tasks,
                       on_unknown, custom_parameters, approvals))

struct agent_created {
    static constexpr int version = 2;
    using previous = v1::agent_created;
    uuid organization;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_created, (), (organization, settings))

struct agent_updated {
    static constexpr int version = 2;
    using previous = v1::agent_updated;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_updated, (), (settings))

struct agent_state {
    static constexpr int version = 2;
    using previous = v1::agent_state;
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

} // namespace troupe::actors::v2

namespace troupe::actors::v1 {

inline auto upcast(const agent_created& old) { return with_defaults<v2::agent_created>(old); }
inline auto upcast(const agent_updated& old) { return with_defaults<v2::agent_updated>(old); }
inline auto upcast(const agent_state& old) { return with_defaults<v2::agent_state>(old); }

} // namespace troupe::actors::v1
