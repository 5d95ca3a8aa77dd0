#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/driver.hpp"
#include "runtime/cluster/forwarder.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/read_index.hpp"
#include "runtime/entity/messages.hpp"
#include "storage/shard_logs.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::runtime::cluster {

/// What a cluster's host has of its node. All thread-safe; must not block.
struct host_ports {
    uuid self; ///< The replica here.
    const storage::store* store = nullptr;
    std::function<void(driver_input)> drive;       ///< To the driver, on its thread.
    std::function<void(held_ptr)> take;            ///< To the router of a shard that this node owns.
    std::function<std::int64_t()> serves_until_ms; ///< As the committer says.
    std::function<std::int64_t()> monotonic;       ///< Milliseconds.
    std::function<void()> moved;                   ///< Leaders have changed; may be empty.
};

/// Ties a node to the others: its driver to coordinator and links, its commands to the owners of their shards, its
/// reads to what they have. Thread-safe; what is called on which thread stands with the interfaces.
class cluster_host final : public links_listener,
                           public coordinator_listener,
                           public driver_port,
                           public storage::log_peers {
public:
    /// Both outlive it.
    cluster_host(coordinator& coordinator, links& links, host_ports ports);
    ~cluster_host() override { stop(); }

    /// From now on there are others. Once the driver takes inputs.
    void start();
    /// Nobody calls it from then on. Not from one of its callbacks.
    void stop();

    /// Takes a command to wherever its shard is owned, here or elsewhere.
    void forward(held_ptr held);
    /// See `read_index`.
    void wait_to_read(read_index::done then);
    /// Whether this node owns the shard and may show it.
    [[nodiscard]] bool serves(std::uint32_t shard) const;
    [[nodiscard]] std::shared_ptr<const shard_leaders> leaders() const;

    // ---- on the committer's thread
    void on_ownership(std::uint32_t shard, bool owned);
    /// The tables have moved on.
    void on_applied();
    /// Every `driver_tick_ms`.
    void on_tick();

    // ---- links_listener
    void on_up(const node_card& peer) override;
    void on_down(const uuid& peer, const std::string& why) override;
    void on_frame(const uuid& from, lane on, std::string_view bytes) override;

    // ---- coordinator_listener
    void on_map(std::vector<entry> all, std::uint64_t revision) override;
    void on_changes(std::vector<change> changes, std::uint64_t revision) override;
    void on_lease(lease now) override;
    void on_reachable(bool reachable, const std::string& why) override;

    // ---- driver_port and log_peers
    void commit(std::uint64_t id, transaction what) override;
    void set_peers(std::vector<peer_place> peers) override;
    bool send(const uuid& to, std::string frame) override;

private:
    bool say(const uuid& to, const envelope& what);
    void take_envelope(const uuid& from, envelope what);
    void take_command(const uuid& from, command_envelope what);
    void answer(const uuid& to, answer_envelope what);
    void go_on();
    /// What the driver knows now. On its thread.
    void note(const cluster_core& core);

    coordinator& coordinator_;
    links& links_;
    const host_ports ports_;
    std::vector<std::atomic<bool>> owned_;
    mutable std::mutex mutex_;
    std::shared_ptr<const shard_leaders> leaders_;
    std::set<uuid> up_;                                    ///< Peers that are connected.
    std::vector<std::pair<uuid, answer_envelope>> unsaid_; ///< Answers for which the way was too full.
    forwarder forwarder_;
    read_index read_index_;
    std::atomic<bool> running_{false};
};

} // namespace troupe::runtime::cluster
