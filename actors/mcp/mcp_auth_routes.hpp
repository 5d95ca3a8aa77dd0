#pragma once

#include "actors/mcp/mcp_tokens.hpp"
#include "net/http/route.hpp"
#include "schemas/base/ids.hpp"

#include <vector>

namespace troupe::actors {

/// `/mcp/servers/{id}/auth`, where an operator sees which URL to open, and `/mcp/oauth/callback`, where the browser
/// comes back to. The servers are `organization`'s. `tokens` outlives the routes.
std::vector<net::route> mcp_auth_routes(const mcp_token_table& tokens, const uuid& organization);

} // namespace troupe::actors
