#pragma once

#include "actors/mcp/mcp_hub.hpp"
#include "runtime/services.hpp"

#include <memory>

namespace troupe::actors {

/// Stores what the hub counted, every ten seconds from a thread of its own: a node that is killed loses the figures of
/// that time, no calls. Both outlive it.
class mcp_usage_keeper {
public:
    mcp_usage_keeper(const runtime::services& s, mcp_hub& hub);
    ~mcp_usage_keeper();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Stores it now. Blocks. What cannot be stored is counted on, and the problem is said.
expected<void> store_mcp_usage(const runtime::services& s, mcp_hub& hub);

} // namespace troupe::actors
