#pragma once

#include "actors/mcp/mcp_desk.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/base/ids.hpp"

#include <memory>
#include <string>

namespace troupe::actors {

/// For agents: the resources of a server, listed and read. `id` is the tool's name; offered to the organization's runs.
custom_tool resource_tool(const std::shared_ptr<mcp_desk>& server, std::string id, const uuid& organization);

} // namespace troupe::actors
