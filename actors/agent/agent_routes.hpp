#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /agents. `{id}` is an id or a name. The services outlive the routes.
std::vector<net::route> agent_routes(const runtime::services& s);

} // namespace troupe::actors
