#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <string>

namespace troupe::actors {

/// The agent of that name or id, as it is shown. `not_found` where there is none that works, with the names of those
/// that do: a stopped or paused one does not.
expected<agent_document> find_working_agent(const storage::store& s, const uuid& organization, const std::string& name);

} // namespace troupe::actors
