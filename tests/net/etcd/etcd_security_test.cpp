// The coordinator over a real etcd that wants to know who asks.
#include "tests/net/etcd/etcd_fixture.hpp"
#include "tests/net/etcd/etcd_process.hpp"
#include "tests/net/test_identity.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace troupe;
using namespace troupe::net::test;

namespace {

/// `root` may do all, `troupe` only what is below "/troupe/".
void ask_for_passwords(const etcd_servers& servers) {
    servers.post(0, "/v3/auth/user/add", R"({"name":"root","password":"r"})");
    servers.post(0, "/v3/auth/role/add", R"({"name":"root"})");
    servers.post(0, "/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    servers.post(0, "/v3/auth/user/add", R"({"name":"troupe","password":"p\"1"})");
    servers.post(0, "/v3/auth/role/add", R"({"name":"troupe"})");
    servers.post(
        0, "/v3/auth/role/grant",
        R"({"name":"troupe","perm":{"permType":"READWRITE","key":"L3Ryb3VwZS8=","range_end":"L3Ryb3VwZTA="}})");
    servers.post(0, "/v3/auth/user/grant", R"({"user":"troupe","role":"troupe"})");
    servers.post(0, "/v3/auth/enable", "{}");
}

net::etcd_settings with_password(const etcd_servers& servers, const std::string& password) {
    auto s = settings_for(servers.endpoints());
    s.user = "troupe";
    s.password = password;
    s.ttl_ms = 5'000; // hashing a password takes a while
    return s;
}

/// What is said of an etcd that refuses this node.
std::string refusal(const net::etcd_settings& s) {
    watching_node node(make(s));
    node.heard.wait_for("unreachable", [](const auto& seen) { return seen.is_unreachable(); });
    BOOST_TEST(node.heard.now().maps == 0);
    return node.heard.now().reachable.back().second;
}

bool says(const std::string& text, std::string_view part) {
    BOOST_TEST_MESSAGE(text);
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(etcd_security)

BOOST_AUTO_TEST_CASE(user_with_a_password_is_let_in_also_after_etcd_has_forgotten_its_token) {
    etcd_servers servers;
    ask_for_passwords(servers);
    watching_node node(make(with_password(servers, "p\"1")));
    node.wait_until_ready();
    BOOST_TEST(commit(*node.at, set("x", "1", true)).value().applied);
    servers.kill(0); // tokens are only in its memory
    servers.start(0);
    set_at_last(*node.at, "y", "2");
    node.heard.wait_for("both", [](const auto& s) { return s.at("y") == "2" && s.at("x") == "1"; });
    BOOST_TEST(node.heard.now().maps == 1);
}

BOOST_AUTO_TEST_CASE(wrong_password_no_user_and_foreign_keys_are_refused_with_the_reason) {
    etcd_servers servers;
    ask_for_passwords(servers);
    BOOST_TEST(says(refusal(with_password(servers, "wrong")), "invalid user ID or password"));
    BOOST_TEST(says(refusal(settings_for(servers.endpoints())), "asks for a user"));
    auto elsewhere = with_password(servers, "p\"1");
    elsewhere.prefix = "/other/";
    BOOST_TEST(says(refusal(elsewhere), "permission denied"));
}

BOOST_AUTO_TEST_CASE(user_is_configured_and_etcd_knows_none) {
    etcd_servers servers;
    BOOST_TEST(says(refusal(with_password(servers, "p\"1")), "not enabled"));
}

BOOST_AUTO_TEST_CASE(both_sides_show_their_certificates) {
    const identity server("IP:127.0.0.1");
    const identity client("DNS:node");
    const troupe::test::temporary_directory folder;
    const auto trusted = (folder.path / "trusted.pem").string();
    // The gateway is a client of its own server, with the server's certificate.
    std::ofstream(trusted) << std::ifstream(server.file).rdbuf() << std::ifstream(client.file).rdbuf();
    etcd_servers servers(
        1,
        {"--cert-file", server.file, "--key-file", server.key_file, "--client-cert-auth", "--trusted-ca-file", trusted},
        true);
    auto s = settings_for({servers.endpoint().substr(std::string("https://").size())});
    s.ca_file = server.file;
    s.certificate_file = client.file;
    s.key_file = client.key_file;
    {
        watching_node node(make(s));
        node.wait_until_ready();
        BOOST_TEST(commit(*node.at, set("x", "1")).value().applied);
        node.heard.wait_for("it", [](const auto& seen) { return seen.at("x") == "1"; });
    }
    auto stranger = s;
    stranger.certificate_file = stranger.key_file = "";
    BOOST_TEST(says(refusal(stranger), "127.0.0.1"));
    auto doubter = s;
    doubter.ca_file = client.file;
    BOOST_TEST(says(refusal(doubter), "certificate verify failed"));
    auto plain = s;
    plain.endpoints = {"http://" + s.endpoints[0]};
    BOOST_TEST(says(refusal(plain), "127.0.0.1"));
}

BOOST_AUTO_TEST_SUITE_END()
