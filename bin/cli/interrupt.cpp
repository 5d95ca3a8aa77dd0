#include "bin/cli/interrupt.hpp"

#include "schemas/base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <pthread.h>

namespace troupe::cli {
namespace {

sigset_t watched_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

} // namespace

interrupt::interrupt() {
    const auto signals = watched_signals();
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
    waiter_ = std::jthread([this, signals](const std::stop_token& over) {
        constexpr timespec turn{.tv_sec = 0, .tv_nsec = 50'000'000};
        while (!over.stop_requested()) {
            if (sigtimedwait(&signals, nullptr, &turn) > 0) {
                source_.request_stop();
            }
        }
    });
}

interrupt::~interrupt() {
    waiter_.request_stop();
    waiter_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool interrupt::sleep(std::int64_t ms) const {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    return !wake.wait_for(lock, source_.get_token(), std::chrono::milliseconds(ms),
                          [&] { return source_.stop_requested(); });
}

bool reconnection::worth_it(const problem& p) {
    return p.code == code::connection_failed || p.code == code::unavailable || p.code == code::overloaded ||
           p.code == code::deadline_exceeded;
}

bool reconnection::lost() {
    const bool first = !lost_at_ms_;
    lost_at_ms_ = lost_at_ms_.value_or(monotonic_ms());
    return first;
}

bool reconnection::came_back() {
    const bool was_lost = lost_at_ms_.has_value();
    lost_at_ms_.reset();
    wait_ms_ = first_wait_ms;
    return was_lost;
}

bool reconnection::wait(const interrupt& by) {
    if (lost_at_ms_ && monotonic_ms() - *lost_at_ms_ > patience_ms) {
        return false;
    }
    const auto ms = wait_ms_;
    wait_ms_ = std::min(wait_ms_ * 2, wait_ms_max);
    return by.sleep(ms);
}

problem reconnection::give_up(std::string_view url) const {
    return {code::connection_failed, fmt::format("The node at {} did not come back within {} minutes. Start it with "
                                                 "`troupe serve`; what it works on is kept.",
                                                 url, patience_ms / 60'000)};
}

} // namespace troupe::cli
