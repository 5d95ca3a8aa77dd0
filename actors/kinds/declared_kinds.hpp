#pragma once

#include "actors/kinds/kind.hpp"

/// The kinds of the product, each declared in its folder.
namespace troupe::actors {

agent_kind code_generator_kind();
agent_kind debugger_kind();
agent_kind tester_kind();
agent_kind security_auditor_kind();
agent_kind browser_kind();
agent_kind deployer_kind();
agent_kind orchestrator_kind();

} // namespace troupe::actors
