#include "actors/name/name_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using decision_result = expected<std::vector<name_model::event>>;
using events = std::vector<name_model::event>;

problem taken(const name_state& s, const std::string& name) {
    return {code::already_exists,
            "The name '" + name + "' is taken by another " + s.kind + " of this organization. Choose another name."};
}

decision_result decide(const name_state& s, const reserve_name& c, const runtime::context& context) {
    if (s.status == name_status::free) {
        return events{name_reserved{c.kind, c.owner, context.now + name_reservation_ms}};
    }
    return s.owner == c.owner ? decision_result(events{}) : taken(s, c.name);
}

decision_result decide(const name_state& s, const confirm_name& c, const runtime::context&) {
    if (s.status != name_status::free && s.owner != c.owner) {
        return taken(s, c.name);
    }
    const bool late = s.status != name_status::reserved && s.owner == c.owner && s.claim >= c.claim;
    return late ? events{} : events{name_confirmed{c.kind, c.owner, c.claim}};
}

decision_result decide(const name_state& s, const release_name& c, const runtime::context&) {
    const bool released =
        s.status == name_status::reserved || (s.status == name_status::confirmed && c.claim > s.claim);
    return released && s.owner == c.owner ? events{name_released{c.owner, c.claim}} : events{};
}

decision_result decide(const name_state& s, const expire_name& c, const runtime::context& context) {
    const bool due = s.status == name_status::reserved && s.reservations == c.number && context.now >= s.until;
    return due ? events{name_expired{}} : events{};
}

name_state freed(const name_state& s) {
    name_state out;
    out.reservations = s.reservations;
    return out;
}

} // namespace

expected<std::vector<name_model::event>> name_model::decide(const state& s, const command& c,
                                                            const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

name_state name_model::apply(state s, const event& e, const runtime::event_context&) {
    return std::visit(visitor{[&](const name_reserved& x) {
                                  return state{name_status::reserved, x.kind, x.owner, x.until, s.reservations + 1, 0};
                              },
                              [&](const name_confirmed& x) {
                                  return state{name_status::confirmed, x.kind, x.owner, {}, s.reservations, x.claim};
                              },
                              [&](const name_released& x) {
                                  auto out = freed(s);
                                  out.owner = x.owner;
                                  out.claim = x.claim;
                                  return out;
                              },
                              [&](const name_expired&) { return freed(s); }},
                      e);
}

std::vector<runtime::effect> name_model::resume(const state& s) {
    if (s.status != name_status::reserved) {
        return {};
    }
    return {runtime::timer_effect{"expire/" + std::to_string(s.reservations), s.until,
                                  std::string(wire_name<expire_name>::value), to_json(expire_name{s.reservations})}};
}

runtime::entity_view name_model::view(const state& s, const runtime::view_context&) {
    return {to_json(s), {}, s.status != name_status::free};
}

} // namespace troupe::actors
