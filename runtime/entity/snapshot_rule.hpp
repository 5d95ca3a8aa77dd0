#pragma once

#include "runtime/entity/host.hpp"

#include <algorithm>
#include <cstdint>

namespace troupe::runtime {

/// Snapshots take at most so many times the bytes of the events that they stand for, however large a state grows:
/// what a long life writes stays linear.
inline constexpr std::uint64_t snapshot_cost_max = 2;

/// Whether a snapshot is due: of so many events and bytes since the last one, which had `last_bytes` itself. Pure.
inline bool is_snapshot_due(const host_settings& by, std::uint64_t events, std::uint64_t bytes,
                            std::uint64_t last_bytes) {
    const bool worth_it = bytes >= last_bytes / snapshot_cost_max;
    return (events >= by.snapshot_events && worth_it) || bytes >= std::max(by.snapshot_bytes, last_bytes);
}

} // namespace troupe::runtime
