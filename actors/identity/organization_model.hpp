#pragma once

#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "actors/identity/organization_v1.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/erasure_messages.hpp"
#include "schemas/organization.hpp"
#include "schemas/organization_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// An organization with its members, roles and invitations, so that what has to be true of them together (a role that
/// is assigned exists, somebody owns it) is decided in one place. Lives in the organization `system`, under the id that
/// entities of the organization carry. Pure.
namespace troupe::actors {

inline constexpr std::size_t members_max = 10'000;
inline constexpr std::size_t custom_roles_max = 200;
inline constexpr std::size_t open_invitations_max = 1000;

/// The slug, and the domain where there is one, are reserved for this id before (actors/name).
struct create_organization {
    std::string name;
    std::string slug;
    std::optional<std::string> domain;
    organization_plan plan = organization_plan::free;
    std::optional<uuid> owner; ///< None: only administrators of the node get in, until they add somebody.
};
BOOST_DESCRIBE_STRUCT(create_organization, (), (name, slug, domain, plan, owner))

/// What is given is replaced; another domain is reserved before.
struct update_organization {
    static constexpr int version = 2;
    std::optional<std::string> name;
    std::optional<std::string> domain; ///< Empty: none.
    std::optional<json::raw> settings;
    std::optional<organization_plan> plan;
    std::optional<organization_status> status;
    std::optional<timestamp> trial_ends_at;
    std::optional<quota_limits> limits;
};
BOOST_DESCRIBE_STRUCT(update_organization, (), (name, domain, settings, plan, status, trial_ends_at, limits))

/// Command of the timer.
struct end_trial {
    timestamp at;
};
BOOST_DESCRIBE_STRUCT(end_trial, (), (at))

struct add_member {
    uuid user_id;
    std::string role;
};
BOOST_DESCRIBE_STRUCT(add_member, (), (user_id, role))

struct change_member {
    uuid user_id;
    std::optional<std::string> role;
    std::optional<member_status> status;
};
BOOST_DESCRIBE_STRUCT(change_member, (), (user_id, role, status))

struct remove_member {
    uuid user_id;
};
BOOST_DESCRIBE_STRUCT(remove_member, (), (user_id))

/// Makes a role of its own, or replaces it.
struct put_role {
    std::string name;
    std::string description;
    std::vector<std::string> permissions;
};
BOOST_DESCRIBE_STRUCT(put_role, (), (name, description, permissions))

struct remove_role {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(remove_role, (), (name))

struct invite {
    uuid id;
    std::string email;
    std::string role;
    timestamp expires_at;
};
BOOST_DESCRIBE_STRUCT(invite, (), (id, email, role, expires_at))

struct revoke_invitation {
    uuid id;
};
BOOST_DESCRIBE_STRUCT(revoke_invitation, (), (id))

/// Whoever has the token joins; the route has checked it (identity/tokens.hpp).
struct accept_invitation {
    uuid id;
    uuid user_id;
    std::string email; ///< Of the user: has to be the one that was invited.
};
BOOST_DESCRIBE_STRUCT(accept_invitation, (), (id, user_id, email))

/// Its members are told and its names given up; then its erasure begins.
struct organization_closed {};
BOOST_DESCRIBE_STRUCT(organization_closed, (), ())

struct organization_created {
    std::string name;
    std::string slug;
    std::optional<std::string> domain;
    organization_plan plan = organization_plan::free;
};
BOOST_DESCRIBE_STRUCT(organization_created, (), (name, slug, domain, plan))

struct organization_updated {
    static constexpr int version = 2;
    using previous = v1::organization_updated;
    std::optional<std::string> name;
    std::optional<std::string> domain;
    std::optional<json::raw> settings;
    std::optional<organization_plan> plan;
    std::optional<organization_status> status;
    std::optional<timestamp> trial_ends_at;
    std::optional<quota_limits> limits;
};
BOOST_DESCRIBE_STRUCT(organization_updated, (), (name, domain, settings, plan, status, trial_ends_at, limits))

struct member_added {
    uuid user_id;
    std::string role;
    std::optional<uuid> invitation;
};
BOOST_DESCRIBE_STRUCT(member_added, (), (user_id, role, invitation))

struct member_changed {
    uuid user_id;
    std::string role;
    member_status status = member_status::active;
};
BOOST_DESCRIBE_STRUCT(member_changed, (), (user_id, role, status))

struct member_removed {
    uuid user_id;
};
BOOST_DESCRIBE_STRUCT(member_removed, (), (user_id))

struct role_put : put_role {};
BOOST_DESCRIBE_STRUCT(role_put, (put_role), ())

struct role_removed {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(role_removed, (), (name))

struct invited : invite {};
BOOST_DESCRIBE_STRUCT(invited, (invite), ())

struct invitation_closed {
    uuid id;
    invitation_status status = invitation_status::revoked;
    std::optional<uuid> accepted_by;
};
BOOST_DESCRIBE_STRUCT(invitation_closed, (), (id, status, accepted_by))

inline constexpr std::string_view roles_collection = "@roles";

/// Items of this collection are `invitation_document`s, under their id.
inline constexpr std::string_view invitations_collection = "invitations";

struct organization_state {
    static constexpr int version = 2;
    using previous = v1::organization_state;
    uuid id;
    std::string name;
    std::string slug;
    std::string domain; ///< Empty: none.
    organization_plan plan = organization_plan::free;
    organization_status status = organization_status::active;
    std::optional<timestamp> trial_ends_at;
    std::optional<quota_limits> limits; ///< Its own.
    json::raw settings;
    std::map<std::string, member_record> members; ///< By the user's id; those that left are not in it.
    std::map<std::string, role_record> roles;
    std::map<std::string, invitation_document> invitations; ///< Open ones.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    bool closing = false;
};
BOOST_DESCRIBE_STRUCT(organization_state, (),
                      (id, name, slug, domain, plan, status, trial_ends_at, limits, settings, members, roles,
                       invitations, created_by, created_at, updated_at, owed, closing))

namespace v1 {

inline auto upcast(const organization_updated& old) { return with_defaults<troupe::actors::organization_updated>(old); }
inline auto upcast(const organization_state& old) { return with_defaults<troupe::actors::organization_state>(old); }

} // namespace v1

entity_address organization_address(const uuid& id);

/// What domains are reserved as (actors/name); slugs are reserved as the model's kind.
inline constexpr std::string_view domain_name_kind = "domain";

/// 1 to 63 of a-z, 0-9 and '-', neither first nor last of them a '-'; no UUID, so that both can name an organization.
bool is_slug(std::string_view text);
/// Of a name; empty when nothing of it can stand in a slug.
std::string slug_of(std::string_view name);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_organization)
TROUPE_NAMED(troupe::actors::update_organization)
TROUPE_NAMED(troupe::actors::end_trial)
TROUPE_NAMED(troupe::actors::add_member)
TROUPE_NAMED(troupe::actors::change_member)
TROUPE_NAMED(troupe::actors::remove_member)
TROUPE_NAMED(troupe::actors::put_role)
TROUPE_NAMED(troupe::actors::remove_role)
TROUPE_NAMED(troupe::actors::invite)
TROUPE_NAMED(troupe::actors::revoke_invitation)
TROUPE_NAMED(troupe::actors::accept_invitation)
TROUPE_NAMED(troupe::actors::organization_created)
TROUPE_NAMED(troupe::actors::organization_closed)
TROUPE_NAMED(troupe::actors::organization_updated)
TROUPE_NAMED(troupe::actors::member_added)
TROUPE_NAMED(troupe::actors::member_changed)
TROUPE_NAMED(troupe::actors::member_removed)
TROUPE_NAMED(troupe::actors::role_put)
TROUPE_NAMED(troupe::actors::role_removed)
TROUPE_NAMED(troupe::actors::invited)
TROUPE_NAMED(troupe::actors::invitation_closed)

namespace troupe::actors {

struct organization_model {
    static constexpr std::string_view kind = "organization";
    using state = organization_state;
    using command = std::variant<create_organization, update_organization, add_member, change_member, remove_member,
                                 put_role, remove_role, invite, revoke_invitation, accept_invitation,
                                 leave_organization, end_trial, close_for_erasure, debt_settled>;
    using event = std::variant<organization_created, organization_updated, member_added, member_changed, member_removed,
                               role_put, role_removed, invited, invitation_closed, organization_closed, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static uuid subject(const state& s) { return s.id; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
