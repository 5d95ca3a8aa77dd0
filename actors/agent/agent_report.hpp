#pragma once

#include "schemas/agent_report.hpp"
#include "schemas/run.hpp"

#include <vector>

/// Figures of an agent out of its runs. Pure.
namespace troupe::actors {

/// `cut`: there were more than are given.
agent_metrics_document metrics_of(const std::vector<run_document>& runs, bool cut);

} // namespace troupe::actors
