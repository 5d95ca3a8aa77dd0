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

#include <array>
#include <set>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t batch_bytes_max = 1 << 20;
constexpr std::string_view owed_name = "removal-owed";

/// Tables whose rows begin with the entity. The history goes last: by its newest event the rest is found again after a
/// crash.
constexpr std::array entity_tables{keys::table::snapshot, keys::table::command,   keys::table::base,
                                   keys::table::item,     keys::table::base_item, keys::table::history};
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
        store_.db().heads->touch();
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

expected<void> drop_rows(const store& s, std::uint32_t shard, const entity_address& a, remover& out) {
    auto dropped = out.drop(s.db().derived, keys::entity(shard, keys::table::base, a));
    for (const auto table : entity_tables) {
        dropped = dropped ? out.drop_all(s.db().derived, keys::entity_rows(shard, table, a)) : dropped;
    }
    return dropped;
}

expected<void> remove_rows(const store& s, std::uint32_t shard, remover& out, removed_rows& result) {
    std::vector<entity_address> erased;
    std::set<std::string> owners;
    auto done = each_entity(s, shard, [&](const entity_address& a) {
        if (is_erased(s, shard, a)) {
            owners.insert(owner_text(a));
            erased.push_back(a);
        }
        return true;
    });
    if (!done || erased.empty()) {
        return done;
    }
    done = drop_shared_rows(s, shard, owners, out);
    done = done ? out.write() : done;
    for (const auto& a : erased) {
        done = done ? drop_rows(s, shard, a, out) : done;
    }
    result.entities += erased.size();
    return done ? out.write() : done;
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
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        if (!go_on()) {
            return stopped();
        }
        if (auto removed = remove_rows(s, shard, out, result); !removed) {
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
