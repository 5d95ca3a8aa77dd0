#pragma once

#include "actors/agent/agent_v2.hpp"

/// What agents stored once: without heartbeats, retries and a time-out of the queue. Never changes.
namespace troupe::actors::v3 {

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
    std::optional<approval_terms> approvals;
    std::optional<daily_limits> limits_per_day;
};
BOOST_DESCRIBE_STRUCT(agent_settings, (),
                      (name, kind, role, capabilities, instructions, model, tools, limits, max_concurrent_tasks,
                       on_unknown, custom_parameters, approvals, limits_per_day))

struct agent_created {
    static constexpr int version = 3;
    using previous = v2::agent_created;
    uuid organization;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_created, (), (organization, settings))

struct agent_updated {
    static constexpr int version = 3;
    using previous = v2::agent_updated;
    agent_settings settings;
};
BOOST_DESCRIBE_STRUCT(agent_updated, (), (settings))

struct agent_state {
    static constexpr int version = 3;
    using previous = v2::agent_state;
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

} // namespace troupe::actors::v3

namespace troupe::actors::v2 {

/// What said nothing stands nowhere.
template <class Newer, class Older>
Newer without_empty_terms(const Older& old) {
    auto out = with_defaults<Newer>(old);
    if (to_json(old.settings.approvals) == to_json(approval_terms{})) {
        out.settings.approvals.reset();
    }
    return out;
}

inline auto upcast(const agent_created& old) { return without_empty_terms<v3::agent_created>(old); }
inline auto upcast(const agent_updated& old) { return without_empty_terms<v3::agent_updated>(old); }
inline auto upcast(const agent_state& old) { return without_empty_terms<v3::agent_state>(old); }

} // namespace troupe::actors::v2
