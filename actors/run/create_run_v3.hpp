#pragma once

#include "schemas/agent.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// A wish for a run as it was stored once, before runs looked at pictures. Never changes.
namespace troupe::actors::v3 {

struct create_run {
    static constexpr int version = 3;
    std::string goal;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id;
    std::optional<uuid> task_id;
    std::string instructions;
    std::string model;
    std::map<std::string, tool_policy> tools;
    budget limits;
    unknown_policy on_unknown = unknown_policy::ask;
    std::string created_by;
    std::string agent_kind = "agent";
    std::string kind = "custom";
    std::optional<json::raw> parameters = {};
    std::optional<json::raw> result_schema = {};
    approval_terms approvals = {};
    std::optional<uuid> parent_run_id = {};
    std::uint32_t depth = 0;
    std::vector<std::map<std::string, tool_policy>> ceilings = {};
};
BOOST_DESCRIBE_STRUCT(create_run, (),
                      (goal, project_id, agent_id, task_id, instructions, model, tools, limits, on_unknown, created_by,
                       agent_kind, kind, parameters, result_schema, approvals, parent_run_id, depth, ceilings))

struct fork_run {
    static constexpr int version = 3;
    create_run run;
    uuid run_id;
    std::uint32_t step = 0;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(fork_run, (), (run, run_id, step, message))

} // namespace troupe::actors::v3
