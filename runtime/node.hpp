#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/config/config.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "runtime/supervision/placed.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/cluster.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

namespace cluster {
class membership;
struct cluster_place;
} // namespace cluster

/// What `GET /status` and the metrics say of a node.
struct node_statistics {
    std::uint64_t entities_active = 0;
    std::uint64_t commands_accepted = 0;
    std::uint64_t commands_refused = 0;
    std::uint64_t commands_repeated = 0;
    std::uint64_t commands_outstanding = 0;
    std::uint64_t commands_waiting = 0;    ///< Of those: for their turn.
    std::uint64_t commands_overloaded = 0; ///< Refused because the node had too many.
    std::uint64_t commits = 0;
    std::uint64_t timers_late = 0; ///< Over `timers.lateness_ms`.
    std::int64_t timer_lateness_max_ms = 0;
    std::uint64_t appends = 0;           ///< Of entities; several share a commit.
    std::uint64_t bytes_outstanding = 0; ///< Of the commands in hand.
    std::uint64_t performing = 0;        ///< Effects in work: model calls, tools, commands.
    std::uint64_t subscribers = 0;
    std::uint64_t events_cut = 0;      ///< By retention, from histories.
    std::uint64_t records_trimmed = 0; ///< By retention, from logs.
    std::uint64_t retention_rounds = 0;
    std::uint64_t retention_failures = 0;
    std::int64_t clock_refused_ms = 0; ///< By how much the system's clock is off and not followed; 0: it is.
};

/// A node: the data directory, the actors of the durable path, bus and timers, and its place in a cluster. Knows
/// nothing of HTTP or the domain.
///
///     auto n = node::open(config);             // opens the data directory
///     (*n)->start(kinds);                      // from here on commands are taken
///     ask((*n)->parts(), command);             // sends one and waits for its answer
class node {
public:
    /// Opens the data directory and makes the shared parts. Problems as of `storage::store::open`.
    static expected<std::unique_ptr<node>> open(const config& settings);
    /// The same for a node of a cluster (runtime/cluster/membership.hpp).
    static expected<std::unique_ptr<node>> open(const config& settings, cluster::cluster_place place);
    /// Stops as `stop` does.
    ~node();

    /// Valid from `open` on; commands may be submitted after `start`.
    [[nodiscard]] services& parts();
    /// From now on `parts().settings` shows these. Thread-safe.
    void change(config settings);

    /// Starts routers, committer and timers, and wakes the entities that owe effects. Call once. Fails when the shards'
    /// logs cannot be recovered. In a cluster the node joins it, and this does not wait for it: commands do.
    expected<void> start(kind_registry kinds);

    /// Puts a part under the node's supervision, as the last to start and the first to end. Between `start` and `stop`.
    /// Waits for its first start; where that fails it says why, and the part is not supervised.
    expected<void> supervise(supervised_part part);
    /// The same for an actor or a supervisor with its own children; waits until it was told to start.
    expected<void> supervise_actor(supervised_child child);
    /// Ends what came under supervision by `supervise_actor`, by its id. Returns at once.
    void release_actor(std::string id);

    /// Children that run at one node of the cluster, whichever; at a node alone, here. Between `start` and `stop`; at
    /// all nodes that may run them, with the same names. `invalid_request` names what makes no sense, `already_exists`
    /// for a name that is taken, `unavailable` before and after.
    expected<void> place(placed_supervisor what);
    /// All placed children that this node knows of, by name.
    [[nodiscard]] std::vector<placed_child_document> placed() const;

    /// This node is about to end: others of its cluster lead from now on what it led, while it is still there to be
    /// asked. Blocks until it leads nothing, at most so long. False: nobody takes over, as it is alone.
    bool retire(std::int64_t time_ms);

    /// Ends: no new commands, what is decided is committed, entities write snapshots. Blocks at most `deadline_ms`.
    /// Work of performers is left where it is: it goes on after the next start.
    void stop(std::int64_t deadline_ms);

    [[nodiscard]] node_statistics statistics() const;
    /// Its place in a cluster; null at a node alone, and before `start`. As long as the node.
    [[nodiscard]] cluster::membership* member() const;

    /// Journaled events of an organization after a cursor ("start": all), at most `limit`, by time.
    expected<event_page> events(const uuid& organization, std::string_view after, std::size_t limit);

private:
    node();
    static expected<std::unique_ptr<node>> open_as(const config& settings, cluster::cluster_place* place);
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::runtime
