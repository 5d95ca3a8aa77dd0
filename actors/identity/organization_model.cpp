#include "actors/identity/organization_model.hpp"

#include "actors/common/model.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/permissions.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

using events = std::vector<organization_model::event>;
using decision_result = expected<events>;

bool exists(const organization_state& s) { return !s.id.is_nil(); }

const member_record* find_member(const organization_state& s, const uuid& user) {
    const auto found = s.members.find(to_string(user));
    return found == s.members.end() ? nullptr : &found->second;
}

bool is_active_owner(const member_record& m) { return m.role == owner_role && m.status == member_status::active; }

/// Without an owner nobody could give the organization back to somebody.
bool has_other_owner(const organization_state& s, const uuid& user) {
    return std::ranges::any_of(s.members,
                               [&](const auto& m) { return m.second.user_id != user && is_active_owner(m.second); });
}

problem last_owner() {
    return {code::conflict, "An organization needs an owner: give the role `owner` to somebody else first."};
}

problem no_member(const uuid& user) {
    return {code::not_found, "The user " + to_string(user) + " is no member of this organization."};
}

expected<void> check_role(const organization_state& s, const std::string& role) {
    if (find_built_in_role(role) != nullptr || s.roles.contains(role)) {
        return {};
    }
    return problem{code::invalid_request,
                   "This organization has no role '" + role + "'; GET …/roles lists what it has.",
                   {{"/role", "is no role of this organization"}}};
}

decision_result decide(const organization_state& s, const create_organization& c, const runtime::context& context) {
    if (exists(s)) {
        return exists_already("organization", context.self.id);
    }
    events out{organization_created{c.name, c.slug, c.domain, c.plan}};
    if (c.owner) {
        out.emplace_back(member_added{*c.owner, std::string(owner_role), {}});
    }
    return out;
}

decision_result decide(const organization_state& s, const update_organization& c, const runtime::context& context) {
    const auto trial_ends_at = c.trial_ends_at ? c.trial_ends_at : s.trial_ends_at;
    if (c.status.value_or(s.status) == organization_status::trial && (c.status || c.trial_ends_at) && trial_ends_at &&
        *trial_ends_at <= context.now) {
        return problem{code::invalid_request,
                       "A trial ends in the future: give `trial_ends_at` with it.",
                       {{"/trial_ends_at", "is over"}}};
    }
    organization_updated change;
    change.name = c.name && *c.name != s.name ? c.name : std::nullopt;
    change.domain = c.domain && *c.domain != s.domain ? c.domain : std::nullopt;
    change.settings = c.settings && c.settings->text != s.settings.text ? c.settings : std::nullopt;
    change.plan = c.plan && *c.plan != s.plan ? c.plan : std::nullopt;
    change.status = c.status && *c.status != s.status ? c.status : std::nullopt;
    change.trial_ends_at = c.trial_ends_at != s.trial_ends_at ? c.trial_ends_at : std::nullopt;
    change.limits = c.limits && *c.limits != s.limits.value_or(quota_limits{}) ? c.limits : std::nullopt;
    const bool any = change.name || change.domain || change.settings || change.plan || change.status ||
                     change.trial_ends_at || change.limits;
    return any ? events{change} : events{};
}

decision_result decide(const organization_state& s, const end_trial& c, const runtime::context& context) {
    const bool over = s.status == organization_status::trial && s.trial_ends_at == c.at && context.now >= c.at;
    if (!over) {
        return events{};
    }
    organization_updated change;
    change.status = organization_status::suspended;
    return events{change};
}

decision_result decide(const organization_state& s, const add_member& c, const runtime::context&) {
    if (const auto known = check_role(s, c.role); !known) {
        return known.error();
    }
    if (const auto* m = find_member(s, c.user_id)) {
        return m->role == c.role ? decision_result(events{})
                                 : problem{code::already_exists, "This person is a member already, with the role '" +
                                                                     m->role + "'. Change the role instead."};
    }
    if (s.members.size() >= members_max) {
        return problem{code::limit_reached, "An organization has at most " + std::to_string(members_max) + " members."};
    }
    return events{member_added{c.user_id, c.role, {}}};
}

decision_result decide(const organization_state& s, const change_member& c, const runtime::context&) {
    const auto* m = find_member(s, c.user_id);
    if (m == nullptr) {
        return no_member(c.user_id);
    }
    member_record after = *m;
    after.role = c.role.value_or(m->role);
    after.status = c.status.value_or(m->status);
    if (const auto known = check_role(s, after.role); !known) {
        return known.error();
    }
    if (is_active_owner(*m) && !is_active_owner(after) && !has_other_owner(s, c.user_id)) {
        return last_owner();
    }
    const bool same = after.role == m->role && after.status == m->status;
    return same ? events{} : events{member_changed{c.user_id, after.role, after.status}};
}

decision_result decide(const organization_state& s, const remove_member& c, const runtime::context&) {
    const auto* m = find_member(s, c.user_id);
    if (m == nullptr) {
        return no_member(c.user_id);
    }
    if (is_active_owner(*m) && !has_other_owner(s, c.user_id)) {
        return last_owner();
    }
    return events{member_removed{c.user_id}};
}

/// Routes have asked that another owner is there: a person who is gone cannot stay one.
decision_result decide(const organization_state& s, const leave_organization& c, const runtime::context&) {
    return find_member(s, c.user_id) != nullptr ? events{member_removed{c.user_id}} : events{};
}

decision_result decide(const organization_state& s, const put_role& c, const runtime::context&) {
    if (find_built_in_role(c.name) != nullptr) {
        return problem{code::conflict, "'" + c.name + "' is a built-in role and stays as it is: choose another name."};
    }
    if (!s.roles.contains(c.name) && s.roles.size() >= custom_roles_max) {
        return problem{code::limit_reached,
                       "An organization has at most " + std::to_string(custom_roles_max) + " roles of its own."};
    }
    for (std::size_t i = 0; i < c.permissions.size(); ++i) {
        if (!is_permission_pattern(c.permissions[i])) {
            return problem{code::invalid_request,
                           "'" + c.permissions[i] +
                               "' is no permission: write it as `task:read`, `task:*`, `*:read` "
                               "or `*`.",
                           {{"/permissions/" + std::to_string(i), "is no permission"}}};
        }
    }
    const auto known = s.roles.find(c.name);
    const bool same = known != s.roles.end() && known->second.description == c.description &&
                      known->second.permissions == c.permissions;
    return same ? events{} : events{role_put{c}};
}

decision_result decide(const organization_state& s, const remove_role& c, const runtime::context&) {
    if (find_built_in_role(c.name) != nullptr) {
        return problem{code::conflict, "'" + c.name + "' is a built-in role and cannot be removed."};
    }
    if (!s.roles.contains(c.name)) {
        return problem{code::not_found, "This organization has no role '" + c.name + "'."};
    }
    const auto holders = std::ranges::count_if(s.members, [&](const auto& m) { return m.second.role == c.name; });
    const auto promised = std::ranges::count_if(s.invitations, [&](const auto& i) { return i.second.role == c.name; });
    if (holders + promised > 0) {
        return problem{code::conflict, "The role '" + c.name + "' is in use (" + std::to_string(holders) +
                                           " members, " + std::to_string(promised) +
                                           " invitations): give them another one first."};
    }
    return events{role_removed{c.name}};
}

decision_result decide(const organization_state& s, const invite& c, const runtime::context&) {
    if (const auto known = check_role(s, c.role); !known) {
        return known.error();
    }
    if (s.invitations.contains(to_string(c.id))) {
        return events{};
    }
    if (s.invitations.size() >= open_invitations_max) {
        return problem{code::limit_reached, "An organization has at most " + std::to_string(open_invitations_max) +
                                                " open invitations: revoke some."};
    }
    return events{invited{c}};
}

decision_result decide(const organization_state& s, const revoke_invitation& c, const runtime::context&) {
    if (!s.invitations.contains(to_string(c.id))) {
        return problem{code::not_found, "There is no open invitation " + to_string(c.id) + "."};
    }
    return events{invitation_closed{c.id, invitation_status::revoked, {}}};
}

decision_result decide(const organization_state& s, const accept_invitation& c, const runtime::context& context) {
    const auto found = s.invitations.find(to_string(c.id));
    if (found == s.invitations.end() || context.now >= found->second.expires_at ||
        fold_name(found->second.email) != fold_name(c.email)) {
        return problem{code::not_found, "This invitation is not for you, was used or revoked, or has expired. Ask for "
                                        "a new one."};
    }
    if (s.status == organization_status::suspended) {
        return problem{code::organization_suspended, "This organization is suspended: nobody joins it now."};
    }
    if (find_member(s, c.user_id) != nullptr) {
        return events{invitation_closed{c.id, invitation_status::accepted, c.user_id}};
    }
    if (s.members.size() >= members_max) {
        return problem{code::limit_reached, "An organization has at most " + std::to_string(members_max) + " members."};
    }
    return events{member_added{c.user_id, found->second.role, c.id},
                  invitation_closed{c.id, invitation_status::accepted, c.user_id}};
}

decision_result decide(const organization_state& s, const close_for_erasure&, const runtime::context&) {
    return s.closing ? events{} : events{organization_closed{}};
}

decision_result decide(const organization_state& s, const debt_settled& c, const runtime::context&) {
    const auto* d = find_debt(s.owed, c.key);
    return d == nullptr ? events{} : events{cleared(*d, c)};
}

void take_name(organization_state& s, const std::string& kind, const std::string& name, std::uint64_t version) {
    owe(s.owed, "name", name_id(system_organization, kind, name), confirm_name{kind, name, s.id, version});
}

void give_name_up(organization_state& s, const std::string& kind, const std::string& name, std::uint64_t version) {
    owe(s.owed, "name", name_id(system_organization, kind, name), release_name{s.id, version});
}

void tell(organization_state& s, const member_record& m, std::uint64_t version) {
    owe(s.owed, "user", m.user_id,
        note_membership{s.id, version, m.role, m.status == member_status::active, m.removed});
}

void close(organization_state& s, std::uint64_t version) {
    s.closing = true;
    s.status = organization_status::suspended;
    for (auto& [id, m] : s.members) {
        m.removed = true;
        tell(s, m, version);
    }
    s.members.clear();
    s.invitations.clear();
    give_name_up(s, std::string(organization_model::kind), s.slug, version);
    if (!s.domain.empty()) {
        give_name_up(s, std::string(domain_name_kind), s.domain, version);
    }
}

void update(organization_state& s, const organization_updated& x, std::uint64_t version) {
    s.name = x.name.value_or(s.name);
    s.settings = x.settings.value_or(s.settings);
    s.plan = x.plan.value_or(s.plan);
    s.status = x.status.value_or(s.status);
    s.trial_ends_at = x.trial_ends_at ? x.trial_ends_at : s.trial_ends_at;
    if (x.limits) {
        s.limits = *x.limits == quota_limits{} ? std::nullopt : x.limits;
    }
    if (x.domain) {
        if (!s.domain.empty() && fold_name(s.domain) != fold_name(*x.domain)) {
            give_name_up(s, std::string(domain_name_kind), s.domain, version);
        }
        s.domain = *x.domain;
        if (!s.domain.empty()) {
            take_name(s, std::string(domain_name_kind), s.domain, version);
        }
    }
}

bool is_slug_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

} // namespace

entity_address organization_address(const uuid& id) {
    return {system_organization, std::string(organization_model::kind), id};
}

bool is_slug(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, is_slug_char) && text.front() != '-' &&
           text.back() != '-' && !parse_uuid(text);
}

std::string slug_of(std::string_view name) {
    std::string out;
    for (const char c : fold_name(name)) {
        if (is_slug_char(c) && c != '-') {
            out += c;
        } else if (!out.empty() && out.back() != '-') {
            out += '-';
        }
    }
    out.resize(std::min<std::size_t>(out.size(), 40));
    while (!out.empty() && out.back() == '-') {
        out.pop_back();
    }
    return out;
}

expected<events> organization_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (!exists(s) && !std::holds_alternative<create_organization>(c)) {
        return no_such("organization", context.self.id);
    }
    if (s.closing && !std::holds_alternative<close_for_erasure>(c) && !std::holds_alternative<debt_settled>(c)) {
        return no_such("organization", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

organization_state organization_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit(visitor{[&](const organization_created& x) {
                           s.id = at.id;
                           s.name = x.name;
                           s.slug = x.slug;
                           s.domain = x.domain.value_or("");
                           s.plan = x.plan;
                           s.created_by = at.principal;
                           s.created_at = at.time;
                           take_name(s, std::string(kind), s.slug, at.version);
                           if (!s.domain.empty()) {
                               take_name(s, std::string(domain_name_kind), s.domain, at.version);
                           }
                       },
                       [&](const organization_updated& x) { update(s, x, at.version); },
                       [&](const member_added& x) {
                           const auto& m = s.members[to_string(x.user_id)] = {x.user_id, x.role, member_status::active,
                                                                              at.time, false};
                           tell(s, m, at.version);
                       },
                       [&](const member_changed& x) {
                           auto& m = s.members[to_string(x.user_id)];
                           m.role = x.role;
                           m.status = x.status;
                           tell(s, m, at.version);
                       },
                       [&](const member_removed& x) {
                           auto m = s.members[to_string(x.user_id)];
                           m.removed = true;
                           tell(s, m, at.version);
                           s.members.erase(to_string(x.user_id));
                       },
                       [&](const role_put& x) {
                           s.roles[x.name] = {x.name, x.description, x.permissions, false};
                       },
                       [&](const role_removed& x) { s.roles.erase(x.name); },
                       [&](const invited& x) {
                           s.invitations[to_string(x.id)] = {
                               x.id,    x.email,      x.role, invitation_status::open, std::string(at.principal),
                               at.time, x.expires_at, {}};
                       },
                       [&](const invitation_closed& x) { s.invitations.erase(to_string(x.id)); },
                       [&](const organization_closed&) { close(s, at.version); },
                       [&](const debt_cleared& x) { pay_before_erasure(s.owed, x.number, s.closing, s.id); }},
               e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> organization_model::resume(const state& s) {
    auto out = effects_of(s.owed, system_organization);
    if (s.status == organization_status::trial && s.trial_ends_at) {
        out.emplace_back(runtime::timer_effect{"trial", *s.trial_ends_at, std::string(wire_name<end_trial>::value),
                                               to_json(end_trial{*s.trial_ends_at})});
    }
    return out;
}

runtime::entity_view organization_model::view(const state& s, const runtime::view_context&) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    organization_document d;
    d.id = s.id;
    d.name = s.name;
    d.slug = s.slug;
    d.domain = s.domain.empty() ? std::nullopt : std::optional(s.domain);
    d.plan = s.plan;
    d.status = s.status;
    d.trial_ends_at = s.trial_ends_at;
    d.limits = s.limits;
    d.closing = s.closing;
    d.settings = s.settings.is_null() ? std::nullopt : std::optional(s.settings);
    d.members = s.members.size();
    d.created_by = s.created_by;
    d.created_at = s.created_at;
    d.updated_at = s.updated_at;
    const auto sort = runtime::sort_key(s.created_at);
    return {to_json(d), {{"", sort}, {"slug=" + s.slug, sort}}, true};
}

std::vector<runtime::item> organization_model::items(const state& after, const event& e,
                                                     const runtime::event_context& at) {
    std::vector<runtime::item> out;
    const auto member = [&](const uuid& user) {
        const auto* m = find_member(after, user);
        out.push_back({std::string(members_collection), to_string(user),
                       to_json(m != nullptr ? *m : member_record{user, "", member_status::disabled, at.time, true})});
    };
    const auto role = [&](const std::string& name) {
        const auto found = after.roles.find(name);
        out.push_back({std::string(roles_collection), name,
                       to_json(found != after.roles.end() ? found->second : role_record{name, "", {}, true})});
    };
    std::visit(
        visitor{[&](const member_added& x) { member(x.user_id); }, [&](const member_changed& x) { member(x.user_id); },
                [&](const member_removed& x) { member(x.user_id); }, [&](const role_put& x) { role(x.name); },
                [&](const role_removed& x) { role(x.name); },
                [&](const invited& x) {
                    if (const auto found = after.invitations.find(to_string(x.id)); found != after.invitations.end()) {
                        out.push_back({std::string(invitations_collection), found->first, to_json(found->second)});
                    }
                },
                [&](const invitation_closed& x) {
                    invitation_document d;
                    d.id = x.id;
                    d.status = x.status;
                    d.accepted_by = x.accepted_by;
                    out.push_back({std::string(invitations_collection), to_string(x.id), to_json(d)});
                },
                [](const auto&) {}},
        e);
    return out;
}

} // namespace troupe::actors
