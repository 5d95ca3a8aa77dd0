#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace troupe::net {

class link_stream;

/// Microseconds on the monotonic clock.
std::int64_t link_now_us();

/// The thread of one lane: its connections live here.
class link_loop {
public:
    explicit link_loop(std::int64_t tick_ms);
    ~link_loop();

    void start();
    /// Ends every connection with `goodbye` and the thread; what waits is dropped.
    void stop(const std::function<void(link_stream&)>& goodbye);

    template <class Task>
    void post(Task task) {
        boost::asio::post(io_, std::move(task));
    }
    boost::asio::io_context& io() { return io_; }

    // On its thread only.

    void add(std::shared_ptr<link_stream> stream) { streams_.insert(std::move(stream)); }
    void remove(const std::shared_ptr<link_stream>& stream) { streams_.erase(stream); }
    /// What a connection reads into, for as long as the call takes that reads.
    std::vector<char>& buffer() { return buffer_; }

private:
    void run();
    void tick();

    const std::int64_t tick_ms_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
    boost::asio::steady_timer ticker_{io_};
    std::vector<char> buffer_;
    std::unordered_set<std::shared_ptr<link_stream>> streams_;
    std::thread thread_;
};

} // namespace troupe::net
