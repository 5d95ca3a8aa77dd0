#include "storage/base.hpp"

#include "storage/keys.hpp"
#include "storage/rocks.hpp"

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
    return status.ok() ? expected<std::optional<std::string>>(std::move(value))
                       : expected<std::optional<std::string>>(to_problem(status, "cannot read the derived tables"));
}

} // namespace

expected<std::optional<base_row>> read_base(const store& s, const entity_address& a) {
    auto value = get(s, keys::entity(s.shard_of(a), keys::table::base, a));
    if (!value || !*value) {
        return value ? expected<std::optional<base_row>>(std::nullopt) : value.error();
    }
    auto row = decode_base_row(**value);
    if (!row) {
        return problem{code::journal_damaged, "the state at which the history of " + to_string(a) +
                                                  " begins cannot be read; restore a backup"};
    }
    return row;
}

expected<base_mark> read_base_mark(const store& s, const entity_address& a) {
    const auto base = read_base(s, a);
    if (!base) {
        return base.error();
    }
    return *base ? base_mark{(*base)->version, (*base)->seq, (*base)->time} : base_mark{};
}

expected<std::map<std::string, std::string>> read_base_items(const store& s, const entity_address& a) {
    std::map<std::string, std::string> out;
    prefix_scan scan(*s.db().db, s.db().derived, keys::entity_rows(s.shard_of(a), keys::table::base_item, a));
    for (; scan.valid(); scan.next()) {
        auto document = scan.value();
        std::optional<std::string> view;
        if (document.starts_with(as_in_view)) {
            auto found = get(s, other_table(scan.key(), keys::table::item));
            if (!found) {
                return found.error();
            }
            view = std::move(*found);
        }
        if (document.empty() || (document.front() == as_in_view && !view)) {
            return problem{code::journal_damaged,
                           "an item of " + to_string(a) + " from before its history begins is lost; restore a backup"};
        }
        out.emplace(scan.rest(), view ? std::move(*view) : std::string(document.substr(1)));
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
