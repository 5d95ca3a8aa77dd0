#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// ID tokens of OpenID Connect: whether they are what they say. Pure: no clock, no network.
namespace troupe::actors {

/// Public keys of an issuer (RFC 7517): RSA of 2048 bits or more, P-256, P-384 and Ed25519. Others, and those that are
/// not for signatures, are passed over.
class issuer_keys {
public:
    /// `invalid_request`: the text is no set of keys. At most `keys_max` of it are read.
    static expected<issuer_keys> parse(std::string_view jwks);
    static constexpr std::size_t keys_max = 64;

    [[nodiscard]] std::size_t size() const { return keys_.size(); }
    /// Whether there is a key that the token may be signed with: of that `kid`, or any when it names none.
    [[nodiscard]] bool has_key_of(std::string_view token) const;
    /// Whether the signature is one of these keys, under an algorithm that belongs to the key. Never `none`, never a
    /// shared secret.
    [[nodiscard]] bool verify(std::string_view token) const;

private:
    struct key;
    std::vector<std::shared_ptr<const key>> keys_;
};

/// What a token has to be.
struct id_token_terms {
    std::string issuer;
    std::string client_id;
    std::string nonce;
    timestamp started_at; ///< It was not made before this.
    timestamp now;
    /// When not 0: the person proved itself at the issuer (`auth_time`) at most so long before the login began.
    std::int64_t max_age_ms = 0;
};
inline constexpr std::int64_t clock_skew_ms = 60'000;

/// What it says, beyond what the terms ask for.
struct id_token_claims {
    std::string subject;
    std::string email;
    bool email_verified = false;
    std::string name; ///< At most 200 bytes, without control characters.
    std::vector<std::string> amr;
    std::string acr;
    std::optional<problem> not_told = {}; ///< Why UserInfo could not be had, which may say more.
};

/// Signature, issuer, audience, times and nonce. `invalid_credentials` says what is wrong, and nothing of the token.
expected<id_token_claims> verify_id_token(const issuer_keys& keys, const id_token_terms& terms, std::string_view token);

/// Takes e-mail address and name of a UserInfo answer where the token had none. `invalid_credentials`: it is about
/// somebody else, or no JSON.
expected<void> add_user_info(id_token_claims& claims, std::string_view answer);

/// Whether the issuer asked for a second factor: `mfa` in `amr` (RFC 8176), or one of the values of `acr` that the
/// configuration names.
bool proves_second_factor(const id_token_claims& claims, const std::vector<std::string>& mfa_acr);

/// The part behind @ of an address, in small letters.
std::string domain_of(std::string_view email);

} // namespace troupe::actors
