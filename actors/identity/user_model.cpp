#include "actors/identity/user_model.hpp"

#include "actors/common/model.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/security_policy.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

using events = std::vector<user_model::event>;
using decision_result = expected<events>;

bool exists(const user_state& s) { return !s.id.is_nil(); }

/// What differs of what is given.
template <class T>
std::optional<T> changed(const std::optional<T>& given, const T& present) {
    return given && *given != present ? given : std::nullopt;
}

decision_result decide(const user_state& s, const create_user& c, const runtime::context& context) {
    if (exists(s)) {
        return exists_already("user", context.self.id);
    }
    return events{user_created{c.email, c.name, c.password_hash, c.node_admin}};
}

decision_result decide(const user_state& s, const update_user& c, const runtime::context&) {
    events out;
    const user_updated change{changed(c.name, s.name), changed(c.email, s.email), changed(c.status, s.status),
                              changed(c.node_admin, s.node_admin)};
    if (change.name || change.email || change.status || change.node_admin) {
        out.emplace_back(change);
    }
    if (c.password_hash) {
        out.emplace_back(password_changed{*c.password_hash});
    }
    return out;
}

decision_result decide(const user_state& s, const lock_user& c, const runtime::context&) {
    const bool longer = !s.locked_until || c.until > *s.locked_until;
    return longer ? events{user_locked{c.until}} : events{};
}

decision_result decide(const user_state& s, const unlock_user&, const runtime::context&) {
    return s.locked_until ? events{user_unlocked{}} : events{};
}

decision_result decide(const user_state&, const end_sessions&, const runtime::context&) {
    return events{sessions_ended{}};
}

problem no_mfa() { return {code::conflict, "There is no second factor on its way: begin with POST /auth/mfa/enroll."}; }

problem used_code() {
    return {code::invalid_credentials, "This code was used before: wait for the next one, or use a recovery code."};
}

decision_result decide(const user_state& s, const begin_mfa& c, const runtime::context&) {
    if (!s.credential.mfa.sealed.empty()) {
        return problem{code::conflict, "There is a second factor already: disable it first."};
    }
    return events{mfa_begun{c.sealed_seed}};
}

decision_result decide(const user_state& s, const enable_mfa& c, const runtime::context&) {
    if (s.credential.mfa.pending.empty() || s.credential.mfa.pending != c.sealed_seed) {
        return no_mfa();
    }
    return events{mfa_enabled{c.step, c.recovery_hashes}};
}

decision_result decide(const user_state& s, const use_mfa_code& c, const runtime::context&) {
    const auto& mfa = s.credential.mfa;
    return mfa.sealed.empty() || c.step <= mfa.last_step ? decision_result(used_code()) : events{mfa_code_used{c.step}};
}

decision_result decide(const user_state& s, const use_recovery_code& c, const runtime::context&) {
    const auto& left = s.credential.mfa.recovery_hashes;
    return std::ranges::find(left, c.hash) == left.end() ? decision_result(used_code())
                                                         : events{recovery_code_used{c.hash}};
}

decision_result decide(const user_state& s, const renew_recovery_codes& c, const runtime::context&) {
    if (s.credential.mfa.sealed.empty()) {
        return problem{code::conflict,
                       "There is no second factor that a recovery code could stand for: begin with POST "
                       "/auth/mfa/enroll."};
    }
    return events{recovery_codes_renewed{c.recovery_hashes}};
}

decision_result decide(const user_state& s, const disable_mfa&, const runtime::context&) {
    const auto& mfa = s.credential.mfa;
    return mfa.sealed.empty() && mfa.pending.empty() ? events{} : events{mfa_disabled{}};
}

decision_result decide(const user_state& s, const note_membership& c, const runtime::context&) {
    const auto known = std::ranges::find(s.memberships, c.organization_id, &noted_membership::organization_id);
    if (known != s.memberships.end() && known->version >= c.version) {
        return events{};
    }
    return events{membership_noted{c.organization_id, c.version, c.role, c.active, c.removed}};
}

decision_result decide(const user_state& s, const close_for_erasure&, const runtime::context&) {
    return s.closing ? events{} : events{user_closed{}};
}

decision_result decide(const user_state& s, const debt_settled& c, const runtime::context&) {
    const auto* d = find_debt(s.owed, c.key);
    return d == nullptr ? events{} : events{cleared(*d, c)};
}

/// The name's entity keeps the address unique: this user has it, and gives the one before up.
void take_email(user_state& s, const std::string& email, std::uint64_t version) {
    const auto name_of = [](const std::string& text) { return name_id(system_organization, user_model::kind, text); };
    if (!s.email.empty() && fold_name(s.email) != fold_name(email)) {
        owe(s.owed, "name", name_of(s.email), release_name{s.id, version});
    }
    s.email = email;
    owe(s.owed, "name", name_of(email), confirm_name{std::string(user_model::kind), email, s.id, version});
}

void close(user_state& s, std::uint64_t version) {
    s.closing = true;
    s.status = user_status::disabled;
    ++s.credential.generation;
    for (const auto& m : s.memberships) {
        if (!m.removed) {
            owe(s.owed, "organization", m.organization_id, leave_organization{s.id});
        }
    }
    owe(s.owed, "name", name_id(system_organization, user_model::kind, s.email), release_name{s.id, version});
}

void note(user_state& s, const membership_noted& x) {
    const noted_membership fresh{x.organization_id, x.version, x.role, x.active, x.removed};
    const auto known = std::ranges::find(s.memberships, x.organization_id, &noted_membership::organization_id);
    if (known == s.memberships.end()) {
        s.memberships.push_back(fresh);
    } else {
        *known = fresh;
    }
}

} // namespace

/// Former passwords begin to count with the program that keeps them.
user_state v1::upcast(v1::user_state old) {
    return {old.id,
            std::move(old.email),
            std::move(old.name),
            old.status,
            old.node_admin,
            std::move(old.credential),
            std::move(old.memberships),
            old.created_at,
            old.updated_at,
            old.password_changed_at,
            {},
            old.locked_until,
            std::move(old.owed),
            false};
}

entity_address user_address(const uuid& id) { return {system_organization, std::string(user_model::kind), id}; }

expected<events> user_model::decide(const state& s, const command& c, const runtime::context& context) {
    if (!exists(s) && !std::holds_alternative<create_user>(c)) {
        return no_such("user", context.self.id);
    }
    const bool goes_on = std::holds_alternative<close_for_erasure>(c) || std::holds_alternative<debt_settled>(c) ||
                         std::holds_alternative<note_membership>(c);
    if (s.closing && !goes_on) {
        return no_such("user", context.self.id);
    }
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

user_state user_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit(visitor{[&](const user_created& x) {
                           s.id = at.id;
                           s.name = x.name;
                           s.node_admin = x.node_admin;
                           s.credential = {x.password_hash, 1, {}};
                           s.created_at = s.password_changed_at = at.time;
                           take_email(s, x.email, at.version);
                       },
                       [&](const user_updated& x) {
                           s.name = x.name.value_or(s.name);
                           s.node_admin = x.node_admin.value_or(s.node_admin);
                           if (x.status && *x.status != s.status) {
                               s.status = *x.status;
                               ++s.credential.generation; // who comes back logs in anew
                           }
                           if (x.email) {
                               take_email(s, *x.email, at.version);
                           }
                       },
                       [&](const password_changed& x) {
                           if (auto& former = s.former_hashes; !s.credential.password_hash.empty()) {
                               former.insert(former.begin(), s.credential.password_hash);
                               former.resize(std::min<std::size_t>(former.size(), password_history_max));
                           }
                           s.credential.password_hash = x.password_hash;
                           ++s.credential.generation;
                           s.password_changed_at = at.time;
                           s.locked_until.reset();
                       },
                       [&](const user_locked& x) { s.locked_until = x.until; },
                       [&](const user_unlocked&) { s.locked_until.reset(); },
                       [&](const sessions_ended&) { ++s.credential.generation; },
                       [&](const mfa_begun& x) {
                           s.credential.mfa = {x.sealed_seed, "", 0, {}};
                       },
                       [&](const mfa_enabled& x) {
                           auto& mfa = s.credential.mfa;
                           mfa = {"", mfa.pending, x.step, x.recovery_hashes};
                       },
                       [&](const mfa_code_used& x) { s.credential.mfa.last_step = x.step; },
                       [&](const recovery_code_used& x) { std::erase(s.credential.mfa.recovery_hashes, x.hash); },
                       [&](const recovery_codes_renewed& x) { s.credential.mfa.recovery_hashes = x.recovery_hashes; },
                       [&](const mfa_disabled&) { s.credential.mfa = {}; },
                       [&](const membership_noted& x) { note(s, x); },
                       [&](const user_closed&) { close(s, at.version); },
                       [&](const debt_cleared& x) { pay_before_erasure(s.owed, x.number, s.closing, s.id); }},
               e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> user_model::resume(const state& s) { return effects_of(s.owed, system_organization); }

runtime::entity_view user_model::view(const state& s, const runtime::view_context&) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    user_document d;
    d.id = s.id;
    d.email = s.email;
    d.name = s.name;
    d.status = s.status;
    d.node_admin = s.node_admin;
    d.mfa = !s.credential.mfa.sealed.empty();
    d.password = !s.credential.password_hash.empty();
    for (const auto& m : s.memberships) {
        if (!m.removed) {
            d.organizations.push_back({m.organization_id, m.role, m.active});
        }
    }
    d.created_at = s.created_at;
    d.updated_at = s.updated_at;
    d.password_changed_at = s.password_changed_at;
    d.locked_until = s.locked_until;
    const auto sort = runtime::sort_key(s.created_at);
    return {to_json(d), {{"", sort}, {"email=" + fold_name(s.email), sort}}, true};
}

std::vector<runtime::item> user_model::items(const state& after, const event& e, const runtime::event_context&) {
    std::vector<runtime::item> out{
        {std::string(credential_collection), std::string(credential_key), to_json(after.credential)}};
    if (std::holds_alternative<password_changed>(e)) {
        out.push_back(
            {std::string(former_collection), std::string(former_key), to_json(former_passwords{after.former_hashes})});
    }
    return out;
}

} // namespace troupe::actors
