#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/quota.hpp"
#include "storage/blob_hash.hpp"
#include "storage/epochs.hpp"
#include "storage/record.hpp"
#include "storage/sealing.hpp"
#include "storage/shard_logs.hpp"
#include "storage/store.hpp"
#include "storage/usage.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::storage {

/// What follows from records for the derived tables beyond history and de-duplication, which the committer writes
/// itself: documents, index keys, items, timers, owed marks, snapshots. Keys are whole keys of storage/keys.hpp.
struct derived_changes {
    std::vector<std::pair<std::string, std::string>> puts;
    std::vector<std::string> deletes;
    std::vector<blob_hash> named_blobs; ///< That the entity did not name before: see `storage::name_blobs`.
    std::vector<usage_amount> held;     ///< By how much what the entity holds has changed.
};

/// Ids of commands that nobody can repeat, since the node made them up, begin with this. They have no row in the table
/// of de-duplication; after a crash of its entity such a command is looked up in the history.
inline constexpr char fresh_command_mark = '~';

/// Whether a command with that id is recognised when it comes again.
inline bool is_remembered(std::string_view command_id) {
    return !command_id.empty() && command_id.front() != fresh_command_mark;
}

/// All that an entity appends at once: the events of the commands it decided together.
/// Without records it only changes derived tables: a snapshot on passivation, which no other replica needs, or a cut of
/// the history, which all of them need (`for_all`) and which goes through the log of a shard with several replicas.
struct append {
    entity_address entity;
    std::uint64_t activation = 0;       ///< From `activate`; an older one is refused.
    std::uint64_t expected_version = 0; ///< The entity's version before the first record.
    std::vector<record> records;        ///< The committer fills in shard, seq and epoch.
    derived_changes derived;
    std::vector<usage_amount> used; ///< By the records.
    usage_claim claim;              ///< What was taken for it: given back with it, or counted instead.
    bool for_all = false;           ///< Without records: see above.
    uuid subject = {};              ///< Whose key seals it (storage/key_store.hpp); nil: the organization's.
};

/// A successful append.
struct appended {
    std::uint64_t last_seq = 0; ///< Of the shard.
};

/// An entity's licence to append.
struct activation {
    std::uint64_t id = 0;
    std::uint64_t version = 0;
};

/// What became of an append.
struct settled_append {
    std::uint64_t ticket = 0;
    append what; ///< Its records carry shard and seq when it succeeded.
    expected<appended> result;
};

/// Turns appends into one write with one fsync. Not thread-safe: one thread owns it (the committer actor).
///
/// One node is replication factor 1: its own fsync is the quorum, so the log batch and the apply batch are merged into
/// one write, which saves half the writes; with more replicas the apply batch follows the quorum.
class committer {
public:
    /// A single node: recovers the shards' logs and begins a new epoch of each. Problems as of `shard_logs::open`.
    static expected<std::unique_ptr<committer>> open(store& s, std::uint64_t free_bytes_min);
    /// A node of a cluster: registers and frames go to `logs()`.
    static expected<std::unique_ptr<committer>> join(store& s, std::uint64_t free_bytes_min,
                                                     const log_options& options);
    ~committer();

    /// From now on only this activation appends. Not before the entity's appends are settled: `is_in_flight`.
    /// `unavailable` when this node does not own the shard: the next owner knows the entity's version.
    expected<activation> activate(const entity_address& a);
    /// Ends an activation (passivation). Unknown ones are ignored.
    void release(const entity_address& a, std::uint64_t activation_id);

    /// Takes an append for the next `write`. What becomes of it comes with `take_settled`, in the order of its shard:
    /// `conflict` for a foreign activation or version, `storage_full` when space is short, `erased` when its key is
    /// destroyed, `unavailable` when this node does not own the shard; nothing was written then. In a cluster its keys
    /// were issued before (`issue_keys`), else `conflict`. `unknown_outcome` when
    /// the shard was lost meanwhile: the next owner knows whether it is committed.
    void submit(append what, std::uint64_t ticket);
    /// Writes all that was submitted, with one fsync. Any problem is the end of the process: nobody knows then what is
    /// on disk.
    expected<void> write();
    [[nodiscard]] std::vector<settled_append> take_settled();
    /// Whether an append of the entity was submitted that is not settled yet.
    [[nodiscard]] bool is_in_flight(const entity_address& a) const;
    /// Events of the logs; those about appends are dealt with.
    [[nodiscard]] std::vector<log_event> take_events();
    /// Whether this node owns the shard, and has all of it in its tables: from the event on that says so.
    [[nodiscard]] bool owns(std::uint32_t shard) const { return owned_[shard]; }
    /// Gives the shard to that voter: what is submitted waits from now on, and when nothing is in flight, it is asked
    /// to lead. Comes to nothing when that takes more than some ticks.
    void hand_over(std::uint32_t shard, const replication::replica_id& to);
    /// To be called now and then: sends again what may be lost, `all` for shards where nothing goes on, too.
    void tick(bool all);
    /// To be followed by `write`.
    [[nodiscard]] shard_logs& logs() { return logs_; }

    /// Commits all appends of a single node in one write. results[i] is for batch[i]: `conflict` for a foreign
    /// activation or version, `storage_full` when space is short, `erased` when its key is destroyed; those are not
    /// written, the others are. Any I/O error is returned as the whole call's problem: the outcome is then unknown and
    /// the process has to end. On success batch[i].records carry their shard and seq.
    expected<void> commit(std::span<append> batch, std::vector<expected<appended>>& results);

    /// Lets a shard's log begin after `to`, which `find_trim` gave. One write with one fsync: a crash leaves it as it
    /// was, or trimmed. Any replica does it by itself. `conflict` when it begins later already, or when another replica
    /// gets what would go; any other problem is one of the disk, as in `commit`.
    expected<void> trim(std::uint32_t shard, const log_base& to);

private:
    /// Of a shard, in the order of its log.
    struct in_flight {
        std::uint64_t last_seq = 0; ///< 0: it has no records.
        settled_append of;
    };
    committer(store& s, shard_logs logs, std::uint64_t free_bytes_min);
    void settle(settled_append of, expected<appended> result);
    void take_up(settled_append of);
    /// Those that had to wait for their shard.
    void take_up_held();
    /// Whether the append may be written; notes its version when it may.
    /// `key` is set to what it is sealed with.
    expected<void> accept(const append& a, shared_key& key);
    [[nodiscard]] bool is_logged(const append& a) const;
    expected<appended> put(append& a, const payload_key* key);
    expected<appended> put_at_once(append& a, const payload_key* key);
    expected<appended> put_group(append& a, const payload_key* key);
    expected<appended> put_tables(append& a, const payload_key* key);
    expected<void> complete_rows(append& a, const payload_key* key);
    void note(const log_event& event);
    void lost(std::uint32_t shard);
    void go_on_with_hand_overs();
    bool space_left();

    struct active {
        std::uint64_t activation = 0;
        std::uint64_t version = 0;
    };
    store& store_;
    shard_logs logs_;
    std::vector<bool> owned_;                    ///< As the events say.
    std::vector<std::deque<in_flight>> flights_; ///< Of each shard.
    std::size_t in_flight_count_ = 0;
    bool miscounted_ = false; ///< What was counted for a lost shard is still in the ledger's sums.
    bool followed_ = false;   ///< What other nodes counted is not in them yet.
    std::int64_t recounted_ms_ = 0;
    struct handing_over {
        replication::replica_id to;
        std::uint32_t ticks_left = 0;
    };
    std::map<std::uint32_t, handing_over> handing_over_; ///< By shard.
    std::vector<settled_append> held_;                   ///< Their shards take nothing just now.
    std::vector<settled_append> unlogged_;               ///< Without records, for the next write.
    std::vector<settled_append> settled_;
    std::vector<log_event> events_;
    std::optional<problem> fatal_;
    std::unordered_map<entity_address, active> active_;
    std::uint64_t next_activation_ = 1;
    std::uint64_t free_bytes_min_;
    std::int64_t space_checked_ms_ = 0;
    std::size_t unchecked_bytes_ = 0; ///< Written since then.
    bool space_left_ = true;
};

} // namespace troupe::storage
