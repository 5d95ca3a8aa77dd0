#include "actors/identity/linked_identity_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using events = std::vector<linked_identity_model::event>;
using decision_result = expected<events>;

bool exists(const linked_identity_state& s) { return !s.shown.id.is_nil(); }

decision_result decide(const linked_identity_state& s, const link_identity& c, const runtime::context& context) {
    if (context.self.id != linked_identity_id(c.issuer, c.subject)) {
        return problem{code::internal, "The id of a linked identity does not belong to its issuer and subject."};
    }
    const bool open = exists(s) && !s.shown.removed_at;
    if (open && s.shown.user_id == c.user_id) {
        return events{};
    }
    if (open) {
        return problem{code::conflict, "This identity opens another account: unlink it there first."};
    }
    if (exists(s) && !c.anew) {
        return problem{code::forbidden, "This identity was unlinked from its account: log in by password, then link it "
                                        "anew in your profile."};
    }
    return events{identity_linked{c.user_id, c.provider, c.issuer, c.subject, c.email}};
}

decision_result decide(const linked_identity_state& s, const unlink_identity&, const runtime::context&) {
    return s.shown.removed_at ? events{} : events{identity_unlinked{}};
}

decision_result decide(const linked_identity_state& s, const note_identity_use& c, const runtime::context& context) {
    const bool fresh = s.shown.last_used_at && context.now < *s.shown.last_used_at + identity_use_ms;
    return s.shown.removed_at || (fresh && s.shown.email == c.email) ? events{} : events{identity_used{c.email}};
}

} // namespace

uuid linked_identity_id(std::string_view issuer, std::string_view subject) {
    return derive_uuid({"linked_identity", issuer, subject});
}

entity_address linked_identity_address(const uuid& id) {
    return {system_organization, std::string(linked_identity_model::kind), id};
}

expected<events> linked_identity_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (!exists(s) && !std::holds_alternative<link_identity>(c)) {
        return no_such("linked identity", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

linked_identity_state linked_identity_model::apply(state s, const event& e, const runtime::event_context& at) {
    auto& d = s.shown;
    std::visit(visitor{[&](const identity_linked& x) {
                           s.owner = s.owner.is_nil() ? x.user_id : s.owner;
                           d = {at.id, x.user_id, x.provider, x.issuer, x.subject, x.email, at.time, {}, {}};
                       },
                       [&](const identity_unlinked&) { d.removed_at = at.time; },
                       [&](const identity_used& x) {
                           d.email = x.email;
                           d.last_used_at = at.time;
                       }},
               e);
    return s;
}

std::vector<runtime::effect> linked_identity_model::resume(const state&) { return {}; }

runtime::entity_view linked_identity_model::view(const state& s, const runtime::view_context&) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    std::vector<runtime::index_key> keys;
    if (!s.shown.removed_at) {
        keys.push_back({"user=" + to_string(s.shown.user_id), runtime::sort_key(s.shown.created_at)});
    }
    return {to_json(s.shown), std::move(keys), true};
}

} // namespace troupe::actors
