#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

/// Token buckets: who sends more than it may waits. Pure but for its memory; time comes in.
namespace troupe::net {

/// So many requests a second on average, and so many at once. A rate of 0: no limit.
struct rate_rule {
    std::int64_t per_second = 0;
    std::int64_t burst = 1; ///< At least 1.
};

/// What a request found in its bucket.
struct rate_verdict {
    bool allowed = true;
    std::int64_t limit = 0;     ///< The burst; 0: there is no limit.
    std::int64_t remaining = 0; ///< Requests that may follow at once.
    std::int64_t reset_s =
        0; ///< Until the bucket is full again; of a refused one, until the next may come. Rounded up.

    /// Whether this one leaves less room than the other.
    [[nodiscard]] bool is_tighter_than(const rate_verdict& other) const;
};

/// Buckets of one rule, by key. The generic cell rate algorithm (ITU-T I.371): a bucket is the one moment at which it
/// will be full again, so an absent bucket is a full one, and buckets that are full are forgotten. Thread-safe.
class rate_limiter {
public:
    explicit rate_limiter(rate_rule rule, std::size_t keys_max = 200'000);

    /// Takes a token, or none when the bucket is empty. `now_us` on the monotonic clock.
    rate_verdict take(std::string_view key, std::int64_t now_us);

    [[nodiscard]] bool is_on() const { return per_second_.load(std::memory_order_relaxed) > 0; }
    /// From now on another rule; buckets stay as full as they are.
    void change(rate_rule rule);
    [[nodiscard]] std::size_t keys() const;

private:
    static constexpr std::size_t parts = 16; ///< Each with a lock of its own.
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using bucket_map = std::unordered_map<std::string, std::int64_t, hash, std::equal_to<>>; ///< When it is full again.
    struct part {
        mutable std::mutex mutex;
        bucket_map full_at_us;
    };
    [[nodiscard]] rate_verdict judge(std::int64_t full_at_us, std::int64_t now_us) const;
    static void forget_full(bucket_map& buckets, std::int64_t now_us);
    [[nodiscard]] part& part_of(std::string_view key) { return parts_[hash{}(key) % parts]; }
    [[nodiscard]] const part& part_of(std::string_view key) const { return parts_[hash{}(key) % parts]; }

    std::atomic<std::int64_t> per_second_{0};
    std::atomic<std::int64_t> burst_{1};
    std::atomic<std::int64_t> interval_us_{0}; ///< One token.
    std::size_t part_keys_max_;
    std::array<part, parts> parts_;
};

} // namespace troupe::net
