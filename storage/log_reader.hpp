#pragma once

#include "schemas/base/problem.hpp"
#include "storage/epochs.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"
#include "storage/tables.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reads of the journal and of an entity's history, up to what is applied: committed, and in the tables. What a replica
/// has beyond that may be dropped again, and is nobody's (`written_log.hpp`). All thread-safe.
namespace troupe::storage {

/// Visits the records of a shard's log after `after_seq` up to `store::applied` as it is now, in order, until `visit`
/// returns false. A gap or a damaged record ends it with `journal_damaged`; `not_found` when records after `after_seq`
/// were trimmed.
expected<void> read_log(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                        const std::function<bool(record&&)>& visit);

/// The same with the bytes of each record's value.
expected<void> read_log_bytes(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                              const std::function<bool(record&&, std::string_view bytes)>& visit);

/// Where a shard's log begins.
expected<log_base> read_log_base(const store& s, std::uint32_t shard);
/// The time of the last applied record of a shard's log, also when it was trimmed; 1970 when there is none.
timestamp last_time(const store& s, std::uint32_t shard);

/// Visits an entity's records after `after_version` up to `last_version`, in order. A gap is `journal_damaged`;
/// `not_found` when events after `after_version` were cut by retention (storage/base.hpp).
expected<void> read_history(const store& s, const entity_address& a, std::uint64_t after_version,
                            const std::function<expected<void>(record&&)>& visit,
                            std::uint64_t last_version = UINT64_MAX);
/// The same with payloads as they are kept, which may be sealed or erased.
expected<void> read_sealed_history(const store& s, const entity_address& a, std::uint64_t after_version,
                                   const std::function<expected<void>(record&&)>& visit,
                                   std::uint64_t last_version = UINT64_MAX);

/// The version of an entity: the number of its last event in the history; 0 when it has none.
expected<std::uint64_t> read_version(const store& s, const entity_address& a);

/// The snapshots of an entity that are good, newest first; at most `count`.
std::vector<snapshot_row> read_snapshots(const store& s, const entity_address& a, std::size_t count);

/// The de-duplication row of a command, or nothing when the entity has not seen it.
expected<std::optional<command_row>> read_command(const store& s, const entity_address& a, std::string_view command_id);

/// The result of `troupe journal verify`.
struct verification {
    std::uint64_t records = 0;       ///< That are applied.
    std::uint64_t waiting = 0;       ///< Beyond them: of a replica, not known to be committed.
    std::uint64_t shards = 0;        ///< That have records.
    std::uint64_t trimmed = 0;       ///< Records that were there before the logs begin.
    std::uint64_t histories = 0;     ///< Of entities.
    std::uint64_t histories_cut = 0; ///< Of these: whose oldest events were cut by retention.
    std::uint64_t snapshots = 0;     ///< With the states at which cut histories begin.
    std::uint64_t snapshots_damaged = 0;
    std::uint64_t blobs = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t blobs_unfinished = 0; ///< Left by a crash in the middle of an upload; harmless.
    std::uint64_t blobs_damaged = 0;
    std::uint64_t references = 0;          ///< Of states to blobs.
    std::uint64_t blobs_missing = 0;       ///< References that lead nowhere.
    std::optional<problem> first_bad;      ///< Of the journal: names shard and seq, or the entity.
    std::optional<problem> first_bad_blob; ///< Names the blob, or who names it.

    [[nodiscard]] const std::optional<problem>& first() const { return first_bad ? first_bad : first_bad_blob; }
};
/// Reads every record, also those that wait, and checks checksums, order and gaps and the batches of commands; every
/// entity's history from where it begins to its head; every snapshot; and the checksums of all other tables; then every
/// blob, that its bytes are those of its name, and that each reference leads to one.
verification verify_journal(const store& s, const std::function<void(std::uint64_t records)>& progress);
/// The part of it about blobs, added to `to`.
void verify_blobs(const store& s, verification& to, const std::function<void(std::uint64_t records)>& progress);

} // namespace troupe::storage
