#pragma once

#include "schemas/base/problem.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <future>
#include <mutex>
#include <utility>

namespace troupe::runtime {

/// Waits until a number of parts have started for the first time. `count_down` and `wait` from any thread.
class start_latch {
public:
    void expect(std::size_t count) { missing_ = count; }
    void count_down() {
        const std::lock_guard lock(mutex_);
        if (--missing_ == 0) {
            opened_.notify_all();
        }
    }
    void wait() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return missing_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    std::size_t missing_ = 0;
};

/// Told once: what came of the first start of a part.
class first_start {
public:
    void tell(expected<void> what) {
        if (!told_.exchange(true)) {
            said_.set_value(std::move(what));
        }
    }
    [[nodiscard]] bool is_told() const { return told_; }
    expected<void> wait() { return said_.get_future().get(); }

private:
    std::atomic<bool> told_{false};
    std::promise<expected<void>> said_;
};

} // namespace troupe::runtime
