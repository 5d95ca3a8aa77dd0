#pragma once

#include "net/http/server.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace troupe::actors {

/// The edge of the moment; null before the first. Not std::atomic: that of g++ 12 releases its lock in a load with
/// relaxed order, which ThreadSanitizer rightly calls a race.
class present_edge {
public:
    [[nodiscard]] std::shared_ptr<net::server> load() const {
        const std::lock_guard lock(mutex_);
        return server_;
    }
    /// Gives the one before.
    std::shared_ptr<net::server> exchange(std::shared_ptr<net::server> server) {
        const std::lock_guard lock(mutex_);
        return std::exchange(server_, std::move(server));
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<net::server> server_;
};

} // namespace troupe::actors
