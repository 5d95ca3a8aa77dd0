#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// One issuer of OpenID Connect, as `identity.oidc` lists it.
struct oidc_provider {
    std::string name;   ///< Part of the routes' paths: [a-z0-9_-].
    std::string issuer; ///< As its discovery document has it, to the letter.
    std::string client_id;
    std::optional<std::string> client_secret; ///< "secret:NAME", "env:NAME" or "file:PATH"; none: a public client.
    std::vector<std::string> scopes = {"openid", "email", "profile"};
    std::optional<std::string> title;        ///< What people read.
    std::optional<std::string> organization; ///< Id or slug: people who come for the first time join it; else nobody.
    std::optional<std::string> role;         ///< With it.
    std::vector<std::string> domains;        ///< Of their verified e-mail addresses; empty: any.
    bool link_by_email = false;              ///< A verified address opens the account that has it.
    std::vector<std::string> mfa_acr;        ///< Values of `acr` that stand for a second factor.
    std::optional<std::string> ca_file;      ///< Certificates (PEM) that the issuer's is checked against.
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 32},
                                           {.name = "issuer", .required = true, .min = 1, .max = 512},
                                           {.name = "client_id", .required = true, .min = 1, .max = 512},
                                           {.name = "client_secret", .min = 1, .max = 512},
                                           {.name = "scopes", .min = 1, .max = 32},
                                           {.name = "title", .min = 1, .max = 100},
                                           {.name = "organization", .min = 1, .max = 100},
                                           {.name = "role", .min = 1, .max = 64},
                                           {.name = "domains", .max = 100},
                                           {.name = "mfa_acr", .max = 32}};
};
BOOST_DESCRIBE_STRUCT(oidc_provider, (),
                      (name, issuer, client_id, client_secret, scopes, title, organization, role, domains,
                       link_by_email, mfa_acr, ca_file))

/// Reads a JSON list of them; an empty text is an empty list. `config_invalid` has all that is wrong, by JSON pointers.
expected<std::vector<oidc_provider>> parse_oidc_providers(std::string_view text);

/// https://HOST…, or http:// on this machine (127.0.0.1, [::1], localhost); without query, fragment and user.
bool is_issuer_url(std::string_view text);
/// Whether it is an http:// or https:// URL whose host is this machine.
bool is_loopback_url(std::string_view text);

// What is wrong with texts of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_oidc(std::string_view text);
std::vector<field_error> check_oidc_list(std::string_view text);
std::optional<std::string> check_public_url(std::string_view text);

} // namespace troupe::runtime
