#include "actors/identity/session_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using events = std::vector<session_model::event>;
using decision_result = expected<events>;

constexpr std::string_view expired_reason = "expired";

problem ended(const session_document& d) {
    return {code::unauthenticated, "This session is over (" + d.ended_because.value_or("ended") + "). Log in again."};
}

decision_result decide(const session_state& s, const open_session& c, const runtime::context& context) {
    if (!s.shown.id.is_nil()) {
        return exists_already("session", context.self.id);
    }
    return events{session_opened{c.user_id, c.organization_id, c.generation, c.methods, c.address, c.user_agent,
                                 context.now + c.valid_ms}};
}

decision_result decide(const session_state& s, const rotate_session& c, const runtime::context& context) {
    if (s.shown.ended_at) {
        return ended(s.shown);
    }
    if (context.now >= s.shown.expires_at) {
        return problem{code::unauthenticated, "This session was not used for too long. Log in again."};
    }
    if (c.rotation != s.rotation) {
        return events{session_ended{std::string(token_reused_reason)}};
    }
    return events{session_rotated{s.rotation + 1, c.organization_id ? c.organization_id : s.shown.organization_id,
                                  c.address, c.user_agent, context.now + c.valid_ms}};
}

decision_result decide(const session_state& s, const confirm_session& c, const runtime::context&) {
    return s.shown.ended_at ? decision_result(ended(s.shown)) : events{session_confirmed{c.method}};
}

decision_result decide(const session_state& s, const end_session& c, const runtime::context& context) {
    // The timer of an older expiry may come late.
    const bool early = c.reason == expired_reason && context.now < s.shown.expires_at;
    return s.shown.ended_at || early ? events{} : events{session_ended{c.reason}};
}

} // namespace

entity_address session_address(const uuid& id) { return {system_organization, std::string(session_model::kind), id}; }

expected<events> session_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (s.shown.id.is_nil() && !std::holds_alternative<open_session>(c)) {
        return no_such("session", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

session_state session_model::apply(state s, const event& e, const runtime::event_context& at) {
    auto& d = s.shown;
    std::visit(visitor{[&](const session_opened& x) {
                           d.id = at.id;
                           d.user_id = x.user_id;
                           d.organization_id = x.organization_id;
                           d.methods = x.methods;
                           d.address = x.address;
                           d.user_agent = x.user_agent;
                           d.created_at = d.authenticated_at = d.refreshed_at = at.time;
                           d.expires_at = x.expires_at;
                           s.generation = x.generation;
                       },
                       [&](const session_rotated& x) {
                           d.organization_id = x.organization_id;
                           d.address = x.address;
                           d.user_agent = x.user_agent;
                           d.refreshed_at = at.time;
                           d.expires_at = x.expires_at;
                           s.rotation = x.rotation;
                       },
                       [&](const session_confirmed& x) {
                           d.authenticated_at = at.time;
                           d.methods.push_back(x.method);
                           if (d.methods.size() > 2) { // the login's and the newest
                               d.methods.erase(d.methods.begin() + 1);
                           }
                       },
                       [&](const session_ended& x) {
                           d.ended_at = at.time;
                           d.ended_because = x.reason;
                       }},
               e);
    return s;
}

std::vector<runtime::effect> session_model::resume(const state& s) {
    if (s.shown.id.is_nil() || s.shown.ended_at) {
        return {};
    }
    return {runtime::timer_effect{"expire/" + std::to_string(s.rotation), s.shown.expires_at,
                                  std::string(wire_name<end_session>::value),
                                  to_json(end_session{std::string(expired_reason)})}};
}

runtime::entity_view session_model::view(const state& s, const runtime::view_context&) {
    if (s.shown.id.is_nil()) {
        return {.document = "", .keys = {}, .exists = false};
    }
    std::vector<runtime::index_key> keys;
    if (!s.shown.ended_at) {
        keys.push_back({"user=" + to_string(s.shown.user_id), runtime::sort_key(s.shown.created_at)});
    }
    return {to_json(s.shown), std::move(keys), true};
}

std::vector<runtime::item> session_model::items(const state& after, const event&, const runtime::event_context&) {
    return {{std::string(family_collection), std::string(family_key),
             to_json(session_family{after.generation, after.rotation})}};
}

} // namespace troupe::actors
