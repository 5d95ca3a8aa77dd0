#include "storage/views.hpp"

#include "storage/bytes.hpp"
#include "storage/items.hpp"
#include "storage/keys.hpp"
#include "storage/merged_index.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/tables.hpp"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe::storage {

namespace {

constexpr std::string_view cursor_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char cursor_version = '\x01';

problem bad_cursor() {
    return {code::invalid_request,
            "the cursor cannot be read; take `next_cursor` of the page before as it is, or start without one",
            {{"cursor", "is not a cursor of this list"}}};
}

std::string bytes_of(const uuid& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

uuid uuid_from(std::string_view bytes) {
    uuid id;
    std::copy_n(bytes.begin(), id.bytes.size(), id.bytes.begin());
    return id;
}

/// Ties a cursor to its list: the first bytes of a hash of what the list is.
std::string tag_of(std::initializer_list<std::string_view> parts) {
    std::string all;
    for (const auto part : parts) {
        put_text(all, part);
    }
    const auto digest = sha256(all);
    return {digest.begin(), digest.begin() + 4};
}

std::string tag_of(const list_query& q) {
    return tag_of({"list", q.kind, q.filter, q.kept, q.descending ? "down" : "up"});
}

std::string tag_of(const item_query& q) {
    return tag_of({"items", owner_text(q.entity), q.entity.kind, q.collection, q.descending ? "down" : "up"});
}

/// What a cursor says after its tag; nothing when it is none of this list.
std::optional<std::string> place_in(std::string_view cursor, std::string_view tag) {
    auto decoded = decode_cursor(cursor);
    return decoded && decoded->starts_with(tag) ? std::optional(decoded->substr(tag.size())) : std::nullopt;
}

/// organization, id, kind as they stand in per-entity keys after shard and table.
entity_address address_from(std::string_view rest) {
    return {uuid_from(rest), std::string(rest.substr(32)), uuid_from(rest.substr(16))};
}

} // namespace

std::string encode_cursor(std::string_view bytes) {
    std::string plain(1, cursor_version);
    plain += bytes;
    std::string out;
    for (std::size_t i = 0; i < plain.size(); i += 3) {
        std::uint32_t group = 0;
        const auto count = std::min<std::size_t>(3, plain.size() - i);
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8) | (k < count ? static_cast<unsigned char>(plain[i + k]) : 0U);
        }
        for (std::size_t k = 0; k <= count; ++k) {
            out += cursor_alphabet[(group >> (18 - 6 * k)) & 63];
        }
    }
    return out;
}

std::optional<std::string> decode_cursor(std::string_view text) {
    std::string plain;
    std::uint32_t group = 0;
    int bits = 0;
    for (const char c : text) {
        const auto value = cursor_alphabet.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        group = (group << 6) | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            plain += static_cast<char>((group >> bits) & 0xff);
        }
    }
    if (plain.empty() || plain.front() != cursor_version) {
        return std::nullopt;
    }
    return plain.substr(1);
}

expected<std::optional<stored_document>> read_document(const store& s, const entity_address& a) {
    std::string value;
    const auto key = keys::entity(s.shard_of(a), keys::table::document, a);
    const auto status = s.db().db->Get({}, s.db().derived, key, &value);
    if (status.IsNotFound()) {
        return std::optional<stored_document>();
    }
    if (!status.ok()) {
        return to_problem(status, "cannot read " + to_string(a));
    }
    const auto opened = open_unless_erased(s, key, value);
    if (!opened || !*opened) {
        return opened ? expected<std::optional<stored_document>>(std::nullopt) : opened.error();
    }
    auto row = decode_document_row(**opened);
    if (!row) {
        return problem{code::journal_damaged, "the document of " + to_string(a) +
                                                  " cannot be read; make it again with `troupe views rebuild`"};
    }
    return std::optional(stored_document{a.id, row->version, std::move(row->json)});
}

expected<list_page> read_list(const store& s, const list_query& query) {
    std::string after;
    if (!query.cursor.empty()) {
        const auto place = place_in(query.cursor, tag_of(query));
        if (!place || place->size() < 16) {
            return bad_cursor();
        }
        after = *place;
    } else if (query.behind) {
        after = query.behind->first + '\0' + bytes_of(query.behind->second);
    }
    merged_index index(s, query, after);
    list_page page;
    std::string last;
    std::size_t scanned = 0;
    while (page.items.size() < query.limit && scanned < scanned_max) {
        auto suffix = index.next();
        if (!suffix) {
            break;
        }
        ++scanned;
        last = *suffix;
        const entity_address a{query.organization, query.kind,
                               uuid_from(std::string_view(last).substr(last.size() - 16))};
        auto document = read_document(s, a);
        if (!document) {
            return document.error();
        }
        if (*document && (!query.keep || query.keep(**document))) {
            page.items.push_back(std::move(**document));
        }
    }
    if (!index.status().ok()) {
        return to_problem(index.status(), "cannot read the list of " + query.kind);
    }
    if (!index.at_end() && !last.empty()) {
        page.next_cursor = encode_cursor(tag_of(query) + last);
    }
    return page;
}

namespace {

problem cannot_read(const item_query& query, const rocksdb::Status& why) {
    return to_problem(why, "cannot read the " + query.collection + " of " + to_string(query.entity));
}

/// The rows of a private collection stand in an order of their own: all are opened for each page.
expected<item_page> read_private_items(const store& s, const item_query& query, const std::string& after) {
    std::vector<private_item> found;
    prefix_scan scan(*s.db().db, s.db().derived,
                     keys::collection(s.shard_of(query.entity), query.entity, query.collection));
    for (; scan.valid(); scan.next()) {
        const auto value = open_unless_erased(s, scan.key(), scan.value());
        if (!value) {
            return value.error();
        }
        if (!*value) {
            continue;
        }
        auto item = open_private_item(**value);
        if (!item) {
            return item.error();
        }
        if (after.empty() || (query.descending ? item->key < after : item->key > after)) {
            found.push_back(std::move(*item));
        }
    }
    if (!scan.status().ok()) {
        return cannot_read(query, scan.status());
    }
    std::ranges::sort(found, [&](const private_item& a, const private_item& b) {
        return query.descending ? a.key > b.key : a.key < b.key;
    });
    item_page page;
    for (std::size_t i = 0; i < found.size() && i < query.limit; ++i) {
        page.items.push_back(std::move(found[i].document));
    }
    if (found.size() > query.limit && query.limit > 0) {
        page.next_cursor = encode_cursor(tag_of(query) + found[query.limit - 1].key);
    }
    return page;
}

} // namespace

expected<item_page> read_items(const store& s, const item_query& query) {
    std::string after;
    if (!query.cursor.empty()) {
        auto place = place_in(query.cursor, tag_of(query));
        if (!place) {
            return bad_cursor();
        }
        after = std::move(*place);
    }
    if (is_private(query.collection)) {
        return read_private_items(s, query, after);
    }
    prefix_scan scan(*s.db().db, s.db().derived,
                     keys::collection(s.shard_of(query.entity), query.entity, query.collection));
    const auto step = [&] { query.descending ? scan.previous() : scan.next(); };
    if (query.descending) {
        after.empty() ? scan.seek_last() : scan.seek_before(after);
    } else {
        scan.seek(after);
    }
    if (!after.empty() && scan.valid() && scan.rest() == after) {
        step();
    }
    item_page page;
    std::string last;
    for (; scan.valid() && page.items.size() < query.limit; step()) {
        auto document = open_unless_erased(s, scan.key(), scan.value());
        if (!document) {
            return document.error();
        }
        if (*document) {
            page.items.push_back(std::move(**document));
        }
        last = scan.rest();
    }
    if (!scan.status().ok()) {
        return cannot_read(query, scan.status());
    }
    if (scan.valid() && !last.empty()) {
        page.next_cursor = encode_cursor(tag_of(query) + last);
    }
    return page;
}

expected<std::optional<std::string>> read_item(const store& s, const entity_address& a, std::string_view collection,
                                               std::string_view key) {
    using result = expected<std::optional<std::string>>;
    std::string value;
    const auto row = item_key(index_names::for_reading(s, a.organization), s.shard_of(a), a, collection, key);
    const auto status = s.db().db->Get({}, s.db().derived, row, &value);
    if (status.IsNotFound()) {
        return std::optional<std::string>();
    }
    if (!status.ok()) {
        return to_problem(status, "cannot read " + to_string(a));
    }
    auto opened = open_unless_erased(s, row, value);
    if (!opened || !*opened || !is_private(collection)) {
        return opened;
    }
    auto item = open_private_item(**opened);
    return item ? result(std::move(item->document)) : result(item.error());
}

std::string encode_timer_row(std::string_view type, std::string_view payload) {
    std::string out;
    put_text(out, type);
    put_text(out, payload);
    return out;
}

namespace {

due_timer timer_of(const store& s, const prefix_scan& scan) {
    due_timer t;
    t.due.ms = static_cast<std::int64_t>(get_big_endian<std::uint64_t>(scan.rest()));
    const auto rest = scan.rest().substr(8);
    const auto end_of_kind = rest.find('\0', 32);
    t.entity = address_from(rest.substr(0, end_of_kind));
    t.key = rest.substr(end_of_kind + 1);
    t.row = scan.key();
    const auto opened = open_bytes(s, scan.key(), scan.value());
    byte_reader value(opened ? std::string_view(*opened) : std::string_view()); // erased: a command of no type
    t.type = value.text();
    t.payload = value.text();
    return t;
}

} // namespace

std::vector<due_timer> read_timers(const store& s, std::uint32_t shard, timestamp now, std::size_t limit,
                                   std::optional<timestamp>& next_due) {
    std::vector<due_timer> out;
    next_due.reset();
    for (prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::timer)); scan.valid();
         scan.next()) {
        const timestamp due{static_cast<std::int64_t>(get_big_endian<std::uint64_t>(scan.rest()))};
        if (due > now || out.size() == limit) {
            next_due = due;
            break;
        }
        out.push_back(timer_of(s, scan));
    }
    return out;
}

std::vector<due_timer> read_timers_of(const store& s, const entity_address& a, std::size_t limit) {
    std::vector<due_timer> out;
    std::size_t scanned = 0;
    for (prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(s.shard_of(a), keys::table::timer));
         scan.valid() && out.size() < limit && scanned < scanned_max; scan.next(), ++scanned) {
        if (auto t = timer_of(s, scan); t.entity == a) {
            out.push_back(std::move(t));
        }
    }
    return out;
}

std::vector<entity_address> read_owed(const store& s, std::uint32_t shard) {
    std::vector<entity_address> out;
    for (prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::owed)); scan.valid();
         scan.next()) {
        out.push_back(address_from(scan.rest()));
    }
    return out;
}

expected<void> each_entity(const store& s, std::uint32_t shard,
                           const std::function<bool(const entity_address&)>& visit) {
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::history));
    while (scan.valid()) {
        const auto entity_rows = scan.rest().substr(0, scan.rest().size() - sizeof(std::uint64_t));
        const auto past = keys::after_prefix(std::string(entity_rows)); // one row of each
        if (!visit(address_from(entity_rows.substr(0, entity_rows.size() - 1)))) {
            return {};
        }
        scan.seek(past);
    }
    return scan.status().ok() ? expected<void>()
                              : expected<void>(to_problem(scan.status(), "cannot read the entities"));
}

expected<void> each_reference(const store& s, std::uint32_t shard,
                              const std::function<bool(const entity_address&, const blob_hash&)>& visit) {
    prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, keys::table::reference));
    for (; scan.valid(); scan.next()) {
        const auto rest = scan.rest(); // organization, hash, id, kind
        if (rest.size() < 64) {
            return problem{code::journal_damaged, "a reference to a blob has a key that none has"};
        }
        blob_hash hash;
        std::memcpy(hash.data(), rest.data() + 16, hash.size());
        const entity_address a{uuid_from(rest.substr(0, 16)), std::string(rest.substr(64)),
                               uuid_from(rest.substr(48, 16))};
        if (!visit(a, hash)) {
            return {};
        }
    }
    return scan.status().ok() ? expected<void>()
                              : expected<void>(to_problem(scan.status(), "cannot read what names blobs"));
}

expected<bool> keeps_references(const store& s, std::uint32_t shard, std::string_view kind) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::reference_kind(shard, kind), &value);
    return status.ok() || status.IsNotFound() ? expected<bool>(status.ok())
                                              : expected<bool>(to_problem(status, "cannot read what names blobs"));
}

namespace {

constexpr std::array view_tables{keys::table::document, keys::table::index,  keys::table::item,     keys::table::timer,
                                 keys::table::owed,     keys::table::poison, keys::table::reference};

} // namespace

void each_view_row(const store& s, std::uint32_t shard,
                   const std::function<void(std::string_view, std::string_view, bool)>& visit) {
    for (const auto table : view_tables) {
        for (prefix_scan scan(*s.db().db, s.db().derived, keys::shard_table(shard, table)); scan.valid(); scan.next()) {
            const auto value = open_bytes(s, scan.key(), scan.value());
            visit(scan.key(), value ? std::string_view(*value) : scan.value(), is_sealed(scan.value()));
        }
    }
}

expected<void> write_view_rows(store& s, const view_rows& rows) {
    rocksdb::WriteBatch batch;
    for (const auto& key : rows.deletes) {
        batch.Delete(s.db().derived, key);
    }
    for (const auto& [key, value] : rows.puts) {
        batch.Put(s.db().derived, key, value);
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto status = s.db().db->Write(options, &batch);
    s.db().heads->touch();
    return status.ok() ? expected<void>() : expected<void>(to_problem(status, "cannot write the views"));
}

std::string owner_text(const entity_address& a) {
    std::string out(reinterpret_cast<const char*>(a.organization.bytes.data()), a.organization.bytes.size());
    out.append(reinterpret_cast<const char*>(a.id.bytes.data()), a.id.bytes.size());
    return out + a.kind;
}

std::optional<std::string> owner_of_view_row(std::string_view key) {
    constexpr std::size_t begin = 3; // after shard and table
    constexpr std::size_t id_bytes = 16;
    if (key.size() < keys::entity_prefix_bytes) {
        return std::nullopt;
    }
    const auto table = static_cast<keys::table>(key[2]);
    std::size_t organization_at = begin;
    std::size_t id_at = begin + id_bytes;
    std::size_t kind_at = id_at + id_bytes;
    if (table == keys::table::index) { // the kind before its filter, the id last
        kind_at = begin + id_bytes;
        id_at = key.size() - id_bytes;
    } else if (table == keys::table::poison) { // the time between them
        id_at += 8;
        kind_at = id_at + id_bytes;
    } else if (table == keys::table::reference) { // the hash between them
        id_at += 32;
        kind_at = id_at + id_bytes;
    } else if (table == keys::table::timer) { // its time first
        organization_at += 8;
        id_at += 8;
        kind_at += 8;
    }
    if (key.size() < std::max(id_at + id_bytes, kind_at)) {
        return std::nullopt;
    }
    const auto kind = key.substr(kind_at);
    return std::string(key.substr(organization_at, id_bytes)) + std::string(key.substr(id_at, id_bytes)) +
           std::string(kind.substr(0, kind.find('\0')));
}

} // namespace troupe::storage
