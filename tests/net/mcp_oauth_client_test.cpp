#include "net/mcp/oauth_client.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::mcp;

namespace {

const std::string server = "https://mcp.example.com/mcp";
const std::string root = "https://mcp.example.com";

/// Answers by URL; everything else is 404.
struct web {
    std::map<std::string, client_response> pages;
    std::vector<std::string> asked;

    oauth_fetch fetch() {
        return [this](const client_request& r) -> expected<client_response> {
            asked.push_back(r.url);
            const auto found = pages.find(r.url);
            return found == pages.end() ? client_response{404, {}, ""} : found->second;
        };
    }
};

oauth_settings settings() {
    oauth_settings out;
    out.server_url = server;
    out.redirect_uri = "http://127.0.0.1:7117/cb";
    return out;
}

code reaching(const std::string& from, const std::string& url) {
    client_request r;
    r.url = url;
    const auto reply = guarded_fetch(from, {})(r);
    BOOST_REQUIRE(!reply);
    return reply.error().code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_oauth_client)

BOOST_AUTO_TEST_CASE(a_server_leads_nobody_into_the_own_network) {
    for (const auto* url :
         {"http://127.0.0.1:1/", "https://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]:1/"})
        BOOST_TEST((reaching(server, url) == code::forbidden), url);
    BOOST_TEST((reaching("http://127.0.0.1:1/mcp", "http://127.0.0.1:1/") == code::connection_failed));
    BOOST_TEST((reaching("http://127.0.0.1:1/mcp", "http://10.0.0.1/") == code::forbidden));
}

BOOST_AUTO_TEST_CASE(a_server_without_metadata_is_its_own_authorization_server) {
    web w;
    w.pages[root + "/register"] = {201, {}, R"({"client_id":"c"})"};
    const auto begun = begin_authorization(settings(), {}, nullptr, w.fetch());
    BOOST_REQUIRE(begun);
    BOOST_TEST(begun->issuer.token_endpoint == root + "/token");
    BOOST_TEST(begun->resource == server);
    const std::vector<std::string> order{root + "/.well-known/oauth-protected-resource/mcp",
                                         root + "/.well-known/oauth-protected-resource",
                                         root + "/.well-known/oauth-authorization-server",
                                         root + "/.well-known/openid-configuration", root + "/register"};
    BOOST_TEST(w.asked == order, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_place_that_fails_is_no_place_without_metadata) {
    web w;
    w.pages[root + "/.well-known/oauth-protected-resource/mcp"] = {503, {}, ""};
    BOOST_TEST((begin_authorization(settings(), {}, nullptr, w.fetch()).error().code == code::unavailable));
    BOOST_TEST(w.asked.size() == 1U);
}

BOOST_AUTO_TEST_CASE(metadata_is_not_asked_for_without_tls) {
    web w;
    const auth_challenge challenge{"http://mcp.example.com/meta", {}, {}};
    BOOST_TEST((begin_authorization(settings(), challenge, nullptr, w.fetch()).error().code == code::unavailable));
    auto plain = settings();
    plain.server_url = "http://mcp.example.com/mcp";
    BOOST_TEST((begin_authorization(plain, {}, nullptr, w.fetch()).error().code == code::invalid_request));
    BOOST_TEST(w.asked.empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_was_registered_beforehand_is_for_one_issuer) {
    web w;
    const auto open_at = [&](const std::string& issuer) {
        w.pages[root + "/.well-known/oauth-protected-resource/mcp"] = {
            200, {}, R"({"resource":")" + server + R"(","authorization_servers":[")" + issuer + R"("]})"};
        w.pages[issuer + "/.well-known/oauth-authorization-server"] = {
            200,
            {},
            R"({"issuer":")" + issuer + R"(","authorization_endpoint":")" + issuer + R"(/a","token_endpoint":")" +
                issuer + R"(/t","code_challenge_methods_supported":["S256"]})"};
    };
    auto own = settings();
    open_at("https://one.example.com");
    BOOST_TEST(!begin_authorization(own, {}, nullptr, w.fetch())); // nobody can register there
    own.client_id = "own";
    own.client_secret = "secret";
    const auto begun = begin_authorization(own, {}, nullptr, w.fetch());
    BOOST_REQUIRE(begun);
    BOOST_TEST((begun->client.proof == client_proof::secret_basic));
    oauth_grant known;
    known.issuer = begun->issuer;
    known.client = begun->client;
    BOOST_TEST(begin_authorization(own, {}, &known, w.fetch()).has_value());
    open_at("https://two.example.com");
    BOOST_TEST((begin_authorization(own, {}, &known, w.fetch()).error().code == code::unavailable));
}

BOOST_AUTO_TEST_SUITE_END()
