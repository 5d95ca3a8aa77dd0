#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// `/mcp/usage`. Both outlive the routes.
std::vector<net::route> mcp_usage_routes(const runtime::services& s, mcp_hub& hub);

} // namespace troupe::actors
