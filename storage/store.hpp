#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class Env;
}

namespace troupe::storage {

/// What a data directory is, in DIR/identity.json: written once, checked loudly at every start.
struct identity {
    std::uint32_t format = 2; ///< Of the directory; a greater one than `directory_format` is refused.
    uuid cluster;             ///< Part of every external effect's key.
    uuid replica;             ///< Made with the directory: a lost disk is a new replica.
    uuid default_organization;
    std::uint32_t shards = 256;
    std::string hash = "xxh64"; ///< Which entity lives in which shard: hash(organization, kind, id) mod shards.
    std::uint64_t hash_seed = 0;
    std::string created_by_version;
    timestamp created_at;
    bool has_database =
        false; ///< Set once the database is there: from then on a missing one is damage, never made anew.
};
BOOST_DESCRIBE_STRUCT(identity, (),
                      (format, cluster, replica, default_organization, shards, hash, hash_seed, created_by_version,
                       created_at, has_database))

/// 2: no row's key is what a user wrote. Older ones are brought up before they are served (storage/upgrade.hpp).
inline constexpr std::uint32_t directory_format = 2;
inline constexpr std::uint32_t shards_max = 4096;
/// So that nobody can choose ids of one shard.
std::uint64_t make_hash_seed();
/// In a directory while a backup is restored into it, with what is not good yet.
inline constexpr std::string_view restoring_name = ".restoring";

/// What the nodes of a cluster have in common.
struct common_identity {
    uuid cluster;
    uuid default_organization;
    std::uint64_t hash_seed = 0;
};

struct store_options {
    std::filesystem::path directory;
    /// Of a node of a cluster: for a new directory; an existing one of another cluster is refused.
    std::optional<common_identity> common = {};
    std::uint32_t shards = 256; ///< For a new directory. An existing one with another count is refused.
    bool shards_given = false;  ///< Whether the operator asked for that count.
    bool read_only = false;     ///< Inspect without the lock, beside a running node or on damage.
    bool must_exist = false;    ///< Never make a new directory.
    std::size_t cache_bytes = 128 << 20;
    std::size_t write_buffer_bytes = 64 << 20; ///< Of each family of tables; some memory is taken at once.
    std::uint64_t free_bytes_min = 0; ///< Below, blobs are refused; the committer has the same bound for events.
    std::int64_t dedup_window_ms = 24LL * 3600 * 1000; ///< Older de-duplication rows are dropped by compaction.
    std::int64_t effect_rows_ms = 0; ///< Those of effects, which are sent again for as long as they are owed; 0: never.
    rocksdb::Env* env = nullptr; ///< The disk under the database, for simulations; not owned. By default the machine's.
};

struct rocks; // storage/rocks.hpp: the open database, for this floor only
class window_filter;
class usage_ledger;
class key_store;

/// An open data directory. Thread-safe for reads; one committer writes the journal.
class store {
public:
    ~store();
    store(const store&) = delete;

    /// Opens or creates. Problems: `data_dir_in_use`, `data_dir_unusable`, `data_dir_newer`, `journal_damaged`
    /// (the database refuses, or a shard's log has a gap), each with what to do.
    static expected<std::unique_ptr<store>> open(const store_options& options);

    [[nodiscard]] const identity& who() const { return identity_; }
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
    [[nodiscard]] std::uint32_t shard_of(const entity_address& a) const;
    /// Bytes free on the file system of the directory.
    [[nodiscard]] std::uint64_t free_bytes() const;
    /// What the tables in memory take on disk when they are flushed, at most.
    [[nodiscard]] std::uint64_t unflushed_bytes() const;
    /// `storage_full` when less than `free_bytes_min` would be left after a flush.
    [[nodiscard]] expected<void> check_space(std::uint64_t free_bytes_min) const;
    [[nodiscard]] std::uint64_t free_bytes_min() const { return free_bytes_min_; }
    /// From now on rows of de-duplication grow old, beginning with the age that they have at the newest record; until
    /// then none is dropped.
    void let_rows_age(timestamp newest_record);
    /// Syncs everything written so far; for shutdown.
    expected<void> flush();

    /// The directory is of `directory_format` from now on: older programs refuse it.
    expected<void> raise_format();

    /// The last record of a shard that is applied: it and all before it are committed and in the tables, and stay. So
    /// far the log is for readers; a replica's may go on with entries that are dropped again. Thread-safe.
    [[nodiscard]] std::uint64_t applied(std::uint32_t shard) const {
        return applied_[shard].load(std::memory_order_acquire);
    }
    /// For who writes the logs, after the tables.
    void set_applied(std::uint32_t shard, std::uint64_t seq) { applied_[shard].store(seq, std::memory_order_release); }

    [[nodiscard]] rocks& db() const { return *rocks_; }
    /// Contents are sealed with these from now on. Once, before anything is written; without them all is kept plain.
    void attach_keys(std::unique_ptr<key_store> keys);
    /// Null: none are attached.
    [[nodiscard]] key_store* keys() const { return keys_.get(); }
    /// Where the keys of a data directory are.
    [[nodiscard]] static std::filesystem::path keys_folder(const std::filesystem::path& directory) {
        return directory / "keys";
    }
    /// What organizations use and may use.
    [[nodiscard]] usage_ledger& usage() const { return *usage_; }

private:
    store();
    identity identity_;
    std::filesystem::path directory_;
    std::uint64_t free_bytes_min_ = 0;
    rocksdb::Env* env_ = nullptr; ///< A simulated disk.
    std::unique_ptr<rocks> rocks_;
    window_filter* window_ = nullptr;                 ///< Of the database.
    std::vector<std::atomic<std::uint64_t>> applied_; ///< Of each shard.
    std::unique_ptr<usage_ledger> usage_;
    std::unique_ptr<key_store> keys_;
};

} // namespace troupe::storage
