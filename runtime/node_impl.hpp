#pragma once

/// The inside of a node, for node.cpp and node_children.cpp alone.

#include "runtime/audit/audit_writer.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "runtime/blobs/blob_keeper.hpp"
#include "runtime/bus/hub.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/command_gate.hpp"
#include "runtime/entity/actors.hpp"
#include "runtime/entity/timer_actor.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/node.hpp"
#include "runtime/retention/retention_actor.hpp"
#include "runtime/start_latch.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/failures.hpp"
#include "runtime/supervision/placed_tree.hpp"
#include "runtime/supervision/stall_watch.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace troupe::runtime {

struct node::impl {
    explicit impl(const config& c);

    caf::actor_system_config& caf_settings();
    /// Null: a node alone that was given none.
    [[nodiscard]] cluster::placed_children* placed() const;
    /// Made now, if need be. Not before the start, nor while it stops: `unavailable`.
    expected<cluster::placed_children*> placed_to_fill();
    void route(held_ptr held);
    /// To readers of all nodes, live only.
    void publish(live_event e);
    /// To the router here.
    void take(held_ptr held);
    [[nodiscard]] shard_actor router_of(std::uint32_t shard) const;
    /// Of records and timers.
    timestamp now();
    /// Where each log's time stands: it never goes back.
    void read_shard_times();
    /// Nothing is collected unless all that names a blob is known.
    void keep_blobs();

    // ---- what it starts (node_children.cpp)

    /// Opens the ways to the cluster.
    expected<void> join();
    expected<cluster::membership::engine> open_committer();
    /// In the order in which they start.
    std::vector<supervised_child> children(cluster::membership::engine first);
    supervised_child committer_child(cluster::membership::engine first);
    /// A router, and those of its entities that owe effects.
    supervised_child shard_child(std::uint32_t shard);
    supervised_child timers_child();
    supervised_child audit_child();
    /// Nothing when all is kept for ever.
    std::vector<supervised_child> retention_children();
    /// The last ones to start.
    std::vector<supervised_child> backup_children();

    config settings; ///< Of the start.
    present_config present{settings};
    command_gate gate; ///< Outlives all that holds tickets.
    trusted_clock clock{system_now(), boot_ms(), monotonic_ms()};
    std::unique_ptr<storage::store> store;
    std::unique_ptr<hub> live;
    std::unique_ptr<audit_log> audit;
    supervision_tree tree;
    dead_letters letters;
    failure_board failures;
    const error_listener failures_heard{[this](const error_line& line) { failures.record(line); }};
    trouble_board troubles;
    stall_watch watch;
    std::unique_ptr<timer_board> board;
    std::unique_ptr<backup_desk> backups;
    std::unique_ptr<blob_keeper> blobs; ///< None: nothing is collected.
    kind_registry kinds;
    host_services host;
    services shared;
    std::optional<cluster::cluster_place> place;
    std::unique_ptr<cluster::membership> member; ///< Null: a node alone. Outlives the actors.
    retention_statistics retention;
    caf::actor_system_config caf_config;
    caf::actor_system system;
    mutable std::shared_mutex handles; ///< Of the two below: a restart replaces them.
    committer_actor committer;
    std::vector<shard_actor> shards;
    caf::actor root;
    placed_tree placed_here{tree}; ///< Like all that holds actors, it goes before the system.
    mutable std::mutex placing;
    std::unique_ptr<cluster::placed_alone> lone_placed; ///< Under `placing`. Null: a node of a cluster, or none placed.
    supervision_tree::entry hub_entry;
    std::optional<watchdog> dog;
    start_latch started; ///< Every router and the desk of backups: commands may come.
    std::atomic<bool> stopping{false};
};

} // namespace troupe::runtime
