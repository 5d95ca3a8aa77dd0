#pragma once

#include "schemas/base/problem.hpp"
#include "storage/replication/replica.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rocksdb {
class WriteBatch;
}

namespace troupe::storage {

/// The logs of all shards at this node: each a `replication::replica` that leads with itself as the only voter. The
/// built-in coordinator of a single node: it owns every shard, and every start is a new epoch (R6).
/// One thread owns it (the committer).
class shard_logs {
public:
    /// Recovers every shard and promises a new epoch, with one fsync for all.
    static expected<shard_logs> open(store& s);

    /// Seqs for `count` entries of a shard, which the caller adds to `batch`. The first proposal of a shard leads its
    /// epoch: the epoch-start record is added before, with the time `when` of the first entry, which was decided before
    /// this: time never goes back in a log.
    expected<replication::position> propose(std::uint32_t shard, std::uint64_t count, timestamp when,
                                            rocksdb::WriteBatch& batch);

    /// Leads a shard that nobody has written to since the start: only then all of its log counts as committed. Adds the
    /// epoch-start record to `batch`; nothing when the shard is led already.
    expected<void> settle(std::uint32_t shard, timestamp when, rocksdb::WriteBatch& batch);

    /// The batch with all proposals since the last call is fsynced. At factor 1 that commits them; a problem is a
    /// defect.
    expected<void> persisted();

    /// Lets the log begin after record `to`, of that time: the caller removes the records in the same batch.
    /// `conflict` when it begins later already, or the record is not committed. The batch has to be written.
    expected<void> trim(std::uint32_t shard, std::uint64_t to, timestamp time, rocksdb::WriteBatch& batch);

    /// The last record that was trimmed; 0: none.
    [[nodiscard]] std::uint64_t base_seq(std::uint32_t shard) const { return logs_[shard].core.log().base().seq; }
    [[nodiscard]] std::uint64_t last_seq(std::uint32_t shard) const { return logs_[shard].core.log().last().seq; }
    [[nodiscard]] std::uint64_t commit(std::uint32_t shard) const { return logs_[shard].core.commit(); }

private:
    struct log {
        replication::replica core;
        std::uint64_t epoch = 0; ///< Promised at this start; led from the first proposal on.
        std::uint64_t write = 0; ///< Of the core, still to be fsynced; 0: none.
        timestamp base_time;     ///< Of the last record that was trimmed.

        [[nodiscard]] std::string row() const; ///< Of the epochs.
    };
    explicit shard_logs(store& s) : store_(&s) {}
    expected<void> recover(std::uint32_t shard);
    expected<void> seal_all();
    expected<void> lead(std::uint32_t shard, timestamp when, rocksdb::WriteBatch& batch);
    expected<void> note_actions(log& l);

    store* store_;
    std::vector<log> logs_;
    std::vector<std::uint32_t> unsynced_;
    replication::actions actions_;
};

/// Makes the epochs of a shard end with its record `last_seq`, for a log whose end is cut off. Promises stay, so that
/// no epoch is used twice.
expected<void> cut_epochs(const store& s, std::uint32_t shard, std::uint64_t last_seq, rocksdb::WriteBatch& batch);

} // namespace troupe::storage
