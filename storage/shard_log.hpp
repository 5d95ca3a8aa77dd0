#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/entry_group.hpp"
#include "storage/replication/member.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace rocksdb {
class WriteBatch;
}

namespace troupe::storage {

/// One shard's log at this node, for `shard_logs` only: the member, and where its entries are. Groups that are not
/// applied are in memory; of those that are, as many as fit.
class shard_log {
public:
    /// `journal_damaged` when the rows do not fit each other.
    static expected<shard_log> recover(const store& s, std::uint32_t shard, bool patient);

    /// Begins anew with what a checkpoint left on disk. Problems leave it as it was, and are the end of the process.
    expected<void> recover_installed(const store& s, replication::actions& out);

    std::uint32_t shard = 0;
    replication::member self;
    std::uint64_t write = 0;       ///< Of the core, still to be fsynced; 0: none.
    std::uint64_t applied = 0;     ///< Everything up to it is in the tables.
    std::uint64_t marked = 0;      ///< As the row says.
    timestamp base_time;           ///< Of the last record that was trimmed.
    timestamp last_time;           ///< Of the log's end.
    replication::actions proposed; ///< That wait for their group.
    std::uint32_t lively = 0;      ///< Ticks that it still needs.
    std::uint64_t wanted_after =
        UINT64_MAX; ///< What follows this record is kept longer: somebody gets all up to it as a checkpoint.

    /// Adds a group at the end.
    void append(const store& s, shared_group group, rocksdb::WriteBatch& batch);
    /// Drops what stands at `from` and after it. `internal` where that is in the middle of a group, or applied.
    expected<void> truncate(const store& s, std::uint64_t from, rocksdb::WriteBatch& batch);
    /// Applies what is committed. True when something has changed.
    expected<bool> apply(const store& s, rocksdb::WriteBatch& batch);
    /// Lets go what is applied and over the bounds, in memory and on disk.
    void forget(const store& s, std::size_t tail_max, std::size_t changes_max, rocksdb::WriteBatch& batch);
    /// The row of epochs, as it has to be now.
    void put_epochs(const store& s, rocksdb::WriteBatch& batch) const;
    void put_mark(const store& s, rocksdb::WriteBatch& batch);
    /// The group that begins there, from memory or disk; null when it is not kept any more.
    [[nodiscard]] expected<shared_group> find(const store& s, std::uint64_t first) const;
    /// The first seq of the group that record is in; the record itself where no group is kept.
    [[nodiscard]] std::uint64_t begin_of(const store& s, std::uint64_t seq) const;
    /// The first record from which on all groups are kept.
    [[nodiscard]] std::uint64_t kept_from() const;
    /// Whether log and tables are one write.
    [[nodiscard]] bool merges() const;
    /// The record with which an epoch begins, as a group.
    [[nodiscard]] shared_group epoch_start(std::uint64_t seq, timestamp when) const;
    /// A record of no entity, whose group changes tables.
    [[nodiscard]] shared_group changed_tables(std::uint64_t seq, std::string changes) const;
    /// Lets go what is kept of groups up to there: they are trimmed.
    void drop_kept(const store& s, std::uint64_t to, rocksdb::WriteBatch& batch);

private:
    explicit shard_log(replication::member m) : self(std::move(m)) {}
    expected<void> recover_groups(const store& s);
    [[nodiscard]] shared_group own_record(std::string_view type, std::uint64_t seq, timestamp when,
                                          std::string changes) const;
    void drop_oldest_kept(const store& s, rocksdb::WriteBatch& batch);

    std::deque<shared_group> tail_; ///< Each begins where the one before ends; the last one is the end of the log.
    std::size_t tail_bytes_ = 0;
    std::deque<kept_changes> kept_; ///< On disk.
    std::size_t kept_bytes_ = 0;
};

} // namespace troupe::storage
