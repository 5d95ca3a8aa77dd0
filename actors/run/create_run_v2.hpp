#pragma once

#include "schemas/agent.hpp"

#include <map>
#include <optional>
#include <string>

/// A wish for a run as it was stored once, before runs started runs. Never changes.
namespace troupe::actors::v2 {

struct create_run {
    static constexpr int version = 2;
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
};
BOOST_DESCRIBE_STRUCT(create_run, (),
                      (goal, project_id, agent_id, task_id, instructions, model, tools, limits, on_unknown, created_by,
                       agent_kind, kind, parameters, result_schema, approvals))

} // namespace troupe::actors::v2
