#include "actors/identity/id_token.hpp"

#include "schemas/base/cipher.hpp"

#include <boost/test/unit_test.hpp>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;

namespace {

const timestamp noon{1'800'000'000'000};
const std::string issuer = "https://login.example.org";

std::string bytes_of(EVP_PKEY* key, const char* name) {
    BIGNUM* n = nullptr;
    BOOST_REQUIRE(EVP_PKEY_get_bn_param(key, name, &n) == 1);
    std::string out(static_cast<std::size_t>(BN_num_bytes(n)), '\0');
    BN_bn2bin(n, reinterpret_cast<unsigned char*>(out.data()));
    BN_free(n);
    return out;
}

std::string padded(std::string bytes, std::size_t size) { return std::string(size - bytes.size(), '\0') + bytes; }

/// A key pair of an issuer.
struct pair_of_keys {
    std::string id;
    std::string algorithm;
    std::shared_ptr<EVP_PKEY> key;

    pair_of_keys(std::string name, std::string how)
        : id(std::move(name)), algorithm(std::move(how)), key(make(algorithm), &EVP_PKEY_free) {}

    static EVP_PKEY* make(const std::string& how) {
        return how == "ES256"   ? EVP_EC_gen("P-256")
               : how == "ES384" ? EVP_EC_gen("P-384")
               : how == "EdDSA" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
               : how == "weak"  ? EVP_RSA_gen(1024U)
                                : EVP_RSA_gen(2048U);
    }

    [[nodiscard]] std::string jwk(const std::string& more = "") const {
        const auto text = [](const std::string& bytes) { return "\"" + to_base64url(bytes) + "\""; };
        std::string out = R"({"kid":")" + id + "\"" + more;
        if (algorithm.starts_with("ES")) {
            const std::size_t size = algorithm == "ES256" ? 32 : 48;
            out += R"(,"kty":"EC","crv":")" + std::string(size == 32 ? "P-256" : "P-384") + "\"";
            out += ",\"x\":" + text(padded(bytes_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_X), size));
            out += ",\"y\":" + text(padded(bytes_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y), size));
        } else if (algorithm == "EdDSA") {
            std::string raw(32, '\0');
            std::size_t size = raw.size();
            EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
            out += R"(,"kty":"OKP","crv":"Ed25519","x":)" + text(raw);
        } else {
            out += R"(,"kty":"RSA","n":)" + text(bytes_of(key.get(), OSSL_PKEY_PARAM_RSA_N)) +
                   ",\"e\":" + text(bytes_of(key.get(), OSSL_PKEY_PARAM_RSA_E));
        }
        return out + "}";
    }

    [[nodiscard]] std::string signature_of(const std::string& signed_text) const {
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
        EVP_PKEY_CTX* inner = nullptr;
        const auto* digest = algorithm == "EdDSA" ? nullptr : algorithm == "ES384" ? EVP_sha384() : EVP_sha256();
        BOOST_REQUIRE(EVP_DigestSignInit(context.get(), &inner, digest, nullptr, key.get()) == 1);
        if (algorithm == "PS256") {
            EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_DIGEST);
        }
        std::string out(1024, '\0');
        std::size_t size = out.size();
        BOOST_REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                                     reinterpret_cast<const unsigned char*>(signed_text.data()),
                                     signed_text.size()) == 1);
        out.resize(size);
        return algorithm.starts_with("ES") ? raw_of(out, algorithm == "ES256" ? 32 : 48) : out;
    }

    static std::string raw_of(const std::string& der, int half) {
        const auto* at = reinterpret_cast<const unsigned char*>(der.data());
        const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
            d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), &ECDSA_SIG_free);
        std::string out(static_cast<std::size_t>(2 * half), '\0');
        BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), reinterpret_cast<unsigned char*>(out.data()), half);
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), reinterpret_cast<unsigned char*>(out.data()) + half, half);
        return out;
    }

    [[nodiscard]] std::string token(const std::string& claims, const std::string& header = "") const {
        const auto head = header.empty() ? R"({"alg":")" + algorithm + R"(","kid":")" + id + "\"}" : header;
        const auto text = to_base64url(head) + "." + to_base64url(claims);
        return text + "." + to_base64url(signature_of(text));
    }
};

issuer_keys keys_of(const std::vector<std::string>& list) {
    std::string all;
    for (const auto& one : list) {
        all += (all.empty() ? "" : ",") + one;
    }
    auto keys = issuer_keys::parse(R"({"keys":[)" + all + "]}");
    BOOST_REQUIRE(keys.has_value());
    return std::move(*keys);
}

const pair_of_keys& rsa() {
    static const pair_of_keys one("r1", "RS256");
    return one;
}

id_token_terms terms() { return {issuer, "troupe", "n-1", noon + -30'000, noon}; }

/// Claims that are good at noon, with `more` in place of those of the same name.
std::string claims(const std::map<std::string, std::string>& more = {}) {
    std::map<std::string, std::string> all{{"iss", "\"" + issuer + "\""}, {"aud", "\"troupe\""}, {"sub", "\"ada\""},
                                           {"nonce", "\"n-1\""},          {"iat", "1799999990"}, {"exp", "1800000600"}};
    for (const auto& [name, value] : more) {
        all[name] = value;
    }
    std::string out;
    for (const auto& [name, value] : all) {
        if (!value.empty()) {
            out += (out.empty() ? "{\"" : ",\"") + name + "\":" + value;
        }
    }
    return out + "}";
}

expected<id_token_claims> judged(const std::map<std::string, std::string>& more) {
    return verify_id_token(keys_of({rsa().jwk()}), terms(), rsa().token(claims(more)));
}

void refused(const std::map<std::string, std::string>& more, std::string_view why) {
    const auto result = judged(more);
    BOOST_TEST_CONTEXT(why) {
        BOOST_REQUIRE(!result.has_value());
        BOOST_TEST((result.error().code == code::invalid_credentials));
        BOOST_TEST(result.error().detail.find(why) != std::string::npos, result.error().detail);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(id_token)

BOOST_AUTO_TEST_CASE(every_algorithm_that_is_accepted_is_checked) {
    for (const std::string how : {"RS256", "PS256", "ES256", "ES384", "EdDSA"}) {
        BOOST_TEST_CONTEXT(how) {
            const pair_of_keys one("k1", how);
            const pair_of_keys other("k1", how);
            const auto token = one.token(claims({{"email", "\"ada@example.org\""}, {"email_verified", "true"}}));
            const auto good = verify_id_token(keys_of({one.jwk()}), terms(), token);
            BOOST_REQUIRE(good.has_value());
            BOOST_TEST(good->subject == "ada");
            BOOST_TEST(good->email == "ada@example.org");
            BOOST_TEST(good->email_verified);
            BOOST_TEST(!verify_id_token(keys_of({other.jwk()}), terms(), token).has_value());
            auto changed = token;
            changed[token.find('.') + 5] = changed[token.find('.') + 5] == 'A' ? 'B' : 'A';
            BOOST_TEST(!verify_id_token(keys_of({one.jwk()}), terms(), changed).has_value());
            auto cut = token;
            cut.resize(cut.size() - 6);
            BOOST_TEST(!verify_id_token(keys_of({one.jwk()}), terms(), cut).has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(tokens_without_signature_and_with_shared_secrets_are_refused) {
    const auto keys = keys_of({rsa().jwk()});
    for (const std::string how : {"none", "None", "HS256", "HS512", ""}) {
        const auto head = to_base64url(R"({"alg":")" + how + R"(","kid":"r1"})") + "." + to_base64url(claims());
        BOOST_TEST(!verify_id_token(keys, terms(), head + ".").has_value(), how);
        // The trick: the public key as the secret of a MAC.
        const auto mac = hmac_sha256(rsa().jwk(), head);
        const std::string signature(reinterpret_cast<const char*>(mac.data()), mac.size());
        BOOST_TEST(!verify_id_token(keys, terms(), head + "." + to_base64url(signature)).has_value(), how);
        BOOST_TEST(!keys.has_key_of(head + "."), how);
    }
    BOOST_TEST(!verify_id_token(keys, terms(), rsa().token(claims(), R"({"alg":"RS256","kid":"r1","crit":["b64"]})"))
                    .has_value());
    for (const std::string junk : {"", ".", "..", "a.b", "a.b.c.d", "e30.e30.e30"}) {
        BOOST_TEST(!verify_id_token(keys, terms(), junk).has_value(), junk);
    }
}

BOOST_AUTO_TEST_CASE(an_algorithm_that_does_not_belong_to_the_key_is_refused) {
    const auto token = rsa().token(claims());
    BOOST_TEST(verify_id_token(keys_of({rsa().jwk(R"(,"alg":"RS256")")}), terms(), token).has_value());
    BOOST_TEST(!verify_id_token(keys_of({rsa().jwk(R"(,"alg":"PS256")")}), terms(), token).has_value());
    BOOST_TEST(!verify_id_token(keys_of({rsa().jwk(R"(,"use":"enc")")}), terms(), token).has_value());
    BOOST_TEST(!verify_id_token(keys_of({rsa().jwk()}), terms(), rsa().token(claims(), R"({"alg":"ES256","kid":"r1"})"))
                    .has_value());
}

BOOST_AUTO_TEST_CASE(weak_and_broken_keys_are_passed_over) {
    const pair_of_keys weak("w1", "weak");
    BOOST_TEST(keys_of({weak.jwk()}).size() == 0U);
    const auto off_the_curve = R"({"kid":"e","kty":"EC","crv":"P-256","x":")" + to_base64url(std::string(32, '\1')) +
                               R"(","y":")" + to_base64url(std::string(32, '\1')) + "\"}";
    BOOST_TEST(keys_of({off_the_curve, R"({"kty":"oct","k":"c2VjcmV0"})", R"({})", R"("text")", rsa().jwk()}).size() ==
               1U);
    BOOST_TEST(!issuer_keys::parse("{}").has_value());
    BOOST_TEST(!issuer_keys::parse("nonsense").has_value());
}

BOOST_AUTO_TEST_CASE(keys_that_rotate_are_found_by_their_name) {
    const pair_of_keys old("k1", "ES256");
    const pair_of_keys fresh("k2", "ES256");
    const auto token = fresh.token(claims());
    const auto before = keys_of({old.jwk()});
    BOOST_TEST(!before.has_key_of(token)); // that is when they are fetched again
    BOOST_TEST(before.has_key_of(old.token(claims())));
    const auto after = keys_of({old.jwk(), fresh.jwk()});
    BOOST_TEST(after.has_key_of(token));
    BOOST_TEST(verify_id_token(after, terms(), token).has_value());
    // Without a name any key of the type is tried.
    BOOST_TEST(verify_id_token(after, terms(), fresh.token(claims(), R"({"alg":"ES256"})")).has_value());
}

BOOST_AUTO_TEST_CASE(a_token_for_others_is_refused) {
    BOOST_TEST(judged({}).has_value());
    refused({{"iss", "\"https://evil.example.org\""}}, "another issuer");
    refused({{"iss", "\"https://login.example.org/\""}}, "another issuer");
    refused({{"iss", ""}}, "another issuer");
    refused({{"aud", "\"other\""}}, "another client");
    refused({{"aud", ""}}, "another client");
    refused({{"aud", R"(["troupe","other"])"}}, "azp");
    refused({{"aud", R"(["troupe","other"])"}, {"azp", "\"other\""}}, "azp");
    refused({{"azp", "\"other\""}}, "azp");
    BOOST_TEST(judged({{"aud", R"(["other","troupe"])"}, {"azp", "\"troupe\""}}).has_value());
    refused({{"nonce", "\"n-2\""}}, "nonce");
    refused({{"nonce", ""}}, "nonce");
    refused({{"sub", ""}}, "names nobody");
    refused({{"sub", "\"" + std::string(256, 'a') + "\""}}, "names nobody");
}

BOOST_AUTO_TEST_CASE(times_are_compared_with_a_small_skew) {
    refused({{"exp", "1799999940"}}, "expired");
    BOOST_TEST(judged({{"exp", "1799999941"}}).has_value());
    refused({{"exp", ""}}, "expired");
    refused({{"exp", "\"soon\""}}, "expired");
    refused({{"exp", "-1"}}, "expired");
    refused({{"iat", "1800000061"}}, "not made during");
    refused({{"iat", ""}}, "not made during");
    refused({{"iat", "1799999909"}}, "not made during"); // before the login began
    BOOST_TEST(judged({{"iat", "1800000060"}}).has_value());
    BOOST_TEST(judged({{"iat", "1799999910.5"}}).has_value());
    refused({{"nbf", "1800000061"}}, "not good yet");
    BOOST_TEST(judged({{"exp", "1e300"}}).has_value() == false);
}

BOOST_AUTO_TEST_CASE(numbers_that_no_clock_shows_are_no_times) {
    BOOST_TEST(judged({{"exp", "253402300799"}}).has_value()); // the end of the year 9999
    refused({{"exp", "253402300801"}}, "expired");
    refused({{"exp", "9223372036854775"}}, "expired"); // with the skew it would be more than an int64 holds
    refused({{"exp", "9.3e18"}}, "expired");
    refused({{"iat", "9223372036854775"}}, "not made during");
}

BOOST_AUTO_TEST_CASE(somebody_who_logged_in_there_long_ago_is_refused_where_a_fresh_login_was_asked_for) {
    const auto asked = [](const std::string& auth_time) {
        auto fresh = terms(); // the login began at 1799999970
        fresh.max_age_ms = 900'000;
        std::map<std::string, std::string> more{{"auth_time", auth_time}};
        return verify_id_token(keys_of({rsa().jwk()}), fresh, rsa().token(claims(more)));
    };
    for (const std::string good : {"1799999999", "1799999100", "1799999010", "1800000060"}) {
        BOOST_TEST(asked(good).has_value(), good);
    }
    for (const std::string bad : {"", "1799999009", "0", "-1", "\"now\"", "1800000061", "1e300"}) {
        const auto result = asked(bad);
        BOOST_REQUIRE(!result.has_value());
        BOOST_TEST(result.error().detail.find("auth_time") != std::string::npos, result.error().detail);
    }
    BOOST_TEST(judged({{"auth_time", "1"}}).has_value()); // nobody asked
}

BOOST_AUTO_TEST_CASE(an_address_counts_as_verified_only_when_the_issuer_says_so) {
    const auto email = [](const std::string& verified) {
        return judged({{"email", "\"ada@example.org\""}, {"email_verified", verified}})->email_verified;
    };
    BOOST_TEST(email("true"));
    BOOST_TEST(email("\"true\""));
    for (const std::string no : {"", "false", "\"false\"", "1", "null", "\"yes\""}) {
        BOOST_TEST(!email(no), no);
    }
}

BOOST_AUTO_TEST_CASE(what_the_issuer_tells_of_somebody_else_is_not_taken) {
    id_token_claims c;
    c.subject = "ada";
    BOOST_TEST(!add_user_info(c, R"({"sub":"eve","email":"ada@example.org","email_verified":true})").has_value());
    BOOST_TEST(!add_user_info(c, R"({"email":"ada@example.org"})").has_value());
    BOOST_TEST(!add_user_info(c, "[]").has_value());
    BOOST_TEST(c.email.empty());
    BOOST_TEST(
        add_user_info(c, R"({"sub":"ada","email":"ada@example.org","email_verified":true,"name":"Ada"})").has_value());
    BOOST_TEST(c.email_verified);
    // What the token said stays.
    BOOST_TEST(add_user_info(c, R"({"sub":"ada","email":"eve@example.org","email_verified":false})").has_value());
    BOOST_TEST(c.email == "ada@example.org");
    BOOST_TEST(c.email_verified);
}

BOOST_AUTO_TEST_CASE(names_are_bounded_and_have_no_control_characters) {
    const auto name = [](const std::string& text) { return judged({{"name", "\"" + text + "\""}})->name; };
    BOOST_TEST(name("Ada L\\u00f6velace") == "Ada L\xC3\xB6velace");
    BOOST_TEST(name("A\\u0000d\\na\\u001b[31m\\u007f\\u0085!") == "Ada[31m!");
    BOOST_TEST(name(std::string(300, 'a')) == std::string(200, 'a'));
    BOOST_TEST(name(std::string(199, 'a') + "\\u00f6") == std::string(199, 'a'));
    BOOST_TEST(judged({{"preferred_username", "\"a\\nda\""}})->name == "ada");
}

BOOST_AUTO_TEST_CASE(a_second_factor_is_believed_as_amr_and_as_a_named_acr) {
    const auto proves = [](const std::map<std::string, std::string>& more, const std::vector<std::string>& acr = {}) {
        return proves_second_factor(*judged(more), acr);
    };
    BOOST_TEST(!proves({}));
    BOOST_TEST(!proves({{"amr", R"(["pwd","otp"])"}}));
    BOOST_TEST(proves({{"amr", R"(["pwd","mfa"])"}}));
    BOOST_TEST(!proves({{"acr", "\"gold\""}}));
    BOOST_TEST(proves({{"acr", "\"gold\""}}, {"gold"}));
    BOOST_TEST(!proves({}, {""}));
    BOOST_TEST(domain_of("Ada@Example.ORG") == "example.org");
    BOOST_TEST(domain_of("nobody").empty());
}

BOOST_AUTO_TEST_SUITE_END()
