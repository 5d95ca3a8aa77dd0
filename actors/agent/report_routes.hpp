#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /agents/{id}/metrics, /logs, /runs and /tasks. The services outlive the routes.
std::vector<net::route> agent_report_routes(const runtime::services& s);

} // namespace troupe::actors
