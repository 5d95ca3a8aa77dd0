#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/agent.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe::cli {

/// The row of `run start`.
command run_start_command();

/// Flags of runs that are about to begin, and the policies that they mean.
std::vector<flag> policy_flags();
std::map<std::string, tool_policy> policies_of(const arguments& args);

/// What is said of a run that was made (the answer's body): it is watched, unless --detach is given.
expected<int> follow_run(context& c, const expected<std::string>& made);

} // namespace troupe::cli
