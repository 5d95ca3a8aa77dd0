#pragma once

#include "runtime/cluster/checkpoint_exchange.hpp"
#include "runtime/cluster/cluster_core.hpp"
#include "runtime/cluster/coordinator.hpp"
#include "runtime/cluster/links.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/committer.hpp"
#include "storage/shard_logs.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What a node of a cluster runs beside its committer, on the same thread.
namespace troupe::runtime::cluster {

/// How often a driver is ticked.
inline constexpr std::int64_t driver_tick_ms = 50;

/// What a driver asks of others, from within its inputs: it must neither block nor call the driver.
class driver_port {
public:
    virtual ~driver_port() = default;
    /// To the coordinator. What becomes of it comes with `driver::on_committed`.
    virtual void commit(std::uint64_t id, transaction what) = 0;
    /// To the links.
    virtual void set_peers(std::vector<peer_place> peers) = 0;
    /// A part of a checkpoint, to a peer. False: nothing was sent, since too much is on its way there.
    virtual bool send_checkpoint(const uuid& to, std::string frame) = 0;
    /// What a checkpoint brought is in the tables.
    virtual void on_installed(std::uint32_t shard) = 0;
};

/// Whether the coordinator can be reached from now on.
struct coordinator_reached {
    bool reachable = false;
    std::string why; ///< It cannot.
};
/// What a node has to hear of its driver.
using driver_event = std::variant<storage::ownership, storage::records_committed, checkpoint_ended,
                                  storage::peer_refused, coordinator_reached, turned_away>;

/// Brings together the core of the cluster with the committer and its logs, a coordinator and the links: what one says
/// becomes a step of the other.
///
/// No clock, no I/O and no thread of its own: all of it is called on the committer's thread, the coordinator's news
/// too. After inputs the committer has to write, and then `after_write` says what came of it.
class driver final : public coordinator_listener {
public:
    /// Both outlive it. `is_new` of the settings is what the committer's logs say.
    driver(cluster_settings settings, storage::committer& committer, driver_port& port,
           const checkpoint_settings& checkpoints = {});

    // ---- from the coordinator
    void on_map(std::vector<entry> all, std::uint64_t revision) override;
    void on_changes(std::vector<change> changes, std::uint64_t revision) override;
    void on_lease(lease now) override;
    void on_reachable(bool reachable, const std::string& why) override;
    void on_committed(std::uint64_t id, const expected<transaction_result>& result);

    // ---- from the links
    void on_frame(const uuid& from, std::string_view bytes);
    /// Of the lane `bulk`, with `checkpoint_tag`.
    void on_checkpoint_frame(const uuid& from, std::string_view bytes) { checkpoints_.on_frame(from, bytes); }
    /// It is connected again: what was sent to it may be lost.
    void on_peer_back(const uuid& peer);
    /// It is connected no longer.
    void on_peer_gone(const uuid& peer);

    /// See `cluster_core`.
    void retire() { core_.retire(); }

    /// Every `driver_tick_ms`, with the monotonic clock.
    void tick(std::int64_t now_ms);

    /// To be called after each write of the committer. When it leaves something to write (`logs().is_dirty()`), it is
    /// the committer's turn again.
    [[nodiscard]] std::vector<driver_event> after_write();

    /// Whether this node may show the shard at that time: it owns it, and nobody else has taken it meanwhile.
    [[nodiscard]] bool serves(std::uint32_t shard, std::int64_t now_ms) const {
        return committer_.owns(shard) && core_.serves_until_ms() > now_ms;
    }
    [[nodiscard]] const cluster_core& core() const { return core_; }

    /// How far the slowest replica that is alive is behind, of all shards that are owned here. Looks at all of them.
    [[nodiscard]] std::uint64_t lag_entries() const;
    /// Whole shards, since the start.
    [[nodiscard]] std::uint64_t checkpoints_sent() const { return checkpoints_sent_; }
    [[nodiscard]] std::uint64_t checkpoints_received() const { return checkpoints_received_; }

private:
    /// Calls `input` with the buffer of the core's actions, and takes them.
    void drive(const std::function<void(cluster_core::actions& out)>& input);
    [[nodiscard]] log_view view_of(std::uint32_t shard) const;

    void act(commit_wanted& a);
    void act(peers_changed& a);
    void act(const register_changed& a);
    void act(const register_answered& a);
    void act(const create_shard& a);
    void act(const take_step& a);
    void act(const turned_away& a);
    void take(std::uint32_t, std::monostate) {}
    void take(std::uint32_t shard, const campaign_step& step);
    void take(std::uint32_t shard, const change_step& step);
    void take(std::uint32_t shard, const hand_over_step& step);

    void note(const storage::register_wanted& wanted);
    void note(const storage::checkpoint_wanted& wanted) { checkpoints_.wanted(wanted.shard, wanted.to); }
    void note(const storage::checkpoint_installed&) {} // `checkpoint_ended` tells more
    template <class Event>
    void note(const Event& event) {
        heard_.emplace_back(event);
    }

    storage::committer& committer_;
    driver_port& port_;
    cluster_core core_;
    checkpoint_exchange checkpoints_;
    std::vector<driver_event> heard_;
    std::uint64_t ticks_ = 0;
    std::uint64_t checkpoints_sent_ = 0;
    std::uint64_t checkpoints_received_ = 0;
};

/// An input of a driver that comes from another thread.
using driver_input = std::function<void(driver&)>;

} // namespace troupe::runtime::cluster
