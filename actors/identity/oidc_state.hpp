#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What has to be remembered while a person is at an issuer. It is sealed and travels with the person, so that the node
/// keeps nothing and a restart in between breaks nothing. Pure but for the generator.
namespace troupe::actors {

inline constexpr std::int64_t oidc_attempt_ms = 10LL * 60 * 1000;
inline constexpr std::int64_t oidc_ticket_ms = 5LL * 60 * 1000;

/// Whose identity it becomes, and the session that asked: a link is committed only while that one lasts.
struct oidc_link {
    uuid user;
    uuid session;
    std::uint64_t generation = 0; ///< Of the person's credential.
};
BOOST_DESCRIBE_STRUCT(oidc_link, (), (user, session, generation))

/// A login that has begun: `state` of the authorization request. Nonce and PKCE verifier follow from its id, so that
/// they travel nowhere.
struct oidc_attempt {
    uuid id;
    std::string provider;
    timestamp started_at;
    std::string redirect_uri;            ///< Of the authorization request: the node's callback.
    std::string binding;                 ///< SHA-256 of what the browser or program keeps to itself.
    std::optional<std::string> loopback; ///< Of a program: where its browser brings code and state.
    std::string path;                    ///< Of a browser: where it goes in the end.
    std::optional<std::string> organization;
    std::optional<oidc_link> link; ///< Not a login: the identity becomes one of this person.
    std::int64_t max_age_ms = 0;   ///< So fresh the person's login at the issuer has to be; 0: whatever.
};
BOOST_DESCRIBE_STRUCT(oidc_attempt, (),
                      (id, provider, started_at, redirect_uri, binding, loopback, path, organization, link, max_age_ms))

/// A login that only lacks the second factor.
struct oidc_ticket {
    uuid user;
    std::string provider;
    timestamp started_at;
    std::uint64_t generation = 0; ///< Of the person's credential: ending all sessions ends this, too.
    std::optional<std::string> organization;
    bool cookie = false;
};
BOOST_DESCRIBE_STRUCT(oidc_ticket, (), (user, provider, started_at, generation, organization, cookie))

/// `key` is the node's own; see `identity_keys::opaque_key`.
std::string seal_attempt(std::string_view key, const oidc_attempt& a);
/// Nothing when it was not made with that key, was changed, or is over.
std::optional<oidc_attempt> open_attempt(std::string_view key, std::string_view text, timestamp now);
std::string seal_ticket(std::string_view key, const oidc_ticket& t);
std::optional<oidc_ticket> open_ticket(std::string_view key, std::string_view text, timestamp now);

std::string nonce_of(std::string_view key, const oidc_attempt& a);
/// RFC 7636: 43 characters.
std::string verifier_of(std::string_view key, const oidc_attempt& a);

/// "BCDF-GHJK": a person compares it in two places, to see that the program's login is the one in the browser.
std::string check_of(std::string_view key, const oidc_attempt& a);

/// How a binding is kept in an attempt.
std::string hash_of_binding(std::string_view binding);
/// In constant time.
bool is_bound(const oidc_attempt& a, std::string_view binding);

/// Whether a browser may be sent there: a path of this origin, never another host.
bool is_own_path(std::string_view path);
/// "http://127.0.0.1:PORT/" or "http://[::1]:PORT/" (RFC 8252, 7.3), with or without the slash.
bool is_loopback_redirect(std::string_view url);

} // namespace troupe::actors
