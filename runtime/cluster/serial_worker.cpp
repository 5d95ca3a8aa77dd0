#include "runtime/cluster/serial_worker.hpp"

#include <chrono>
#include <utility>

namespace troupe::runtime::cluster {

void serial_worker::start(std::function<void()> tick, std::int64_t tick_ms) {
    thread_ = std::thread([this, tick = std::move(tick), tick_ms] { run(tick, tick_ms); });
}

void serial_worker::stop() {
    std::deque<std::function<void()>> dropped; // what they hold is let go without the lock
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        dropped.swap(jobs_);
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void serial_worker::post(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) {
            return;
        }
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
}

void serial_worker::run(const std::function<void()>& tick, std::int64_t tick_ms) {
    const std::chrono::milliseconds pause(tick_ms);
    auto next = std::chrono::steady_clock::now() + pause;
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait_until(lock, next, [this] { return stopped_ || !jobs_.empty(); });
            if (stopped_) {
                return;
            }
            if (!jobs_.empty()) {
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
        }
        if (job) {
            job();
        }
        if (const auto now = std::chrono::steady_clock::now(); now >= next) {
            tick();
            next = now + pause;
        }
    }
}

} // namespace troupe::runtime::cluster
