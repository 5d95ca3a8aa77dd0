#include "net/http/rate_limit.hpp"

#include <algorithm>

namespace troupe::net {

namespace {

constexpr std::int64_t second_us = 1'000'000;

std::int64_t seconds_of(std::int64_t us) { return (std::max<std::int64_t>(us, 0) + second_us - 1) / second_us; }

} // namespace

bool rate_verdict::is_tighter_than(const rate_verdict& other) const {
    if (limit == 0 || other.limit == 0)
        return limit != 0;
    if (allowed != other.allowed)
        return !allowed;
    return remaining < other.remaining;
}

rate_limiter::rate_limiter(rate_rule rule, std::size_t keys_max)
    : part_keys_max_(std::max<std::size_t>(keys_max / parts, 1)) {
    change(rule);
}

/// Each value by itself: a request between two of them is judged by a mixture, once.
void rate_limiter::change(rate_rule rule) {
    burst_ = std::max<std::int64_t>(rule.burst, 1);
    interval_us_ = rule.per_second > 0 ? std::max<std::int64_t>(second_us / rule.per_second, 1) : 0;
    per_second_ = rule.per_second;
}

/// `full_at_us`: before this request.
rate_verdict rate_limiter::judge(std::int64_t full_at_us, std::int64_t now_us) const {
    const auto interval_us = std::max<std::int64_t>(interval_us_.load(std::memory_order_relaxed), 1);
    const auto burst = burst_.load(std::memory_order_relaxed);
    const auto window_us = interval_us * burst;
    const auto room_us = now_us + window_us - std::max(full_at_us, now_us);
    rate_verdict out{.allowed = room_us >= interval_us, .limit = burst};
    if (!out.allowed) {
        out.reset_s = std::max<std::int64_t>(seconds_of(interval_us - room_us), 1);
        return out;
    }
    out.remaining = room_us / interval_us - 1;
    out.reset_s = seconds_of(std::max(full_at_us, now_us) + interval_us - now_us);
    return out;
}

rate_verdict rate_limiter::take(std::string_view key, std::int64_t now_us) {
    if (!is_on())
        return {};
    auto& p = part_of(key);
    const std::lock_guard lock(p.mutex);
    auto found = p.full_at_us.find(key);
    if (found == p.full_at_us.end()) {
        if (p.full_at_us.size() >= part_keys_max_)
            forget_full(p.full_at_us, now_us);
        found = p.full_at_us.emplace(key, now_us).first;
    }
    const auto verdict = judge(found->second, now_us);
    if (verdict.allowed)
        found->second = std::max(found->second, now_us) + interval_us_;
    return verdict;
}

/// When none is full, a flood of keys is under way: then all are forgotten, so that memory stays bounded.
void rate_limiter::forget_full(bucket_map& buckets, std::int64_t now_us) {
    const auto before = buckets.size();
    std::erase_if(buckets, [&](const auto& b) { return b.second <= now_us; });
    if (buckets.size() == before)
        buckets.clear();
}

std::size_t rate_limiter::keys() const {
    std::size_t out = 0;
    for (const auto& p : parts_) {
        const std::lock_guard lock(p.mutex);
        out += p.full_at_us.size();
    }
    return out;
}

} // namespace troupe::net
