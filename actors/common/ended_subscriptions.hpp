#pragma once

#include "runtime/bus/bus.hpp"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace troupe::actors {

/// Subscriptions that have done their work: they cannot end inside of what they call. Thread-safe.
class ended_subscriptions {
public:
    void add(std::unique_ptr<runtime::subscription> one) {
        const std::lock_guard lock(mutex_);
        all_.push_back(std::move(one));
    }
    void clear() {
        std::vector<std::unique_ptr<runtime::subscription>> over;
        const std::lock_guard lock(mutex_);
        over.swap(all_);
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<runtime::subscription>> all_;
};

} // namespace troupe::actors
