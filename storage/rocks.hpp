#pragma once

#include "schemas/base/problem.hpp"
#include "storage/list_heads.hpp"
#include "storage/store.hpp"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>

#include <memory>
#include <mutex>
#include <string>

namespace troupe::storage {

class blob_peers;

/// The open database. Only .cpp files of this floor include this header.
struct rocks {
    std::unique_ptr<rocksdb::CompactionFilter> filter; ///< The database has a plain pointer to it.
    std::unique_ptr<rocksdb::DB> db;
    rocksdb::ColumnFamilyHandle* log = nullptr;
    rocksdb::ColumnFamilyHandle* derived = nullptr;
    rocksdb::ColumnFamilyHandle* blobs = nullptr;
    blob_peers* peers = nullptr;       ///< See `attach_blob_peers`.
    std::unique_ptr<list_heads> heads; ///< Whoever writes rows of an index touches its shard there.
    std::mutex audit_mutex;            ///< Reading where the audit log of a shard ends and writing on is one step.
    std::mutex blobs_mutex;            ///< Of marks: looking at one and acting on it is one step. Never held over more.

    rocks() = default;
    rocks(const rocks&) = delete;
    ~rocks() {
        if (db) {
            for (auto* family : {fallback, log, derived, blobs}) {
                if (family) {
                    db->DestroyColumnFamilyHandle(family);
                }
            }
            db->Close();
        }
    }
    rocksdb::ColumnFamilyHandle* fallback = nullptr; ///< "default": unused, but RocksDB has to open it.
};

/// A RocksDB status as a problem: corruption is `journal_damaged`, no space `storage_full`, else `storage_failed`.
problem to_problem(const rocksdb::Status& status, std::string_view doing);

/// An iterator over all keys with that prefix: `for (prefix_scan s(db, family, prefix); s.valid(); s.next())`.
class prefix_scan {
public:
    /// At the first key at or after prefix + `from`: never at what lies before, which may be many deleted keys.
    prefix_scan(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string prefix, std::string_view from = {});
    [[nodiscard]] bool valid() const { return iterator_->Valid(); }
    void next() { iterator_->Next(); }
    /// Moves to the first key at or after prefix + suffix.
    void seek(std::string_view suffix);
    /// To the last key with the prefix at or before prefix + suffix; and back from there.
    void seek_last();
    void seek_before(std::string_view suffix);
    void previous() { iterator_->Prev(); }
    [[nodiscard]] std::string_view key() const { return {iterator_->key().data(), iterator_->key().size()}; }
    /// The key without the prefix.
    [[nodiscard]] std::string_view rest() const { return key().substr(prefix_.size()); }
    [[nodiscard]] std::string_view value() const { return {iterator_->value().data(), iterator_->value().size()}; }
    [[nodiscard]] rocksdb::Status status() const { return iterator_->status(); }

private:
    std::string prefix_;
    std::string end_;
    rocksdb::Slice lower_;
    rocksdb::Slice upper_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
};

} // namespace troupe::storage
