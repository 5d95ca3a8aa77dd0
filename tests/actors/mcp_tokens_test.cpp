#include "actors/mcp/mcp_auth_routes.hpp"
#include "actors/mcp/mcp_tokens.hpp"

#include "net/client/oauth_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;

namespace {

const std::string server = "https://mcp.example.com/mcp";
const std::string issuer = "https://login.example.com";
const std::string challenge = R"(Bearer resource_metadata="https://mcp.example.com/meta", scope="read")";

/// A server, its authorization server and the secrets of a node.
struct world {
    timestamp now{1'800'000'000'000};
    std::map<std::string, std::string> secrets;
    std::string issuer_named = issuer;
    std::vector<std::string> asked; ///< URLs and bodies.
    int tokens = 0;
    int registrations = 0;
    bool refuses_refresh = false;
    bool gives_refresh = true;

    expected<net::client_response> answer(const net::client_request& r) {
        asked.push_back(r.url + " " + r.body);
        if (r.url == "https://mcp.example.com/meta" ||
            r.url == "https://mcp.example.com/.well-known/oauth-protected-resource/mcp") {
            return json(R"({"resource":"https://mcp.example.com/mcp","authorization_servers":[")" + issuer_named +
                        R"("],"scopes_supported":["read"]})");
        }
        if (r.url == issuer_named + "/.well-known/oauth-authorization-server") {
            return json(R"({"issuer":")" + issuer_named + R"(","authorization_endpoint":")" + issuer_named +
                        R"(/authorize","token_endpoint":")" + issuer_named + R"(/token","registration_endpoint":")" +
                        issuer_named +
                        R"(/register","code_challenge_methods_supported":["S256"],)"
                        R"("token_endpoint_auth_methods_supported":["none","client_secret_basic"]})");
        }
        if (r.url == issuer_named + "/register") {
            ++registrations;
            return json(R"({"client_id":"client)" + std::to_string(registrations) + R"("})");
        }
        if (r.url == issuer_named + "/token") {
            if (refuses_refresh && r.body.find("grant_type=refresh_token") != std::string::npos) {
                return net::client_response{400, {}, R"({"error":"invalid_grant"})"};
            }
            ++tokens;
            return json(R"({"access_token":"token)" + std::to_string(tokens) +
                        R"(","token_type":"Bearer","expires_in":3600)" +
                        (gives_refresh ? R"(,"refresh_token":"refresh"})" : "}"));
        }
        return net::client_response{404, {}, ""};
    }

    std::unique_ptr<mcp_tokens> open(const std::string& url = server, bool by_credentials = false) {
        net::mcp::oauth_settings settings;
        settings.server_url = url;
        settings.redirect_uri = "http://127.0.0.1:7117/api/v1/mcp/oauth/callback";
        if (by_credentials) {
            settings.client_id = "own";
            settings.client_secret = "own secret";
        }
        mcp_token_parts parts;
        parts.find_secret = [this](std::string_view name) -> expected<std::string> {
            const auto found = secrets.find(std::string(name));
            return found == secrets.end() ? expected<std::string>(problem{code::not_found, "none"}) : found->second;
        };
        parts.keep_secret = [this](std::string_view name, std::string_view value) -> expected<void> {
            secrets[std::string(name)] = value;
            return {};
        };
        parts.fetch = [this](const net::client_request& r) { return answer(r); };
        parts.now = [this] { return now; };
        return std::make_unique<mcp_tokens>("files", settings, parts, by_credentials);
    }

    static net::client_response json(std::string body) { return {200, {}, std::move(body)}; }
};

std::string redirect_of(const std::string& url) {
    const auto fields = net::read_form(url.substr(url.find('?') + 1));
    BOOST_REQUIRE(fields);
    return net::form_of({{"code", "the-code"}, {"state", fields->at("state")}});
}

std::string token_of(mcp_tokens& tokens) {
    const auto header = tokens.authorization();
    BOOST_REQUIRE(header);
    return header->value_or("");
}

/// Challenged without a token, and a person says yes.
void enter(mcp_tokens& tokens) {
    const auto refused = tokens.challenged(401, challenge, std::nullopt);
    BOOST_REQUIRE(!refused);
    BOOST_REQUIRE((refused.error().code == code::unauthenticated));
    BOOST_REQUIRE(tokens.finish(redirect_of(tokens.document().url.value())));
}

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_tokens_suite)

BOOST_AUTO_TEST_CASE(a_person_opens_the_url_and_the_redirect_brings_a_token) {
    world w;
    const auto tokens = w.open();
    BOOST_TEST(token_of(*tokens) == "");
    BOOST_TEST((tokens->document().status == mcp_auth_status::open));
    BOOST_TEST((tokens->challenged(401, challenge, std::nullopt).error().code == code::unauthenticated));
    const auto shown = tokens->document();
    BOOST_TEST((shown.status == mcp_auth_status::needed));
    BOOST_TEST(shown.issuer.value() == issuer);
    int told = 0;
    tokens->on_authorized = [&] { ++told; };
    BOOST_REQUIRE(tokens->finish(redirect_of(shown.url.value())));
    BOOST_TEST(told == 1);
    BOOST_TEST(token_of(*tokens) == "Bearer token1");
    BOOST_TEST((tokens->document().status == mcp_auth_status::authorized));
    BOOST_TEST(to_json(tokens->document()).find("token1") == std::string::npos);
    BOOST_TEST(!tokens->finish(redirect_of(shown.url.value()))); // once
}

BOOST_AUTO_TEST_CASE(the_same_url_waits_while_a_person_takes_time) {
    world w;
    const auto tokens = w.open();
    BOOST_TEST(!tokens->challenged(401, challenge, std::nullopt));
    const auto url = tokens->document().url.value();
    BOOST_TEST(!tokens->challenged(401, challenge, std::nullopt));
    BOOST_TEST(*tokens->begin() == url);
    BOOST_TEST(w.registrations == 1);
    BOOST_TEST(!tokens->finish("code=x&state=forged")); // costs the waiting person nothing
    w.now = w.now + mcp_tokens::wait_ms;
    BOOST_TEST(!tokens->document().url.has_value());
    BOOST_TEST(!tokens->finish(redirect_of(url)));
    BOOST_TEST(*tokens->begin() != url);
}

BOOST_AUTO_TEST_CASE(tokens_outlive_a_restart_for_the_same_address_only) {
    world w;
    enter(*w.open());
    BOOST_TEST(w.secrets.count("mcp.files.oauth") == 1U);
    BOOST_TEST(token_of(*w.open()) == "Bearer token1");
    BOOST_TEST(token_of(*w.open("https://evil.example.com/mcp")) == "");
}

BOOST_AUTO_TEST_CASE(a_token_is_renewed_before_its_end_and_stays_while_that_fails) {
    world w;
    const auto tokens = w.open();
    enter(*tokens);
    w.now = w.now + (3'600'000 - net::mcp::oauth_grant::renew_before_ms);
    w.refuses_refresh = true;
    BOOST_TEST(token_of(*tokens) == "Bearer token1");
    w.refuses_refresh = false;
    BOOST_TEST(token_of(*tokens) == "Bearer token2");
    BOOST_TEST(token_of(*tokens) == "Bearer token2");
    w.refuses_refresh = true;
    w.now = w.now + 3'600'000;
    const auto over = tokens->authorization();
    BOOST_REQUIRE(!over);
    BOOST_TEST((over.error().code == code::invalid_credentials));
}

BOOST_AUTO_TEST_CASE(a_refused_token_is_renewed_once_and_then_a_person_is_asked) {
    world w;
    const auto tokens = w.open();
    enter(*tokens);
    BOOST_TEST(tokens->challenged(401, challenge, "Bearer token1").has_value());
    BOOST_TEST(tokens->challenged(401, challenge, "Bearer token1").has_value()); // another thread's, renewed by now
    BOOST_TEST(w.tokens == 2);
    BOOST_TEST((tokens->challenged(401, challenge, "Bearer token2").error().code == code::unauthenticated));
    BOOST_TEST(w.tokens == 2);
    BOOST_TEST((tokens->document().status == mcp_auth_status::needed));
    BOOST_TEST(token_of(*tokens) == "");
    BOOST_TEST(w.registrations == 1); // the client stays known
}

BOOST_AUTO_TEST_CASE(a_step_up_asks_for_all_scopes_and_only_once) {
    world w;
    const auto tokens = w.open();
    enter(*tokens);
    const std::string more = R"(Bearer error="insufficient_scope", scope="write")";
    BOOST_TEST((tokens->challenged(403, more + R"(, resource_metadata="https://mcp.example.com/meta")", "Bearer token1")
                    .error()
                    .code == code::unauthenticated));
    BOOST_TEST(token_of(*tokens) == "Bearer token1"); // good for the rest meanwhile
    BOOST_TEST(net::mcp::scope_text(tokens->document().scopes) == "read write");
    BOOST_REQUIRE(tokens->finish(redirect_of(tokens->document().url.value())));
    BOOST_TEST((tokens->challenged(403, more + R"(, resource_metadata="https://mcp.example.com/meta")", "Bearer token2")
                    .error()
                    .code == code::forbidden));
    BOOST_TEST((tokens->challenged(403, "Bearer", "Bearer token2").error().code == code::forbidden));
    BOOST_TEST(tokens->begin().has_value()); // what was asked for before is over
}

BOOST_AUTO_TEST_CASE(another_authorization_server_gets_nothing_of_the_first_one) {
    world w;
    const auto tokens = w.open();
    w.gives_refresh = false;
    enter(*tokens);
    w.issuer_named = "https://new.example.com";
    w.asked.clear();
    BOOST_TEST(!tokens->challenged(401, challenge, "Bearer token1"));
    BOOST_REQUIRE(tokens->finish(redirect_of(tokens->document().url.value())));
    BOOST_TEST(w.registrations == 2);
    for (const auto& each : w.asked) {
        BOOST_TEST(each.find("client1") == std::string::npos, each);
    }
}

BOOST_AUTO_TEST_CASE(a_client_with_a_secret_needs_nobody) {
    world w;
    const auto tokens = w.open(server, true);
    BOOST_TEST(tokens->challenged(401, challenge, std::nullopt).has_value());
    BOOST_TEST(token_of(*tokens) == "Bearer token1");
    w.now = w.now + 3'600'000;
    BOOST_TEST(token_of(*tokens) == "Bearer token2");
    BOOST_TEST(tokens->challenged(401, challenge, "Bearer token2").has_value());
    BOOST_TEST((tokens->challenged(401, challenge, "Bearer token3").error().code == code::forbidden));
    BOOST_TEST((tokens->begin().error().code == code::conflict));
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_is_gone) {
    world w;
    const auto tokens = w.open();
    enter(*tokens);
    BOOST_REQUIRE(tokens->forget());
    BOOST_TEST(token_of(*tokens) == "");
    BOOST_TEST(w.secrets["mcp.files.oauth"] == "{}");
    BOOST_TEST(token_of(*w.open()) == "");
    BOOST_TEST((tokens->document().status == mcp_auth_status::open));
}

BOOST_AUTO_TEST_CASE(routes_show_the_url_and_take_the_redirect) {
    world w;
    mcp_token_table table;
    table["files"] = w.open();
    const auto own = make_uuid();
    const auto routes = mcp_auth_routes(table, own);
    BOOST_REQUIRE_EQUAL(routes.size(), 4U);
    const auto ask = [&](std::size_t route, std::map<std::string, std::string> query, const uuid& organization) {
        net::request r;
        r.params = {{"id", "files"}};
        r.query = std::move(query);
        r.who.organization = organization;
        net::response got;
        routes[route].run(r, [&](net::response reply) { got = std::move(reply); });
        return got;
    };
    BOOST_TEST(!table["files"]->challenged(401, challenge, std::nullopt));
    BOOST_TEST(ask(0, {}, make_uuid()).status == 404);
    BOOST_TEST(ask(1, {}, own).body == ask(0, {}, own).body); // the one that waits
    const auto url = table["files"]->document().url.value();
    const auto state = net::read_form(url.substr(url.find('?') + 1))->at("state");
    BOOST_TEST(ask(3, {{"code", "c"}, {"state", "x"}}, {}).status == 400);
    BOOST_TEST(ask(3, {{"code", "c"}, {"state", state}, {"iss", "https://<evil>"}}, {}).status == 400);
    const auto again = table["files"]->begin();
    BOOST_REQUIRE(again);
    const auto fresh = net::read_form(again->substr(again->find('?') + 1))->at("state");
    BOOST_TEST(ask(3, {{"code", "c"}, {"state", fresh}, {"iss", issuer}, {"session_state", "s"}}, {}).status == 200);
    BOOST_TEST(ask(0, {}, own).body.find(R"("status":"authorized")") != std::string::npos);
    BOOST_TEST(ask(2, {}, own).body.find(R"("status":"open")") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
