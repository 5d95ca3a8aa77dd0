#pragma once

#include "schemas/base/problem.hpp"
#include "storage/checkpoint.hpp"
#include "storage/entry_group.hpp"
#include "storage/replication/member.hpp"
#include "storage/replication/wire.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace rocksdb {
class WriteBatch;
}

namespace troupe::storage {

// ---- what the logs tell whoever runs them

/// Compare-and-swap the shard's register, and call `on_register_written` or `on_register_unknown`.
struct register_wanted {
    std::uint32_t shard = 0;
    replication::replica_set next;
    std::uint64_t over = 0; ///< The epoch that is replaced; 0: there is no register.
};
/// This node owns the shard from now on, with all that was ever committed in its tables; or it does no longer.
struct ownership {
    std::uint32_t shard = 0;
    std::uint64_t epoch = 0;
    bool owned = false;
};
/// These records are committed, and in the tables: also those that others decided, which feeds have to be told of
/// (`store::applied` has moved on).
struct records_committed {
    std::uint32_t shard = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};
/// That replica needs the shard as a whole.
struct checkpoint_wanted {
    std::uint32_t shard = 0;
    replication::replica_id to;
};
/// A checkpoint has taken the place of all that this node had of the shard.
struct checkpoint_installed {
    std::uint32_t shard = 0;
};
/// A replica sent what no correct one sends: for the log.
struct peer_refused {
    replication::replica_id from;
    std::string reason;
};
using log_event =
    std::variant<register_wanted, ownership, records_committed, checkpoint_wanted, checkpoint_installed, peer_refused>;

/// The way to the other replicas. A frame that is not sent counts as lost.
class log_peers {
public:
    virtual ~log_peers() = default;
    virtual bool send(const replication::replica_id& to, std::string frame) = 0;
};

struct log_options {
    log_peers* peers = nullptr;           ///< Null: this node has none. It outlives the logs.
    std::size_t tail_bytes = 256 << 10;   ///< Of each shard's newest groups, in memory for replicas that are behind.
    std::size_t changes_bytes = 16 << 20; ///< Of each shard's changes on disk, for those that come back.
    std::size_t frame_bytes = 512 << 10;  ///< About: no frame has less than one group.
    std::size_t frames_at_once = 8;       ///< To a replica that is behind, for one question.
};

/// The logs of all shards at this node: each a `replication::member` with its rows on disk. One node alone leads every
/// shard as the only voter (`own_all`); in a cluster registers and messages come from outside.
///
/// Everything that has to be written goes into `batch()`; `write` writes it with one fsync, and then does what follows.
/// One thread owns it (the committer).
class shard_logs {
public:
    /// Recovers every shard.
    static expected<shard_logs> open(store& s, const log_options& options = {});
    ~shard_logs();
    shard_logs(shard_logs&&) noexcept;

    /// The built-in coordinator of a single node: it owns every shard, and every start is a new epoch (R6), promised
    /// with one fsync for all. Only for a directory that was never in a cluster; nothing checks that yet.
    expected<void> own_all();

    // ---- writing, at the owner

    /// Seqs for the records of a group, which begins at the given time: hand them over with `add`. The first one of a
    /// single node begins its epoch with a record of its own. `unavailable` unless the shard `takes()`.
    expected<replication::position> propose(std::uint32_t shard, std::uint64_t count, timestamp when);
    /// Whether log and tables are one write: at a node that is alone its own fsync is the quorum. Then the caller
    /// writes all rows of the group into `batch()`, and `add`s none.
    [[nodiscard]] bool merges(std::uint32_t shard) const;
    /// The group whose seqs were proposed just now; null where the shard merges.
    void add(std::uint32_t shard, shared_group group);
    /// Where it does not merge: proposes and adds a record of no entity that changes tables (`encode_changes`).
    expected<replication::position> change_tables(std::uint32_t shard, std::string changes);

    // ---- the cluster

    void on_register(std::uint32_t shard, const replication::replica_set& now);
    void on_register_written(std::uint32_t shard, std::uint64_t epoch, bool applied);
    void on_register_unknown(std::uint32_t shard, std::uint64_t epoch);
    /// As of `replication::member`.
    expected<void> create(std::uint32_t shard);
    expected<void> campaign(std::uint32_t shard);
    expected<void> change(std::uint32_t shard, std::vector<replication::replica_id> voters,
                          std::vector<replication::replica_id> learners);
    expected<void> hand_over(std::uint32_t shard, const replication::replica_id& to);
    /// A frame of another replica. What is wrong with it is an event.
    void on_frame(const replication::replica_id& from, std::string_view frame);
    /// What was sent to it may be lost.
    void on_peer_back(const replication::replica_id& peer);
    /// It is not connected: nothing is made ready for it until it is back.
    void on_peer_gone(const replication::replica_id& peer);
    /// Sends again what may be lost; all shards where `all`, else those where something is going on.
    void tick(bool all);

    // ---- checkpoints

    /// The shard as it is in the tables now. `conflict` when nothing was ever applied. Not between an input and its
    /// `write`, as `install`.
    expected<checkpoint_source> take_checkpoint(std::uint32_t shard) const;
    /// Keeps groups after that record longer, for a replica that gets a checkpoint of all up to it.
    void keep_after(std::uint32_t shard, std::uint64_t seq);
    /// Whether what a replica offers is of use here: `conflict` says why not.
    expected<void> may_install(const checkpoint_head& head) const;
    /// A place for one that is to come; problems as of `may_install`, and of the disk.
    expected<checkpoint_staging> receive_checkpoint(checkpoint_head head);
    /// Puts a finished one in the place of the shard's rows, and goes on from there. False: not now, try again.
    /// Problems as of `may_install`, and of the disk; `write` tells of those that are the end of the process.
    expected<bool> install(checkpoint_staging& whole);

    // ---- the disk

    [[nodiscard]] rocksdb::WriteBatch& batch();
    /// Writes the batch with an fsync and does what follows from it, until nothing is left to write. Any problem is the
    /// end of the process: a disk that fails, or a log that may not go on.
    expected<void> write();
    /// Whether there is anything to write.
    [[nodiscard]] bool is_dirty() const;
    /// What happened since the last call.
    [[nodiscard]] std::vector<log_event> take_events();

    /// Lets the log begin after record `to`, of that time: the caller removes the records in the same batch.
    /// `conflict` when it begins later already, or the record is not committed. The batch has to be written.
    expected<void> trim(std::uint32_t shard, std::uint64_t to, timestamp time);
    /// Begins the epoch of a shard that a single node has not written to since its start: only then all of its log
    /// counts as committed.
    void settle(std::uint32_t shard, timestamp when);

    /// The last record that was trimmed; 0: none.
    [[nodiscard]] std::uint64_t base_seq(std::uint32_t shard) const;
    [[nodiscard]] std::uint64_t last_seq(std::uint32_t shard) const;
    [[nodiscard]] std::uint64_t commit(std::uint32_t shard) const;
    [[nodiscard]] std::uint64_t applied(std::uint32_t shard) const;
    /// Whether proposals are taken now; an owner that changes its set takes none for a moment.
    [[nodiscard]] bool takes(std::uint32_t shard) const;
    [[nodiscard]] const replication::member& of(std::uint32_t shard) const;

private:
    struct impl;
    explicit shard_logs(std::unique_ptr<impl> made);
    std::unique_ptr<impl> impl_;
};

/// Makes the epochs of a shard end with its record `last_seq`, for a log whose end is cut off. Promises stay, so that
/// no epoch is used twice.
expected<void> cut_epochs(const store& s, std::uint32_t shard, std::uint64_t last_seq, rocksdb::WriteBatch& batch);

} // namespace troupe::storage
