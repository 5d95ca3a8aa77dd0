#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

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

} // namespace troupe::runtime
