#include "storage/blob_collector.hpp"

#include "storage/blob_rows.hpp"
#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <vector>

namespace troupe::storage {

namespace {

/// Collected bytes after which a compaction is worth its work, with one part in `compact_share` of all.
constexpr std::uint64_t compact_bytes_min = 32 << 20;
constexpr std::uint64_t compact_share = 8;

std::string name_of(const blob_row& row) { return keys::blob_name(row.organization, as_bytes(row.hash)); }
std::string mark_key(const blob_row& row) {
    return keys::blob_piece(row.organization, as_bytes(row.hash), blob_mark_piece);
}

/// Collects the blob unless somebody put or named it meanwhile.
expected<bool> collect(store& s, const blob_row& row) {
    auto& db = s.db();
    const std::lock_guard lock(db.blobs_mutex);
    const auto mark = read_blob_mark(s, row.organization, row.hash);
    if (!mark) {
        return mark.error();
    }
    if (*mark != row.mark) {
        return false;
    }
    rocksdb::WriteBatch batch;
    if (row.head) {
        const auto pieces = (row.head->size + blob_piece_bytes - 1) / blob_piece_bytes;
        for (std::uint64_t piece = 0; piece <= pieces; ++piece) {
            batch.Delete(db.blobs,
                         keys::blob_piece(row.organization, as_bytes(row.hash), static_cast<std::uint32_t>(piece)));
        }
        batch.Delete(db.blobs, mark_key(row));
    } else {
        const auto prefix = keys::blob_prefix(row.organization, as_bytes(row.hash));
        batch.DeleteRange(db.blobs, prefix, keys::after_prefix(prefix));
    }
    // Not synced: what comes back after a crash is collected again.
    const auto status = db.db->Write({}, &batch);
    return status.ok() ? expected<bool>(true) : expected<bool>(to_problem(status, "cannot collect a blob"));
}

} // namespace

expected<bool> blob_collector::step(timestamp now) {
    if (after_.empty()) {
        seen_ = {};
    }
    std::vector<blob_row> rows;
    auto read = each_blob(store_, after_, [&](const blob_row& row) {
        rows.push_back(row);
        return rows.size() < settings_.step_blobs;
    });
    if (!read) {
        return read.error();
    }
    if (rows.empty()) {
        after_.clear();
        return true;
    }
    // Read after the rows: who names a blob took its mark away before, and then it is not collected.
    const auto named = named_blobs(store_, name_of(rows.front()), name_of(rows.back()));
    if (!named) {
        return named.error();
    }
    rocksdb::WriteBatch marks;
    for (const auto& row : rows) {
        const auto bytes = row.head ? row.head->size : 0;
        const bool is_named = std::ranges::binary_search(*named, name_of(row));
        if (is_named && row.mark) {
            marks.Delete(store_.db().blobs, mark_key(row));
        } else if (!is_named && (!row.mark || *row.mark > now)) { // or the clock was ahead then
            marks.Put(store_.db().blobs, mark_key(row), encode_blob_mark(now));
        } else if (!is_named && now - *row.mark > settings_.grace_ms) {
            const auto gone = collect(store_, row);
            if (!gone) {
                return gone.error();
            }
            if (*gone) {
                ++seen_.collected;
                seen_.collected_bytes += bytes;
                freed_bytes_ += bytes;
                continue;
            }
        }
        seen_.blobs += row.head ? 1 : 0;
        seen_.bytes += bytes;
        seen_.unnamed += is_named ? 0 : 1;
    }
    if (marks.Count() > 0) {
        const auto status = store_.db().db->Write({}, &marks);
        if (!status.ok()) {
            return to_problem(status, "cannot mark blobs");
        }
    }
    after_ = name_of(rows.back());
    if (rows.size() == settings_.step_blobs) {
        return false;
    }
    after_.clear();
    return true;
}

expected<void> blob_collector::compact() {
    if (freed_bytes_ < std::max(compact_bytes_min, seen_.bytes / compact_share)) {
        return {};
    }
    freed_bytes_ = 0;
    rocksdb::CompactRangeOptions options;
    options.canceled = &cancelled_;
    options.exclusive_manual_compaction = false;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    // Drops the files of which nothing is left; moving what is left of others is RocksDB's own work, bit by bit.
    options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kDisable;
    const auto status = store_.db().db->CompactRange(options, store_.db().blobs, nullptr, nullptr);
    return status.ok() || cancelled_ ? expected<void>()
                                     : expected<void>(to_problem(status, "cannot compact the blobs"));
}

} // namespace troupe::storage
