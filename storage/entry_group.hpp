#pragma once

#include "schemas/base/problem.hpp"
#include "storage/record.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocksdb {
class WriteBatch;
}

/// What travels between replicas and waits on their disks until it is committed.
namespace troupe::storage {

class store;

/// The records of one append, with what they change in the derived tables: written, sent, committed and dropped
/// together. The rows of history and de-duplication are not in it: they follow from the records.
struct entry_group {
    std::uint64_t first = 0; ///< Seqs in the shard's log.
    std::uint64_t last = 0;
    std::vector<std::string> records; ///< Values as the log keeps them, sealed.
    std::string changes;              ///< `encode_changes`.
    timestamp time;                   ///< Of its last record, where that is known.

    [[nodiscard]] std::size_t bytes() const;
};
using shared_group = std::shared_ptr<const entry_group>;

/// Rows of the derived tables: whole keys.
std::string encode_changes(std::span<const std::pair<std::string, std::string>> puts,
                           std::span<const std::string> deletes);

/// Appends a group's bytes, as they are sent.
void put_group(std::string& out, const entry_group& group);
/// The groups that follow `after` in a shard's log, from what another replica sent: all of `epoch`, each record with a
/// checksum that is right for its place, and changes of that shard only. `invalid_request` otherwise.
expected<std::vector<shared_group>> read_groups(std::uint32_t shard, std::uint64_t after, std::uint64_t epoch,
                                                std::uint64_t count, std::string_view bytes);

// ---- on disk

/// Log rows and the row that keeps the changes until they are applied, and longer, for replicas that come back.
void write_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch);
/// Takes them out again; of a group that was not applied.
void drop_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch);
/// The row alone: that replica can only come back by a checkpoint.
void drop_changes(const store& s, std::uint32_t shard, std::uint64_t last, rocksdb::WriteBatch& batch);
/// The rows of history and de-duplication of one record; `value` is how the log keeps it.
void put_record_rows(const store& s, const record& r, std::string_view value, rocksdb::WriteBatch& batch);
/// Brings the derived tables up to the group.
expected<void> apply_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch);

/// A group whose changes are kept.
struct kept_changes {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::size_t bytes = 0;
};
/// Of all groups of a shard that are kept, in order.
expected<std::vector<kept_changes>> each_kept(const store& s, std::uint32_t shard);
/// The first group that ends at `seq` or after it, or nothing.
expected<std::optional<kept_changes>> kept_at(const store& s, std::uint32_t shard, std::uint64_t seq);
/// The group that begins at `first`; null when its changes are not kept any more.
expected<shared_group> load_group(const store& s, std::uint32_t shard, std::uint64_t first);

} // namespace troupe::storage
