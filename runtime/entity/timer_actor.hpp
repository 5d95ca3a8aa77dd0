#pragma once

#include "runtime/entity/host.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

/// Durable timers: the rows of the timer table that are due become commands to their entities.
namespace troupe::runtime {

/// When each shard's next timer is due; lowered by entities, read by the timer actor. Thread-safe.
class timer_board {
public:
    /// Reads the table: timers of before the start are found here.
    timer_board(const storage::store& s);

    void lower(std::uint32_t shard, timestamp due);
    [[nodiscard]] bool is_due(std::uint32_t shard, timestamp now) const {
        return next_[shard].load(std::memory_order_relaxed) <= now.ms;
    }
    void set(std::uint32_t shard, std::int64_t due_ms) { next_[shard].store(due_ms, std::memory_order_relaxed); }
    [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(next_.size()); }

private:
    std::vector<std::atomic<std::int64_t>> next_;
};

/// A timer fires at most this late on a node that is not overloaded.
inline constexpr std::int64_t timer_tick_ms = 50;

/// Sends the command of each due timer, with an id made of its key and time, so that it is applied once; asks again
/// every few seconds while the row is there.
caf::actor spawn_timers(caf::actor_system& system, host_services& services, timer_board& board);

} // namespace troupe::runtime
