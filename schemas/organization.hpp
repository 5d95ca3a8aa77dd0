#pragma once

#include "schemas/base/described.hpp"
#include "schemas/quota.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Organizations: what people share, and what nothing leaks out of. Members, roles and invitations are part of them.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(organization_plan, free, pro, enterprise)
BOOST_DEFINE_ENUM_CLASS(organization_status, active, trial, suspended)
BOOST_DEFINE_ENUM_CLASS(member_status, active, disabled)
BOOST_DEFINE_ENUM_CLASS(invitation_status, open, accepted, revoked, expired)

/// GET /organizations/{id}
struct organization_document {
    uuid id;
    std::string name;
    std::string slug;                  ///< Unique; names the organization wherever its id does.
    std::optional<std::string> domain; ///< Unique.
    organization_plan plan = organization_plan::free;
    organization_status status = organization_status::active;
    std::optional<timestamp> trial_ends_at; ///< Of the status `trial`: then it becomes `suspended`.
    std::optional<quota_limits> limits;     ///< Its own, in place of its plan's; all in force: GET …/limits.
    bool closing = false;                   ///< It is being erased: nobody gets in.
    /// What was written here before settings had versions; the first change of GET …/settings takes it over.
    std::optional<json::raw> settings;
    std::uint64_t members = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(organization_document, (),
                      (id, name, slug, domain, plan, status, trial_ends_at, limits, closing, settings, members,
                       created_by, created_at, updated_at))

/// POST /organizations: whoever makes it owns it.
struct create_organization_body {
    std::string name;
    std::optional<std::string> slug; ///< Default: made from the name.
    std::optional<std::string> domain;
    static constexpr field_rule rules[] = {
        {.name = "name", .required = true, .min = 1, .max = 100, .example = "\"Acme\""},
        {.name = "slug", .min = 1, .max = 63, .doc = "a-z, 0-9 and -, unique.", .example = "\"acme\""},
        {.name = "domain", .min = 1, .max = 253, .doc = "Unique.", .example = "\"acme.example\""}};
};
BOOST_DESCRIBE_STRUCT(create_organization_body, (), (name, slug, domain))

/// PUT and PATCH /organizations/{id}. Plan, status and limits are the node administrator's.
struct update_organization_body {
    std::optional<std::string> name;
    std::optional<std::string> domain;
    std::optional<organization_plan> plan;
    std::optional<organization_status> status;
    std::optional<timestamp> trial_ends_at;
    std::optional<quota_limits> limits;
    static constexpr field_rule rules[] = {{.name = "name", .min = 1, .max = 100, .example = "\"Acme Ltd\""},
                                           {.name = "domain", .max = 253, .doc = "Empty: none."},
                                           {.name = "plan", .doc = "Only for administrators of the node."},
                                           {.name = "status", .doc = "Only for administrators of the node."},
                                           {.name = "trial_ends_at",
                                            .doc = "When the status `trial` becomes `suspended`. Only for "
                                                   "administrators of the node."},
                                           {.name = "limits",
                                            .doc = "In place of the plan's, all at once: {} takes them away. Only for "
                                                   "administrators of the node."}};
};
BOOST_DESCRIBE_STRUCT(update_organization_body, (), (name, domain, plan, status, trial_ends_at, limits))

/// A member as the organization keeps it: an item of its collection "members", under the user's id.
struct member_record {
    uuid user_id;
    std::string role;
    member_status status = member_status::active;
    timestamp joined_at;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(member_record, (), (user_id, role, status, joined_at, removed))
inline constexpr std::string_view members_collection = "members";

/// An item of GET /organizations/{id}/members.
struct member_document {
    uuid user_id;
    std::string email;
    std::string name;
    std::string role;
    member_status status = member_status::active;
    timestamp joined_at;
};
BOOST_DESCRIBE_STRUCT(member_document, (), (user_id, email, name, role, status, joined_at))

/// PUT /organizations/{id}/members/{user_id}
struct update_member_body {
    std::optional<std::string> role;
    std::optional<member_status> status;
    static constexpr field_rule rules[] = {{.name = "role", .min = 1, .max = 64, .example = "\"operator\""},
                                           {.name = "status"}};
};
BOOST_DESCRIBE_STRUCT(update_member_body, (), (role, status))

/// GET /organizations/{id}/roles/{name}
struct role_document {
    std::string name;
    std::string description;
    std::vector<std::string> permissions; ///< Patterns: `task:write`, `task:*`, `*:read`, `*`.
    bool is_custom = false;
};
BOOST_DESCRIBE_STRUCT(role_document, (), (name, description, permissions, is_custom))

/// PUT /organizations/{id}/roles/{name}
struct put_role_body {
    std::string description;
    std::vector<std::string> permissions;
    static constexpr field_rule rules[] = {
        {.name = "description", .max = 500, .example = "\"Reads everything.\""},
        {.name = "permissions", .required = true, .min = 1, .max = 100, .example = R"(["task:*","run:read"])"}};
};
BOOST_DESCRIBE_STRUCT(put_role_body, (), (description, permissions))

/// POST /organizations/{id}/invitations
struct invite_body {
    std::string email;
    std::string role = "member";
    std::int64_t valid_ms = 7LL * 24 * 3600 * 1000;
    static constexpr field_rule rules[] = {
        {.name = "email", .required = true, .min = 3, .max = 254, .example = "\"grace@example.org\""},
        {.name = "role", .min = 1, .max = 64, .example = "\"member\""},
        {.name = "valid_ms", .min = 60'000, .max = 90LL * 24 * 3600 * 1000, .doc = "Default: seven days."}};
};
BOOST_DESCRIBE_STRUCT(invite_body, (), (email, role, valid_ms))

/// An item of GET /organizations/{id}/invitations.
struct invitation_document {
    uuid id;
    std::string email;
    std::string role;
    invitation_status status = invitation_status::open;
    std::string invited_by;
    timestamp created_at;
    timestamp expires_at;
    std::optional<uuid> accepted_by;
};
BOOST_DESCRIBE_STRUCT(invitation_document, (),
                      (id, email, role, status, invited_by, created_at, expires_at, accepted_by))

/// The answer to POST …/invitations: the only one that has the token.
struct created_invitation_document : invitation_document {
    std::string token; ///< For POST /auth/register, or POST /invitations/accept of who has an account.
};
BOOST_DESCRIBE_STRUCT(created_invitation_document, (invitation_document), (token))

/// POST /invitations/accept
struct accept_invitation_body {
    std::string token;
    static constexpr field_rule rules[] = {{.name = "token", .required = true, .min = 1, .max = 200}};
};
BOOST_DESCRIBE_STRUCT(accept_invitation_body, (), (token))

} // namespace troupe
