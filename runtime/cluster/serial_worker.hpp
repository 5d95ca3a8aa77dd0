#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::runtime::cluster {

/// One thread that does what may block, in the order in which it was posted, and ticks in between.
class serial_worker {
public:
    serial_worker() = default;
    ~serial_worker() { stop(); }
    serial_worker(const serial_worker&) = delete;
    serial_worker& operator=(const serial_worker&) = delete;

    /// Once. `tick` and jobs must not throw.
    void start(std::function<void()> tick, std::int64_t tick_ms);
    /// A job that has begun ends; the others are dropped, as are those that are posted from now on.
    void stop();
    /// From any thread.
    void post(std::function<void()> job);

private:
    void run(const std::function<void()>& tick, std::int64_t tick_ms);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool stopped_ = false;
    std::thread thread_;
};

} // namespace troupe::runtime::cluster
