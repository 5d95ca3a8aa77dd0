#include "storage/entry_group.hpp"

#include "storage/bytes.hpp"
#include "storage/committer.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/tables.hpp"

#include <rocksdb/write_batch.h>

#include <functional>

namespace troupe::storage {

namespace {

enum class change_kind : std::uint8_t { put, remove };

constexpr std::uint8_t changes_format = 1;

using change_visitor = std::function<bool(std::string_view key, std::string_view value, change_kind what)>;

/// False when the bytes are none of `encode_changes`, or `visit` says so.
bool each_change(std::string_view bytes, const change_visitor& visit) {
    byte_reader reader(bytes);
    if (reader.fixed<std::uint8_t>() != changes_format) {
        return false;
    }
    while (reader.ok() && !reader.rest().empty()) {
        const auto kind = reader.fixed<std::uint8_t>();
        const auto key = reader.text();
        const auto value = kind == static_cast<std::uint8_t>(change_kind::put) ? reader.text() : std::string_view();
        if (!reader.ok() || kind > static_cast<std::uint8_t>(change_kind::remove) ||
            !visit(key, value, static_cast<change_kind>(kind))) {
            return false;
        }
    }
    return reader.ok();
}

problem malformed(std::string_view what) {
    return {code::invalid_request, "a replica sent entries that no correct one sends: " + std::string(what)};
}

/// The row: how many records the group has, then its changes.
std::string encode_row(const entry_group& group) {
    std::string out;
    put_varint(out, group.records.size());
    out += group.changes;
    return out;
}

} // namespace

std::size_t entry_group::bytes() const {
    auto sum = changes.size();
    for (const auto& r : records) {
        sum += r.size();
    }
    return sum;
}

std::string encode_changes(std::span<const std::pair<std::string, std::string>> puts,
                           std::span<const std::string> deletes) {
    std::string out;
    put_fixed(out, changes_format);
    for (const auto& key : deletes) {
        put_fixed(out, change_kind::remove);
        put_text(out, key);
    }
    for (const auto& [key, value] : puts) {
        put_fixed(out, change_kind::put);
        put_text(out, key);
        put_text(out, value);
    }
    return out;
}

void put_group(std::string& out, const entry_group& group) {
    put_varint(out, group.records.size());
    for (const auto& r : group.records) {
        put_text(out, r);
    }
    put_text(out, group.changes);
}

expected<std::vector<shared_group>> read_groups(std::uint32_t shard, std::uint64_t after, std::uint64_t epoch,
                                                std::uint64_t count, std::string_view bytes) {
    std::vector<shared_group> out;
    byte_reader reader(bytes);
    auto next = after + 1;
    while (!reader.rest().empty()) {
        auto group = std::make_shared<entry_group>();
        const auto records = reader.varint();
        if (records == 0 || records > count || next + records - 1 > after + count) {
            return malformed("more or fewer than announced");
        }
        group->first = next;
        for (std::uint64_t i = 0; i < records && reader.ok(); ++i) {
            group->records.emplace_back(reader.text());
        }
        group->changes = reader.text();
        if (!reader.ok()) {
            return malformed("they end in the middle");
        }
        for (const auto& value : group->records) {
            const auto r = decode_record(shard, next++, value);
            if (!r || r->epoch != epoch) {
                return malformed(r ? "a record of another epoch" : r.error().detail);
            }
            group->time = r->time;
        }
        const bool own = each_change(group->changes, [&](std::string_view key, std::string_view, change_kind) {
            return keys::is_shared(shard, key);
        });
        if (!own) {
            return malformed("changes of rows that are not of this shard");
        }
        group->last = next - 1;
        out.push_back(std::move(group));
    }
    return next == after + count + 1 ? expected<std::vector<shared_group>>(std::move(out))
                                     : malformed("fewer than announced");
}

void write_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch) {
    auto seq = group.first;
    for (const auto& value : group.records) {
        batch.Put(s.db().log, keys::log(shard, seq++), value);
    }
    batch.Put(s.db().derived, keys::changes(shard, group.last), encode_row(group));
}

void drop_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch) {
    for (auto seq = group.first; seq <= group.last; ++seq) {
        batch.Delete(s.db().log, keys::log(shard, seq));
    }
    drop_changes(s, shard, group.last, batch);
}

void drop_changes(const store& s, std::uint32_t shard, std::uint64_t last, rocksdb::WriteBatch& batch) {
    batch.Delete(s.db().derived, keys::changes(shard, last));
}

void put_record_rows(const store& s, const record& r, std::string_view value, rocksdb::WriteBatch& batch) {
    std::string history;
    put_fixed(history, r.seq);
    history += value;
    batch.Put(s.db().derived, keys::numbered(r.shard, keys::table::history, r.entity, r.entity_seq), history);
    if (r.index_in_batch == 0 && is_remembered(r.command_id)) {
        batch.Put(s.db().derived, keys::command(r.shard, r.entity, r.command_id),
                  encode_command_row({r.request_hash, r.entity_seq, r.batch_size, r.time}));
    }
}

expected<void> apply_group(const store& s, std::uint32_t shard, const entry_group& group, rocksdb::WriteBatch& batch) {
    auto seq = group.first;
    for (const auto& value : group.records) {
        const auto r = decode_record(shard, seq++, value);
        if (!r) {
            return r.error();
        }
        if (r->entity_seq > 0) { // the log's own records are of no entity
            put_record_rows(s, *r, value, batch);
        }
    }
    const bool whole = each_change(group.changes, [&](std::string_view key, std::string_view value, change_kind what) {
        const rocksdb::Slice row(key.data(), key.size());
        what == change_kind::put ? batch.Put(s.db().derived, row, rocksdb::Slice(value.data(), value.size()))
                                 : batch.Delete(s.db().derived, row);
        return true;
    });
    return whole ? expected<void>()
                 : expected<void>(problem{code::journal_damaged, "what record " + std::to_string(group.last) +
                                                                     " of shard " + std::to_string(shard) +
                                                                     " changes cannot be read; restore this replica"});
}

namespace {

/// Nothing when it is none.
std::optional<kept_changes> read_kept(const prefix_scan& rows) {
    byte_reader reader(rows.value());
    const auto count = reader.varint();
    if (rows.rest().size() != sizeof(std::uint64_t) || !reader.ok() || count == 0) {
        return std::nullopt;
    }
    const auto last = get_big_endian<std::uint64_t>(rows.rest());
    return kept_changes{last - count + 1, last, rows.value().size()};
}

problem unreadable_changes(std::uint32_t shard) {
    return {code::journal_damaged, "a row of changes in shard " + std::to_string(shard) +
                                       " cannot be read; restore this replica from another one"};
}

std::string from_seq(std::uint64_t seq) {
    std::string out;
    put_big_endian(out, seq);
    return out;
}

} // namespace

expected<std::vector<kept_changes>> each_kept(const store& s, std::uint32_t shard) {
    std::vector<kept_changes> out;
    prefix_scan rows(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::changes));
    for (; rows.valid(); rows.next()) {
        const auto kept = read_kept(rows);
        if (!kept) {
            return unreadable_changes(shard);
        }
        out.push_back(*kept);
    }
    return rows.status().ok() ? expected<std::vector<kept_changes>>(std::move(out))
                              : to_problem(rows.status(), "cannot read the changes of a shard");
}

expected<std::optional<kept_changes>> kept_at(const store& s, std::uint32_t shard, std::uint64_t seq) {
    const prefix_scan rows(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::changes), from_seq(seq));
    if (!rows.valid()) {
        return rows.status().ok() ? expected<std::optional<kept_changes>>(std::nullopt)
                                  : to_problem(rows.status(), "cannot read the changes of a shard");
    }
    const auto kept = read_kept(rows);
    return kept ? expected<std::optional<kept_changes>>(kept) : unreadable_changes(shard);
}

expected<shared_group> load_group(const store& s, std::uint32_t shard, std::uint64_t first) {
    prefix_scan rows(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::changes), from_seq(first));
    if (!rows.status().ok()) {
        return to_problem(rows.status(), "cannot read the changes of a shard");
    }
    if (!rows.valid()) {
        return shared_group();
    }
    auto group = std::make_shared<entry_group>();
    byte_reader reader(rows.value());
    group->first = first;
    group->last = get_big_endian<std::uint64_t>(rows.rest());
    const auto count = reader.varint();
    if (!reader.ok() || count != group->last - first + 1) {
        return shared_group(); // of a later group: this one's are gone
    }
    group->changes = reader.rest();
    for (auto seq = first; seq <= group->last; ++seq) {
        std::string value;
        if (const auto status = s.db().db->Get({}, s.db().log, keys::log(shard, seq), &value); !status.ok()) {
            return status.IsNotFound() ? expected<shared_group>(shared_group())
                                       : to_problem(status, "cannot read the journal");
        }
        group->records.push_back(std::move(value));
    }
    return shared_group(std::move(group));
}

} // namespace troupe::storage
