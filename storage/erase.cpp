#include "storage/erase.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/blob_rows.hpp"
#include "storage/bytes.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/rocks.hpp"
#include "storage/views.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t batch_bytes_max = 1 << 20;
constexpr std::string_view owed_name = "removal-owed";

/// Tables whose rows begin with the entity.
constexpr std::array entity_tables{keys::table::history, keys::table::snapshot, keys::table::command,
                                   keys::table::base};
/// The same; their keys are what users wrote: paths of files, names of roles.
constexpr std::array item_tables{keys::table::item, keys::table::base_item};
/// Tables of which an entity's rows stand among others'.
constexpr std::array shared_tables{keys::table::document, keys::table::index,  keys::table::timer,
                                   keys::table::owed,     keys::table::poison, keys::table::reference};

problem stopped() {
    return {code::cancelled, "the node stops; the removal of what was erased goes on with the next start"};
}

/// Deletes in batches.
class remover {
public:
    explicit remover(store& s) : store_(s) {}

    expected<void> drop(rocksdb::ColumnFamilyHandle* family, std::string_view key) {
        batch_.Delete(family, rocksdb::Slice(key.data(), key.size()));
        ++count_;
        return batch_.GetDataSize() < batch_bytes_max ? expected<void>() : write();
    }
    /// All rows with a prefix.
    expected<void> drop_all(rocksdb::ColumnFamilyHandle* family, const std::string& prefix) {
        prefix_scan scan(*store_.db().db, family, prefix);
        for (; scan.valid(); scan.next()) {
            if (auto dropped = drop(family, scan.key()); !dropped) {
                return dropped;
            }
        }
        return scan.status().ok() ? expected<void>() : expected<void>(to_problem(scan.status(), "cannot read rows"));
    }
    expected<void> write() {
        const auto status = store_.db().db->Write({}, &batch_); // a repeat goes on where a crash has ended it
        batch_.Clear();
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot remove rows"));
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    store& store_;
    rocksdb::WriteBatch batch_;
    std::uint64_t count_ = 0;
};

/// Whether the newest event of an entity is sealed with a destroyed key.
bool is_erased(const store& s, std::uint32_t shard, const entity_address& a) {
    prefix_scan rows(*s.db().db, s.db().derived, keys::entity_rows(shard, keys::table::history, a));
    rows.seek_last();
    if (!rows.valid()) {
        return false;
    }
    byte_reader value(rows.value());
    const auto seq = value.fixed<std::uint64_t>();
    const auto r = decode_record(shard, seq, value.rest());
    return r && s.keys()->is_erased(r->key_id);
}

/// Rows of an index, timers and the like, by the entity that they name.
expected<void> drop_shared_rows(const store& s, std::uint32_t shard, const std::set<std::string>& owners,
                                remover& out) {
    for (const auto table : shared_tables) {
        prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, table));
        for (; scan.valid(); scan.next()) {
            const auto owner = owner_of_view_row(scan.key());
            if (owner && owners.contains(*owner)) {
                if (auto dropped = out.drop(s.db().derived, scan.key()); !dropped) {
                    return dropped;
                }
            }
        }
        if (!scan.status().ok()) {
            return to_problem(scan.status(), "cannot read rows");
        }
    }
    return {};
}

/// What is erased in a shard, by which the rest of it is found again after a crash: its history, which goes last.
struct erased_in_shard {
    std::uint32_t shard = 0;
    std::vector<entity_address> entities;
};

/// `plain`: prefixes of rows that were dropped and whose keys can be read in the files of the database.
expected<void> remove_views(store& s, erased_in_shard& in, remover& out, std::vector<std::string>& plain) {
    const auto shard = in.shard;
    auto& erased = in.entities;
    auto visited = each_entity(s, shard, [&](const entity_address& a) {
        if (is_erased(s, shard, a)) {
            erased.push_back(a);
        }
        return true;
    });
    if (!visited || erased.empty()) {
        return visited;
    }
    std::set<std::string> owners;
    for (const auto& a : erased) {
        owners.insert(owner_text(a));
    }
    if (auto dropped = drop_shared_rows(s, shard, owners, out); !dropped) {
        return dropped;
    }
    for (const auto& a : erased) {
        for (const auto table : item_tables) {
            auto prefix = keys::entity_rows(shard, table, a);
            const auto before = out.count();
            if (auto dropped = out.drop_all(s.db().derived, prefix); !dropped) {
                return dropped;
            }
            if (out.count() > before) {
                plain.push_back(std::move(prefix));
            }
        }
    }
    return out.write();
}

/// Each range rewrites the files that it lies in: one over all of them costs less than many in the same files.
constexpr std::size_t ranges_max = 16;

/// From where to where the rows of `prefixes` stand, which are in order.
std::vector<std::pair<std::string, std::string>> ranges_of(const std::vector<std::string>& prefixes) {
    if (prefixes.size() > ranges_max) {
        return {{prefixes.front(), keys::after_prefix(prefixes.back())}};
    }
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& prefix : prefixes) {
        out.emplace_back(prefix, keys::after_prefix(prefix));
    }
    return out;
}

/// What RocksDB deletes stays in its files until it compacts them. After a crash in here that is its own business.
expected<void> purge(store& s, std::vector<std::string> prefixes, const std::stop_token& stop) {
    if (prefixes.empty()) {
        return {};
    }
    auto& db = s.db();
    auto status = db.db->Flush({}, {db.log, db.derived, db.blobs}); // and the WAL goes with it
    std::atomic<bool> canceled{false};
    const std::stop_callback cancel(stop, [&] { canceled = true; });
    std::ranges::sort(prefixes);
    for (const auto& [from, to] : ranges_of(prefixes)) {
        if (!status.ok() || canceled) {
            break;
        }
        const rocksdb::Slice first(from);
        const rocksdb::Slice last(to);
        rocksdb::CompactRangeOptions options;
        options.exclusive_manual_compaction = false;
        options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
        options.canceled = &canceled;
        status = db.db->CompactRange(options, db.derived, &first, &last);
    }
    if (canceled) {
        return stopped();
    }
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot compact what was removed"));
}

expected<void> remove_histories(store& s, const erased_in_shard& in, remover& out, removed_rows& result) {
    for (const auto& a : in.entities) {
        ++result.entities;
        auto dropped = out.drop(s.db().derived, keys::entity(in.shard, keys::table::base, a));
        for (const auto table : entity_tables) {
            dropped = dropped ? out.drop_all(s.db().derived, keys::entity_rows(in.shard, table, a)) : dropped;
        }
        if (!dropped) {
            return dropped;
        }
    }
    return out.write();
}

expected<void> remove_blobs(store& s, remover& out, removed_rows& result, const std::function<bool()>& go_on) {
    std::vector<std::pair<uuid, blob_hash>> gone;
    auto visited = each_blob(s, "", [&](const blob_row& row) {
        if (s.keys()->erased_at(row.organization)) {
            gone.emplace_back(row.organization, row.hash);
        }
        return go_on();
    });
    if (!visited) {
        return visited;
    }
    for (const auto& [organization, hash] : gone) {
        ++result.blobs;
        if (auto dropped = out.drop_all(s.db().blobs, keys::blob_prefix(organization, as_bytes(hash))); !dropped) {
            return dropped;
        }
    }
    return out.write();
}

} // namespace

expected<removed_rows> remove_erased(store& s, const std::function<void()>& progress, std::stop_token stop) {
    const auto go_on = [&] {
        progress();
        return !stop.stop_requested();
    };
    removed_rows result;
    if (!s.keys() || s.keys()->erased_count() == 0) {
        return result;
    }
    remover out(s);
    std::vector<erased_in_shard> all;
    std::vector<std::string> plain;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        if (!go_on()) {
            return stopped();
        }
        erased_in_shard in{shard, {}};
        if (auto removed = remove_views(s, in, out, plain); !removed) {
            return removed.error();
        }
        if (!in.entities.empty()) {
            all.push_back(std::move(in));
        }
    }
    if (auto purged = purge(s, std::move(plain), stop); !purged) {
        return purged.error();
    }
    for (const auto& in : all) {
        if (!go_on()) {
            return stopped();
        }
        if (auto removed = remove_histories(s, in, out, result); !removed) {
            return removed.error();
        }
    }
    if (auto removed = remove_blobs(s, out, result, go_on); !removed) {
        return removed.error();
    }
    if (!go_on()) { // perhaps before the last content
        return stopped();
    }
    result.rows = out.count();
    return result;
}

expected<void> owe_removal(const fs::path& keys_folder) {
    std::error_code none;
    return fs::exists(keys_folder, none) ? replace_file(keys_folder / owed_name, "", 0600) : expected<void>();
}

bool owes_removal(const store& s) {
    std::error_code none;
    return fs::exists(store::keys_folder(s.directory()) / owed_name, none);
}

expected<void> settle_removal(const store& s) {
    std::error_code failed;
    const auto file = store::keys_folder(s.directory()) / owed_name;
    fs::remove(file, failed);
    return failed ? expected<void>(file_problem("remove", file.native(), failed.value())) : expected<void>();
}

} // namespace troupe::storage
