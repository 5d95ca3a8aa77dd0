#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/security_policy.hpp"

#include <map>
#include <string>
#include <string_view>

/// What an organization's settings `tools.…` say of the tools of its agents. Pure.
namespace troupe {

inline constexpr std::string_view tool_rules_key = "tools.rules";      ///< For all agents: {"execute":"ask"}.
inline constexpr std::string_view kind_rules_key = "tools.kind_rules"; ///< By kind: {"deployer":{"execute":"deny"}}.

/// Rules as agents have them (`agent_settings::tools`).
struct organization_rules {
    std::map<std::string, tool_policy> all;
    std::map<std::string, std::map<std::string, tool_policy>> kinds;
};

/// `invalid_request` names what is wrong, under `pointer`. Whether there are tools of these names is not looked at.
expected<organization_rules> parse_organization_rules(const setting_values& values, std::string_view pointer);

} // namespace troupe
