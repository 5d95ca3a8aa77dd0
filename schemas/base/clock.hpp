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

/// Milliseconds on the monotonic clock, which stands still while the machine is suspended: for windows, deadlines and
/// leases.
std::int64_t monotonic_ms();

/// Milliseconds since the machine was started, suspension included. Nobody can set it.
std::int64_t boot_ms();

/// The system's clock while it can be trusted. A step of more than `step_max_ms` against the time since boot, forwards
/// or backwards, is refused, and time goes on from before the step: records of a clock set far ahead would hold up
/// every timer when it is set back. Small steps and slewing are followed. Thread-safe.
class trusted_clock {
public:
    static constexpr std::int64_t step_max_ms = 24LL * 3600 * 1000;
    /// A shorter step is slewing, or the time between two reads.
    static constexpr std::int64_t step_min_ms = 2000;

    trusted_clock(timestamp wall, std::int64_t boot, std::int64_t awake)
        : offset_ms_(wall.ms - boot), awake_offset_ms_(wall.ms - awake), even_since_ms_(wall.ms) {}

    /// The time to use, of all clocks read now; `awake` is `monotonic_ms()`.
    timestamp read(timestamp wall, std::int64_t boot, std::int64_t awake);

    /// Since then (in the time that `read` gives) the clock has gone evenly: no step was followed, and the machine was
    /// not suspended. Time spans from before are no measure of work.
    [[nodiscard]] timestamp even_since() const { return {even_since_ms_.load(std::memory_order_acquire)}; }

    /// By how much the system's clock is off as of the last read; 0: it is trusted.
    [[nodiscard]] std::int64_t refused_ms() const { return refused_ms_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> offset_ms_;       ///< Of the system's clock to the time since boot.
    std::atomic<std::int64_t> awake_offset_ms_; ///< Of the time that was given to the time awake.
    std::atomic<std::int64_t> even_since_ms_;
    std::atomic<std::int64_t> refused_ms_{0};
};

/// For simulations: both clocks show this number until it is taken back with null. It has to outlive that.
void use_virtual_time(const std::atomic<std::int64_t>* now_ms);

} // namespace troupe
