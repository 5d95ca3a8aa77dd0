#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Slows guessing down: who fails too often waits, each time twice as long. Counted in memory, so that an attacker
/// costs no disk; what an account reaches at last is an event of it (`lock_user`).
namespace troupe::actors {

/// Limits on attempts under one key (an account, an address). Times are on the monotonic clock.
struct attempt_limits {
    std::uint32_t free = 5;             ///< Failures that cost nothing.
    std::int64_t first_wait_ms = 1000;  ///< After the next one; doubles with each.
    std::int64_t wait_max_ms = 900'000; ///< A quarter of an hour.
    std::int64_t forget_ms = 3'600'000; ///< After so long without a failure everything is forgotten.
    std::int64_t forgive_ms = 0;        ///< One failure is forgotten each so often; 0: none before `forget_ms`.
    std::size_t keys_max = 100'000;     ///< The oldest is forgotten first.
};

/// Pure but for its memory. Thread-safe.
class attempts {
public:
    explicit attempts(attempt_limits limits = {}) : limits_(limits) {}

    /// How long this key still has to wait; 0: it may try.
    [[nodiscard]] std::int64_t wait_ms(const std::string& key, std::int64_t now_ms) const;
    /// Begins an attempt: gives how long the key still has to wait, or 0 and counts it as a failure until it is undone.
    /// So attempts that run side by side count like those that follow each other.
    std::int64_t begin(const std::string& key, std::int64_t now_ms);
    /// The attempt was none: it succeeded, or nobody judged it.
    void undo(const std::string& key);
    /// One more failure; gives how long the key has to wait now.
    std::int64_t failed(const std::string& key, std::int64_t now_ms);
    /// Forgets the key's failures.
    void succeeded(const std::string& key);
    /// Of every key that begins so.
    void forget(std::string_view prefix);

private:
    struct entry {
        std::uint32_t failures = 0;
        std::int64_t last_ms = 0;
        std::int64_t until_ms = 0;
    };
    void make_room(std::int64_t now_ms);
    std::int64_t count(const std::string& key, std::int64_t now_ms);

    attempt_limits limits_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, entry> entries_;
};

} // namespace troupe::actors
