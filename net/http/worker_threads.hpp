#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace troupe::net {

/// A few threads for what may block: taking and giving bodies in pieces. A connection has one job at a time, so their
/// number is bound by that of connections.
class worker_threads {
public:
    explicit worker_threads(unsigned count);
    /// Jobs that have begun end; the others are dropped.
    ~worker_threads();
    worker_threads(const worker_threads&) = delete;
    worker_threads& operator=(const worker_threads&) = delete;

    /// From any thread. `job` must not throw.
    void post(std::function<void()> job);

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

} // namespace troupe::net
