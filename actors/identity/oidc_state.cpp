#include "actors/identity/oidc_state.hpp"

#include "schemas/base/cipher.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>

namespace troupe::actors {
namespace {

constexpr std::string_view attempt_label = "oidc attempt";
constexpr std::string_view ticket_label = "oidc ticket";
constexpr std::size_t sealed_bytes_max = 4096;
constexpr std::size_t path_bytes_max = 1024;

std::string text_of(const std::array<std::uint8_t, 32>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A key of its own for each use.
std::string key_for(std::string_view key, std::string_view use) { return text_of(hmac_sha256(key, use)); }

template <class T>
std::string seal_as(std::string_view key, std::string_view label, const T& value) {
    return to_base64url(seal(key_for(key, label), to_json(value), label));
}

template <class T>
std::optional<T> open_as(std::string_view key, std::string_view label, std::string_view text, timestamp now,
                         std::int64_t valid_ms) {
    const auto bytes = text.size() <= sealed_bytes_max ? from_base64(text) : std::nullopt;
    const auto plain = bytes ? unseal(key_for(key, label), *bytes, label) : std::nullopt;
    auto value = plain ? from_json<T>(*plain, strictness::stored) : expected<T>(problem{});
    const bool good = value && now < value->started_at + valid_ms;
    return good ? std::optional(std::move(*value)) : std::nullopt;
}

std::string derived(std::string_view key, std::string_view label, const oidc_attempt& a) {
    return to_base64url(text_of(hmac_sha256(key_for(key, label), to_string(a.id))));
}

} // namespace

std::string seal_attempt(std::string_view key, const oidc_attempt& a) { return seal_as(key, attempt_label, a); }

std::optional<oidc_attempt> open_attempt(std::string_view key, std::string_view text, timestamp now) {
    return open_as<oidc_attempt>(key, attempt_label, text, now, oidc_attempt_ms);
}

std::string seal_ticket(std::string_view key, const oidc_ticket& t) { return seal_as(key, ticket_label, t); }

std::optional<oidc_ticket> open_ticket(std::string_view key, std::string_view text, timestamp now) {
    return open_as<oidc_ticket>(key, ticket_label, text, now, oidc_ticket_ms);
}

std::string nonce_of(std::string_view key, const oidc_attempt& a) { return derived(key, "oidc nonce", a); }

std::string verifier_of(std::string_view key, const oidc_attempt& a) { return derived(key, "oidc verifier", a); }

std::string check_of(std::string_view key, const oidc_attempt& a) {
    constexpr std::string_view letters = "BCDFGHJKLMNPQRSTVWXZ"; // none that make words
    const auto digest = hmac_sha256(key_for(key, "oidc check"), to_string(a.id));
    std::string out;
    for (std::size_t i = 0; i < 8; ++i) {
        out += (i == 4 ? "-" : "");
        out += letters[digest[i] % letters.size()];
    }
    return out;
}

std::string hash_of_binding(std::string_view binding) { return to_base64url(text_of(sha256(binding))); }

bool is_bound(const oidc_attempt& a, std::string_view binding) {
    const auto given = hash_of_binding(binding);
    return !binding.empty() && given.size() == a.binding.size() &&
           CRYPTO_memcmp(given.data(), a.binding.data(), given.size()) == 0;
}

bool is_own_path(std::string_view path) {
    const bool printable = std::ranges::all_of(path, [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
    return path.starts_with('/') && !path.starts_with("//") && printable && path.size() <= path_bytes_max;
}

bool is_loopback_redirect(std::string_view url) {
    for (const std::string_view host : {"http://127.0.0.1:", "http://[::1]:"}) {
        if (!url.starts_with(host) || url.size() > path_bytes_max) {
            continue;
        }
        const auto rest = url.substr(host.size());
        const auto slash = std::min(rest.find('/'), rest.size());
        unsigned port = 0;
        const auto [end, status] = std::from_chars(rest.data(), rest.data() + slash, port);
        const bool numbered =
            slash > 0 && status == std::errc() && end == rest.data() + slash && port > 0 && port <= 65535;
        const auto path = rest.substr(slash);
        return numbered && (path.empty() || path == "/");
    }
    return false;
}

} // namespace troupe::actors
