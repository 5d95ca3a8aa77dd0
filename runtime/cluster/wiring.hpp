#pragma once

#include "runtime/cluster/blob_exchange.hpp"
#include "runtime/cluster/command_lane.hpp"
#include "runtime/cluster/driver.hpp"
#include "runtime/cluster/placed_children.hpp"
#include "runtime/cluster/shared_keys.hpp"
#include "storage/shard_logs.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime::cluster {

/// Joins a driver to a coordinator and links that have threads of their own: their calls become inputs, which `post`
/// takes to the driver's thread; what the driver and its logs want goes to them at once. Thread-safe. Outlives the
/// driver.
class wiring final : public driver_port, public storage::log_peers, coordinator_listener, links_listener {
public:
    /// Frames that were received and wait for the driver; further ones are dropped, which counts as lost.
    static constexpr std::size_t waiting_bytes_max = 64 << 20;

    /// All outlive it. Nothing comes before `start`. The lane of commands may be null: then none go between nodes; so
    /// may the keys: then contents are plain, or those of a test; the blobs; and placed children.
    wiring(coordinator& agreed, links& peers, command_lane* commands = nullptr, shared_keys* keys = nullptr,
           blob_exchange* blobs = nullptr, placed_children* placed = nullptr)
        : coordinator_(agreed), links_(peers), commands_(commands), keys_(keys), blobs_(blobs), placed_(placed) {}

    /// Told after all that may change registers or nodes, on the driver's thread. Before `start`.
    void listen(std::function<void(const cluster_core&)> news) { news_ = std::move(news); }
    /// Begins. `post` is called from several threads; inputs of one thread have to come to the driver in their order.
    void start(std::function<void(driver_input)> post);
    /// Ends both, and posts nothing any more. Blocks for a moment. Once.
    void stop();

    void commit(std::uint64_t id, transaction what) override;
    void set_peers(std::vector<peer_place> peers) override;
    bool send_checkpoint(const uuid& to, std::string frame) override;
    void on_installed(std::uint32_t shard) override;
    bool send(const storage::replication::replica_id& to, std::string frame) override;

private:
    /// An input after which registers or nodes may be others.
    void post_news(driver_input input);
    void on_map(std::vector<entry> all, std::uint64_t revision) override;
    void on_changes(std::vector<change> changes, std::uint64_t revision) override;
    void on_lease(lease now) override;
    void on_reachable(bool reachable, const std::string& why) override;
    void on_up(const node_card& peer) override;
    void on_down(const uuid& peer, const std::string& why) override;
    void on_frame(const uuid& from, lane on, std::string_view bytes) override;
    /// To whom its first byte says.
    void take_bulk(const uuid& from, std::string_view bytes);

    coordinator& coordinator_;
    links& links_;
    command_lane* commands_;
    shared_keys* keys_;
    blob_exchange* blobs_;
    placed_children* placed_;
    std::function<void(const cluster_core&)> news_;
    std::function<void(driver_input)> post_;
    std::atomic<std::size_t> waiting_bytes_{0};
};

} // namespace troupe::runtime::cluster
