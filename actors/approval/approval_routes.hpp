#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /approvals: what waits for a person. The services outlive the routes.
std::vector<net::route> approval_routes(const runtime::services& s);

} // namespace troupe::actors
