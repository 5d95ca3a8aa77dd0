#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

class bus;
class dead_letters;
class stall_watch;
class supervision_tree;
class trouble_board;
struct actor_figures;
struct held_command;

/// Effects in work on a node, each on a thread of its own; further ones wait and are tried again.
inline constexpr std::uint64_t performing_max = 512;

/// What a host does by policy. Fixed at start.
struct host_settings {
    std::string node_path = "/nodes/n1";
    std::uint64_t snapshot_events = 200;    ///< A snapshot every N events, and on passivation.
    std::uint64_t snapshot_bytes = 1 << 20; ///< Or when events of so many bytes came, and more than the last one has.
    std::uint64_t snapshot_idle_events = 1; ///< On passivation only with so many events since the last one.
    std::uint64_t active_max = 20'000;      ///< Beyond, the entities that were idle longest are passivated.
    std::int64_t dedup_window_ms = 24LL * 3600 * 1000; ///< How long a command may be repeated.
    std::int64_t idle_ms = 60'000;                     ///< Idle entities are passivated after this.
    std::int64_t sweep_ms = 10'000;                    ///< How often a router looks for them.
    std::int64_t timer_lateness_ms = 1000;             ///< Timers that fire later are counted and logged.
    std::size_t batch_commands_max = 512; ///< Commands that one append takes at most; bounds latency of the first.
};

/// Ends the process at once: used where going on could show or do what is not on disk.
[[noreturn]] void fatal(std::string_view why);

/// What every router and entity of a node shares. Made before the actors and outlives them. Thread-safe.
struct host_services {
    storage::store* store = nullptr;
    const kind_registry* kinds = nullptr;
    host_settings settings;
    std::function<timestamp()> clock = system_now;                      ///< Replaced by tests.
    std::function<std::int64_t()> monotonic = monotonic_ms;             ///< Likewise.
    std::function<timestamp()> even_since = [] { return timestamp{}; }; ///< `context::even_since`.
    std::function<uuid()> make_id = make_uuid;                          ///< Likewise.
    feature_switch features;                                            ///< What may be stored.
    std::function<void(std::string_view)> end_process = fatal;          ///< Likewise: it returns in simulations only.
    std::vector<std::atomic<std::int64_t>>
        shard_times; ///< Last record time of each shard: time never goes back in a log.
    std::function<void(command, reply_port)> dispatch; ///< Sends a command to any entity.
    /// In a cluster: takes a command to the owner of its shard. Then routers own nothing before they are told. Empty: a
    /// node alone, which owns all.
    std::function<void(std::shared_ptr<held_command>)> reroute;
    /// In a cluster: whether a shard is this node's now. Empty: all are.
    std::function<bool(std::uint32_t shard)> owns;
    /// Starts the work of a performer; empty: on a thread of its own. Simulations choose when it is done.
    std::function<void(std::function<void()>)> start_work;
    std::function<void(const std::vector<storage::record>&)>
        on_committed; ///< In commit order, on the committer's thread.
    /// In a cluster, on the committer's thread: the shard is this node's from now on, with all of it in its tables, or
    /// no longer.
    std::function<void(std::uint32_t shard, bool owned)> on_ownership;
    std::function<void(std::uint32_t shard)> on_applied; ///< Likewise: records of a shard came into the tables.
    std::function<void()> on_tick;                       ///< Likewise: every `cluster::driver_tick_ms`.
    /// Likewise: this node may not be in the cluster, and has to end.
    std::function<void(const problem&)> on_turned_away = [](const problem& why) { fatal(why.detail); };
    /// Until when this node may show the shards that it owns, on the monotonic clock. Written by the committer: longer
    /// only after `on_ownership` told of all that was lost until then.
    std::atomic<std::int64_t> serves_until_ms{std::numeric_limits<std::int64_t>::max()};
    std::function<void(std::uint32_t shard, timestamp due)> on_timer; ///< A timer was set.
    std::function<void(const entity_address&, std::string_view channel, std::string_view kind, std::string data)>
        publish;                       ///< Live only.
    supervision_tree* tree = nullptr;  ///< May be null.
    dead_letters* letters = nullptr;   ///< May be null.
    trouble_board* troubles = nullptr; ///< May be null.
    stall_watch* watch = nullptr;      ///< May be null.
    /// Of the routers, by shard, and of the committer: whoever sends counts up. Empty and null when nobody looks.
    std::vector<std::shared_ptr<actor_figures>> router_figures;
    std::shared_ptr<actor_figures> committer_figures;
    std::atomic<std::uint64_t> performing{0}; ///< Effects in work.
    std::atomic<std::uint64_t> entities_active{0};
    std::atomic<std::uint64_t> commands_accepted{0};
    std::atomic<std::uint64_t> commands_refused{0};
    std::atomic<std::uint64_t> commands_repeated{0};
    std::atomic<std::uint64_t> commits{0};
    std::atomic<std::uint64_t> timers_late{0};
    std::atomic<std::int64_t> timer_lateness_max_ms{0}; ///< Of all timers since the start.
    std::atomic<std::uint64_t> appends{0}; ///< Of entities, each one or more commands; several share a commit.
};

/// Where an entity stands in the supervision tree: "/nodes/n1/shards/17/tasks/018f…".
std::string entity_path(const host_services& services, std::uint32_t shard, const entity_address& a);

/// The time of the next record of a shard: the clock, but never before an earlier record.
timestamp record_time(host_services& services, std::uint32_t shard);

} // namespace troupe::runtime
