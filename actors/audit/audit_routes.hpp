#pragma once

#include "net/http/route.hpp"
#include "net/http/worker_threads.hpp"
#include "runtime/services.hpp"

#include <functional>
#include <mutex>
#include <set>
#include <vector>

namespace troupe::actors {

/// A thread for what reads much of the audit log: exports and verifications, one after the other.
class audit_desk {
public:
    explicit audit_desk(const runtime::services& s) : services_(s) {}

    [[nodiscard]] const runtime::services& parts() const { return services_; }
    /// Answers with what `job` gives. One for an organization at a time: `overloaded` while another one of it is under
    /// way.
    expected<void> run(const uuid& organization, net::responder respond, std::function<net::response()> job);

private:
    const runtime::services& services_;
    std::mutex mutex_;
    std::set<uuid> busy_;
    net::worker_threads threads_{1}; // the last: its jobs use the others
};

/// GET /audit and what belongs to it, for an organization and, under /system, for what belongs to the node.
std::vector<net::route> audit_routes(audit_desk& desk);

} // namespace troupe::actors
