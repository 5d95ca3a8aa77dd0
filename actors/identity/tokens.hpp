#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The tokens that a node gives out, and the keys they are made with. Pure: nothing is stored here.
namespace troupe::actors {

/// A key that access tokens are signed with (Ed25519).
struct signing_key {
    std::string id; ///< `kid`: made from the public key.
    std::string seed;
    std::string public_key;
    timestamp created_at;
};
/// From 32 random bytes.
signing_key make_signing_key(std::string seed, timestamp created_at);

/// What an access token says: a JWT (RFC 7519), signed with EdDSA (RFC 8037).
struct access_claims {
    uuid user;
    uuid session;
    std::optional<uuid> organization;
    timestamp issued_at;
    timestamp expires_at;
    std::string issuer;
};
std::string sign_access_token(const signing_key& key, const access_claims& claims);
/// `unauthenticated` when it is no token of these keys and this issuer, or has expired.
expected<access_claims> verify_access_token(const std::vector<signing_key>& keys, std::string_view issuer,
                                            std::string_view token, timestamp now);
/// {"keys":[…]}: the public halves (RFC 7517).
std::string to_jwks(const std::vector<signing_key>& keys);

/// "trp_…": the key's id and 24 bytes that only the node can make for it. Kept as its SHA-256, so that it stays good
/// when the node's own key changes.
inline constexpr std::string_view api_key_prefix = "trp_";
std::string make_api_key(std::string_view key, const uuid& id);
/// The id in an API key; nothing when the text is none.
std::optional<uuid> api_key_id(std::string_view text);

/// What a token stands for that needs no storing: it carries a MAC that only the node can make.
struct opaque_token {
    uuid id;                  ///< Of the session or organization.
    uuid second = {};         ///< Of the invitation; nil otherwise.
    std::uint64_t number = 0; ///< Of the rotation; 0 otherwise.
};
/// "trr_…" for refresh tokens, "tri_…" for invitations: the prefix, then base64url of id, second, number and the MAC
/// under `key` of all of that. The prefix is part of the MAC, so that none passes as another.
inline constexpr std::string_view refresh_prefix = "trr_";
inline constexpr std::string_view invitation_prefix = "tri_";
std::string make_opaque(std::string_view key, std::string_view prefix, const opaque_token& t);
/// Nothing when it was not made with that key and prefix. In constant time of the MAC.
std::optional<opaque_token> read_opaque(std::string_view key, std::string_view prefix, std::string_view text);

/// What a browser sends back in `X-CSRF-Token`: nobody else can make it for the session.
std::string csrf_token(std::string_view key, const uuid& session);

} // namespace troupe::actors
