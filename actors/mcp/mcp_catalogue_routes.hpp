#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "actors/mcp/mcp_registries.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// Servers that can be had, and their installation. All outlive the routes. `configured`: names of `mcp.servers`.
std::vector<net::route> mcp_catalogue_routes(const runtime::services& s, const mcp_hub& hub,
                                             const mcp_registries& registries, std::vector<std::string> configured);

} // namespace troupe::actors
