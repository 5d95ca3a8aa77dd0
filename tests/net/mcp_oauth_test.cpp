#include "net/mcp/oauth.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::mcp;

namespace {

using texts = std::vector<std::string>;

const std::string server = "https://mcp.example.com/tenant/mcp";
const std::string issuer = "https://login.example.com/t1";
const timestamp noon{1'800'000'000'000};

std::string metadata(std::string_view more = {}, std::string_view challenge_methods = R"(["plain","S256"])") {
    return R"({"issuer":")" + issuer + R"(","authorization_endpoint":"https://login.example.com/authorize?a=b",)" +
           R"("token_endpoint":"https://login.example.com/token","code_challenge_methods_supported":)" +
           std::string(challenge_methods) + std::string(more) + "}";
}

authorization_request request() {
    auto described = read_issuer_metadata(metadata(), issuer);
    BOOST_REQUIRE(described);
    return {server,
            "https://mcp.example.com/tenant",
            "http://127.0.0.1:7117/cb",
            "the-state",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            {"read", "write"},
            *described,
            {"client 1", "s:1", client_proof::secret_basic}};
}

oauth_grant grant() {
    const auto a = request();
    return {a.server_url, a.resource, a.redirect_uri, a.issuer, a.client, a.scopes, "old", "r1", noon};
}

code code_of(const authorization_request& a, std::string_view query) {
    const auto read = read_redirect(a, query);
    BOOST_REQUIRE_MESSAGE(!read, std::string(query));
    return read.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_oauth)

BOOST_AUTO_TEST_CASE(the_bearer_challenge_is_found_among_others) {
    const auto c =
        read_challenge(R"(Negotiate abc==, Basic realm="a, scope=\"x\"", bearer  scope="files:read b",)"
                       R"( resource_metadata = "https://x.example/.well-known/y", error=insufficient_scope)");
    BOOST_TEST(c.resource_metadata == "https://x.example/.well-known/y");
    BOOST_TEST(c.scopes == (texts{"files:read", "b"}), boost::test_tools::per_element());
    BOOST_TEST(c.wants_more());
    const auto of_others = read_challenge(R"(DPoP scope="a", error="insufficient_scope")");
    BOOST_TEST(of_others.scopes.empty());
    BOOST_TEST(!of_others.wants_more());
}

BOOST_AUTO_TEST_CASE(a_broken_challenge_is_read_to_its_end) {
    for (const std::string_view text : {"", "Bearer", "Bearer ,,", "\"", "Bearer scope=\"a", "Bearer scope=\"a\\", "=x",
                                        "Bearer =, scope", "Bearer resource_metadata=\"a b\""}) {
        BOOST_TEST(read_challenge(text).resource_metadata.empty());
    }
}

BOOST_AUTO_TEST_CASE(metadata_is_looked_for_in_the_order_of_the_standards) {
    BOOST_TEST(resource_metadata_urls(server, {}) ==
                   (texts{"https://mcp.example.com/.well-known/oauth-protected-resource/tenant/mcp",
                          "https://mcp.example.com/.well-known/oauth-protected-resource"}),
               boost::test_tools::per_element());
    BOOST_TEST(resource_metadata_urls("https://mcp.example.com/", {}).size() == 1U);
    BOOST_TEST(resource_metadata_urls(server, {"https://mcp.example.com/m", {}, {}}) ==
                   (texts{"https://mcp.example.com/m"}),
               boost::test_tools::per_element());
    BOOST_TEST(issuer_metadata_urls(issuer) ==
                   (texts{"https://login.example.com/.well-known/oauth-authorization-server/t1",
                          "https://login.example.com/.well-known/openid-configuration/t1",
                          "https://login.example.com/t1/.well-known/openid-configuration"}),
               boost::test_tools::per_element());
    BOOST_TEST(issuer_metadata_urls("https://login.example.com").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_resource_has_to_cover_the_server) {
    const auto good = [](std::string_view resource) {
        return read_resource_metadata(R"({"resource":")" + std::string(resource) +
                                          R"(","authorization_servers":["https://login.example.com"]})",
                                      server)
            .has_value();
    };
    for (const std::string_view resource :
         {"https://mcp.example.com", "https://mcp.example.com/", "https://MCP.example.com:443/tenant",
          "https://mcp.example.com/tenant/mcp/"}) {
        BOOST_TEST(good(resource), resource);
    }
    for (const std::string_view resource :
         {"", "x", "https://evil.example.com/tenant/mcp", "http://mcp.example.com", "https://mcp.example.com/ten",
          "https://mcp.example.com/tenant/mcp/deeper", "https://mcp.example.com:444", "https://mcp.example.com#a",
          "https://mcp.example.com@evil.example.com/"}) {
        BOOST_TEST(!good(resource), resource);
    }
    BOOST_TEST(!read_resource_metadata(R"({"resource":"https://mcp.example.com"})", server));
    BOOST_TEST(!read_resource_metadata("[]", server));
}

BOOST_AUTO_TEST_CASE(an_issuer_is_what_it_says_to_the_letter) {
    BOOST_TEST(read_issuer_metadata(metadata(), issuer).has_value());
    BOOST_TEST(!read_issuer_metadata(metadata(), issuer + "/"));
    BOOST_TEST(!read_issuer_metadata(metadata({}, R"(["plain"])"), issuer));
    BOOST_TEST(!read_issuer_metadata(metadata({}, "[]"), issuer));
    BOOST_TEST(!read_issuer_metadata(metadata(R"(,"response_types_supported":["token"])"), issuer));
    BOOST_TEST(!read_issuer_metadata(metadata(R"(,"registration_endpoint":"http://login.example.com/r")"), issuer));
    const auto full = read_issuer_metadata(
        metadata(R"(,"registration_endpoint":"http://127.0.0.1:1/r","token_endpoint_auth_methods_supported":)"
                 R"(["private_key_jwt","client_secret_post"],"authorization_response_iss_parameter_supported":true,)"
                 R"("client_id_metadata_document_supported":true,"scopes_supported":["a","offline_access"])"),
        issuer);
    BOOST_REQUIRE(full);
    BOOST_TEST(full->names_itself);
    BOOST_TEST(full->reads_clients);
    BOOST_TEST((full->proofs == std::vector{client_proof::secret_post}));
    BOOST_TEST(!choose_proof(*full, false));
    BOOST_TEST((*choose_proof(*full, true) == client_proof::secret_post));
}

BOOST_AUTO_TEST_CASE(endpoints_need_tls_or_this_machine) {
    for (const std::string_view url :
         {"https://a.example/x?y=z", "http://localhost:80/", "http://127.0.0.1:1", "http://[::1]/"})
        BOOST_TEST(is_good_endpoint(url), url);
    for (const std::string_view url :
         {"", "https://", "http://a.example", "ftp://a.example", "https://a.example/#f", "https://me@a.example/",
          "https://a.example/ x", "javascript:alert(1)", "http://127.0.0.1.example/"})
        BOOST_TEST(!is_good_endpoint(url), url);
}

BOOST_AUTO_TEST_CASE(the_challenge_says_which_scopes_else_the_server) {
    issuer_metadata at;
    BOOST_TEST(scope_text(choose_scopes({{}, {"a"}, {}}, {"b"}, at)) == "a");
    BOOST_TEST(scope_text(choose_scopes({}, {"b", "c"}, at)) == "b c");
    BOOST_TEST(choose_scopes({}, {}, at).empty());
    at.scopes_supported = {"offline_access"};
    BOOST_TEST(scope_text(choose_scopes({}, {"b"}, at)) == "b offline_access");
}

BOOST_AUTO_TEST_CASE(a_step_up_adds_scopes_and_ends_when_none_is_new) {
    const auto more = step_up({"a"}, {{}, {"b", "a"}, "insufficient_scope"});
    BOOST_REQUIRE(more);
    BOOST_TEST(scope_text(*more) == "a b");
    BOOST_TEST(!step_up(*more, {{}, {"b"}, "insufficient_scope"}));
    BOOST_TEST(!step_up(*more, {{}, {}, "insufficient_scope"}));
}

BOOST_AUTO_TEST_CASE(a_person_is_sent_with_pkce_and_resource) {
    BOOST_TEST(authorization_url(request()) ==
               "https://login.example.com/authorize?a=b&response_type=code&client_id=client%201&redirect_uri="
               "http%3A%2F%2F127.0.0.1%3A7117%2Fcb&state=the-state&code_challenge="
               "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&resource="
               "https%3A%2F%2Fmcp.example.com%2Ftenant&scope=read%20write");
}

BOOST_AUTO_TEST_CASE(a_redirect_has_to_be_the_one_that_is_waited_for) {
    auto a = request();
    BOOST_TEST(*read_redirect(a, "code=c-d&state=the-state") == "c-d");
    BOOST_TEST(*read_redirect(a, "code=c&state=the-state&iss=https%3A%2F%2Flogin.example.com%2Ft1") == "c");
    const auto refused = code::invalid_credentials;
    BOOST_TEST((code_of(a, "code=c&state=other") == refused));
    BOOST_TEST((code_of(a, "code=c") == refused));
    BOOST_TEST((code_of(a, "code=c&code=d&state=the-state") == refused));
    BOOST_TEST((code_of(a, "state=the-state") == refused));
    BOOST_TEST((code_of(a, "error=access_denied&state=the-state") == refused));
    BOOST_TEST((code_of(a, "code=c&state=the-state&iss=https%3A%2F%2Fevil.example.com") == refused));
    BOOST_TEST((code_of(a, "code=c&state=the-state&iss=https%3A%2F%2Flogin.example.com%2Ft1%2F") == refused));
    a.issuer.names_itself = true;
    BOOST_TEST((code_of(a, "code=c&state=the-state") == refused));
    a.state.clear();
    BOOST_TEST((code_of(a, "code=c&state=") == refused));
}

BOOST_AUTO_TEST_CASE(a_client_proves_itself_as_was_agreed) {
    auto a = request();
    const auto basic = code_request(a, "c");
    BOOST_TEST(basic.url == "https://login.example.com/token");
    BOOST_TEST(basic.headers.back().second == "Basic Y2xpZW50JTIwMTpzJTNBMQ==");
    BOOST_TEST(basic.body == "grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A7117%2Fcb&"
                             "code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&resource="
                             "https%3A%2F%2Fmcp.example.com%2Ftenant");
    a.client.proof = client_proof::secret_post;
    BOOST_TEST(code_request(a, "c").body.find("&client_id=client%201&client_secret=s%3A1") != std::string::npos);
    a.client.proof = client_proof::none;
    const auto none = code_request(a, "c");
    BOOST_TEST(none.body.find("client_secret") == std::string::npos);
    BOOST_TEST(none.headers.size() == 2U);
    BOOST_TEST(refresh_request(grant()).body ==
               "grant_type=refresh_token&refresh_token=r1&resource=https%3A%2F%2Fmcp.example.com%2Ftenant");
    BOOST_TEST(credentials_request(grant()).body.rfind("grant_type=client_credentials&scope=read%20write", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(tokens_are_taken_with_their_time) {
    auto g = grant();
    BOOST_TEST(!g.is_fresh(noon));
    BOOST_REQUIRE(take_tokens(g, 200, R"({"access_token":"t2","token_type":"bearer","expires_in":3600})", noon));
    BOOST_TEST(g.access_token == "t2");
    BOOST_TEST(g.refresh_token == "r1"); // none came: the old one stays
    BOOST_TEST(g.is_fresh(noon));
    BOOST_TEST(!g.is_fresh(noon + (3'600'000 - oauth_grant::renew_before_ms)));
    BOOST_REQUIRE(take_tokens(g, 200, R"({"access_token":"t3","token_type":"Bearer","refresh_token":"r2"})", noon));
    BOOST_TEST(g.refresh_token == "r2");
    BOOST_TEST(g.is_fresh(noon + 1'000'000'000));

    BOOST_TEST((take_tokens(g, 400, R"({"error":"invalid_grant"})", noon).error().code == code::invalid_credentials));
    const auto other = take_tokens(g, 500, R"({"error":"secret value"})", noon);
    BOOST_TEST(other.error().detail.find("secret") == std::string::npos);
    for (const std::string_view bad :
         {"", "{}", R"({"access_token":"t"})", R"({"access_token":"t","token_type":"mac"})",
          R"({"access_token":"a\r\nb","token_type":"Bearer"})"}) {
        BOOST_TEST(!take_tokens(g, 200, bad, noon), bad);
    }
    BOOST_TEST(g.access_token == "t3");
}

BOOST_AUTO_TEST_CASE(a_grant_is_stored_and_read) {
    const auto g = grant();
    const auto again = from_json<oauth_grant>(to_json(g), strictness::stored);
    BOOST_REQUIRE(again);
    BOOST_TEST(to_json(*again) == to_json(g));
    BOOST_TEST((again->client.proof == client_proof::secret_basic));
}

BOOST_AUTO_TEST_CASE(registrations_are_written_and_read) {
    BOOST_TEST(
        registration_body("Troupe", "http://127.0.0.1:1/cb", client_proof::none, {"a"}) ==
        R"({"client_name":"Troupe","redirect_uris":["http://127.0.0.1:1/cb"],"grant_types":["authorization_code",)"
        R"("refresh_token"],"response_types":["code"],"application_type":"native","token_endpoint_auth_method":)"
        R"("none","scope":"a"})");
    const auto asked = client_proof::secret_basic;
    const auto client = read_registration(R"({"client_id":"c","client_secret":"s"})", asked);
    BOOST_REQUIRE(client);
    BOOST_TEST((client->proof == asked));
    BOOST_TEST((read_registration(R"({"client_id":"c"})", asked)->proof == client_proof::none));
    BOOST_TEST(!read_registration(R"({"client_id":"c","token_endpoint_auth_method":"client_secret_basic"})", asked));
    BOOST_TEST(!read_registration(R"({"client_id":"c","token_endpoint_auth_method":"private_key_jwt"})", asked));
    BOOST_TEST(!read_registration(R"({"client_id":"a\nb"})", asked));
    BOOST_TEST(!read_registration("", asked));
}

BOOST_AUTO_TEST_CASE(a_server_of_the_first_revision_has_endpoints_at_its_root) {
    const auto at = default_endpoints(server);
    BOOST_TEST(at.token_endpoint == "https://mcp.example.com/token");
    BOOST_TEST(at.authorization_endpoint == "https://mcp.example.com/authorize");
    BOOST_TEST(at.registration_endpoint == "https://mcp.example.com/register");
}

BOOST_AUTO_TEST_SUITE_END()
