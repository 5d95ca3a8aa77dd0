#include "runtime/entity/derive.hpp"

#include "storage/keys.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"

#include <algorithm>

namespace troupe::runtime {

namespace keys = storage::keys;

std::string sort_key(std::uint64_t number) {
    std::string out;
    for (int shift = 56; shift >= 0; shift -= 8) {
        out += static_cast<char>((number >> shift) & 0xff);
    }
    return out;
}

std::string sort_key(timestamp t) { return sort_key(static_cast<std::uint64_t>(t.ms)); }

namespace {

/// A NUL ends a filter in its key; text of users may hold one.
std::vector<index_key> without_nul(std::vector<index_key> keys) {
    for (auto& key : keys) {
        std::replace(key.filter.begin(), key.filter.end(), '\0', '\x01');
    }
    return keys;
}

const std::string& key_of(const effect& e) {
    return std::visit([](const auto& x) -> const std::string& { return x.key; }, e);
}

} // namespace

derived_rows rows_of(const entity_instance& e, const view_context& ctx, std::string* document) {
    derived_rows out;
    auto view = e.view(ctx);
    out.exists = view.exists && ctx.version > 0;
    if (out.exists) {
        out.keys = without_nul(std::move(view.keys));
    }
    out.owed = e.resume();
    for (const auto& owed : out.owed) {
        if (const auto* timer = std::get_if<timer_effect>(&owed)) {
            out.timers.emplace(key_of(owed), timer->due);
        } else {
            out.owes = true;
        }
    }
    if (document) {
        *document = std::move(view.document);
    }
    return out;
}

storage::derived_changes derive(entity_instance& e, std::uint32_t shard, const entity_address& a, std::uint64_t version,
                                derived_rows& before) {
    storage::derived_changes out;
    std::string document;
    auto now = rows_of(e, {a.id, version}, &document);

    const auto document_key = keys::entity(shard, keys::table::document, a);
    if (now.exists) {
        storage::document_row row{version, std::move(document), {}};
        for (const auto& key : now.keys) {
            row.keys.emplace_back(key.filter, key.sort);
        }
        out.puts.emplace_back(document_key, storage::encode_document_row(row));
    } else if (before.exists) {
        out.deletes.push_back(document_key);
    }
    const auto has = [](const std::vector<index_key>& list, const index_key& key) {
        return std::find(list.begin(), list.end(), key) != list.end();
    };
    for (const auto& key : before.keys) {
        if (!has(now.keys, key)) {
            out.deletes.push_back(keys::index(shard, a, key.filter, key.sort));
        }
    }
    for (const auto& key : now.keys) {
        if (!has(before.keys, key)) {
            out.puts.emplace_back(keys::index(shard, a, key.filter, key.sort), "");
        }
    }

    for (const auto& [key, due] : before.timers) {
        const auto found = now.timers.find(key);
        if (found == now.timers.end() || found->second != due) {
            out.deletes.push_back(keys::timer(shard, due, a, key));
        }
    }
    for (const auto& owed : now.owed) {
        const auto* timer = std::get_if<timer_effect>(&owed);
        if (timer) {
            const auto found = before.timers.find(timer->key);
            if (found == before.timers.end() || found->second != timer->due) {
                out.puts.emplace_back(keys::timer(shard, timer->due, a, timer->key),
                                      storage::encode_timer_row(timer->type, timer->payload));
            }
        }
    }
    if (now.owes != before.owes) {
        const auto owed_key = keys::entity(shard, keys::table::owed, a);
        now.owes ? void(out.puts.emplace_back(owed_key, "")) : out.deletes.push_back(owed_key);
    }
    std::map<std::string, std::string> items; // the last one of a key counts
    for (auto& i : e.take_items()) {
        items.insert_or_assign(keys::item(shard, a, i.collection, i.key), std::move(i.document));
    }
    for (auto& [key, item_document] : items) {
        item_document.empty() ? out.deletes.push_back(key) : void(out.puts.emplace_back(key, std::move(item_document)));
    }
    before = std::move(now);
    return out;
}

void add_snapshot(storage::derived_changes& to, const entity_instance& e, std::uint32_t shard, const entity_address& a,
                  std::uint64_t version, std::uint64_t drop) {
    to.puts.emplace_back(keys::numbered(shard, keys::table::snapshot, a, version),
                         storage::encode_snapshot_row({version, e.state_version(), e.snapshot()}));
    if (drop != 0) {
        to.deletes.push_back(keys::numbered(shard, keys::table::snapshot, a, drop));
    }
}

} // namespace troupe::runtime
