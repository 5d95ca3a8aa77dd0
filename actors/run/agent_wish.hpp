#pragma once

#include "schemas/agent.hpp"
#include "schemas/run_messages.hpp"

namespace troupe::actors {

/// What a wish for a run leaves open comes from its agent. Pure.
void fill_from_agent(create_run& wish, const agent_settings& from);

} // namespace troupe::actors
