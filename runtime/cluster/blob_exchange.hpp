#pragma once

#include "runtime/cluster/blob_frames.hpp"
#include "runtime/cluster/blob_pulls.hpp"
#include "runtime/cluster/blob_spreads.hpp"
#include "runtime/cluster/cluster_core.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/serial_worker.hpp"
#include "schemas/base/clock.hpp"
#include "storage/blob_peers.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::runtime::cluster {

/// What the blobs of a cluster have of their node.
struct blob_ports {
    uuid self; ///< The replica here.
    storage::store* store = nullptr;
    std::function<std::int64_t()> monotonic = monotonic_ms;
    /// For tests, in place of a thread of its own: runs what it is given later, in order, one at a time.
    std::function<void(std::function<void()>)> post = {};
    /// For tests, in place of blocking until `is_over`.
    std::function<void(const std::function<bool()>& is_over)> wait = {};
};

/// Blobs between a node and the others, over the lane `bulk`: every member holds every blob. Thread-safe: what it does
/// with the disk and with what others say it does on a thread of its own.
class blob_exchange final : public storage::blob_peers {
public:
    /// Frames that wait for the thread; further ones are dropped, which counts as lost.
    static constexpr std::size_t waiting_bytes_max = 64 << 20;
    static constexpr std::int64_t tick_ms = 50;
    /// As long as it is remembered that no node has a blob, so that whoever names it and asks again is told.
    static constexpr std::int64_t absent_ms = 2000;
    static constexpr std::size_t absent_max = 1024;
    /// Named blobs that are not here are looked for when a peer came back, a checkpoint came, or this node began to
    /// vote for a shard; again as long as some are missing, and then now and then.
    static constexpr std::int64_t sweep_soon_ms = 2000;
    static constexpr std::int64_t sweep_again_ms = 30'000; ///< Those of the round before are missing still.
    static constexpr std::int64_t sweep_every_ms = 600'000;
    static constexpr std::size_t sweep_looked = 64; ///< At a time, of one shard.
    static constexpr std::size_t sweep_shards = 16; ///< In a tick, as long as nothing is missing.

    /// Links and store outlive it.
    blob_exchange(links& links, blob_ports ports);
    ~blob_exchange() override;

    /// Begins, after the links have their listener or before; once.
    void start();
    /// Whoever waits is told `unavailable`, and from now on whoever comes. Blocks for a moment.
    void stop();

    expected<void> spread(const storage::blob_id& id) override;
    void offer(const storage::blob_id& id) override;
    expected<void> fetch(const storage::blob_id& id) override;
    problem begin_fetch(const storage::blob_id& id) override;

    // ---- from the driver's thread
    /// The members may have changed.
    void note(const cluster_core& core);
    /// All but this node.
    void set_members(std::set<uuid> others);
    /// The tables may name more than before that is not here. The log says when all of it is.
    void look_again();
    /// Whether a look through the tables, begun after they last came to name more by a checkpoint or a vote, found
    /// nothing missing. Any thread.
    [[nodiscard]] bool is_complete() const { return looks_done_ == looks_wanted_; }

    // ---- from the links
    void on_up(const uuid& peer);
    void on_down(const uuid& peer);
    /// Without the channel in front.
    void on_frame(const uuid& from, std::string_view bytes);

    /// Blobs that come, or go to others; on its thread.
    [[nodiscard]] std::size_t outstanding() const { return spreads_.outstanding() + pulls_.outstanding(); }
    /// What its thread does every `tick_ms`; to be called by tests that have none.
    void tick();

private:
    using done = std::function<void(expected<void>)>;
    using wanted = std::pair<uuid, std::pair<storage::blob_id, std::uint32_t>>; ///< By whom, and which piece.

    [[nodiscard]] spread_ports make_spread_ports();
    [[nodiscard]] pull_ports make_pull_ports();
    void post(std::function<void()> job);
    expected<void> wait_for(std::function<void(done)> begin);
    bool say(const uuid& to, const blob_frame& what);
    void take(const uuid& from, blob_frame what);
    void answer(const uuid& from, const blob_ask& what);
    void give(const wanted& what);
    /// Tells those that wait for it what is on the disk.
    void confirm();
    void sweep();
    void look_at_next();
    void end_round();
    [[nodiscard]] bool is_absent(const storage::blob_id& id);
    void note_absence(const storage::blob_id& id, bool absent);
    void count_up();

    links& links_;
    const blob_ports ports_;
    std::atomic<std::size_t> waiting_bytes_{0};
    std::optional<std::set<uuid>> noted_; ///< Members without this node; on the driver's thread.
    std::size_t votes_ = 0;               ///< Shards for which this node votes; there, too.
    std::mutex absent_mutex_;
    std::map<storage::blob_id, std::int64_t> absent_; ///< Since when.
    std::atomic<std::uint64_t> looks_wanted_{1};      ///< The newest reason for a look, by number,
    std::atomic<std::uint64_t> looks_done_{0};        ///< and that of the last one which found nothing missing.

    // ---- on the thread
    std::set<uuid> known_;     ///< As `noted_`.
    std::set<uuid> connected_; ///< Members or not.
    blob_members members_;
    blob_spreads spreads_;
    blob_pulls pulls_;
    std::vector<std::pair<uuid, storage::blob_id>> unconfirmed_;
    std::set<wanted> ungiven_; ///< Pieces for which the way was too full.
    std::int64_t sweep_ms_ = 0;
    std::uint32_t sweep_shard_ = 0;
    std::string sweep_from_;
    std::uint64_t round_of_ = 0;     ///< The reason that was newest when this round began.
    std::size_t missing_ = 0;        ///< Found in this round,
    std::size_t missing_before_ = 0; ///< and in the one before.
    bool looks_again_ = false;       ///< There is more since this round began.
    bool tells_ = false;             ///< When nothing is missing any more.

    serial_worker worker_; ///< The last: it uses all of the others.
};

} // namespace troupe::runtime::cluster
