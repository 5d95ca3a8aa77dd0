#include "storage/store.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/bytes.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"
#include "storage/usage.hpp"
#include "storage/write_ahead_log.hpp"
#include "storage/written_log.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <xxhash.h>

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <system_error>

namespace troupe::storage {

namespace fs = std::filesystem;

problem to_problem(const rocksdb::Status& status, std::string_view doing) {
    const auto text = std::string(doing) + ": " + status.ToString();
    if (status.IsCorruption()) {
        return {code::journal_damaged, text};
    }
    if (status.IsNoSpace()) {
        return {code::storage_full, text};
    }
    return {code::storage_failed, text};
}

prefix_scan::prefix_scan(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string prefix,
                         std::string_view from)
    : prefix_(std::move(prefix)), end_(keys::after_prefix(prefix_)), lower_(prefix_), upper_(end_) {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    options.iterate_lower_bound = &lower_;
    if (!end_.empty()) {
        options.iterate_upper_bound = &upper_;
    }
    iterator_.reset(db.NewIterator(options, family));
    seek(from);
}

void prefix_scan::seek(std::string_view suffix) { iterator_->Seek(prefix_ + std::string(suffix)); }

void prefix_scan::seek_last() { iterator_->SeekToLast(); }

void prefix_scan::seek_before(std::string_view suffix) { iterator_->SeekForPrev(prefix_ + std::string(suffix)); }

namespace {

/// Opening a directory never raises its format: a tool that looks at it leaves it to the program that it is of.
constexpr std::uint32_t directory_format_oldest = 1;

} // namespace

/// Drops de-duplication rows that are old. What counts is time that the node has lived: rows of an effect that was
/// owed when the node stopped are there when it is sent again, however long that was.
class window_filter : public rocksdb::CompactionFilter {
public:
    window_filter(std::int64_t window_ms, std::int64_t effects_ms) : window_ms_(window_ms), effects_ms_(effects_ms) {}
    [[nodiscard]] const char* Name() const override { return "troupe.dedup_window"; }
    void begin(timestamp newest_record) { began_ms_ = newest_record.ms - monotonic_ms(); }
    bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*, bool*) const override {
        if (key.size() < 3 || key[2] != static_cast<char>(keys::table::command)) {
            return false;
        }
        const auto began_ms = began_ms_.load(std::memory_order_relaxed);
        // An effect is sent again for as long as it is owed.
        const auto end_of_kind = key.ToStringView().find('\0', keys::entity_prefix_bytes);
        const bool of_effect =
            end_of_kind != std::string_view::npos && key.ToStringView().substr(end_of_kind + 1).starts_with("effect/");
        if (began_ms == not_begun || (of_effect && effects_ms_ == 0)) {
            return false;
        }
        const auto row = decode_command_row({value.data(), value.size()});
        const timestamp now{began_ms + monotonic_ms()};
        return row && now - row->time > (of_effect ? std::max(effects_ms_, window_ms_) : window_ms_);
    }

private:
    static constexpr auto not_begun = std::numeric_limits<std::int64_t>::min();
    std::int64_t window_ms_;
    std::int64_t effects_ms_; ///< 0: for ever.
    std::atomic<std::int64_t> began_ms_{not_begun};
};

namespace {

/// A flush takes a core for a third of a second: commands go first.
class background_priority : public rocksdb::EventListener {
public:
    void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { lower(); }
    void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { lower(); }

private:
    static void lower() {
        constexpr int nice = 10;
        ::setpriority(PRIO_PROCESS, 0, nice); // of this thread, on Linux; a failure leaves it as it was
    }
};

std::string in_directory(const fs::path& directory) { return "data directory " + directory.string(); }

expected<void> write_identity(const fs::path& directory, const identity& who) {
    auto written = replace_file(directory / "identity.json", to_json(who) + "\n");
    return written ? expected<void>()
                   : expected<void>(
                         problem{code::data_dir_unusable,
                                 written.error().detail + "; choose a directory that this user may write with --data"});
}

expected<identity> make_identity(const store_options& options) {
    if (options.read_only || options.must_exist) {
        return problem{code::data_dir_unusable,
                       in_directory(options.directory) + " does not exist or holds no Troupe data"};
    }
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (error) {
        return problem{code::data_dir_unusable,
                       "cannot create " + in_directory(options.directory) + ": " + error.message()};
    }
    fs::permissions(options.directory, fs::perms::owner_all, error); // the journal is nobody else's business
    if (fs::exists(options.directory / restoring_name, error)) {
        return problem{code::data_dir_unusable, "a backup was being restored into " + options.directory.string() +
                                                    " and is not whole; restore it again, or use another directory"};
    }
    if (fs::exists(options.directory / "db", error)) {
        return problem{code::data_dir_unusable,
                       in_directory(options.directory) +
                           " has a database but no identity.json; restore that file from a backup"};
    }
    const auto common = options.common.value_or(common_identity{make_uuid(), make_uuid(), make_hash_seed()});
    identity who;
    who.cluster = common.cluster;
    who.replica = make_uuid();
    who.default_organization = common.default_organization;
    who.shards = options.shards;
    who.hash_seed = common.hash_seed;
    who.created_by_version = TROUPE_VERSION;
    who.created_at = system_now();
    if (auto written = write_identity(options.directory, who); !written) {
        return written.error();
    }
    return who;
}

expected<identity> load_identity(const store_options& options) {
    const auto file = options.directory / "identity.json";
    auto text = read_whole_file(file, 64 * 1024);
    if (!text && text.error().code == code::not_found) {
        return make_identity(options);
    }
    if (!text) {
        return problem{code::data_dir_unusable,
                       text.error().detail + "; check its permissions, or choose another directory with --data"};
    }
    auto who = from_json<identity>(*text, strictness::stored);
    if (!who) {
        return problem{code::data_dir_unusable,
                       file.string() + " cannot be read: " + who.error().detail + "; restore that file from a backup"};
    }
    if (who->format > directory_format) {
        return problem{code::data_dir_newer, in_directory(options.directory) + " has format " +
                                                 std::to_string(who->format) + ", this version knows up to " +
                                                 std::to_string(directory_format) +
                                                 "; run a newer Troupe, or choose another directory with --data"};
    }
    if (who->format < directory_format_oldest) {
        return problem{code::data_dir_unusable,
                       in_directory(options.directory) + " has format " + std::to_string(who->format) +
                           ", which is older than all that this version reads (from " +
                           std::to_string(directory_format_oldest) + " on); start the version that it was made with (" +
                           who->created_by_version + ") and one in between first"};
    }
    if (who->hash != "xxh64" || who->shards == 0 || who->shards > shards_max) {
        return problem{code::data_dir_unusable, file.string() + " names the hash '" + who->hash + "' with " +
                                                    std::to_string(who->shards) +
                                                    " shards, which cannot be; restore that file from a backup"};
    }
    if (const auto& c = options.common; c && (c->cluster != who->cluster || c->hash_seed != who->hash_seed ||
                                              c->default_organization != who->default_organization)) {
        return problem{code::data_dir_unusable, in_directory(options.directory) + " is of cluster " +
                                                    to_string(who->cluster) + ", and the cluster file of " +
                                                    to_string(c->cluster) +
                                                    "; give the right file, or a new directory with --data"};
    }
    if (options.shards_given && who->shards != options.shards) {
        return problem{code::data_dir_unusable,
                       in_directory(options.directory) + " was made with " + std::to_string(who->shards) +
                           " shards, the configuration says " + std::to_string(options.shards) +
                           "; the count cannot change: leave `shards` out, or use a new directory"};
    }
    return who;
}

rocksdb::ColumnFamilyOptions family_options(const store_options& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
    rocksdb::ColumnFamilyOptions out;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.block_size = 16 * 1024;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.format_version = 5;
    out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    out.compression = rocksdb::kLZ4Compression;
    out.write_buffer_size = options.write_buffer_bytes;
    out.max_write_buffer_number = 4;
    out.level_compaction_dynamic_level_bytes = true;
    return out;
}

/// RocksDB syncs what is in its folder, but not that the folder is there: a power cut could take all of it.
expected<void> sync_names(rocksdb::Env& disk, const fs::path& directory) {
    std::unique_ptr<rocksdb::Directory> folder;
    auto status = disk.NewDirectory(directory.string(), &folder);
    if (status.ok()) {
        status = folder->Fsync();
    }
    return status.ok() ? expected<void>() : to_problem(status, "cannot sync " + directory.string());
}

constexpr std::size_t blob_buffer_bytes_max = 8 << 20;

expected<void> open_database(rocks& into, const store_options& options, bool is_new, const window_filter* filter) {
    rocksdb::DBOptions db;
    if (options.env) {
        db.env = options.env;
        db.max_file_opening_threads = 1; // a simulation has no threads
        db.stats_dump_period_sec = 0;
        db.stats_persist_period_sec = 0;
    }
    if (!is_new && db.env->FileExists((options.directory / "db" / "CURRENT").string()).IsNotFound()) {
        return problem{code::journal_damaged,
                       in_directory(options.directory) +
                           " has no database any more (db/CURRENT is missing): is a disk not mounted? Nothing was "
                           "changed. Put the folder db back, or restore a backup"};
    }
    db.create_if_missing = is_new;
    db.create_missing_column_families = true;
    // The default mode silently stops at damage in the middle of the WAL (FIELD-NOTES): this one cuts a torn tail and
    // refuses anything else.
    db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    db.recycle_log_file_num = 0;
    db.track_and_verify_wals_in_manifest = true;
    db.db_write_buffer_size = 3 * options.write_buffer_bytes; // of all families: memory has a bound
    db.wal_bytes_per_sync = 1 << 20;      // what blobs wrote is on its way before a commit has to wait for all of it
    db.bytes_per_sync = 1 << 20;          // and what a flush writes: 64 MB at once would hold up the next fsync
    db.max_total_wal_size = 256ULL << 20; // bounds start-up: WAL recovery reads 165 k events/s
    db.max_background_jobs = 2;
    db.keep_log_file_num = 5;
    db.max_open_files = 512;

    if (!options.env) { // a simulation flushes in the thread that writes
        db.listeners.push_back(std::make_shared<background_priority>());
    }
    const auto cache = rocksdb::NewLRUCache(options.cache_bytes);
    auto log = family_options(options, cache);
    // Rows of a shard's log, and of an entity, come in order: the memtable finds the place from the last one of the
    // same prefix (measured: 16 k -> 19.5 k commands/s over HTTP at 64 connections). RocksDB takes the same places for
    // range tombstones, which stand in another list: their keys have to be outside of the prefixes (keys::log_begin).
    log.memtable_insert_with_hint_prefix_extractor.reset(
        rocksdb::NewFixedPrefixTransform(keys::log_begin(0).size() + 1));
    auto derived = family_options(options, cache);
    derived.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(keys::entity_prefix_bytes));
    derived.memtable_insert_with_hint_prefix_extractor = derived.prefix_extractor;
    derived.memtable_prefix_bloom_size_ratio = 0.1;
    derived.memtable_whole_key_filtering = true;
    derived.compaction_filter = filter;
    auto blobs = family_options(options, cache);
    blobs.enable_blob_files = true;
    blobs.min_blob_size = 32 * 1024;
    blobs.enable_blob_garbage_collection = true;
    blobs.blob_garbage_collection_force_threshold = 0.5;
    // Contents pass through memory: small tables keep that little, whatever is uploaded. Writers wait for the disk
    // before RocksDB would make everybody wait (storage/blobs.cpp).
    blobs.write_buffer_size = std::min(options.write_buffer_bytes, blob_buffer_bytes_max);
    blobs.max_write_buffer_number = 8;

    const std::vector<rocksdb::ColumnFamilyDescriptor> families{
        {rocksdb::kDefaultColumnFamilyName, {}}, {"log", log}, {"derived", derived}, {"blobs", blobs}};
    if (auto whole = check_write_ahead_logs(*db.env, options.directory / "db"); !whole) {
        return whole;
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const auto path = (options.directory / "db").string();
    const auto status = options.read_only ? rocksdb::DB::OpenForReadOnly(db, path, families, &handles, &opened)
                                          : rocksdb::DB::Open(db, path, families, &handles, &opened);
    if (!status.ok()) {
        if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
            return problem{code::data_dir_in_use,
                           in_directory(options.directory) +
                               " is in use by another node; stop it, or choose another directory with --data"};
        }
        auto why = to_problem(status, "cannot open the database in " + options.directory.string());
        if (why.code == code::journal_damaged) {
            why.detail +=
                "; nothing was changed. Restore a backup, or look at the damage with `troupe journal verify --data " +
                options.directory.string() + "`";
        }
        return why;
    }
    into.db.reset(opened);
    into.fallback = handles[0];
    into.log = handles[1];
    into.derived = handles[2];
    into.blobs = handles[3];
    return options.read_only ? expected<void>() : sync_names(*db.env, options.directory);
}

} // namespace

std::uint64_t make_hash_seed() {
    std::uint64_t out = 0;
    const auto seed = sha256(make_secret());
    std::memcpy(&out, seed.data(), sizeof out);
    return out;
}

store::store() : usage_(std::make_unique<usage_ledger>(*this)) {}
store::~store() = default;

expected<std::unique_ptr<store>> store::open(const store_options& options) {
    if (options.shards == 0 || options.shards > shards_max) {
        return problem{code::config_invalid, "shards has to be between 1 and " + std::to_string(shards_max)};
    }
    auto who = load_identity(options);
    if (!who) {
        return who.error();
    }
    std::unique_ptr<store> out(new store);
    out->identity_ = *who;
    out->directory_ = options.directory;
    out->free_bytes_min_ = options.free_bytes_min;
    out->env_ = options.env;
    out->rocks_ = std::make_unique<rocks>();
    auto filter = std::make_unique<window_filter>(options.dedup_window_ms, options.effect_rows_ms);
    out->window_ = filter.get();
    out->rocks_->filter = std::move(filter);
    if (auto opened = open_database(*out->rocks_, options, !who->has_database, out->window_); !opened) {
        return opened.error();
    }
    if (!who->has_database && !options.read_only && !options.env) { // identity.json is not on a simulated disk
        out->identity_.has_database = true;
        if (auto written = write_identity(options.directory, out->identity_); !written) {
            return written.error();
        }
    }
    if (auto whole = check_tails(*out); !whole) {
        return whole.error();
    }
    out->rocks_->heads = std::make_unique<list_heads>(who->shards);
    out->applied_ = std::vector<std::atomic<std::uint64_t>>(who->shards);
    for (std::uint32_t shard = 0; shard < who->shards; ++shard) {
        const auto applied = find_applied(*out, shard);
        if (!applied) {
            return applied.error();
        }
        out->set_applied(shard, *applied);
    }
    return out;
}

void store::attach_keys(std::unique_ptr<key_store> keys) { keys_ = std::move(keys); }

void store::let_rows_age(timestamp newest_record) { window_->begin(newest_record); }

expected<void> store::raise_format() {
    identity_.format = directory_format;
    return env_ ? expected<void>() : write_identity(directory_, identity_);
}

std::uint32_t store::shard_of(const entity_address& a) const {
    std::string bytes(reinterpret_cast<const char*>(a.organization.bytes.data()), a.organization.bytes.size());
    bytes += a.kind;
    bytes += '\0';
    bytes.append(reinterpret_cast<const char*>(a.id.bytes.data()), a.id.bytes.size());
    return static_cast<std::uint32_t>(XXH64(bytes.data(), bytes.size(), identity_.hash_seed) % identity_.shards);
}

std::uint64_t store::free_bytes() const {
    if (env_) {
        std::uint64_t free = 0;
        return env_->GetFreeSpace(directory_.string(), &free).ok() ? free : 0;
    }
    struct statvfs info {};
    if (::statvfs(directory_.c_str(), &info) != 0) {
        return 0;
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::uint64_t store::unflushed_bytes() const {
    std::uint64_t out = 0;
    for (auto* family : {rocks_->log, rocks_->derived, rocks_->blobs}) {
        std::uint64_t bytes = 0;
        rocks_->db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
        out += bytes;
    }
    return out;
}

expected<void> store::check_space(std::uint64_t free_bytes_min) const {
    // A flush that finds no room is an error of the journal, and ends the process.
    const auto free = free_bytes();
    if (free_bytes_min == 0 || (free >= free_bytes_min && free - free_bytes_min >= unflushed_bytes())) {
        return {};
    }
    return problem{code::storage_full,
                   "the disk of " + directory_.string() + " has less than " + std::to_string(free_bytes_min >> 20) +
                       " MiB free, writes are refused; free some space, reads go on",
                   {},
                   5};
}

expected<void> store::flush() {
    const auto status = rocks_->db->FlushWAL(true);
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot flush the journal"));
}

} // namespace troupe::storage
