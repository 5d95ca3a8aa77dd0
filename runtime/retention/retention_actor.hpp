#pragma once

#include "runtime/config/retention.hpp"
#include "runtime/entity/messages.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <atomic>
#include <cstdint>
#include <functional>

namespace troupe::runtime {

struct host_services;

/// What retention did since the start of the node. Thread-safe.
struct retention_statistics {
    std::atomic<std::uint64_t> rounds{0}; ///< Through all shards.
    std::atomic<std::uint64_t> events_cut{0};
    std::atomic<std::uint64_t> records_trimmed{0};
    std::atomic<std::uint64_t> failures{0}; ///< Entities and shards that could not be served; the log has them.
};

/// What the actor works with. The functions are called on its thread.
struct retention_parts {
    retention_policy policy;
    std::function<committer_actor()> committer;
    std::function<shard_actor(std::uint32_t shard)> router;
    retention_statistics* statistics = nullptr; ///< Outlives the actor.
    /// Gives back what trimmed logs take; may block. Empty where the disk is simulated: it waits for other threads.
    std::function<expected<void>()> reclaim = {};
};

/// Walks through the shards, over and over: trims the log, then has the entities with old events cut their history. One
/// step at a time, each of bounded work and followed by as long a rest. It remembers nothing: what is done shows in
/// the tables, so it may be killed at any moment. `detached` unless a test drives it.
caf::actor spawn_retention(caf::actor_system& system, host_services& services, retention_parts parts, bool detached);

/// The time between two rounds.
std::int64_t retention_pause_ms(const retention_policy& policy);

} // namespace troupe::runtime
