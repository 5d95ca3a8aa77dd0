#pragma once

#include "runtime/config/config.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

namespace troupe::runtime {

/// The configuration of the moment. Whoever holds one from before a reload may go on with it: it is kept until the end,
/// as reloads are rare. Thread-safe.
class present_config {
public:
    explicit present_config(config first) { replace(std::move(first)); }
    present_config(const present_config&) = delete;
    present_config& operator=(const present_config&) = delete;

    [[nodiscard]] const std::atomic<const config*>& now() const { return now_; }
    void replace(config next) {
        const std::lock_guard lock(mutex_);
        all_.push_back(std::move(next));
        now_.store(&all_.back(), std::memory_order_release);
    }

private:
    std::mutex mutex_;
    std::deque<config> all_; ///< Its elements stay where they are.
    std::atomic<const config*> now_{nullptr};
};

/// A view of it, or of a configuration that never changes. What is read through it twice may differ. Copyable; what it
/// looks at outlives it.
class config_view {
public:
    config_view() = default;
    config_view(const config* fixed) : fixed_(fixed) {}                  // NOLINT: as a pointer was used before
    config_view(const present_config& present) : now_(&present.now()) {} // NOLINT

    const config* operator->() const { return now_ ? now_->load(std::memory_order_acquire) : fixed_; }
    const config& operator*() const { return *operator->(); }

private:
    const std::atomic<const config*>* now_ = nullptr;
    const config* fixed_ = nullptr;
};

} // namespace troupe::runtime
