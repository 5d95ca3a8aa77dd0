#include "storage/upgrade.hpp"

#include "storage/items.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::storage {

namespace {

constexpr std::size_t batch_bytes_max = 1 << 20;

/// Collections that were not private in format 1.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> made_private{
    {{"project", "files"}, {"organization", "roles"}}};

/// Key of a row of one entity.
struct row_name {
    entity_address entity;
    std::string_view rest; ///< After the kind.
};

std::optional<row_name> name_of(std::string_view key) {
    constexpr std::size_t organization_at = 3; // after shard and table
    constexpr std::size_t id_at = 19;
    const auto end_of_kind = key.find('\0', keys::entity_prefix_bytes);
    if (end_of_kind == std::string_view::npos) {
        return std::nullopt;
    }
    row_name out;
    std::ranges::copy(key.substr(organization_at, out.entity.organization.bytes.size()),
                      reinterpret_cast<char*>(out.entity.organization.bytes.data()));
    std::ranges::copy(key.substr(id_at, out.entity.id.bytes.size()),
                      reinterpret_cast<char*>(out.entity.id.bytes.data()));
    out.entity.kind = key.substr(keys::entity_prefix_bytes, end_of_kind - keys::entity_prefix_bytes);
    out.rest = key.substr(end_of_kind + 1);
    return out;
}

constexpr auto as_it_is = [](std::string_view bytes) { return std::string(bytes); };

/// One shard's rows of format 1, in the form of format 2.
class upgrader {
public:
    upgrader(store& s, std::uint32_t shard) : store_(s), shard_(shard) {}

    /// Whether there were any.
    expected<bool> run() {
        for (const auto table : {keys::table::item, keys::table::base_item, keys::table::command}) {
            prefix_scan scan(*store_.db().db, store_.db().derived, keys::shard_table(shard_, table));
            for (; scan.valid(); scan.next()) {
                auto done = table == keys::table::command ? command(scan) : item(scan, table);
                if (done && batch_.GetDataSize() >= batch_bytes_max) {
                    done = write();
                }
                if (!done) {
                    return done.error();
                }
            }
            if (!scan.status().ok()) {
                return to_problem(scan.status(), "cannot read rows of an older version");
            }
        }
        const auto written = write();
        return written ? expected<bool>(moved_) : written.error();
    }

private:
    expected<void> item(const prefix_scan& scan, keys::table table) {
        const auto name = name_of(scan.key());
        const auto end = name ? name->rest.find('\0') : std::string_view::npos;
        if (end == std::string_view::npos ||
            std::ranges::find(made_private, std::pair<std::string_view, std::string_view>(
                                                name->entity.kind, name->rest.substr(0, end))) == made_private.end()) {
            return {};
        }
        const auto names = names_of(name->entity.organization);
        if (!names) {
            return drop_erased(scan, names.error());
        }
        const auto key = name->rest.substr(end + 1);
        auto to = item_key(**names, shard_, name->entity, private_mark + std::string(name->rest.substr(0, end)), key);
        to[2] = static_cast<char>(table);
        // That of a base begins with a byte that says where its document is.
        const std::size_t head = table == keys::table::base_item ? 1 : 0;
        return move(scan, to, scan.value(), [&](std::string_view value) {
            const auto document = value.substr(std::min(head, value.size()));
            return std::string(value.substr(0, head)) +
                   (document.empty() ? std::string() : encode_private_item(key, document));
        });
    }

    expected<void> command(const prefix_scan& scan) {
        const auto name = name_of(scan.key());
        const auto id = name ? caller_of(name->rest) : std::nullopt;
        auto row = id ? decode_command_row(scan.value()) : std::nullopt;
        if (!row) {
            return {}; // one of the node's own
        }
        const auto to =
            keys::command(shard_, name->entity, caller_command_id(name->entity.organization, id->first, id->second));
        const auto kept = move_sealed(store_, scan.key(), to, row->kept, as_it_is);
        if (!kept) {
            return kept.error();
        }
        row->kept = kept->value_or("");
        batch_.Put(store_.db().derived, to, encode_command_row(*row));
        return drop(scan);
    }

    /// Principal and `Idempotency-Key` of an id as format 1 had it: KIND/NAME/KEY.
    static std::optional<std::pair<std::string_view, std::string_view>> caller_of(std::string_view id) {
        const bool of_caller = id.starts_with("user/") || id.starts_with("key/") || id.starts_with("oidc/");
        const auto end = of_caller ? id.find('/', id.find('/') + 1) : std::string_view::npos;
        return end == std::string_view::npos ? std::nullopt
                                             : std::optional(std::pair(id.substr(0, end), id.substr(end + 1)));
    }

    template <class Change>
    expected<void> move(const prefix_scan& scan, const std::string& to, std::string_view value, const Change& change) {
        const auto moved = move_sealed(store_, scan.key(), to, value, change);
        if (!moved) {
            return moved.error();
        }
        if (*moved) {
            batch_.Put(store_.db().derived, to, **moved);
        }
        return drop(scan);
    }

    expected<void> drop(const prefix_scan& scan) {
        moved_ = true;
        batch_.Delete(store_.db().derived, rocksdb::Slice(scan.key().data(), scan.key().size()));
        return {};
    }
    expected<void> drop_erased(const prefix_scan& scan, const problem& why) {
        return why.code == code::erased ? drop(scan) : expected<void>(why);
    }

    expected<const index_names*> names_of(const uuid& organization) {
        const auto known = names_.find(organization);
        if (known != names_.end()) {
            return &known->second;
        }
        auto names = index_names::for_writing(store_, organization);
        if (!names) {
            return names.error();
        }
        return &names_.emplace(organization, std::move(*names)).first->second;
    }

    expected<void> write() {
        rocksdb::WriteOptions options;
        options.sync = true;
        const auto status = store_.db().db->Write(options, &batch_);
        batch_.Clear();
        return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot bring up older rows"));
    }

    store& store_;
    const std::uint32_t shard_;
    std::map<uuid, index_names> names_;
    rocksdb::WriteBatch batch_;
    bool moved_ = false;
};

/// What RocksDB deletes stays in its files until it compacts them.
expected<void> purge(store& s) {
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    auto status = s.db().db->Flush({}, {s.db().log, s.db().derived, s.db().blobs}); // and the WAL goes with it
    status = status.ok() ? s.db().db->CompactRange(options, s.db().derived, nullptr, nullptr) : status;
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot compact older rows"));
}

} // namespace

expected<void> upgrade(store& s) {
    if (s.who().format >= directory_format) {
        return {};
    }
    bool moved = false;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        const auto done = upgrader(s, shard).run();
        if (!done) {
            return done.error();
        }
        moved = moved || *done;
    }
    const auto purged = moved ? purge(s) : expected<void>();
    return purged ? s.raise_format() : purged;
}

} // namespace troupe::storage
