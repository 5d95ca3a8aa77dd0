#pragma once

#include "actors/identity/id_token.hpp"
#include "runtime/config/oidc.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// One issuer of OpenID Connect, spoken to over HTTP.
namespace troupe::actors {

/// What the issuer says of itself (OpenID Connect Discovery), as far as it is needed.
struct issuer_description {
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string jwks_uri;
    std::string userinfo_endpoint; ///< Empty: none.
    bool names_itself = false;     ///< Each answer carries `iss` (RFC 9207).
    bool secret_in_body = false;   ///< It takes client_secret_post only.
};
/// Reads it. `unavailable` says what is wrong: another issuer, endpoints without TLS, no code flow, no PKCE.
expected<issuer_description> read_description(std::string_view json, std::string_view issuer);

/// What an authorization request carries.
struct authorization {
    std::string redirect_uri;
    std::string state;
    std::string nonce;
    std::string challenge;
    std::int64_t max_age_ms = 0; ///< So fresh the person's login there has to be; 0: whatever.
};

/// What came back, and what it has to fit.
struct authorization_answer {
    std::string code;
    std::optional<std::string> iss;
    std::string redirect_uri;
    std::string verifier;
    std::string nonce;
    timestamp started_at;
    std::int64_t max_age_ms = 0; ///< As it was asked for.
};

/// Thread-safe. Everything that asks the issuer blocks, for `call_ms` at most each time, and keeps what it was told:
/// the description and the keys for an hour, a failure for some seconds.
/// Problems: `unavailable` (the issuer is not to be reached, or not what it should be; names it), `invalid_credentials`
/// (what it was asked with is not good). Their texts hold nothing secret; those of `unavailable` are for the log only.
class oidc_issuer {
public:
    /// Gives the value of "secret:NAME"; blocks.
    using secret_finder = std::function<expected<std::string>(std::string_view name)>;
    oidc_issuer(runtime::oidc_provider settings, secret_finder find_secret);

    [[nodiscard]] const runtime::oidc_provider& settings() const { return settings_; }
    /// "Acme", or its name.
    [[nodiscard]] const std::string& title() const { return settings_.title ? *settings_.title : settings_.name; }

    /// Where the browser is sent.
    expected<std::string> authorization_url(const authorization& a, std::stop_token stop);
    /// Takes the code to the issuer and judges what it gives.
    expected<id_token_claims> exchange(const authorization_answer& a, std::stop_token stop);

    static constexpr std::int64_t call_ms = 10'000;

private:
    struct answer {
        int status = 0;
        std::string body;
    };
    using description = std::shared_ptr<const issuer_description>;
    using key_set = std::shared_ptr<const issuer_keys>;

    expected<description> describe(const std::stop_token& stop);
    expected<description> fetch_description(const std::stop_token& stop);
    expected<key_set> keys_for(std::string_view token, const issuer_description& d, const std::stop_token& stop);
    expected<std::string> ask_for_tokens(const authorization_answer& a, const issuer_description& d,
                                         const std::stop_token& stop);
    expected<void> ask_about_person(id_token_claims& claims, const std::string& access_token,
                                    const issuer_description& d, const std::stop_token& stop);
    expected<answer> get(const std::string& url, const std::string& bearer, const std::stop_token& stop) const;
    [[nodiscard]] expected<std::string> client_secret() const;
    [[nodiscard]] problem unavailable(std::string_view why) const;
    [[nodiscard]] problem refused(std::string_view why) const;

    runtime::oidc_provider settings_;
    secret_finder find_secret_;

    std::mutex mutex_; ///< One thread asks, others wait for what it is told.
    description description_;
    std::int64_t description_until_ms_ = 0; ///< Monotonic, as the others.
    std::optional<problem> failure_;
    std::int64_t failure_until_ms_ = 0;
    std::mutex keys_mutex_;
    key_set keys_;
    std::int64_t keys_until_ms_ = 0;
    std::int64_t unknown_until_ms_ = 0; ///< So long nobody asks again for a key that was not there.
};

} // namespace troupe::actors
