#include "actors/identity/oidc_issuer.hpp"
#include "actors/identity/oidc_state.hpp"

#include "net/client/oauth_wire.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const timestamp noon{1'800'000'000'000};
const std::string key(32, 'k');
const std::string issuer = "https://login.example.org";

oidc_attempt attempt() {
    return {id_of(1), "acme", noon, "https://here.example/cb", hash_of_binding("b"), {}, "/docs", "acme", {}};
}

/// A good description of the issuer, with `more` in place of members of the same name.
std::string description(const std::map<std::string, std::string>& more = {}) {
    std::map<std::string, std::string> all{
        {"issuer", "\"" + issuer + "\""},
        {"authorization_endpoint", "\"https://login.example.org/auth\""},
        {"token_endpoint", "\"https://login.example.org/token\""},
        {"jwks_uri", "\"https://keys.example.org/jwks\""},
    };
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

} // namespace

BOOST_AUTO_TEST_SUITE(oidc_state)

BOOST_AUTO_TEST_CASE(an_attempt_comes_back_as_it_went_and_for_ten_minutes) {
    const auto sealed = seal_attempt(key, attempt());
    const auto opened = open_attempt(key, sealed, noon + (oidc_attempt_ms - 1));
    BOOST_REQUIRE(opened.has_value());
    BOOST_TEST(to_json(*opened) == to_json(attempt()));
    BOOST_TEST(!open_attempt(key, sealed, noon + oidc_attempt_ms));
    BOOST_TEST(seal_attempt(key, attempt()) != sealed);
}

BOOST_AUTO_TEST_CASE(what_was_changed_or_made_by_others_opens_nothing) {
    const auto sealed = seal_attempt(key, attempt());
    for (std::size_t i = 0; i < sealed.size(); i += 7) {
        auto changed = sealed;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        BOOST_TEST(!open_attempt(key, changed, noon), i);
    }
    BOOST_TEST(!open_attempt(std::string(32, 'x'), sealed, noon));
    BOOST_TEST(!open_attempt(key, "", noon));
    BOOST_TEST(!open_attempt(key, std::string(5000, 'A'), noon));
    // A ticket is no attempt, and the other way round.
    const oidc_ticket ticket{id_of(1), "acme", noon, 1, {}, true};
    BOOST_TEST(!open_attempt(key, seal_ticket(key, ticket), noon));
    BOOST_TEST(!open_ticket(key, sealed, noon));
    BOOST_TEST(open_ticket(key, seal_ticket(key, ticket), noon + (oidc_ticket_ms - 1)).has_value());
    BOOST_TEST(!open_ticket(key, seal_ticket(key, ticket), noon + oidc_ticket_ms));
}

BOOST_AUTO_TEST_CASE(nonce_and_verifier_belong_to_one_attempt) {
    auto other = attempt();
    other.id = id_of(2);
    BOOST_TEST(nonce_of(key, attempt()) == nonce_of(key, attempt()));
    BOOST_TEST(nonce_of(key, attempt()) != nonce_of(key, other));
    BOOST_TEST(nonce_of(key, attempt()) != verifier_of(key, attempt()));
    BOOST_TEST(verifier_of(key, attempt()).size() == 43U);
    const auto check = check_of(key, attempt());
    BOOST_TEST((check.size() == 9U && check[4] == '-'), check);
    BOOST_TEST(check == check_of(key, attempt()));
    BOOST_TEST(check != check_of(key, other));
    // RFC 7636, appendix B.
    BOOST_TEST(net::pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") ==
               "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    BOOST_TEST(is_bound(attempt(), "b"));
    BOOST_TEST(!is_bound(attempt(), "c"));
    BOOST_TEST(!is_bound(attempt(), ""));
}

BOOST_AUTO_TEST_CASE(browsers_are_sent_to_paths_of_this_node_only) {
    for (const std::string path : {"/", "/docs", "/docs?a=1#b"}) {
        BOOST_TEST(is_own_path(path), path);
    }
    for (const std::string path : {"", "docs", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb",
                                   "/a b", "\\/evil.example"}) {
        BOOST_TEST(!is_own_path(path), path);
    }
    BOOST_TEST(!is_own_path("/" + std::string(2000, 'a')));
    for (const std::string url : {"http://127.0.0.1:1", "http://127.0.0.1:65535/", "http://[::1]:80/"}) {
        BOOST_TEST(is_loopback_redirect(url), url);
    }
    for (const std::string url :
         {"http://127.0.0.1", "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:80@evil/",
          "http://127.0.0.1:80.evil/", "http://localhost:80/", "https://127.0.0.1:80/", "http://127.0.0.1:80/?a",
          "http://127.0.0.1:80/#a", "http://127.0.0.1:80//a", "http://127.0.0.1:80/a", "http://127.0.0.1:80//",
          "http://127.0.0.1:/", "http://127.0.0.2:80/"}) {
        BOOST_TEST(!is_loopback_redirect(url), url);
    }
}

BOOST_AUTO_TEST_CASE(a_description_has_to_be_the_issuers_own) {
    const auto read = read_description(description(), issuer);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->token_endpoint == "https://login.example.org/token");
    BOOST_TEST(!read->names_itself);
    BOOST_TEST(!read->secret_in_body);
    BOOST_TEST(!read_description(description(), issuer + "/").has_value());
    BOOST_TEST(!read_description(description({{"issuer", "\"https://evil.example\""}}), issuer).has_value());
    BOOST_TEST(!read_description(description({{"issuer", ""}}), issuer).has_value());
    BOOST_TEST(!read_description("[]", issuer).has_value());
    BOOST_TEST(!read_description("nonsense", issuer).has_value());
}

BOOST_AUTO_TEST_CASE(endpoints_without_tls_are_refused_unless_the_issuer_is_on_this_machine) {
    for (const std::string name : {"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"}) {
        BOOST_TEST(!read_description(description({{name, "\"http://login.example.org/x\""}}), issuer).has_value(),
                   name);
        BOOST_TEST(!read_description(description({{name, "\"http://127.0.0.1/x\""}}), issuer).has_value(), name);
        BOOST_TEST(!read_description(description({{name, "\"file:///etc/passwd\""}}), issuer).has_value(), name);
    }
    BOOST_TEST(!read_description(description({{"token_endpoint", ""}}), issuer).has_value());
    const std::string here = "http://127.0.0.1:9";
    BOOST_TEST(
        read_description(description({{"issuer", "\"" + here + "\""}, {"jwks_uri", "\"" + here + "/jwks\""}}), here)
            .has_value());
}

BOOST_AUTO_TEST_CASE(what_an_issuer_does_not_offer_is_not_tried) {
    BOOST_TEST(
        !read_description(description({{"code_challenge_methods_supported", R"(["plain"])"}}), issuer).has_value());
    BOOST_TEST(!read_description(description({{"response_types_supported", R"(["id_token"])"}}), issuer).has_value());
    const auto post =
        read_description(description({{"token_endpoint_auth_methods_supported", R"(["client_secret_post"])"},
                                      {"authorization_response_iss_parameter_supported", "true"}}),
                         issuer);
    BOOST_REQUIRE(post.has_value());
    BOOST_TEST(post->secret_in_body);
    BOOST_TEST(post->names_itself);
}

BOOST_AUTO_TEST_CASE(forms_are_encoded) {
    BOOST_TEST(net::form_of({{"a", "1 2&3"}, {"b", "ü=%"}}) == "a=1%202%263&b=%C3%BC%3D%25");
}

BOOST_AUTO_TEST_SUITE_END()
