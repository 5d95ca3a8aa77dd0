#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/problem.hpp"

#include <map>
#include <string>

/// Policies of agents and runs, by the name of a tool or of a permission.
namespace troupe::actors {

/// `invalid_request` for a name that is neither: a misspelt one would allow what was to be forbidden.
expected<void> check_policies(const std::map<std::string, tool_policy>& policies);

} // namespace troupe::actors
