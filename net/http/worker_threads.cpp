#include "net/http/worker_threads.hpp"

#include <utility>

namespace troupe::net {

worker_threads::worker_threads(unsigned count) {
    for (unsigned n = 0; n < count; ++n) {
        threads_.emplace_back([this] { run(); });
    }
}

worker_threads::~worker_threads() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        jobs_.clear();
    }
    changed_.notify_all();
    for (auto& thread : threads_) {
        thread.join();
    }
}

void worker_threads::post(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopped_) {
            jobs_.push_back(std::move(job));
        }
    }
    changed_.notify_one();
}

void worker_threads::run() {
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
            if (stopped_) {
                return;
            }
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
}

} // namespace troupe::net
