#pragma once

#include "runtime/process/network_grant.hpp"
#include "schemas/base/unique_fd.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::runner {

/// Where programs in the sandbox find the proxy: their network is their own, so the port is always free.
inline constexpr std::uint16_t proxy_port = 3128;

/// The descriptor over which the confined stage hands out its listening socket.
inline constexpr int handover_fd = 5;

/// The way out of a sandbox with a network of its own: an HTTP proxy for the hosts of a list. It is a process of its
/// own outside of the sandbox, a child of this one. Nothing of the network comes in: the confined stage opens the
/// listening socket inside and hands it out, and a socket stays in the network in which it was made.
class proxy {
public:
    /// Starts it. Call it from a process with one thread.
    static expected<proxy> start(std::vector<runtime::allowed_host> hosts);

    /// The stage's end, for `handover_fd`.
    [[nodiscard]] const unique_fd& handover() const { return handover_; }
    void close_handover() { handover_.reset(); }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Connections that were refused until now, because the list does not have them or a bound was reached.
    [[nodiscard]] std::uint64_t refused() const { return *refused_; }

private:
    using counter = std::atomic<std::uint64_t>;
    struct unmap {
        void operator()(counter* shared) const;
    };

    pid_t pid_ = 0;
    unique_fd handover_;
    std::unique_ptr<counter, unmap> refused_; ///< Shared with the process.
};

/// Inside the sandbox: opens the listening socket, hands it out over `handover_fd` and closes both. What went wrong, if
/// something did.
std::optional<std::string> hand_out_listener();

} // namespace troupe::runner
