#include "actors/identity/id_token.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/json.hpp"
#include "schemas/name_messages.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t token_bytes_max = 32 << 10;
constexpr std::size_t subject_bytes_max = 255; // OpenID Connect Core, 2
constexpr std::size_t name_bytes_max = 200;    // of a person, as update_profile_body has it
constexpr int rsa_bits_min = 2048;
constexpr int rsa_bits_max = 8192;                    // a check of a larger one takes too long
constexpr std::int64_t seconds_max = 253'402'300'799; // the year 9999 ends: no sum of times overflows

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using key_pointer = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using key_context = std::unique_ptr<EVP_PKEY_CTX, freed_by<EVP_PKEY_CTX_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using builder = std::unique_ptr<OSSL_PARAM_BLD, freed_by<OSSL_PARAM_BLD_free>>;
using parameters = std::unique_ptr<OSSL_PARAM, freed_by<OSSL_PARAM_free>>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// How an algorithm of RFC 7518 and RFC 8037 is checked.
struct algorithm {
    std::string_view name;
    std::string_view type;      ///< "kty" of its keys.
    std::string_view curve;     ///< "crv".
    std::string_view digest;    ///< Empty: none.
    std::size_t half_bytes = 0; ///< Of a signature of an elliptic curve: r and s have so many each.
    bool pss = false;
};
constexpr algorithm algorithms[] = {
    {"RS256", "RSA", "", "SHA256"},          {"RS384", "RSA", "", "SHA384"},
    {"RS512", "RSA", "", "SHA512"},          {"PS256", "RSA", "", "SHA256", 0, true},
    {"PS384", "RSA", "", "SHA384", 0, true}, {"PS512", "RSA", "", "SHA512", 0, true},
    {"ES256", "EC", "P-256", "SHA256", 32},  {"ES384", "EC", "P-384", "SHA384", 48},
    {"EdDSA", "OKP", "Ed25519", ""},
};

const algorithm* find_algorithm(std::string_view name) {
    const auto found = std::ranges::find(algorithms, name, &algorithm::name);
    return found == std::end(algorithms) ? nullptr : &*found;
}

/// The token's parts; `signed_text` is what the signature is of.
struct parts {
    std::string header;
    std::string payload;
    std::string signature;
    std::string_view signed_text;
};

std::optional<parts> split(std::string_view token) {
    const auto first = token.find('.');
    const auto second = first == token.npos ? first : token.find('.', first + 1);
    if (token.size() > token_bytes_max || second == token.npos || token.find('.', second + 1) != token.npos) {
        return std::nullopt;
    }
    auto header = from_base64(token.substr(0, first));
    auto payload = from_base64(token.substr(first + 1, second - first - 1));
    auto signature = from_base64(token.substr(second + 1));
    if (!header || !payload || !signature) {
        return std::nullopt;
    }
    return parts{std::move(*header), std::move(*payload), std::move(*signature), token.substr(0, second)};
}

struct header {
    const algorithm* how = nullptr;
    std::string key_id; ///< Empty: none.
};

/// Nothing for what is never accepted.
std::optional<header> read_header(const std::string& text) {
    const auto parsed = json::document::parse(text);
    if (!parsed || parsed->root().type() != json::kind::object || parsed->root().find("crit")) {
        return std::nullopt; // of `crit` (RFC 7515, 4.1.11) nothing is understood here
    }
    const header out{find_algorithm(parsed->root().text_or("alg")), parsed->root().text_or("kid")};
    return out.how != nullptr ? std::optional(out) : std::nullopt;
}

number to_number(std::string_view bytes) {
    return number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

key_pointer key_from(const char* type, OSSL_PARAM_BLD* built) {
    const parameters p(OSSL_PARAM_BLD_to_param(built));
    const key_context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!p || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, p.get()) != 1) {
        return nullptr;
    }
    return key_pointer(key);
}

key_pointer rsa_key(const std::string& modulus, const std::string& exponent) {
    const auto n = to_number(modulus);
    const auto e = to_number(exponent);
    const builder b(OSSL_PARAM_BLD_new());
    if (!n || !e || !b || BN_num_bits(n.get()) < rsa_bits_min || BN_num_bits(n.get()) > rsa_bits_max ||
        BN_num_bits(e.get()) > 64 || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0 ||
        OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
        return nullptr;
    }
    return key_from("RSA", b.get());
}

/// OpenSSL refuses a point that is not on the curve.
key_pointer curve_key(std::string_view curve, const std::string& x, const std::string& y) {
    const std::size_t bytes = curve == "P-256" ? 32 : curve == "P-384" ? 48 : 0;
    const builder b(OSSL_PARAM_BLD_new());
    const auto point = "\x04" + x + y; // the builder keeps pointers only: all of it lives until the key is made
    const std::string group(curve);
    if (bytes == 0 || x.size() != bytes || y.size() != bytes || !b ||
        OSSL_PARAM_BLD_push_utf8_string(b.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.c_str(), 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(b.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
        return nullptr;
    }
    return key_from("EC", b.get());
}

key_pointer read_key(const json::value& k) {
    const auto bytes = [&](std::string_view name) { return from_base64(k.text_or(name)).value_or(""); };
    const auto type = k.text_or("kty");
    if (type == "RSA") {
        return rsa_key(bytes("n"), bytes("e"));
    }
    if (type == "EC") {
        return curve_key(k.text_or("crv"), bytes("x"), bytes("y"));
    }
    if (type == "OKP" && k.text_or("crv") == "Ed25519") {
        const auto x = bytes("x");
        return key_pointer(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
    }
    return nullptr;
}

/// r and s as JOSE has them (RFC 7518, 3.4) in the form that OpenSSL takes.
std::string to_der(std::string_view raw) {
    const auto half = raw.size() / 2;
    const std::unique_ptr<ECDSA_SIG, freed_by<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
    auto r = to_number(raw.substr(0, half));
    auto s = to_number(raw.substr(half));
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
        return {};
    }
    (void)r.release(); // they are the signature's now
    (void)s.release();
    std::string out(static_cast<std::size_t>(std::max(0, i2d_ECDSA_SIG(signature.get(), nullptr))), '\0');
    auto* at = reinterpret_cast<unsigned char*>(out.data());
    return i2d_ECDSA_SIG(signature.get(), &at) > 0 ? out : std::string();
}

bool is_signed(EVP_PKEY* key, const algorithm& how, std::string_view text, std::string_view signature) {
    std::string der;
    if (how.half_bytes != 0) {
        if (signature.size() != 2 * how.half_bytes) {
            return false;
        }
        der = to_der(signature);
        signature = der;
    }
    const digest_context context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* inner = nullptr; // the context's
    const auto* digest = how.digest.empty() ? nullptr : EVP_get_digestbyname(std::string(how.digest).c_str());
    if (!context || (digest == nullptr && !how.digest.empty()) ||
        EVP_DigestVerifyInit(context.get(), &inner, digest, nullptr, key) != 1) {
        return false;
    }
    if (how.pss && (EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) != 1 ||
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

problem not_good(std::string_view why) {
    return {code::invalid_credentials, "the issuer's ID token " + std::string(why)};
}

/// Seconds since 1970; some issuers write fractions.
std::optional<timestamp> time_of(const json::value& root, std::string_view name) {
    const auto member = root.find(name);
    const auto seconds = member ? member->as_double() : std::nullopt;
    if (!seconds || !(*seconds >= 0) || *seconds > static_cast<double>(seconds_max)) {
        return std::nullopt;
    }
    return timestamp{static_cast<std::int64_t>(*seconds) * 1000};
}

std::vector<std::string> texts_of(const json::value& root, std::string_view name) {
    std::vector<std::string> out;
    const auto member = root.find(name);
    if (member && member->as_string()) {
        out.emplace_back(*member->as_string());
    } else if (member && member->type() == json::kind::array) {
        member->each_element([&](json::value v) { out.emplace_back(v.as_string().value_or("")); });
    }
    return out;
}

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// What is wrong with the claims, or nothing.
std::optional<std::string_view> mistake_of(const json::value& root, const id_token_terms& terms) {
    const auto audience = texts_of(root, "aud");
    const auto party = root.find("azp");
    const auto expires = time_of(root, "exp");
    const auto issued = time_of(root, "iat");
    const auto early = time_of(root, "nbf");
    if (root.text_or("iss") != terms.issuer) {
        return "is of another issuer";
    }
    if (std::ranges::find(audience, terms.client_id) == audience.end()) {
        return "is for another client (aud)";
    }
    if ((party || audience.size() > 1) && root.text_or("azp") != terms.client_id) {
        return "was given to another client (azp)";
    }
    if (!expires || terms.now >= *expires + clock_skew_ms) {
        return "has expired: compare the clocks of both machines";
    }
    if (!issued || *issued > terms.now + clock_skew_ms || *issued + clock_skew_ms < terms.started_at) {
        return "was not made during this login: compare the clocks of both machines";
    }
    if (early && *early > terms.now + clock_skew_ms) {
        return "is not good yet: compare the clocks of both machines";
    }
    if (terms.max_age_ms > 0) { // OpenID Connect Core, 3.1.2.1
        const auto proven = time_of(root, "auth_time");
        if (!proven || *proven > terms.now + clock_skew_ms) {
            return "does not say when the person logged in there (auth_time), which `max_age` asks for";
        }
        if (*proven + terms.max_age_ms + clock_skew_ms < terms.started_at) {
            return "is of somebody who logged in there too long ago (auth_time): log out there first";
        }
    }
    if (terms.nonce.empty() || !same(root.text_or("nonce"), terms.nonce)) {
        return "belongs to another login (nonce)";
    }
    const auto subject = root.text_or("sub");
    return subject.empty() || subject.size() > subject_bytes_max ? std::optional<std::string_view>("names nobody (sub)")
                                                                 : std::nullopt;
}

/// Bounded, cut where a character begins, and without control characters (C0, DEL, C1).
std::string clean_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
            ++i;
        } else if (byte >= 0x20 && byte != 0x7F) {
            out += text[i];
        }
    }
    if (out.size() > name_bytes_max) {
        auto end = name_bytes_max;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) {
            --end;
        }
        out.resize(end);
    }
    return out;
}

void take_person(id_token_claims& into, const json::value& root) {
    if (into.email.empty()) {
        into.email = root.text_or("email");
        const auto verified = root.find("email_verified");
        // Some issuers write the text "true".
        into.email_verified = verified && (verified->as_bool().value_or(false) || verified->as_string() == "true");
    }
    if (into.name.empty()) {
        into.name = clean_name(root.text_or("name", root.text_or("preferred_username")));
    }
}

} // namespace

struct issuer_keys::key {
    std::string id;
    std::string algorithm_name; ///< Empty: any that belongs to the type.
    std::string type;
    std::string curve;
    key_pointer public_key;

    [[nodiscard]] bool fits(const header& h) const {
        return (h.key_id.empty() || h.key_id == id) && h.how->type == type && h.how->curve == curve &&
               (algorithm_name.empty() || algorithm_name == h.how->name);
    }
};

expected<issuer_keys> issuer_keys::parse(std::string_view jwks) {
    const auto parsed = json::document::parse(jwks);
    const auto list = parsed ? parsed->root().find("keys") : std::nullopt;
    if (!list || list->type() != json::kind::array) {
        return problem{code::invalid_request, "is no set of keys (RFC 7517)"};
    }
    issuer_keys out;
    list->each_element([&](json::value k) {
        const auto use = k.text_or("use", "sig");
        if (out.keys_.size() >= keys_max || use != "sig") {
            return;
        }
        auto one = std::make_shared<key>();
        one->id = k.text_or("kid");
        one->algorithm_name = k.text_or("alg");
        one->type = k.text_or("kty");
        one->curve = one->type == "RSA" ? "" : k.text_or("crv");
        one->public_key = read_key(k);
        if (one->public_key) {
            out.keys_.push_back(std::move(one));
        }
    });
    ERR_clear_error(); // of keys that were passed over
    return out;
}

bool issuer_keys::has_key_of(std::string_view token) const {
    const auto p = split(token);
    const auto h = p ? read_header(p->header) : std::nullopt;
    return h && std::ranges::any_of(keys_, [&](const auto& k) { return k->fits(*h); });
}

bool issuer_keys::verify(std::string_view token) const {
    const auto p = split(token);
    const auto h = p ? read_header(p->header) : std::nullopt;
    const bool good = h && std::ranges::any_of(keys_, [&](const auto& k) {
                          return k->fits(*h) && is_signed(k->public_key.get(), *h->how, p->signed_text, p->signature);
                      });
    ERR_clear_error();
    return good;
}

expected<id_token_claims> verify_id_token(const issuer_keys& keys, const id_token_terms& terms,
                                          std::string_view token) {
    const auto p = split(token);
    if (!p || !read_header(p->header)) {
        return not_good("is none, or is signed in a way that is not accepted (RS, PS, ES and EdDSA are)");
    }
    if (!keys.verify(token)) {
        return not_good("is not signed with one of the issuer's keys");
    }
    const auto parsed = json::document::parse(p->payload);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return not_good("has no claims");
    }
    const auto root = parsed->root();
    if (const auto wrong = mistake_of(root, terms)) {
        return not_good(*wrong);
    }
    id_token_claims out;
    out.subject = root.text_or("sub");
    out.amr = texts_of(root, "amr");
    out.acr = root.text_or("acr");
    take_person(out, root);
    return out;
}

expected<void> add_user_info(id_token_claims& claims, std::string_view answer) {
    const auto parsed = json::document::parse(answer);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return problem{code::invalid_credentials, "the issuer's answer about the person is no JSON object"};
    }
    if (parsed->root().text_or("sub") != claims.subject) {
        return problem{code::invalid_credentials, "the issuer's answer about the person is about another one"};
    }
    take_person(claims, parsed->root());
    return {};
}

bool proves_second_factor(const id_token_claims& claims, const std::vector<std::string>& mfa_acr) {
    return std::ranges::find(claims.amr, "mfa") != claims.amr.end() ||
           (!claims.acr.empty() && std::ranges::find(mfa_acr, claims.acr) != mfa_acr.end());
}

std::string domain_of(std::string_view email) {
    const auto at = email.rfind('@');
    return at == email.npos ? std::string() : fold_name(email.substr(at + 1));
}

} // namespace troupe::actors
