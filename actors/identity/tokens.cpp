#include "actors/identity/tokens.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/json.hpp"

#include <openssl/crypto.h>
#include <sodium.h>

#include <array>
#include <cstring>

namespace troupe::actors {
namespace {

constexpr std::string_view header_start = R"({"alg":"EdDSA","typ":"JWT","kid":")";
constexpr std::size_t token_bytes_max = 4096;
constexpr std::size_t opaque_bytes = 16 + 16 + 8;
constexpr std::size_t api_key_secret_bytes = 24;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string expand(std::string_view seed, std::string* public_key) {
    std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> open{};
    std::array<unsigned char, crypto_sign_SECRETKEYBYTES> closed{};
    crypto_sign_seed_keypair(open.data(), closed.data(), bytes_of(seed));
    if (public_key != nullptr) {
        public_key->assign(reinterpret_cast<const char*>(open.data()), open.size());
    }
    std::string out(reinterpret_cast<const char*>(closed.data()), closed.size());
    sodium_memzero(closed.data(), closed.size());
    return out;
}

problem not_good(std::string_view why) {
    return {code::unauthenticated,
            "the access token " + std::string(why) + "; renew it with POST /api/v1/auth/refresh, or log in again"};
}

/// The parts between the dots.
std::optional<std::array<std::string_view, 3>> parts_of(std::string_view token) {
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    return std::array{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

std::string mac_of(std::string_view key, std::string_view label, std::string_view bytes) {
    const auto mac = hmac_sha256(key, std::string(label) + '\0' + std::string(bytes));
    return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

std::optional<uuid> uuid_in(const json::value& root, std::string_view name) {
    return parse_uuid(root.text_or(name, ""));
}

} // namespace

signing_key make_signing_key(std::string seed, timestamp created_at) {
    signing_key out;
    out.seed = std::move(seed);
    auto secret = expand(out.seed, &out.public_key);
    wipe(secret);
    out.id = to_hex(std::string_view(out.public_key).substr(0, 8));
    out.created_at = created_at;
    return out;
}

std::string sign_access_token(const signing_key& key, const access_claims& claims) {
    std::string body;
    json::object_writer writer(body);
    writer.field("iss", claims.issuer).field("sub", to_string(claims.user)).field("sid", to_string(claims.session));
    if (claims.organization) {
        writer.field("org", to_string(*claims.organization));
    }
    writer.field("iat", claims.issued_at.ms / 1000).field("exp", claims.expires_at.ms / 1000);
    writer.end();
    const auto text = to_base64url(std::string(header_start) + key.id + "\"}") + "." + to_base64url(body);
    std::array<unsigned char, crypto_sign_BYTES> signature{};
    auto secret = expand(key.seed, nullptr);
    crypto_sign_detached(signature.data(), nullptr, bytes_of(text), text.size(), bytes_of(secret));
    wipe(secret);
    return text + "." + to_base64url({reinterpret_cast<const char*>(signature.data()), signature.size()});
}

expected<access_claims> verify_access_token(const std::vector<signing_key>& keys, std::string_view issuer,
                                            std::string_view token, timestamp now) {
    const auto parts = token.size() <= token_bytes_max ? parts_of(token) : std::nullopt;
    const auto head = parts ? from_base64((*parts)[0]) : std::nullopt;
    const auto body = parts ? from_base64((*parts)[1]) : std::nullopt;
    const auto signature = parts ? from_base64((*parts)[2]) : std::nullopt;
    const auto header = head ? json::document::parse(*head) : expected<json::document>(problem{});
    if (!body || !signature || !header || signature->size() != crypto_sign_BYTES) {
        return not_good("is not one of this node");
    }
    // The algorithm is never taken from the token: there is only one.
    if (header->root().text_or("alg", "") != "EdDSA") {
        return not_good("is not one of this node");
    }
    const auto kid = header->root().text_or("kid", "");
    const auto signed_text = token.substr(0, (*parts)[0].size() + 1 + (*parts)[1].size());
    for (const auto& key : keys) {
        if (key.id != kid) {
            continue;
        }
        if (crypto_sign_verify_detached(bytes_of(*signature), bytes_of(signed_text), signed_text.size(),
                                        bytes_of(key.public_key)) != 0) {
            break;
        }
        const auto parsed = json::document::parse(*body);
        if (!parsed) {
            break;
        }
        const auto root = parsed->root();
        const auto user = uuid_in(root, "sub");
        const auto session = uuid_in(root, "sid");
        if (!user || !session || root.text_or("iss", "") != issuer) {
            break;
        }
        const access_claims claims{*user,
                                   *session,
                                   uuid_in(root, "org"),
                                   {root.int_or("iat", 0) * 1000},
                                   {root.int_or("exp", 0) * 1000},
                                   std::string(issuer)};
        if (now >= claims.expires_at) {
            return not_good("has expired");
        }
        return claims;
    }
    return not_good("is not one of this node, or of a key that is no longer good");
}

std::string to_jwks(const std::vector<signing_key>& keys) {
    std::string list;
    for (const auto& key : keys) {
        std::string one;
        json::object_writer writer(one);
        writer.field("kty", "OKP").field("crv", "Ed25519").field("x", to_base64url(key.public_key));
        writer.field("kid", key.id).field("alg", "EdDSA").field("use", "sig");
        writer.end();
        list += (list.empty() ? "" : ",") + one;
    }
    return R"({"keys":[)" + list + "]}";
}

std::string make_api_key(std::string_view key, const uuid& id) {
    const std::string bytes(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    return std::string(api_key_prefix) +
           to_base64url(bytes + mac_of(key, "api_key", bytes).substr(0, api_key_secret_bytes));
}

std::optional<uuid> api_key_id(std::string_view text) {
    if (!text.starts_with(api_key_prefix) || text.size() > 128) {
        return std::nullopt;
    }
    const auto raw = from_base64(text.substr(api_key_prefix.size()));
    if (!raw || raw->size() != 16 + api_key_secret_bytes) {
        return std::nullopt;
    }
    uuid out;
    std::memcpy(out.bytes.data(), raw->data(), out.bytes.size());
    return out;
}

std::string make_opaque(std::string_view key, std::string_view prefix, const opaque_token& t) {
    std::string bytes(opaque_bytes, '\0');
    std::memcpy(bytes.data(), t.id.bytes.data(), 16);
    std::memcpy(bytes.data() + 16, t.second.bytes.data(), 16);
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[32 + i] = static_cast<char>(t.number >> (8 * (7 - i)));
    }
    return std::string(prefix) + to_base64url(bytes + mac_of(key, prefix, bytes));
}

std::optional<opaque_token> read_opaque(std::string_view key, std::string_view prefix, std::string_view text) {
    if (!text.starts_with(prefix) || text.size() > 256) {
        return std::nullopt;
    }
    const auto raw = from_base64(text.substr(prefix.size()));
    if (!raw || raw->size() != opaque_bytes + 32) {
        return std::nullopt;
    }
    const auto bytes = std::string_view(*raw).substr(0, opaque_bytes);
    const auto mac = mac_of(key, prefix, bytes);
    if (CRYPTO_memcmp(mac.data(), raw->data() + opaque_bytes, mac.size()) != 0) {
        return std::nullopt;
    }
    opaque_token out;
    std::memcpy(out.id.bytes.data(), bytes.data(), 16);
    std::memcpy(out.second.bytes.data(), bytes.data() + 16, 16);
    for (std::size_t i = 0; i < 8; ++i) {
        out.number = out.number << 8U | static_cast<unsigned char>(bytes[32 + i]);
    }
    return out;
}

std::string csrf_token(std::string_view key, const uuid& session) {
    return to_base64url(mac_of(key, "csrf", to_string(session)));
}

} // namespace troupe::actors
