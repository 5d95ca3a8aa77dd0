#pragma once

#include "schemas/base/network.hpp"
#include "schemas/base/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

/// A proxy's side of a connection: HTTP/1.1 with absolute addresses, and CONNECT. Also compiled into the runner
/// program.
namespace troupe::runtime {

/// What all connections of a proxy share.
struct proxy_rules {
    /// Why that place may not be reached, in words; nothing: it may. Asked without an address before the name is looked
    /// up, and then for each address that it leads to: the one that was allowed is the one that is connected to.
    /// Called from many threads.
    std::function<std::optional<std::string>(const std::string& host, std::uint16_t port,
                                             const std::optional<ip_bytes>& address)>
        refusal;
    std::uint64_t bytes_max = 8ULL << 30;          ///< Of all connections, both ways.
    std::atomic<std::uint64_t>* refused = nullptr; ///< Counts refusals; may be null.
    std::atomic<std::uint64_t> bytes = 0;          ///< Carried so far, both ways.
};

/// One connection of a client, from its request to its end. Blocks; a thread for each. Ends early when the client's
/// socket is shut down.
void serve_connection(const unique_fd& client, proxy_rules& rules);

} // namespace troupe::runtime
