#pragma once

#include "schemas/base/described.hpp"
#include "schemas/user.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Logging in: bodies and answers of /auth.
namespace troupe {

/// POST /auth/register
struct register_body {
    std::string email;
    std::string password;
    std::string name;
    std::optional<std::string> organization; ///< Name of the organization that is made for the person.
    std::optional<std::string> invitation;   ///< Joins that organization instead.
    static constexpr field_rule rules[] = {
        {.name = "email", .required = true, .min = 3, .max = email_bytes_max, .example = "\"ada@example.org\""},
        {.name = "password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"correct horse battery staple\""},
        {.name = "name", .max = 200, .example = "\"Ada Lovelace\""},
        {.name = "organization", .min = 1, .max = 100, .doc = "Name of the new organization.", .example = "\"Acme\""},
        {.name = "invitation", .min = 1, .max = 200, .doc = "Token of an invitation: joins that organization."}};
};
BOOST_DESCRIBE_STRUCT(register_body, (), (email, password, name, organization, invitation))

/// POST /auth/login
struct login_body {
    std::string email;
    std::string password;
    std::optional<std::string> code;         ///< Of the second factor.
    std::optional<std::string> organization; ///< Id or slug; default: the first one that the person belongs to.
    bool cookie = false;                     ///< For browsers: the tokens come as cookies, not in the answer.
    static constexpr field_rule rules[] = {
        {.name = "email", .required = true, .min = 1, .max = email_bytes_max, .example = "\"ada@example.org\""},
        {.name = "password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"correct horse battery staple\""},
        {.name = "code", .min = 6, .max = 64, .doc = "Six digits of the authenticator, or a recovery code."},
        {.name = "organization", .min = 1, .max = 100, .doc = "Id or slug of the organization to work in."},
        {.name = "cookie", .doc = "Set the tokens as cookies (for browsers) instead of giving them in the answer."}};
};
BOOST_DESCRIBE_STRUCT(login_body, (), (email, password, code, organization, cookie))

/// POST /auth/refresh; with cookies the token comes from there.
struct refresh_body {
    std::optional<std::string> refresh_token;
    std::optional<std::string> organization; ///< Id or slug to go on in.
    static constexpr field_rule rules[] = {
        {.name = "refresh_token", .min = 1, .max = 512, .doc = "Good for one use; without it the cookie's."},
        {.name = "organization", .min = 1, .max = 100, .doc = "Id or slug of the organization to go on in."}};
};
BOOST_DESCRIBE_STRUCT(refresh_body, (), (refresh_token, organization))

/// POST /auth/change-password
struct change_password_body {
    std::string current_password;
    std::string new_password;
    std::optional<std::string> code; ///< Of the second factor, where there is one.
    static constexpr field_rule rules[] = {
        {.name = "current_password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"correct horse battery staple\""},
        {.name = "new_password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"seven wooden ships at dawn\""},
        {.name = "code", .min = 6, .max = 64, .doc = "Of the second factor, where there is one."}};
};
BOOST_DESCRIBE_STRUCT(change_password_body, (), (current_password, new_password, code))

/// POST /auth/mfa/enroll: what an authenticator has to know. Shown this once.
struct mfa_enrolment_document {
    std::string secret; ///< base32, to be typed in.
    std::string uri;    ///< "otpauth://…"
    std::string qr_svg; ///< The URI as a QR code.
};
BOOST_DESCRIBE_STRUCT(mfa_enrolment_document, (), (secret, uri, qr_svg))

/// POST /auth/mfa/enable
struct mfa_code_body {
    std::string code;
    static constexpr field_rule rules[] = {{.name = "code",
                                            .required = true,
                                            .min = 6,
                                            .max = 64,
                                            .doc = "Of the authenticator.",
                                            .example = "\"123456\""}};
};
BOOST_DESCRIBE_STRUCT(mfa_code_body, (), (code))

/// The answer to POST /auth/mfa/enable: each is good once, in place of a code. Shown this once.
struct recovery_codes_document {
    std::vector<std::string> recovery_codes;
};
BOOST_DESCRIBE_STRUCT(recovery_codes_document, (), (recovery_codes))

/// POST /auth/step-up and /auth/mfa/disable
struct prove_body {
    std::string password;
    std::optional<std::string> code;
    static constexpr field_rule rules[] = {
        {.name = "password",
         .required = true,
         .min = 1,
         .max = password_bytes_max,
         .example = "\"correct horse battery staple\""},
        {.name = "code", .min = 6, .max = 64, .doc = "Of the second factor, where there is one."}};
};
BOOST_DESCRIBE_STRUCT(prove_body, (), (password, code))

/// The answer to whoever logged in. With cookies the tokens are left out.
struct login_document {
    std::optional<std::string> access_token;
    std::optional<std::string> refresh_token;
    std::string token_type = "Bearer";
    std::int64_t expires_in = 0; ///< Seconds that the access token is good.
    uuid session_id;
    user_document user;
    std::optional<uuid> organization_id;   ///< None: the person belongs to no organization yet.
    std::optional<std::string> csrf_token; ///< With cookies: goes into `X-CSRF-Token` of whatever changes something.
};
BOOST_DESCRIBE_STRUCT(login_document, (),
                      (access_token, refresh_token, token_type, expires_in, session_id, user, organization_id,
                       csrf_token))

/// GET /auth/me: who the caller is and what it may do, also for keys.
struct caller_document {
    std::string principal;             ///< "user/…", "key/…".
    std::string kind;                  ///< "user", "api_key" or "admin_key".
    std::optional<user_document> user; ///< Of a user, or the user whom a key belongs to.
    std::optional<uuid> organization_id;
    std::optional<std::string> role;      ///< In that organization.
    std::vector<std::string> permissions; ///< Patterns: `task:write`, `task:*`, `*`.
    std::optional<uuid> session_id;
    bool node_admin = false;
};
BOOST_DESCRIBE_STRUCT(caller_document, (),
                      (principal, kind, user, organization_id, role, permissions, session_id, node_admin))

/// GET /auth/permissions?permission=…: why the caller may do something, or not.
struct permission_decision_document {
    std::string permission;
    bool allowed = false;
    std::string reason; ///< A sentence that names the role and the pattern.
};
BOOST_DESCRIBE_STRUCT(permission_decision_document, (), (permission, allowed, reason))

/// GET /auth/sessions
struct session_document {
    uuid id;
    uuid user_id;
    std::optional<uuid> organization_id;
    std::vector<std::string> methods; ///< How the person proved who it is: "password", "otp", "oidc".
    std::string address;              ///< Of the last refresh, or the login.
    std::string user_agent;
    timestamp created_at;
    timestamp authenticated_at;
    timestamp refreshed_at;
    timestamp expires_at;
    std::optional<timestamp> ended_at;
    std::optional<std::string> ended_because; ///< "logout", "token_reused", "expired", …
};
BOOST_DESCRIBE_STRUCT(session_document, (),
                      (id, user_id, organization_id, methods, address, user_agent, created_at, authenticated_at,
                       refreshed_at, expires_at, ended_at, ended_because))

/// GET /auth/oidc: an issuer that people may log in with.
struct oidc_provider_document {
    std::string name;
    std::string title;
    std::string issuer;
};
BOOST_DESCRIBE_STRUCT(oidc_provider_document, (), (name, title, issuer))

/// POST /auth/oidc/{provider}/start, for programs.
struct oidc_start_body {
    std::string redirect;
    std::optional<std::string> organization;
    static constexpr field_rule rules[] = {
        {.name = "redirect",
         .required = true,
         .min = 1,
         .max = 256,
         .doc = "Where the browser is sent with `code` and `state`: http://127.0.0.1:PORT/ or http://[::1]:PORT/",
         .example = "\"http://127.0.0.1:49152/\""},
        {.name = "organization", .min = 1, .max = 100, .doc = "Id or slug of the organization to work in."}};
};
BOOST_DESCRIBE_STRUCT(oidc_start_body, (), (redirect, organization))

/// The answer to it, and to POST /auth/oidc/{provider}/link.
struct oidc_started_document {
    std::string authorization_url;         ///< To be opened in a browser.
    std::optional<std::string> binding;    ///< To be given back with `code` and `state`; of a browser it is a cookie.
    std::int64_t expires_in = 0;           ///< Seconds.
    std::optional<std::string> check = {}; ///< Of a program: the page that the browser comes to shows the same letters.
};
BOOST_DESCRIBE_STRUCT(oidc_started_document, (), (authorization_url, binding, expires_in, check))

/// POST /auth/oidc/{provider}/callback, for programs: what the issuer gave to the browser.
struct oidc_callback_body {
    std::string code;
    std::string state;
    std::string binding;
    std::optional<std::string> iss;
    static constexpr field_rule rules[] = {
        {.name = "code", .required = true, .min = 1, .max = 4096},
        {.name = "state", .required = true, .min = 1, .max = 2048},
        {.name = "binding", .required = true, .min = 1, .max = 128, .doc = "Of the answer to `start`."},
        {.name = "iss", .min = 1, .max = 512, .doc = "As it came with the code (RFC 9207)."}};
};
BOOST_DESCRIBE_STRUCT(oidc_callback_body, (), (code, state, binding, iss))

/// POST /auth/oidc/mfa: the second factor of a login that has come so far.
struct oidc_mfa_body {
    std::string code;
    std::optional<std::string> ticket;
    static constexpr field_rule rules[] = {{.name = "code",
                                            .required = true,
                                            .min = 6,
                                            .max = 64,
                                            .doc = "Six digits of the authenticator, or a recovery code.",
                                            .example = "\"123456\""},
                                           {.name = "ticket",
                                            .min = 1,
                                            .max = 2048,
                                            .doc = "Header X-Login-Ticket of the refusal; a browser's is a cookie."}};
};
BOOST_DESCRIBE_STRUCT(oidc_mfa_body, (), (code, ticket))

/// POST /auth/oidc/{provider}/link
struct oidc_link_body {
    std::optional<std::string> redirect;
    static constexpr field_rule rules[] = {{.name = "redirect",
                                            .min = 1,
                                            .max = 1024,
                                            .doc = "Path of this node that the browser is sent to in the end."}};
};
BOOST_DESCRIBE_STRUCT(oidc_link_body, (), (redirect))

/// GET /auth/profile/identities: an identity at an issuer that opens the account.
struct linked_identity_document {
    uuid id;
    uuid user_id;
    std::string provider; ///< Its name when it was linked.
    std::string issuer;
    std::string subject;
    std::string email; ///< As the issuer gave it last; nothing follows from it.
    timestamp created_at;
    std::optional<timestamp> last_used_at; ///< Within ten minutes.
    std::optional<timestamp> removed_at;
};
BOOST_DESCRIBE_STRUCT(linked_identity_document, (),
                      (id, user_id, provider, issuer, subject, email, created_at, last_used_at, removed_at))

/// POST /api-keys
struct create_api_key_body {
    std::string name;
    std::vector<std::string> scopes; ///< Patterns of permissions; empty: all that the owner may do.
    std::optional<timestamp> expires_at;
    std::optional<std::string> agent; ///< Id of an agent: the key is its identity, with the role `agent`.
    std::optional<std::string> role;  ///< Of a key that belongs to nobody: a service.
    static constexpr field_rule rules[] = {
        {.name = "name", .required = true, .min = 1, .max = 100, .example = "\"ci\""},
        {.name = "scopes",
         .max = 100,
         .doc = "Permissions as `task:read`, `task:*`, `*:read`; empty: all that the owner may do.",
         .example = R"(["task:*","run:read"])"},
        {.name = "expires_at", .doc = "Default: never."},
        {.name = "agent", .min = 1, .max = 100, .doc = "Id or name of an agent whose identity this key is."},
        {.name = "role", .min = 1, .max = 64, .doc = "A key of its own with this role, instead of one of yours."}};
};
BOOST_DESCRIBE_STRUCT(create_api_key_body, (), (name, scopes, expires_at, agent, role))

/// GET /api-keys/{id}
struct api_key_document {
    uuid id;
    uuid organization_id;
    std::string name;
    std::string owner; ///< "user/…", "agent/…" or "service".
    std::string role;  ///< Of an agent or service; empty: the owner's at that moment.
    std::vector<std::string> scopes;
    std::string prefix; ///< The first characters of the key, to recognise it.
    std::string created_by;
    timestamp created_at;
    std::optional<timestamp> expires_at;
    std::optional<timestamp> revoked_at;
    std::optional<timestamp> last_used_at; ///< Within ten minutes.
    std::optional<std::string> last_used_from;
};
BOOST_DESCRIBE_STRUCT(api_key_document, (),
                      (id, organization_id, name, owner, role, scopes, prefix, created_by, created_at, expires_at,
                       revoked_at, last_used_at, last_used_from))

/// The answer to POST /api-keys: the only one that has the key.
struct created_api_key_document : api_key_document {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(created_api_key_document, (api_key_document), (key))

} // namespace troupe
