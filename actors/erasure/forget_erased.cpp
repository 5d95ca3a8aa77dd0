#include "actors/erasure/forget_erased.hpp"

#include "runtime/entity/offline.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/organization_messages.hpp"
#include "schemas/user.hpp"
#include "storage/base.hpp"
#include "storage/committer.hpp"
#include "storage/key_store.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

/// Later than whatever the erased did.
constexpr std::uint64_t last_word = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view members = "members"; // of an organization, by the member's id

using told = std::pair<entity_address, runtime::self_command>;

class reader {
public:
    explicit reader(const storage::store& s) : store_(s) {}

    expected<void> read(const entity_address& a) {
        return a.kind == "name"           ? name(a)
               : a.kind == "organization" ? organization(a)
               : a.kind == "user"         ? user(a)
                                          : expected<void>();
    }
    std::vector<told> messages;

private:
    [[nodiscard]] bool is_erased(std::string_view id) const {
        const auto parsed = parse_uuid(id);
        return parsed && store_.keys()->erased_at(*parsed);
    }

    template <class Message>
    void tell(const entity_address& to, const Message& m) {
        messages.emplace_back(to, runtime::self_command{std::string(wire_name<Message>::value), to_json(m), {}});
    }

    /// A name's events say whose it is; it has no document.
    expected<void> name(const entity_address& a) {
        const auto base = storage::read_base(store_, a);
        if (!base) {
            return base.error();
        }
        std::string owner;
        const auto note = [&](std::string_view text) {
            const auto said = json::document::parse(text);
            owner = said ? said->root().text_or("owner") : std::string();
        };
        if (*base) {
            note((*base)->state.substr(0, (*base)->state.find('\n')));
        }
        auto read = storage::read_history(store_, a, *base ? (*base)->version : 0, [&](storage::record&& r) {
            note(r.payload);
            return expected<void>();
        });
        if (read && is_erased(owner)) {
            tell(a, release_name{*parse_uuid(owner), last_word});
        }
        return read;
    }

    expected<void> organization(const entity_address& a) {
        storage::item_query query{a, std::string(members), false, 500, {}};
        for (;;) {
            auto page = storage::read_items(store_, query);
            if (!page) {
                return page.error();
            }
            for (const auto& item : page->items) {
                const auto member = json::document::parse(item);
                if (const auto id = member ? std::string(member->root().text_or("user_id")) : std::string();
                    is_erased(id)) {
                    tell(a, leave_organization{*parse_uuid(id)});
                }
            }
            if (!page->next_cursor) {
                return {};
            }
            query.cursor = *page->next_cursor;
        }
    }

    expected<void> user(const entity_address& a) {
        const auto found = storage::read_document(store_, a);
        if (!found || !*found) {
            return found ? expected<void>() : expected<void>(found.error());
        }
        const auto shown = from_json<user_document>((*found)->json, strictness::stored);
        if (!shown) {
            return shown.error();
        }
        for (const auto& m : shown->organizations) {
            if (store_.keys()->erased_at(m.organization_id)) {
                tell(a, note_membership{m.organization_id, last_word, m.role, false, true});
            }
        }
        return {};
    }

    const storage::store& store_;
};

} // namespace

expected<void> forget_erased(storage::store& s, const runtime::kind_registry& kinds) {
    if (!s.keys() || s.keys()->erased_count() == 0) {
        return {};
    }
    reader all(s);
    expected<void> read;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        auto visited = storage::each_entity(s, shard, [&](const entity_address& a) {
            read = a.organization == system_organization ? all.read(a) : expected<void>();
            return read.has_value();
        });
        if (!visited || !read) {
            return visited ? read : visited;
        }
    }
    if (all.messages.empty()) {
        return {};
    }
    const auto committer = storage::committer::open(s, s.free_bytes_min());
    if (!committer) {
        return committer.error();
    }
    for (auto& [to, message] : all.messages) {
        runtime::command c;
        c.to = to;
        c.id = "forget/" + to_string(make_uuid());
        c.type = std::move(message.type);
        c.payload = std::move(message.payload);
        c.principal = "node";
        const auto done = runtime::decide_offline(s, **committer, kinds.at(to.kind), c);
        if (!done && done.error().code != code::not_found) { // it is about to be erased itself
            return done.error();
        }
    }
    return {};
}

} // namespace troupe::actors
