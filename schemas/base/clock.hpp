#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// A point in UTC, in milliseconds since 1970. What records, documents and timers carry.
struct timestamp {
    std::int64_t ms = 0;

    auto operator<=>(const timestamp&) const = default;
    timestamp operator+(std::int64_t delta_ms) const { return {ms + delta_ms}; }
    std::int64_t operator-(timestamp other) const { return ms - other.ms; }
};

/// RFC 3339 with milliseconds and "Z": "2026-11-21T07:14:41.000Z".
std::string to_string(timestamp t);

/// Accepts RFC 3339 with any offset and 0 to 9 fraction digits.
std::optional<timestamp> parse_timestamp(std::string_view text);

/// The system's clock. Only shells call it; models get their time from the context.
timestamp system_now();

/// Milliseconds on the monotonic clock: for windows, deadlines and leases.
std::int64_t monotonic_ms();

/// For simulations: both clocks show this number until it is taken back with null. It has to outlive that.
void use_virtual_time(const std::atomic<std::int64_t>* now_ms);

} // namespace troupe
