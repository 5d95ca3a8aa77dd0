#pragma once

#include "schemas/base/problem.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Reads of the journal and of an entity's history. All thread-safe.
namespace troupe::storage {

/// Visits the records of a shard's log after `after_seq`, in order, until `visit` returns false. A gap or a damaged
/// record ends it with `journal_damaged`.
expected<void> read_log(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                        const std::function<bool(record&&)>& visit);

/// The seq of the last record of a shard's log; 0 when it is empty.
std::uint64_t last_seq(const store& s, std::uint32_t shard);
/// The time of that record; 1970 when the log is empty.
timestamp last_time(const store& s, std::uint32_t shard);
/// A seq up to which at least the shard's records were applied to the derived tables: the log has to reach it.
std::uint64_t applied_seq(const store& s, std::uint32_t shard);

/// Visits an entity's records after `after_version` up to `last_version`, in order. A gap is `journal_damaged`.
expected<void> read_history(const store& s, const entity_address& a, std::uint64_t after_version,
                            const std::function<expected<void>(record&&)>& visit,
                            std::uint64_t last_version = UINT64_MAX);

/// The version of an entity: the number of its last event in the history; 0 when it has none.
expected<std::uint64_t> read_version(const store& s, const entity_address& a);

/// The snapshots of an entity that are good, newest first; at most `count`.
std::vector<snapshot_row> read_snapshots(const store& s, const entity_address& a, std::size_t count);

/// The de-duplication row of a command, or nothing when the entity has not seen it.
expected<std::optional<command_row>> read_command(const store& s, const entity_address& a, std::string_view command_id);

/// At start: each shard's log has no gap between what was applied and its end, and reaches what was applied.
expected<void> check_tails(const store& s);

/// The result of `troupe journal verify`.
struct verification {
    std::uint64_t records = 0;
    std::uint64_t shards = 0; ///< That have records.
    std::uint64_t snapshots = 0;
    std::uint64_t snapshots_damaged = 0;
    std::optional<problem> first_bad; ///< Names shard and seq, or the entity.
};
/// Reads every record and checks checksums, order and gaps, the batches of commands, and every snapshot.
verification verify_journal(const store& s, const std::function<void(std::uint64_t records)>& progress);

} // namespace troupe::storage
