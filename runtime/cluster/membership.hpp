#pragma once

#include "runtime/cluster/blob_exchange.hpp"
#include "runtime/cluster/cluster_file.hpp"
#include "runtime/cluster/cluster_glance.hpp"
#include "runtime/cluster/cluster_view.hpp"
#include "runtime/cluster/command_lane.hpp"
#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/driver.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/placed_children.hpp"
#include "runtime/cluster/shared_keys.hpp"
#include "runtime/cluster/wiring.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/entity/messages.hpp"
#include "schemas/base/problem.hpp"
#include "storage/committer.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// A node's place in its cluster, and all that it has for it beside its committer.
namespace troupe::runtime::cluster {

/// The ways out of a node.
struct connections {
    std::unique_ptr<coordinator> agreed;
    std::unique_ptr<links> peers;
    std::string address; ///< Where others reach the links.
    std::uint16_t port = 0;
};

/// Which node of which cluster, and how it gets there.
struct cluster_place {
    cluster_file file;
    std::string name;
    bool founds = false;       ///< With what its directory holds: as the directory's mark says.
    feature_set features = {}; ///< That this program knows.
    /// Opens the ways out, but begins nothing. Called once, with what the node says of itself.
    std::function<expected<connections>(const node_card& self)> connect;
};

/// What a membership has of its node. All thread-safe; must not block.
struct node_ports {
    std::function<void(held_ptr)> take; ///< To the router here.
    /// A router owns its shard from now on, with all of it in the tables, or no longer.
    std::function<void(std::uint32_t shard, bool owned)> own;
    std::function<void(std::uint32_t shard)> applied; ///< Records came into the tables.
    std::function<void(live_event)> publish;          ///< What another node published, live only.
    placed_runner* placed = nullptr;                  ///< Of placed children; outlives it. Null: it runs none.
};

/// What the metrics say of a cluster, as one of its nodes knows it.
struct cluster_statistics {
    std::uint64_t nodes_up = 0;
    std::uint64_t nodes_down = 0;
    std::uint64_t nodes_draining = 0; ///< Of those that are up.
    std::uint64_t shards_led = 0;     ///< By this node.
    std::uint64_t shards_held = 0;    ///< Copies here that vote.
    std::uint64_t shards_closed = 0;  ///< That take no commands.
    std::int64_t lease_left_ms = 0;
    std::uint64_t peers = 0;          ///< That are connected.
    std::uint64_t commands_sent = 0;  ///< To other nodes, since the start, as all that follows but the lag.
    std::uint64_t commands_taken = 0; ///< From them.
    std::uint64_t read_rounds = 0;    ///< In which owners were asked for reads.
    std::uint64_t leader_changes = 0; ///< Of all shards, as they were seen here.
    std::uint64_t checkpoints_sent = 0;
    std::uint64_t checkpoints_received = 0;
    std::uint64_t lag_entries = 0; ///< Of the shards that this node leads: how far the slowest live copy is behind.
};

/// What a new data directory of the cluster begins with.
storage::common_identity common_identity_of(const cluster_file& file);

/// Joins commands, keys, blobs, committer and links of one node. It lives as long as its committer does, which is as
/// long as the process: a committer that fails ends a node of a cluster, and the others take over.
class membership {
public:
    /// Opens the ways out, and sets what a host in a cluster has more than one that is alone. The host and its store
    /// outlive it. Problems: those of `connect`.
    static expected<std::unique_ptr<membership>> make(const cluster_place& place, host_services& host,
                                                      node_ports ports);

    /// The committer of a node and what drives it: for `spawn_committer`.
    struct engine {
        std::unique_ptr<storage::committer> committer;
        std::unique_ptr<cluster::driver> driver;
    };
    expected<engine> join(std::uint64_t free_bytes_min);

    /// From now on the committer hears of the cluster. When all routers stand: shards may come at once.
    void start(committer_actor to);
    /// This node is about to end: others lead from now on what it led, while it is still there to be asked. Blocks
    /// until it leads nothing, at most so long. False, and at once: nobody else is there.
    bool retire(std::int64_t time_ms);
    /// Leaves: the lease is given back, so that others take over at once. Blocks for a moment. Done again it does
    /// nothing.
    void stop();

    /// Whether this node may show what it owns. Any thread.
    [[nodiscard]] bool is_serving() const { return host_.serves_until_ms > host_.monotonic(); }
    [[nodiscard]] command_lane& commands() { return commands_; }
    /// The newest. Null: it does not know its cluster yet. Any thread.
    [[nodiscard]] std::shared_ptr<const cluster_glance> glance() const;
    /// Any thread.
    [[nodiscard]] cluster_statistics statistics() const;
    [[nodiscard]] placed_children& placed() { return placed_; }

    // ---- for people; thread-safe. What they are given is called from the committer's or the coordinator's thread, and
    // not at all when the node has stopped.

    void look(std::function<void(cluster_view)> then);
    using changed = std::function<void(const expected<void>&)>;
    /// The node leads nothing any more. `not_found` for a name that nobody has; else as of `coordinator::commit`.
    void drain(std::string name, changed done);
    /// It leads again.
    void resume(std::string name, changed done);
    /// The shard is led by that node from now on, whenever it can. `conflict` when it is down or drained.
    void move(std::uint32_t shard, std::string name, changed done);
    /// It goes back to where it belongs by itself.
    void move_back(std::uint32_t shard, changed done);
    /// Forgets a node: `conflict` while it is up.
    void remove(std::string name, changed done);

private:
    membership(const cluster_place& place, connections ways, node_card self, host_services& host, node_ports ports);
    void extend_host();
    void end_founding();

    // on the committer's thread
    void on_ownership(std::uint32_t shard, bool owned);
    void on_tick();
    void tell_news();
    void measure(const driver& d);
    void note(const cluster_core& core);
    [[nodiscard]] bool is_active(std::uint32_t shard, const shard_leaders& leaders) const;
    void tell_router(std::uint32_t shard, bool owned);

    void post(driver_input input);
    void set_draining(std::string name, bool draining, changed done);
    /// Commits what `make` says about the member of that name.
    void change_member(std::string name, changed done,
                       std::function<expected<transaction>(const cluster_core& core, const known_member& member)> make);

    host_services& host_;
    const node_ports ports_;
    connections ways_;
    cluster_settings settings_;
    command_lane commands_;
    std::unique_ptr<shared_keys> keys_; ///< Null: the store has none.
    blob_exchange blobs_;
    placed_children placed_;
    wiring wires_;
    std::vector<bool> owned_;               ///< As the driver says.
    std::vector<std::atomic<bool>> active_; ///< As routers were told.
    bool serving_ = false;                  ///< The lease is good for long enough.
    std::optional<cluster_glance> told_;    ///< What readers know.
    std::uint64_t ticks_ = 0;
    std::atomic<std::uint64_t> leader_changes_{0};
    std::atomic<std::uint64_t> checkpoints_sent_{0};
    std::atomic<std::uint64_t> checkpoints_received_{0};
    std::atomic<std::uint64_t> lag_entries_{0};
    mutable std::mutex mutex_;
    committer_actor to_;                           ///< Under the mutex. Null: not started yet, or stopped.
    std::shared_ptr<const cluster_glance> glance_; ///< Under the mutex.
};

/// Whether shards may be moved to the node: `not_found`, or `conflict` when it is down or drained. Pure.
expected<void> check_leads(const std::vector<cluster_node>& nodes, const std::string& name);

/// Ends the process with status 1: the log says why this node may not be in its cluster.
[[noreturn]] void end_turned_away(const problem& why);

} // namespace troupe::runtime::cluster
