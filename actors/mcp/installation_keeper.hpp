#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "runtime/services.hpp"
#include "schemas/mcp_catalogue.hpp"

#include <memory>

namespace troupe::actors {

/// Sees to it that the hub has the servers that are installed and enabled, as they are configured, from a thread of its
/// own until it is destroyed: at the start, and within a second of a change. Servers of the node's configuration are
/// not touched. Both outlive it.
class installation_keeper {
public:
    installation_keeper(const runtime::services& s, mcp_hub& hub);
    ~installation_keeper();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// As the hub takes it.
runtime::mcp_server settings_of(const mcp_installation_document& installed);

} // namespace troupe::actors
