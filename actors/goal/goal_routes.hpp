#pragma once

#include "actors/common/permission_check.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// `/goals…`. A goal for which agents may be made needs agent:write. The services outlive the routes.
std::vector<net::route> goal_routes(const runtime::services& s, permission_check may);

} // namespace troupe::actors
