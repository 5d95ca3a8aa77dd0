#include "runtime/config/config.hpp"
#include "runtime/config/oidc.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <string>

using namespace troupe;
using namespace troupe::runtime;

namespace {

const std::string good =
    R"("name":"acme","issuer":"https://login.example.org","client_id":"troupe","client_secret":"env:X")";

/// Of one provider with these members beside the good ones: the first thing that is wrong, or nothing.
std::string mistake(const std::string& more, const std::string& base = good) {
    const auto parsed = parse_oidc_providers("[{" + base + (more.empty() ? "" : ",") + more + "}]");
    return parsed ? "" : parsed.error().errors.front().pointer + " " + parsed.error().errors.front().message;
}

/// What is wrong with a file, as "LINE message" lines.
std::string errors_of(const std::string& text) {
    const test::temporary_directory folder;
    const auto file = folder.path / "troupe.yaml";
    std::ofstream(file) << text;
    const auto loaded = load_config({.file = file, .environment = {}, .flags = {}});
    std::string all;
    if (!loaded) {
        for (const auto& e : loaded.error().errors) {
            all += e.pointer.substr(e.pointer.rfind(':') + 1) + " " + e.message + "\n";
        }
    }
    return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(oidc_config)

BOOST_AUTO_TEST_CASE(a_provider_has_defaults_and_an_empty_text_is_none) {
    BOOST_TEST(parse_oidc_providers("")->empty());
    BOOST_TEST(parse_oidc_providers(" [] ")->empty());
    const auto parsed = parse_oidc_providers("[{" + good + "}]");
    BOOST_REQUIRE(parsed.has_value());
    const auto& p = parsed->front();
    BOOST_TEST(p.scopes == (std::vector<std::string>{"openid", "email", "profile"}), boost::test_tools::per_element());
    BOOST_TEST(!p.link_by_email);
    BOOST_TEST(!p.organization);
}

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused_with_its_place) {
    BOOST_TEST(mistake("") == "");
    BOOST_TEST(mistake(R"("title":"Acme","organization":"acme","role":"member","domains":["example.org"])") == "");
    BOOST_TEST(mistake(R"("colour":"red")") == "/0/colour unknown field");
    BOOST_TEST(mistake(R"("organization":"acme")").starts_with("/0/organization"));
    BOOST_TEST(mistake(R"("role":"member")").starts_with("/0/role"));
    BOOST_TEST(mistake(R"("scopes":["email"])").starts_with("/0/scopes"));
    BOOST_TEST(mistake(R"("scopes":["openid","a b"])").starts_with("/0/scopes/1"));
    BOOST_TEST(mistake(R"("domains":["Example.org"])").starts_with("/0/domains/0"));
    BOOST_TEST(mistake(R"("domains":["@example.org"])").starts_with("/0/domains/0"));
    BOOST_TEST(mistake(R"("ca_file":"/nowhere/ca.pem")").starts_with("/0/ca_file"));
    BOOST_TEST(mistake("", R"("name":"acme","client_id":"troupe")") == "/0/issuer is required");
    BOOST_TEST(mistake("", R"("name":"a/b","issuer":"https://a.example","client_id":"t")").starts_with("/0/name"));
    const auto twice = parse_oidc_providers("[{" + good + "},{" + good + "}]");
    BOOST_REQUIRE(!twice.has_value());
    BOOST_TEST(twice.error().errors.front().pointer == "/1/name");
    BOOST_TEST(!parse_oidc_providers("{}").has_value());
    BOOST_TEST(!parse_oidc_providers("[]},{").has_value());
    BOOST_TEST(!parse_oidc_providers("nonsense").has_value());
}

BOOST_AUTO_TEST_CASE(a_secret_is_given_by_reference_and_never_repeated) {
    const std::string base = R"("name":"acme","issuer":"https://login.example.org","client_id":"troupe")";
    for (const std::string reference : {"secret:ACME", "env:ACME", "file:/run/acme"}) {
        BOOST_TEST(mistake(R"("client_secret":")" + reference + "\"", base) == "", reference);
    }
    for (const std::string secret : {"hunter22", "secret:", "other:thing", ":hunter22"}) {
        const auto said = mistake(R"("client_secret":")" + secret + "\"", base);
        BOOST_TEST(said.starts_with("/0/client_secret"), said);
        BOOST_TEST(said.find("hunter22") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(issuers_have_tls_unless_they_are_on_this_machine) {
    for (const std::string url : {"https://login.example.org", "https://login.example.org/realms/a",
                                  "http://127.0.0.1:9", "http://127.8.9.1", "http://[::1]:9/a", "http://localhost:9"}) {
        BOOST_TEST(is_issuer_url(url), url);
    }
    for (const std::string url :
         {"http://login.example.org", "login.example.org", "https://", "https://a.example/?q", "https://a.example/#f",
          "https://user@a.example", "http://127.0.0.1@a.example", "http://localhost.example",
          "http://127.0.0.1.example", "ftp://127.0.0.1", "https://a b", "https://a\\b", "https://:443"}) {
        BOOST_TEST(!is_issuer_url(url), url);
    }
}

BOOST_AUTO_TEST_CASE(a_list_in_the_file_is_read_and_its_mistakes_have_their_lines) {
    BOOST_TEST(errors_of("identity:\n  oidc:\n    - name: acme\n      issuer: https://login.example.org\n"
                         "      client_id: '123'\n      link_by_email: true\n      domains: [example.org]\n") == "");
    const auto said = errors_of("identity:\n  oidc:\n    - name: acme\n      issuer: https://login.example.org\n"
                                "      client_id: troupe\n    - name: other\n      issuer: http://login.example.org\n"
                                "      client_id: troupe\n      domains:\n        - example.org\n        - '@'\n");
    BOOST_TEST(said.find("7 identity.oidc/1/issuer: ") != std::string::npos, said);
    BOOST_TEST(said.find("11 identity.oidc/1/domains/1: ") != std::string::npos, said);
    BOOST_TEST(errors_of("identity:\n  oidc:\n    - name: acme\n").starts_with("3 "));
    BOOST_TEST(errors_of("identity:\n  oidc: {name: acme}\n").starts_with("2 "));
    BOOST_TEST(errors_of("listen: [a]\n").starts_with("1 "));
}

BOOST_AUTO_TEST_CASE(what_is_shown_of_a_list_can_be_read_again) {
    const test::temporary_directory folder;
    const auto file = folder.path / "troupe.yaml";
    std::ofstream(file) << "identity:\n  oidc:\n    - {name: acme, issuer: 'https://a.example', client_id: \"true\"}\n";
    const auto loaded = load_config({.file = file, .environment = {}, .flags = {}});
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST(parse_oidc_providers(loaded->values.identity_oidc)->front().client_id == "true");
    std::ofstream(file) << show_config(*loaded);
    const auto again = load_config({.file = file, .environment = {}, .flags = {}});
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST((again->values == loaded->values));
}

BOOST_AUTO_TEST_CASE(an_alias_of_its_own_parent_ends) {
    BOOST_TEST(errors_of("identity:\n  oidc: &a\n    - *a\n") != "");
    BOOST_TEST(errors_of("identity:\n  oidc: [[[[[[1]]]]]]\n") != "");
}

BOOST_AUTO_TEST_SUITE_END()
