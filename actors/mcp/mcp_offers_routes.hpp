#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "net/http/route.hpp"

#include <vector>

namespace troupe::actors {

/// `/mcp/…`: what the servers offer beside tools: resources, prompts, completion. `hub` outlives them.
std::vector<net::route> mcp_offers_routes(mcp_hub& hub);

} // namespace troupe::actors
