#include "storage/base.hpp"

#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"

#include <utility>

namespace troupe::storage {

namespace {

// A row of a base's item begins with one of these.
constexpr char as_in_view = '=';
constexpr char put_aside = '+'; ///< The document follows.

bool is_item(std::string_view key) { return key.size() > 2 && key[2] == static_cast<char>(keys::table::item); }

std::string other_table(std::string_view key, keys::table t) {
    std::string out(key);
    out[2] = static_cast<char>(t);
    return out;
}

expected<std::optional<std::string>> get(const store& s, const std::string& key) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, key, &value);
    if (status.IsNotFound()) {
        return std::optional<std::string>();
    }
    if (!status.ok()) {
        return to_problem(status, "cannot read the derived tables");
    }
    auto opened = open_bytes(s, key, value);
    return opened ? expected<std::optional<std::string>>(std::move(*opened)) : opened.error();
}

problem damaged(const entity_address& a) {
    return {code::journal_damaged,
            "the state at which the history of " + to_string(a) + " begins cannot be read; restore a backup"};
}

} // namespace

expected<base_mark> read_base_mark(const store& s, const entity_address& a) {
    const auto value = get(s, keys::entity(s.shard_of(a), keys::table::base, a));
    if (!value || !*value) {
        return value ? expected<base_mark>(base_mark{}) : value.error();
    }
    const auto mark = decode_base_mark(**value);
    return mark ? expected<base_mark>(*mark) : expected<base_mark>(damaged(a));
}

expected<std::optional<history_base>> read_base(const store& s, const entity_address& a) {
    const auto mark = read_base_mark(s, a);
    if (!mark || mark->version == 0) {
        return mark ? expected<std::optional<history_base>>(std::nullopt) : mark.error();
    }
    const auto value = get(s, keys::numbered(s.shard_of(a), keys::table::base, a, mark->version));
    if (!value) {
        return value.error();
    }
    auto row = *value ? decode_snapshot_row(mark->version, **value) : std::nullopt;
    if (!row) {
        return damaged(a);
    }
    history_base out;
    static_cast<base_mark&>(out) = *mark;
    out.state_version = row->state_version;
    out.state = std::move(row->state);
    return std::optional(std::move(out));
}

void put_base(const store& s, const entity_address& a, const history_base& base, std::uint64_t before,
              derived_changes& to) {
    const auto shard = s.shard_of(a);
    to.puts.emplace_back(keys::entity(shard, keys::table::base, a), encode_base_mark(base));
    to.puts.emplace_back(keys::numbered(shard, keys::table::base, a, base.version),
                         encode_snapshot_row({base.version, base.state_version, base.state}));
    if (before > 0) {
        to.deletes.push_back(keys::numbered(shard, keys::table::base, a, before));
    }
}

expected<std::map<std::string, std::string>> read_base_items(const store& s, const entity_address& a) {
    std::map<std::string, std::string> out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::entity_rows(s.shard_of(a), keys::table::base_item, a));
    for (; scan.valid(); scan.next()) {
        const auto document = open_bytes(s, scan.key(), scan.value());
        if (!document) {
            return document.error();
        }
        std::optional<std::string> view;
        if (document->starts_with(as_in_view)) {
            auto found = get(s, other_table(scan.key(), keys::table::item));
            if (!found) {
                return found.error();
            }
            view = std::move(*found);
        }
        if (document->empty() || (document->front() == as_in_view && !view)) {
            return problem{code::journal_damaged,
                           "an item of " + to_string(a) + " from before its history begins is lost; restore a backup"};
        }
        out.emplace(scan.rest(), view ? std::move(*view) : document->substr(1));
    }
    return scan.status().ok() ? expected<std::map<std::string, std::string>>(std::move(out))
                              : to_problem(scan.status(), "cannot read the items of " + to_string(a));
}

expected<void> move_base_items(const store& s, const item_documents& items, derived_changes& to) {
    for (const auto& [key, document] : items) {
        auto row = other_table(key, keys::table::base_item);
        if (document.empty()) {
            to.deletes.push_back(std::move(row));
            continue;
        }
        const auto view = get(s, key);
        if (!view) {
            return view.error();
        }
        to.puts.emplace_back(std::move(row), *view == document ? std::string(1, as_in_view) : put_aside + document);
    }
    return {};
}

expected<void> keep_base_items(const store& s, derived_changes& to) {
    std::vector<std::pair<std::string, std::string>> aside;
    const auto keep = [&](const std::string& key) -> expected<void> {
        auto row = other_table(key, keys::table::base_item);
        const auto base = get(s, row);
        if (!base || !*base || **base != std::string(1, as_in_view)) {
            return base ? expected<void>() : expected<void>(base.error());
        }
        auto view = get(s, key);
        if (!view) {
            return view.error();
        }
        if (*view) { // else it is lost already
            aside.emplace_back(std::move(row), put_aside + **view);
        }
        return {};
    };
    for (const auto& [key, value] : to.puts) {
        if (is_item(key)) {
            if (auto kept = keep(key); !kept) {
                return kept;
            }
        }
    }
    for (const auto& key : to.deletes) {
        if (is_item(key)) {
            if (auto kept = keep(key); !kept) {
                return kept;
            }
        }
    }
    to.puts.insert(to.puts.end(), std::make_move_iterator(aside.begin()), std::make_move_iterator(aside.end()));
    return {};
}

} // namespace troupe::storage
