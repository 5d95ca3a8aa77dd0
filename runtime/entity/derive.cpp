#include "runtime/entity/derive.hpp"

#include "schemas/base/json.hpp"
#include "storage/items.hpp"
#include "storage/keys.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <iterator>

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
std::vector<index_key> as_in_rows(std::vector<index_key> keys, const storage::index_names& names) {
    for (auto& key : keys) {
        std::replace(key.filter.begin(), key.filter.end(), '\0', '\x01');
        key.filter = names(key.filter);
    }
    return keys;
}

const std::string& key_of(const effect& e) {
    return std::visit([](const auto& x) -> const std::string& { return x.key; }, e);
}

/// Rows follow the state, whatever event changed it.
void derive_references(const std::vector<storage::blob_hash>& before, const std::vector<storage::blob_hash>& now,
                       std::uint32_t shard, const entity_address& a, storage::derived_changes& out) {
    std::vector<storage::blob_hash> dropped;
    std::ranges::set_difference(before, now, std::back_inserter(dropped));
    for (const auto& hash : dropped) {
        out.deletes.push_back(keys::reference(shard, storage::as_bytes(hash), a));
    }
    std::ranges::set_difference(now, before, std::back_inserter(out.named_blobs));
    for (const auto& hash : out.named_blobs) {
        out.puts.emplace_back(keys::reference(shard, storage::as_bytes(hash), a), "");
    }
}

/// By how much each amount is another one now.
std::vector<usage_amount> changes_of(const std::vector<usage_amount>& before, const std::vector<usage_amount>& now) {
    if (before == now) {
        return {};
    }
    std::map<std::string_view, std::int64_t> changes;
    for (const auto& x : now) {
        changes[x.what] += x.amount;
    }
    for (const auto& x : before) {
        changes[x.what] -= x.amount;
    }
    std::vector<usage_amount> out;
    for (const auto& [what, amount] : changes) {
        if (amount != 0) {
            out.push_back({std::string(what), amount});
        }
    }
    return out;
}

} // namespace

std::vector<storage::record> make_records(const entity_address& self, std::uint64_t version, const command& c,
                                          std::vector<encoded_event> events, timestamp now) {
    std::vector<storage::record> out;
    for (auto& e : events) {
        storage::record r;
        r.entity = self;
        r.entity_seq = version + out.size() + 1;
        r.command_id = c.id;
        r.request_hash = c.request_hash;
        r.index_in_batch = static_cast<std::uint32_t>(out.size());
        r.batch_size = static_cast<std::uint32_t>(events.size());
        r.type = std::move(e.type);
        r.version = e.version;
        r.time = now;
        r.principal = c.principal;
        r.cause = c.cause;
        r.correlation = c.correlation;
        r.trace = c.trace;
        r.client = c.client;
        r.payload = std::move(e.payload);
        out.push_back(std::move(r));
    }
    return out;
}

std::string timer_command_id(std::string_view key, timestamp due) {
    return "timer/" + std::string(key) + "/" + std::to_string(due.ms);
}

std::string effect_command_id(const entity_address& owner, std::string_view key) {
    return "effect/" + owner.kind + "/" + to_string(owner.id) + "/" + std::string(key);
}

std::string set_aside_name(const effect& e) {
    const auto* timer = std::get_if<timer_effect>(&e);
    return timer ? timer_command_id(timer->key, timer->due) : "effect/" + key_of(e);
}

std::string effect_behind(const command& c) {
    if (c.principal != "node") {
        return {};
    }
    const auto own = effect_command_id(c.to, "");
    if (c.cause.starts_with(own)) {
        return "effect/" + c.cause.substr(own.size());
    }
    return c.id.starts_with("timer/") ? c.id : std::string();
}

std::string poisoned_payload(const command& c, std::string_view cause) {
    std::string out;
    json::object_writer writer(out);
    writer.field("command", c.type).field("command_id", c.id).field("cause", cause).raw_field("payload", c.payload);
    if (const auto owed = effect_behind(c); !owed.empty()) {
        writer.field("effect", owed);
    }
    writer.end();
    return out;
}

void note_set_aside(const storage::record& r, set_aside_effects& into) {
    if (r.type != poisoned_event) {
        return;
    }
    const auto parsed = json::document::parse(r.payload);
    const auto member = parsed ? parsed->root().find("effect") : std::nullopt;
    const auto name = member ? member->as_string() : std::nullopt;
    if (name) {
        into.emplace(*name);
    }
}

derived_rows rows_of(const entity_instance& e, const view_context& ctx, set_aside_effects set_aside,
                     storage::index_names names, std::string* document) {
    derived_rows out;
    out.names = std::move(names);
    out.set_aside = std::move(set_aside);
    auto view = e.view(ctx);
    out.exists = view.exists && ctx.version > 0;
    if (out.exists) {
        out.keys = as_in_rows(std::move(view.keys), out.names);
    }
    out.blobs = e.blobs();
    out.holds = e.holds();
    out.owed = e.resume();
    if (!out.set_aside.empty()) {
        std::erase_if(out.owed, [&](const effect& x) { return out.set_aside.contains(set_aside_name(x)); });
    }
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
    auto now = rows_of(e, {a.id, version}, before.set_aside, before.names, &document);

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
    derive_references(before.blobs, now.blobs, shard, a, out);
    out.held = changes_of(before.holds, now.holds);
    std::map<std::string, std::string> items; // the last one of a key counts
    for (const auto& i : e.take_items()) {
        auto [key, value] = storage::item_row(before.names, shard, a, i.collection, i.key, i.document);
        items.insert_or_assign(std::move(key), std::move(value));
    }
    for (auto& [key, item_document] : items) {
        item_document.empty() ? out.deletes.push_back(key) : void(out.puts.emplace_back(key, std::move(item_document)));
    }
    before = std::move(now);
    return out;
}

stored_form snapshot_of(const entity_instance& e, const set_aside_effects& set_aside, const feature_set* on) {
    auto state = e.snapshot(on);
    for (const auto& name : set_aside) {
        state.payload += '\n' + json::quoted(name); // no line ends within JSON as it is written
    }
    return state;
}

void add_snapshot(storage::derived_changes& to, stored_form state, std::uint32_t shard, const entity_address& a,
                  std::uint64_t version, std::uint64_t drop) {
    to.puts.emplace_back(keys::numbered(shard, keys::table::snapshot, a, version),
                         storage::encode_snapshot_row({version, state.version, std::move(state.payload)}));
    if (drop != 0) {
        to.deletes.push_back(keys::numbered(shard, keys::table::snapshot, a, drop));
    }
}

expected<set_aside_effects> restore_snapshot(entity_instance& e, std::uint16_t state_version, std::string_view state) {
    set_aside_effects out;
    const auto json_end = std::min(state.find('\n'), state.size());
    for (auto end = json_end; end < state.size();) {
        const auto begin = end + 1;
        end = std::min(state.find('\n', begin), state.size());
        const auto name = json::document::parse(state.substr(begin, end - begin));
        const auto text = name ? name->root().as_string() : std::nullopt;
        if (!text) {
            return problem{code::journal_damaged, "a snapshot names an effect that cannot be read"};
        }
        out.emplace(*text);
    }
    if (auto restored = e.restore(state_version, state.substr(0, json_end)); !restored) {
        return restored.error();
    }
    return out;
}

} // namespace troupe::runtime
