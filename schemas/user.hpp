#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// People: who may log in. They belong to no organization; memberships link them (schemas/organization.hpp).
namespace troupe {

inline constexpr std::int64_t email_bytes_max = 254;
inline constexpr std::int64_t password_bytes_max = 1024; ///< Longer ones only cost time to hash.

BOOST_DEFINE_ENUM_CLASS(user_status, active, disabled)

/// An organization that a person belongs to, as the person's document shows it.
struct user_membership {
    uuid organization_id;
    std::string role;
    bool active = true; ///< False: an administrator of the organization disabled the membership.
};
BOOST_DESCRIBE_STRUCT(user_membership, (), (organization_id, role, active))

/// GET /users/{id}, /auth/profile. Never holds anything of the password.
struct user_document {
    uuid id;
    std::string email;
    std::string name;
    user_status status = user_status::active;
    bool node_admin = false; ///< May do everything on this node, in every organization.
    bool mfa = false;        ///< Logs in with a second factor.
    bool password = true;    ///< False: logs in at an issuer of OpenID Connect only.
    std::vector<user_membership> organizations;
    timestamp created_at;
    timestamp updated_at;
    timestamp password_changed_at;
    std::optional<timestamp> locked_until; ///< Too many wrong attempts to log in.
};
BOOST_DESCRIBE_STRUCT(user_document, (),
                      (id, email, name, status, node_admin, mfa, password, organizations, created_at, updated_at,
                       password_changed_at, locked_until))

/// POST /users: an administrator of the node makes an account.
struct create_user_body {
    std::string email;
    std::string name;
    std::string password;
    bool node_admin = false;
    std::optional<std::string> role; ///< In the organization of the request; none: no membership.
    static constexpr field_rule rules[] = {
        {.name = "email", .required = true, .min = 3, .max = email_bytes_max, .example = "\"ada@example.org\""},
        {.name = "name", .max = 200, .example = "\"Ada Lovelace\""},
        {.name = "password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"correct horse battery staple\""},
        {.name = "node_admin", .doc = "May do everything on this node."},
        {.name = "role",
         .min = 1,
         .max = 64,
         .doc = "Role in the organization of the request.",
         .example = "\"owner\""}};
};
BOOST_DESCRIBE_STRUCT(create_user_body, (), (email, name, password, node_admin, role))

/// PUT and PATCH /users/{id}: what is given is replaced.
struct update_user_body {
    std::optional<std::string> name;
    std::optional<user_status> status;
    std::optional<bool> node_admin;
    std::optional<std::string> password;
    static constexpr field_rule rules[] = {
        {.name = "name", .max = 200, .example = "\"Augusta Ada King\""},
        {.name = "status", .doc = "`disabled`: every session and key of the person stops working at once."},
        {.name = "password", .min = 1, .max = password_bytes_max, .doc = "A new one; ends all sessions."}};
};
BOOST_DESCRIBE_STRUCT(update_user_body, (), (name, status, node_admin, password))

/// PUT /auth/profile
struct update_profile_body {
    std::optional<std::string> name;
    std::optional<std::string> email;
    static constexpr field_rule rules[] = {{.name = "name", .max = 200, .example = "\"Ada\""},
                                           {.name = "email", .min = 3, .max = email_bytes_max}};
};
BOOST_DESCRIBE_STRUCT(update_profile_body, (), (name, email))

} // namespace troupe
