#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/mcp_catalogue.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What registries of MCP servers say (registry API v0.1, `server.json`). Pure; everything in it is somebody else's.
namespace troupe::net::mcp {

inline constexpr std::size_t registry_bytes_max = 8 << 20; ///< Of one answer.

struct registry_page {
    std::vector<mcp_available_document> servers;
    std::string next_cursor; ///< Empty: there are no more.
};

/// A page of GET /v0.1/servers. Servers that cannot be read are left out; `upstream_invalid`-like `unavailable` when
/// the answer is no page at all.
expected<registry_page> read_registry_page(std::string_view text, std::string_view source);

/// GET /v0.1/servers/{name}/versions/{version}
expected<mcp_available_document> read_registry_server(std::string_view text, std::string_view source);

/// A list of `server.json`, as an operator keeps it; `unavailable` names the first that cannot be read.
expected<std::vector<mcp_available_document>> read_catalogue(std::string_view text);

} // namespace troupe::net::mcp
