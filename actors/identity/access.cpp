#include "actors/identity/access.hpp"

#include "actors/common/stored.hpp"
#include "actors/identity/api_key_model.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t remembered_max = 20'000;

/// Kinds whose state says who somebody is and what they may do.
constexpr std::array deciding{user_model::kind, session_model::kind, api_key_model::kind, organization_model::kind};

/// Permissions that ask a person to have proved lately who it is, whatever the route.
constexpr std::array dangerous{std::string_view("secret:admin"), std::string_view("organization:delete")};

/// Events after which nobody may do anything else than before.
constexpr std::array harmless{
    wire_name<session_opened>::value, wire_name<session_rotated>::value,  wire_name<api_key_created>::value,
    wire_name<api_key_used>::value,   wire_name<user_created>::value,     wire_name<user_locked>::value,
    wire_name<user_unlocked>::value,  wire_name<membership_noted>::value, wire_name<debt_cleared>::value,
};

problem unknown_token() {
    return {code::unauthenticated, "this key or token is not known, was revoked or has expired; see POST "
                                   "/api/v1/auth/login and /api/v1/auth/refresh"};
}

problem no_organization(std::string_view name) {
    return {code::not_found, "there is no organization '" + std::string(name) + "' that you belong to"};
}

/// What the caller sent, and whether a browser sent it by itself.
struct sent_token {
    std::string_view text;
    bool by_cookie = false;
};

sent_token token_in(const net::request& r) {
    constexpr std::string_view bearer = "bearer ";
    if (const auto header = r.header("authorization");
        header && header->size() > bearer.size() &&
        std::ranges::equal(header->substr(0, bearer.size()), bearer, [](char a, char b) { return (a | 32) == b; })) {
        return {header->substr(bearer.size())};
    }
    if (const auto key = r.header("x-api-key")) {
        return {*key};
    }
    if (const auto cookie = r.cookie(access_cookie)) {
        return {*cookie, true};
    }
    return {};
}

/// The organization that the request is about, where it says so.
std::string_view organization_in(const net::request& r) {
    if (r.path.starts_with("/organizations/")) {
        return r.param("id");
    }
    return r.header("x-organization").value_or("");
}

/// What a person does with its own account stays open, so that it can do what the policy asks for; and the node is
/// no organization's.
bool is_of_caller(const credentials& c, std::string_view permission) {
    return is_node_permission(permission) || (c.session && permission.starts_with("self:"));
}

bool reads_only(std::string_view permission) { return permission.ends_with(":read") || permission == "audit:inspect"; }

} // namespace

std::unique_ptr<access> access::open(const runtime::services& s, const identity_keys& keys, const admin_key& key) {
    std::unique_ptr<access> out(new access(s, keys, key));
    out->changes_ =
        s.live->observe(system_organization, [me = out.get()](const entity_address& entity, std::string_view type) {
            const auto is = [](const auto& list, std::string_view what) {
                return std::ranges::find(list, what) != list.end();
            };
            const bool decides = entity.kind == settings_kind ? type == security_changed_event
                                                              : is(deciding, entity.kind) && !is(harmless, type);
            if (decides) {
                me->generation_.fetch_add(1, std::memory_order_release);
            }
        });
    return out;
}

expected<net::principal> access::authenticate(const net::request& r) {
    auto found = find(r);
    if (found && found->credentials->session && notes_use_.load(std::memory_order_relaxed)) {
        note_use(*found->credentials->session, found->credentials->facts.used);
    }
    return found;
}

/// Who asks. To look is no use of a session.
expected<net::principal> access::find(const net::request& r) {
    const auto sent = token_in(r);
    if (sent.text.empty()) {
        return problem{code::unauthenticated,
                       "send a key or an access token as `Authorization: Bearer KEY`; the administrator's key is in " +
                           admin_.file().string() + ", a token comes from POST /api/v1/auth/login"};
    }
    const auto organization = organization_in(r);
    const auto digest = sha256(std::string(sent.text) + '\n' + std::string(organization));
    const std::string name(reinterpret_cast<const char*>(digest.data()), digest.size());
    const auto generation = generation_.load(std::memory_order_acquire);
    std::optional<net::principal> known;
    {
        const std::lock_guard lock(mutex_);
        const auto found = remembered_.find(name);
        if (found != remembered_.end() && found->second.generation == generation) {
            known = found->second.who;
        }
    }
    if (!known || known->credentials->has_expired(system_now())) {
        auto judged = judge(r, sent.text, organization);
        if (!judged) {
            return judged;
        }
        known = std::move(*judged);
        auto dated = std::make_shared<credentials>(*known->credentials);
        dated->generation = generation;
        known->credentials = std::move(dated);
        const std::lock_guard lock(mutex_);
        if (remembered_.size() >= remembered_max) {
            remembered_.clear();
        }
        remembered_[name] = {*known, generation};
    }
    if (sent.by_cookie && r.verb != net::verb::get) {
        const auto given = r.header("x-csrf-token").value_or("");
        if (!known->credentials->session || given != csrf_token(keys_.opaque_key(), *known->credentials->session)) {
            return problem{code::forbidden, "a request that changes something with a cookie needs the header "
                                            "X-CSRF-Token: the `csrf_token` of the login"};
        }
    }
    if (const auto breach = breach_of(*known->credentials, r.address); breach != policy_breach::none) {
        auto judged = std::make_shared<credentials>(*known->credentials);
        judged->breach = breach;
        known->credentials = std::move(judged);
    }
    return std::move(*known);
}

expected<std::optional<net::principal>> access::revalidate(const net::request& r, const net::principal& before) {
    const auto* c = before.credentials.get();
    if (c == nullptr) {
        return std::optional<net::principal>();
    }
    if (c->generation == generation_.load(std::memory_order_acquire) && !c->has_expired(system_now())) {
        const auto breach = breach_of(*c, r.address); // time passes
        return breach == c->breach ? expected<std::optional<net::principal>>(std::nullopt) : problem_of(breach);
    }
    auto now = find(r);
    if (!now) {
        return now.error();
    }
    if (const auto breach = now->credentials->breach; breach != policy_breach::none && breach != c->breach) {
        return problem_of(breach);
    }
    if (now->organization != before.organization || now->admin != before.admin || !now->credentials->equals(*c)) {
        return problem{code::forbidden, "what the caller may do has changed: connect again"};
    }
    return std::optional(std::move(*now));
}

expected<net::principal> access::judge(const net::request& r, std::string_view token, std::string_view organization) {
    if (admin_.matches(token)) {
        return judge_admin(organization);
    }
    if (const auto id = api_key_id(token)) {
        return judge_api_key(r, *id, token, organization);
    }
    return judge_session(token, organization);
}

expected<net::principal> access::judge_admin(std::string_view organization) const {
    auto c = std::make_shared<credentials>();
    c->kind = credential_kind::admin_key;
    c->permissions = {"*", "system:*"};
    net::principal who{"key/admin", services_.store->who().default_organization, true, {}};
    if (!organization.empty()) {
        const auto found = find_organization(organization);
        if (!found) {
            return found.error();
        }
        who.organization = *found;
    }
    who.credentials = std::move(c);
    return who;
}

expected<net::principal> access::judge_api_key(const net::request& r, const uuid& id, std::string_view token,
                                               std::string_view organization) const {
    const auto& store = *services_.store;
    const auto key = read_stored<api_key_document>(store, api_key_address(id));
    const auto hash = read_stored<api_key_hash>(store, api_key_address(id), hash_collection, hash_key);
    if (!key || !hash) {
        return !key ? key.error() : hash.error();
    }
    const auto digest = sha256(token);
    const auto given = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    const auto now = system_now();
    if (!*key || !*hash || (*hash)->hash != given || (*key)->revoked_at ||
        ((*key)->expires_at && now >= *(*key)->expires_at)) {
        return unknown_token();
    }
    const auto& d = **key;
    auto c = std::make_shared<credentials>();
    c->kind = credential_kind::api_key;
    c->key = d.id;
    c->scopes = d.scopes;
    c->expires_at = d.expires_at.value_or(timestamp{});
    net::principal who{"key/" + to_string(d.id), d.organization_id, false, {}};
    if (!organization.empty()) {
        const auto wanted = find_organization(organization);
        if (!wanted || *wanted != d.organization_id) {
            return no_organization(organization);
        }
    }
    if (d.owner.starts_with("user/")) {
        const auto id_of_user = parse_uuid(std::string_view(d.owner).substr(5));
        const auto user = id_of_user ? read_stored<user_document>(store, user_address(*id_of_user))
                                     : expected<std::optional<user_document>>(std::nullopt);
        if (!user) {
            return user.error();
        }
        if (!*user || (*user)->status != user_status::active) {
            return unknown_token();
        }
        c->user = (*user)->id;
        if (auto in = enter(who, *c, **user, "", d.organization_id); !in) {
            return in.error();
        }
        who.admin = who.admin && d.scopes.empty(); // a narrowed key of an administrator is narrow
    } else {
        c->role = d.role;
        auto permissions = permissions_of(d.organization_id, d.role);
        if (!permissions) {
            return permissions.error();
        }
        c->permissions = std::move(*permissions);
        if (auto in = read_organization(d.organization_id, *c); !in) {
            return in.error();
        }
    }
    if (!d.last_used_at || now - *d.last_used_at >= api_key_use_ms) {
        runtime::command note;
        note.to = api_key_address(d.id);
        note.type = wire_name<note_api_key_use>::value;
        note.payload = to_json(note_api_key_use{r.address});
        note.principal = "node";
        services_.submit(std::move(note), [](const runtime::reply&) {}); // the next use tries again
    }
    who.credentials = std::move(c);
    return who;
}

expected<net::principal> access::judge_session(std::string_view token, std::string_view organization) const {
    const auto claims = keys_.verify(token, system_now());
    if (!claims) {
        return claims.error();
    }
    const auto& store = *services_.store;
    const auto session = read_stored<session_document>(store, session_address(claims->session));
    const auto family =
        read_stored<session_family>(store, session_address(claims->session), family_collection, family_key);
    const auto user = read_stored<user_document>(store, user_address(claims->user));
    const auto credential =
        read_stored<user_credential>(store, user_address(claims->user), credential_collection, credential_key);
    if (!session || !family || !user || !credential) {
        return !session ? session.error() : !family ? family.error() : !user ? user.error() : credential.error();
    }
    if (!*session || !*family || !*user || !*credential || (*session)->ended_at ||
        (*session)->user_id != claims->user || (*user)->status != user_status::active ||
        (*family)->generation != (*credential)->generation) {
        return problem{code::unauthenticated, "this session is over: log in again"};
    }
    auto c = std::make_shared<credentials>();
    c->kind = credential_kind::session;
    c->user = claims->user;
    c->session = claims->session;
    c->authenticated_at = (*session)->authenticated_at;
    const auto proved = [&](std::string_view method) {
        return std::ranges::find((*session)->methods, method) != (*session)->methods.end();
    };
    c->facts.person = true;
    c->facts.began = (*session)->created_at;
    c->facts.used = (*session)->refreshed_at;
    // One that was turned off since counts no more; an issuer's is the issuer's.
    c->facts.second_factor = proved("mfa") || ((*user)->mfa && (proved("otp") || proved("recovery")));
    if (proved("password")) {
        c->facts.password_changed_at = (*user)->password_changed_at;
    }
    c->expires_at = claims->expires_at;
    net::principal who{"user/" + to_string(claims->user), {}, false, {}};
    if (auto in = enter(who, *c, **user, organization, claims->organization); !in) {
        return in.error();
    }
    if (covering(c->permissions, "self:write").empty()) {
        c->permissions.emplace_back("self:*"); // whatever the role: people log out and change their password
    }
    who.credentials = std::move(c);
    return who;
}

/// Puts a person into an organization: the one that is asked for, or else the token's. Nobody learns of organizations
/// that they do not belong to.
expected<void> access::enter(net::principal& who, credentials& c, const user_document& user,
                             std::string_view organization, const std::optional<uuid>& fallback) const {
    who.admin = user.node_admin;
    auto wanted = fallback;
    if (!organization.empty()) {
        const auto found = find_organization(organization);
        if (!found) {
            return no_organization(organization);
        }
        wanted = *found;
    }
    if (!wanted) {
        if (who.admin) {
            who.organization = services_.store->who().default_organization;
            c.permissions = {"*", "system:*"};
            return read_policy(who.organization, c);
        } else {
            c.permissions = {"self:*"};
        }
        return {};
    }
    const auto member = read_stored<member_record>(*services_.store, organization_address(*wanted), members_collection,
                                                   to_string(user.id));
    if (!member) {
        return member.error();
    }
    const bool belongs = *member && !(*member)->removed && (*member)->status == member_status::active;
    who.organization = *wanted;
    if (who.admin) {
        c.role = belongs ? (*member)->role : "";
        c.permissions = {"*", "system:*"};
        return read_policy(*wanted, c);
    }
    if (!belongs) {
        if (!organization.empty()) {
            return no_organization(organization);
        }
        who.organization = {}; // was removed since the token was made
        c.permissions = {"self:*"};
        return {};
    }
    c.role = (*member)->role;
    auto permissions = permissions_of(*wanted, c.role);
    if (!permissions) {
        return permissions.error();
    }
    c.permissions = std::move(*permissions);
    return read_organization(*wanted, c);
}

expected<void> access::read_organization(const uuid& id, credentials& c) const {
    const auto found = read_stored<organization_document>(*services_.store, organization_address(id));
    if (!found) {
        return found.error();
    }
    if (!*found || (*found)->closing) {
        return unknown_token();
    }
    c.suspended = (*found)->status == organization_status::suspended;
    return read_policy(id, c);
}

expected<uuid> access::find_organization(std::string_view text) const {
    if (const auto id = parse_uuid(text)) {
        const auto found = read_stored<organization_document>(*services_.store, organization_address(*id));
        if (!found) {
            return found.error();
        }
        return *found && !(*found)->closing ? expected<uuid>(*id) : no_organization(text);
    }
    storage::list_query query;
    query.organization = system_organization;
    query.kind = organization_model::kind;
    query.filter = "slug=" + std::string(text);
    query.limit = 1;
    const auto found = storage::read_list(*services_.store, query);
    if (!found) {
        return found.error();
    }
    return found->items.empty() ? expected<uuid>(no_organization(text)) : found->items.front().id;
}

expected<std::vector<std::string>> access::permissions_of(const uuid& organization, std::string_view role) const {
    if (const auto* known = find_built_in_role(role)) {
        return known->permissions;
    }
    auto own = read_stored<role_record>(*services_.store, organization_address(organization), roles_collection, role);
    if (!own) {
        return own.error();
    }
    if (!*own || (*own)->removed) {
        return problem{code::not_found, "this organization has no role '" + std::string(role) + "'"};
    }
    return std::move((*own)->permissions);
}

access::judgement access::judge_permission(const net::principal& who, std::string_view permission) const {
    const auto* c = who.credentials.get();
    if (c == nullptr) {
        return {verdict::nobody, {}};
    }
    if (permission == "caller:read") {
        return {verdict::granted, permission}; // anybody may know who it is
    }
    const auto pattern = who.admin ? std::string_view("*") : covering(c->permissions, permission);
    if (pattern.empty()) {
        return {verdict::not_covered, {}};
    }
    if (!c->scopes.empty() && covering(c->scopes, permission).empty()) {
        return {verdict::out_of_scope, pattern};
    }
    if (c->breach != policy_breach::none && !is_of_caller(*c, permission)) {
        return {verdict::refused, pattern};
    }
    if (c->suspended && !reads_only(permission) && !permission.starts_with("self:")) {
        return {verdict::suspended, pattern};
    }
    if (std::ranges::find(dangerous, permission) != dangerous.end() && !is_recent(who)) {
        return {verdict::not_recent, pattern};
    }
    return {verdict::granted, pattern};
}

permission_decision_document access::explain(const net::principal& who, std::string_view permission) const {
    const auto found = judge_permission(who, permission);
    permission_decision_document out{std::string(permission), found.what == verdict::granted, ""};
    const auto* c = who.credentials.get();
    const auto role = who.admin                         ? std::string("an administrator of the node")
                      : c == nullptr || c->role.empty() ? std::string("nobody in an organization")
                                                        : "'" + c->role + "'";
    switch (found.what) {
    case verdict::granted:
        out.reason = "the caller is " + role + ", and `" + std::string(found.pattern) + "` covers it";
        break;
    case verdict::nobody:
        out.reason = "nobody is known to ask";
        break;
    case verdict::not_covered:
        out.reason =
            is_node_permission(permission)
                ? "`" + std::string(permission) + "` is for administrators of the node; the caller is " + role
                : "the caller is " + role + ", and no permission of that role covers `" + std::string(permission) + "`";
        break;
    case verdict::out_of_scope:
        out.reason = "the role covers it, the scopes of this key do not";
        break;
    case verdict::refused:
        out.reason =
            "the role covers it, and the security policy of the organization does not: " + problem_of(c->breach).detail;
        break;
    case verdict::suspended:
        out.reason = "the organization is suspended: nothing in it changes";
        break;
    case verdict::not_recent:
        out.reason = "the role covers it, and it is dangerous: the caller has to prove again who it is";
        break;
    }
    return out;
}

expected<void> access::authorize(const net::principal& who, std::string_view permission) const {
    switch (judge_permission(who, permission).what) {
    case verdict::granted:
        return {};
    case verdict::suspended:
        return problem{code::organization_suspended,
                       "this organization is suspended: it can be read, and nothing in it changes"};
    case verdict::not_recent:
        return check_recent(who);
    case verdict::refused:
        return check_policy(who);
    default:
        return problem{code::forbidden, "this needs the permission `" + std::string(permission) +
                                            "`: " + explain(who, permission).reason};
    }
}

bool access::is_recent(const net::principal& who) const {
    const auto window = services_.settings->identity_step_up_ms;
    const auto* c = who.credentials.get();
    return window == 0 || c == nullptr || !c->session || system_now() - c->authenticated_at < window;
}

expected<void> access::check_recent(const net::principal& who) const {
    if (is_recent(who)) {
        return {};
    }
    return problem{code::step_up_required,
                   "this is dangerous, and the login of this session is some time ago: call POST "
                   "/api/v1/auth/step-up first, or log in again"};
}

} // namespace troupe::actors
