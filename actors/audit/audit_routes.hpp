#pragma once

#include "net/http/route.hpp"
#include "net/http/worker_threads.hpp"
#include "runtime/services.hpp"

#include <atomic>
#include <functional>
#include <vector>

namespace troupe::actors {

/// A thread for what reads much of the audit log: exports and verifications, one after the other.
class audit_desk {
public:
    explicit audit_desk(const runtime::services& s) : services_(s) {}

    [[nodiscard]] const runtime::services& parts() const { return services_; }
    /// `overloaded` when too many wait.
    expected<void> run(std::function<void()> job);

private:
    const runtime::services& services_;
    std::atomic<int> waiting_{0};
    net::worker_threads threads_{1}; // the last: its jobs use the others
};

/// GET /audit and what belongs to it, for an organization and, under /system, for what belongs to the node.
std::vector<net::route> audit_routes(audit_desk& desk);

} // namespace troupe::actors
