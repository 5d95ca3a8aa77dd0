#pragma once

#include "actors/common/permission_check.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /approvals: what waits for a person. What is remembered for an agent changes its settings: that needs agent:write.
/// The services outlive the routes.
std::vector<net::route> approval_routes(const runtime::services& s, permission_check may);

} // namespace troupe::actors
