#include "actors/identity/api_key_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using events = std::vector<api_key_model::event>;
using decision_result = expected<events>;

decision_result decide(const api_key_state& s, const create_api_key& c, const runtime::context& context) {
    if (!s.shown.id.is_nil()) {
        return exists_already("API key", context.self.id);
    }
    if (c.expires_at && *c.expires_at <= context.now) {
        return problem{code::invalid_request,
                       "The key would have expired already: give a later time.",
                       {{"/expires_at", "is in the past"}}};
    }
    return events{api_key_created{c}};
}

decision_result decide(const api_key_state& s, const revoke_api_key&, const runtime::context&) {
    return s.shown.revoked_at ? events{} : events{api_key_revoked{}};
}

decision_result decide(const api_key_state& s, const note_api_key_use& c, const runtime::context& context) {
    const bool fresh = s.shown.last_used_at && context.now < *s.shown.last_used_at + api_key_use_ms;
    return s.shown.revoked_at || fresh ? events{} : events{api_key_used{c.address}};
}

} // namespace

entity_address api_key_address(const uuid& id) { return {system_organization, std::string(api_key_model::kind), id}; }

expected<events> api_key_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (s.shown.id.is_nil() && !std::holds_alternative<create_api_key>(c)) {
        return no_such("API key", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

api_key_state api_key_model::apply(state s, const event& e, const runtime::event_context& at) {
    auto& d = s.shown;
    std::visit(visitor{[&](const api_key_created& x) {
                           d.id = at.id;
                           d.organization_id = x.organization_id;
                           d.name = x.name;
                           d.owner = x.owner;
                           d.role = x.role;
                           d.scopes = x.scopes;
                           d.prefix = x.prefix;
                           d.created_by = at.principal;
                           d.created_at = at.time;
                           d.expires_at = x.expires_at;
                           s.hash = x.hash;
                       },
                       [&](const api_key_revoked&) { d.revoked_at = at.time; },
                       [&](const api_key_used& x) {
                           d.last_used_at = at.time;
                           d.last_used_from = x.address;
                       }},
               e);
    return s;
}

uuid api_key_model::subject(const state& s) {
    constexpr std::string_view person = "user/";
    const auto user = s.shown.owner.starts_with(person)
                          ? parse_uuid(std::string_view(s.shown.owner).substr(person.size()))
                          : std::nullopt;
    return user.value_or(s.shown.organization_id);
}

std::vector<runtime::effect> api_key_model::resume(const state&) { return {}; }

runtime::entity_view api_key_model::view(const state& s, const runtime::view_context&) {
    if (s.shown.id.is_nil()) {
        return {.document = "", .keys = {}, .exists = false};
    }
    std::vector<runtime::index_key> keys;
    if (!s.shown.revoked_at) {
        keys.push_back({"organization=" + to_string(s.shown.organization_id), runtime::sort_key(s.shown.created_at)});
    }
    return {to_json(s.shown), std::move(keys), true};
}

std::vector<runtime::item> api_key_model::items(const state& after, const event&, const runtime::event_context&) {
    return {{std::string(hash_collection), std::string(hash_key), to_json(api_key_hash{after.hash})}};
}

} // namespace troupe::actors
