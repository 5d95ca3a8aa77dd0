#pragma once

#include "net/model/model.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/provider.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

struct gate_settings {
    std::uint32_t calls_max = 0; ///< At once; 0: no limit.
    std::size_t waiting_max = 1000;
    std::uint32_t failures_max = 5; ///< In a row, then the breaker opens; also for a share of the last calls.
    double failure_share_max = 0.5; ///< Of at least `window_min` calls.
    double failure_share_degraded = 0.2;
    std::size_t window_calls = 20;
    std::size_t window_min = 10;
    std::int64_t window_ms = 60'000; ///< Older calls say nothing about now.
    std::int64_t back_off_first_ms = 1'000;
    std::int64_t back_off_max_ms = 60'000;
};

/// A call that wants to be made.
struct gate_wish {
    std::string caller;                              ///< Callers take turns.
    std::uint64_t input_tokens = 0;                  ///< Estimated; 0: not known.
    std::int64_t until_ms = 0;                       ///< It waits no longer than until then.
    std::optional<std::int64_t> known_until_ms = {}; ///< Nor for a moment that is known to come later than this.
};

/// How a call ended.
struct gate_outcome {
    std::optional<problem> failure = {};
    std::optional<std::int64_t> first_token_ms = {}; ///< From its beginning.
    std::int64_t call_ms = 0;
    net::rate_limits limits = {};
};

struct gate_answer {
    std::uint64_t ticket = 0;
    expected<void> admitted; ///< Or `model_unavailable`, `model_rate_limited`: why, and when to ask again.
};

/// Which calls a provider gets, and when: a concurrency limit, a circuit breaker, and the limits that it announces.
/// Pure: times come in, as milliseconds of a clock that only goes on. Calls have tickets, which the caller numbers.
class provider_gate {
public:
    provider_gate(std::string provider, gate_settings settings) : provider_(std::move(provider)), settings_(settings) {}

    /// `answers` tells what came of it.
    void ask(std::uint64_t ticket, gate_wish wish);
    /// A call that was admitted by a gate before this one.
    void adopt(std::uint64_t ticket) { at_work_.insert(ticket); }
    /// Nobody waits for it any more.
    void leave(std::uint64_t ticket);
    /// Of a call that was admitted; others are ignored.
    void ended(std::uint64_t ticket, const gate_outcome& outcome, std::int64_t now_ms);

    /// What is decided by now. Each ticket is answered once.
    std::vector<gate_answer> answers(std::int64_t now_ms);
    /// When `answers` has more without anything else happening.
    [[nodiscard]] std::optional<std::int64_t> next_ms(std::int64_t now_ms) const;

    /// `wall` is the time of day at `now_ms`.
    [[nodiscard]] provider_health health(std::int64_t now_ms, timestamp wall) const;

private:
    struct waiter {
        std::uint64_t ticket = 0;
        gate_wish wish;
    };
    /// Why a call is not admitted now.
    struct obstacle {
        code why = code::model_unavailable;
        std::string text;
        std::optional<std::int64_t> until_ms = {}; ///< None: until another call ends.
    };
    struct learned_limit {
        std::uint64_t remaining = 0;
        std::int64_t reset_at_ms = 0;
    };
    /// A value that forgets slowly and one that forgets fast: the fast one far above the slow one is news.
    struct moving {
        void add(double value, std::int64_t now_ms);
        double fast = 0;
        double slow = 0;
        std::size_t count = 0;
        std::int64_t at_ms = 0;
    };
    enum class breaker : std::uint8_t { closed, open, half_open };

    [[nodiscard]] std::optional<obstacle> obstacle_for(const gate_wish& wish, std::int64_t now_ms) const;
    [[nodiscard]] std::optional<obstacle> breaker_obstacle(std::int64_t now_ms) const;
    [[nodiscard]] std::optional<obstacle> limit_obstacle(const gate_wish& wish, std::int64_t now_ms) const;
    [[nodiscard]] problem refusal(const obstacle& why, std::int64_t now_ms) const;
    void admit(std::uint64_t ticket, std::int64_t now_ms);
    /// The first whose turn it is and who may go; callers that may not keep their turns.
    bool admit_next(std::int64_t now_ms, std::vector<gate_answer>& out);
    void learn(const net::rate_limits& limits, std::int64_t now_ms);
    void succeeded(const gate_outcome& outcome, bool probe, std::int64_t now_ms);
    void failed(bool probe, std::int64_t now_ms);
    void rate_limited(const problem& why, std::int64_t now_ms);
    void open(std::int64_t now_ms);
    void close();
    void hold(const problem& why, std::int64_t ms, std::int64_t now_ms);
    void note(bool failure, std::int64_t now_ms);
    /// Failures and calls of the window.
    [[nodiscard]] std::pair<std::size_t, std::size_t> window(std::int64_t now_ms) const;
    [[nodiscard]] double failure_share(std::int64_t now_ms) const;
    [[nodiscard]] std::string degraded_by(std::int64_t now_ms) const;

    const std::string provider_;
    const gate_settings settings_;
    std::set<std::uint64_t> at_work_;
    std::map<std::string, std::deque<waiter>> waiting_; ///< By caller; none is empty.
    std::deque<std::string> turns_;                     ///< Callers that wait, whose turn is next in front.
    std::size_t waiting_count_ = 0;
    std::vector<gate_answer> refused_; ///< At once, by `ask`.

    breaker state_ = breaker::closed;
    std::int64_t open_until_ms_ = 0;
    std::int64_t back_off_ms_ = 0; ///< Of the breaker's last opening.
    std::optional<std::uint64_t> probe_;
    std::uint32_t failures_in_row_ = 0;
    std::uint32_t limited_in_row_ = 0;
    std::deque<std::pair<std::int64_t, bool>> outcomes_; ///< When, and whether it failed.
    std::optional<std::pair<std::int64_t, problem>> last_failure_;
    std::optional<std::pair<std::int64_t, problem>> held_; ///< Until when, and why.
    std::optional<learned_limit> requests_;
    std::optional<learned_limit> tokens_;
    moving first_token_;
    moving call_;
};

} // namespace troupe::actors
