#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /activities, of all, of an agent, of a task: made of the audit log and of histories. The services outlive the
/// routes.
std::vector<net::route> activity_routes(const runtime::services& s);

} // namespace troupe::actors
