#include "tests/net/cluster/links_fixture.hpp"

#include <filesystem>
#include <fstream>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

bool has(const std::string& text, std::string_view part) {
    BOOST_TEST_MESSAGE(text);
    return text.find(part) != std::string::npos;
}

struct with_authority : captured_log {
    authority ca;

    /// Neither gets to the other, and what is wrong with n2 is said at both: by n1 like this, and by n2.
    void stay_apart(const link_tls_files& first, const link_tls_files& second, std::string_view by_first,
                    std::string_view by_second) {
        const captured_log log;
        {
            node a(1, quick(first));
            node b(2, quick(second));
            introduce({&a, &b});
            BOOST_TEST(a.fails(b));
            BOOST_TEST(b.fails(a));
            BOOST_TEST(a.heard_nothing(b));
            BOOST_TEST(has(a.figures(b, lane::journal).why + a.figures(b, lane::bulk).why, by_first));
            // Who fits is served afterwards as before.
            node c(3, quick(ca.sign("n3")));
            introduce({&a, &c});
            BOOST_TEST(connected(a, c));
        }
        BOOST_TEST(has(log.text(), by_second));
        BOOST_TEST(log.count(by_first) <= 6);
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cluster_tcp_links_tls, with_authority)

BOOST_AUTO_TEST_CASE(nodes_of_one_authority_talk_in_both_lanes) {
    node a(1, quick(ca.sign("n1")));
    node b(2, quick(ca.sign("n2")));
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    std::string big(frame_bytes_max, '\0');
    for (std::size_t i = 0; i < big.size(); ++i)
        big[i] = static_cast<char>(i * 7 % 251);
    for (const auto on : {lane::journal, lane::bulk}) {
        BOOST_TEST(a.send(b, on, big));
        BOOST_TEST(b.heard.came(a.id(), on, 1));
        for (int i = 0; i < 500; ++i)
            BOOST_REQUIRE(a.send(b, on, std::string(static_cast<std::size_t>(i), 'x')));
        BOOST_TEST(b.heard.came(a.id(), on, 501));
        BOOST_TEST((b.heard.frames(a.id(), on).front() == big));
        BOOST_TEST(b.heard.frames(a.id(), on).back() == std::string(499, 'x'));
    }
}

BOOST_AUTO_TEST_CASE(a_name_may_stand_as_common_name) {
    node a(1, quick(ca.sign_as({.name = "n1", .as_common = true})));
    node b(2, quick(ca.sign("n2")));
    introduce({&a, &b});
    BOOST_TEST(connected(a, b));
}

BOOST_AUTO_TEST_CASE(certificates_that_say_nothing_good_keep_nodes_apart) {
    const std::string refused = "its certificate is refused: ";
    const std::string hears = "it refuses the certificate of this node: ";
    authority other;
    stay_apart(ca.sign("n1"), other.sign("n2"), refused, hears);
    auto mixed = other.sign("n2"); // trusts us, and is not trusted
    mixed.ca_file = ca.ca_file();
    stay_apart(ca.sign("n1"), mixed, refused, hears);
    stay_apart(ca.sign("n1"), ca.sign_as({.name = "n2", .expired = true}), refused + "certificate has expired", hears);
    stay_apart(ca.sign("n1"), ca.sign_as({.name = "n2", .use = "emailProtection"}),
               refused + "unsuitable certificate purpose", hears);
    const std::string needed = "The certificate of n2 is not made for that name: it needs DNS:n2";
    stay_apart(ca.sign("n1"), ca.sign("n3"), needed, "it refuses this node: " + needed);
    stay_apart(ca.sign("n1"), ca.sign("*"), needed, "it refuses this node: " + needed);
}

BOOST_AUTO_TEST_CASE(a_node_without_tls_and_one_with_it_stay_apart_and_say_so) {
    stay_apart(ca.sign("n1"), {}, "it has no TLS, and this node has", "it wants TLS, and this node has none");
    // The plain one is told in its own way.
    node a(1, quick(ca.sign("n1")));
    raw_peer plain(a.links->port());
    plain.send(hello_of(card_of(2), a));
    BOOST_TEST(has(plain.read_to_end(), "n1 wants TLS: set cluster.tls on both."));
    raw_peer noise(a.links->port());
    noise.send("GET / HTTP/1.1\r\n\r\n");
    BOOST_TEST(noise.read_to_end() == "");
    node b(2, quick());
    raw_peer secure(b.links->port());
    secure.send(std::string("\x16\x03\x01\x02\x00", 5));
    BOOST_TEST(has(secure.read_to_end(), "it wants TLS, and this node has none"));
}

BOOST_AUTO_TEST_CASE(whoever_shows_no_certificate_is_refused) {
    node a(1, quick(ca.sign("n1")));
    raw_peer p(a.links->port());
    const context_ptr context(SSL_CTX_new(TLS_client_method()));
    const ssl_ptr tls(SSL_new(context.get()));
    SSL_set_fd(tls.get(), p.socket());
    SSL_connect(tls.get()); // in TLS 1.3 that may seem to succeed
    const auto hello = hello_of(card_of(2), a);
    SSL_write(tls.get(), hello.data(), static_cast<int>(hello.size()));
    std::array<char, 100> answer{};
    BOOST_TEST(SSL_read(tls.get(), answer.data(), static_cast<int>(answer.size())) <= 0);
    BOOST_TEST(eventually([&] { return a.links->accepted() == 0; }));
}

BOOST_AUTO_TEST_CASE(old_versions_of_tls_are_refused) {
    node a(1, quick(ca.sign("n1")));
    raw_peer p(a.links->port());
    const context_ptr context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
    const ssl_ptr tls(SSL_new(context.get()));
    SSL_set_fd(tls.get(), p.socket());
    BOOST_TEST(SSL_connect(tls.get()) != 1);
}

BOOST_AUTO_TEST_CASE(a_handshake_of_tls_that_stops_is_ended) {
    auto settings = quick(ca.sign("n1"));
    settings.timings.handshake_ms = 50;
    node a(1, settings);
    raw_peer silent(a.links->port());
    raw_peer half(a.links->port());
    half.send(std::string("\x16\x03\x01\x02", 4));
    BOOST_TEST(silent.read_to_end() == "");
    BOOST_TEST(half.read_to_end() == "");
    BOOST_TEST(eventually([&] { return a.links->accepted() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_replaced_is_shown_to_the_next) {
    const auto old = ca.sign_as({.name = "n1", .expired = true});
    node a(1, quick(old));
    node b(2, quick(ca.sign("n2")));
    introduce({&a, &b});
    BOOST_TEST(b.fails(a));
    const auto fresh = ca.sign("n1");
    std::filesystem::rename(fresh.key_file, old.key_file);
    std::filesystem::rename(fresh.certificate_file, old.certificate_file);
    BOOST_TEST(connected(a, b));
}

BOOST_AUTO_TEST_CASE(files_that_are_none_are_named) {
    const auto good = ca.sign("n1");
    const auto other = ca.sign("n1");
    const auto why = [](const std::string& ca_file, const std::string& certificate, const std::string& key) {
        tcp_links_settings s;
        s.tls = {ca_file, certificate, key};
        const auto made = tcp_links::make(s, card_of(1));
        BOOST_REQUIRE(!made.has_value());
        BOOST_TEST((made.error().code == code::config_invalid));
        return made.error().detail;
    };
    BOOST_TEST(has(why("/no/ca.pem", good.certificate_file, good.key_file), "cluster.tls.ca_file: /no/ca.pem"));
    BOOST_TEST(has(why(good.ca_file, "/no/such.pem", good.key_file), "cluster.tls.certificate_file: /no/such.pem"));
    BOOST_TEST(has(why(good.ca_file, good.certificate_file, other.key_file), "does not belong"));
}

BOOST_AUTO_TEST_SUITE_END()
