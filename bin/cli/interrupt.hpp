#pragma once

#include "schemas/base/problem.hpp"

#include <csignal>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>

/// What long-lived streams need: Ctrl-C as a stop token, and when to connect again.
namespace troupe::cli {

/// While it lives, Ctrl-C (SIGINT) and SIGTERM ask its token to stop instead of ending the process. Main thread only.
class interrupt {
public:
    interrupt();
    ~interrupt();
    interrupt(const interrupt&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    /// As if it had been interrupted. From any thread.
    void request_stop() { source_.request_stop(); }
    /// False when it was interrupted before the time was over.
    [[nodiscard]] bool sleep(std::int64_t ms) const;

private:
    std::stop_source source_;
    sigset_t before_{};
    std::jthread waiter_;
};

/// Back-off for a stream whose node went away.
class reconnection {
public:
    /// Whether this may be a node that restarts, and not a refusal.
    static bool worth_it(const problem& p);
    /// Notes a loss; true for the first one since the last event: time to say so.
    bool lost();
    /// An event came: true when the stream had been lost.
    bool came_back();
    /// Waits before the next try. False when interrupted, or when it has been tried for too long.
    bool wait(const interrupt& by);
    [[nodiscard]] problem give_up(std::string_view url) const;

private:
    std::int64_t wait_ms_ = first_wait_ms;
    std::optional<std::int64_t> lost_at_ms_;
    static constexpr std::int64_t first_wait_ms = 250;
    static constexpr std::int64_t wait_ms_max = 5'000;
    static constexpr std::int64_t patience_ms = 15LL * 60 * 1000; ///< Longer than any restart; then a script goes on.
};

} // namespace troupe::cli
