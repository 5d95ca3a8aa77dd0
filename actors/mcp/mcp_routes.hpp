#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "net/http/route.hpp"

#include <vector>

namespace troupe::actors {

/// `/mcp/…`: the servers that the node is connected to, and their tools. `hub` outlives them.
std::vector<net::route> mcp_routes(mcp_hub& hub);

} // namespace troupe::actors
