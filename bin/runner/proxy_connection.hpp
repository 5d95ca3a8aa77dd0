#pragma once

#include "runtime/process/network_grant.hpp"
#include "schemas/base/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <vector>

namespace troupe::runner {

/// What all connections of a command share.
struct proxy_rules {
    const std::vector<runtime::allowed_host>& hosts;
    std::atomic<std::uint64_t>& refused;
    std::atomic<std::uint64_t> bytes; ///< Carried so far, both ways.
};

/// One connection of a program in the sandbox, from its request to its end. Blocks; a thread for each.
void serve_connection(const unique_fd& client, proxy_rules& rules);

} // namespace troupe::runner
