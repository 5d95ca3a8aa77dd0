#include "net/client/http_client.hpp"

#include "tests/net/loopback_server.hpp"
#include "tests/net/test_identity.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>

using namespace troupe;
using namespace troupe::net;
using test::identity;
using test::loopback_server;
using test::peer;
using test::ssl_ptr;

namespace {

/// Shakes hands, reads the request and answers; `says_goodbye`: with a close_notify, as TLS wants it.
std::function<void(peer&)> serve_tls(const identity& who, std::string answer, bool says_goodbye = true) {
    return [&who, answer = std::move(answer), says_goodbye](peer& client) {
        const ssl_ptr tls(SSL_new(who.context.get()));
        SSL_set_fd(tls.get(), client.socket());
        if (SSL_accept(tls.get()) != 1)
            return;
        std::array<char, 4096> request{};
        if (SSL_read(tls.get(), request.data(), static_cast<int>(request.size())) <= 0)
            return;
        SSL_write(tls.get(), answer.data(), static_cast<int>(answer.size()));
        if (says_goodbye)
            SSL_shutdown(tls.get());
    };
}

expected<client_response> get(const loopback_server& server, const std::string& ca_file,
                              std::string_view host = "localhost") {
    client_request request;
    request.url = fmt::format("https://{}:{}/", host, server.port());
    request.ca_file = ca_file;
    return fetch(request);
}

bool refused(const expected<client_response>& reply) {
    if (!reply)
        BOOST_TEST_MESSAGE(reply.error().detail);
    return !reply && reply.error().code == code::connection_failed;
}

const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

} // namespace

BOOST_AUTO_TEST_SUITE(http_client_tls)

BOOST_AUTO_TEST_CASE(trusted_server_of_that_name_is_read) {
    const identity who("DNS:localhost");
    loopback_server server(serve_tls(who, good));
    const auto reply = get(server, who.file);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body == "hello");
}

BOOST_AUTO_TEST_CASE(address_is_checked_like_a_name) {
    const identity who("IP:127.0.0.1");
    loopback_server server(serve_tls(who, good), 2);
    BOOST_TEST(get(server, who.file, "127.0.0.1").has_value());
    BOOST_TEST(refused(get(server, who.file, "localhost")));
}

BOOST_AUTO_TEST_CASE(server_with_another_name_is_refused) {
    const identity who("DNS:example.com");
    loopback_server server(serve_tls(who, good));
    BOOST_TEST(refused(get(server, who.file)));
}

BOOST_AUTO_TEST_CASE(server_that_nobody_vouches_for_is_refused) {
    const identity who("DNS:localhost");
    const identity other("DNS:localhost");
    loopback_server server(serve_tls(who, good), 2);
    BOOST_TEST(refused(get(server, other.file)));
    BOOST_TEST(refused(get(server, ""))); // the system's certificates
}

BOOST_AUTO_TEST_CASE(certificates_that_cannot_be_read_are_named) {
    loopback_server server([](peer& client) { client.wait_for_close(); });
    const auto reply = get(server, "/no/such/file.pem");
    BOOST_TEST(refused(reply));
    BOOST_TEST(reply.error().detail.find("/no/such/file.pem") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(old_versions_of_tls_are_refused) {
    const identity who("DNS:localhost");
    SSL_CTX_set_security_level(who.context.get(), 0);
    SSL_CTX_set_min_proto_version(who.context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(who.context.get(), TLS1_1_VERSION);
    loopback_server server(serve_tls(who, good));
    BOOST_TEST(refused(get(server, who.file)));
}

BOOST_AUTO_TEST_CASE(body_until_close_needs_a_goodbye) {
    const std::string until_close = "HTTP/1.0 200 OK\r\n\r\nhello";
    const identity who("DNS:localhost");
    {
        loopback_server server(serve_tls(who, until_close, true));
        const auto reply = get(server, who.file);
        BOOST_REQUIRE(reply);
        BOOST_TEST(reply->body == "hello");
    }
    loopback_server server(serve_tls(who, until_close, false)); // anyone on the way could have cut it
    BOOST_TEST(refused(get(server, who.file)));
}

BOOST_AUTO_TEST_SUITE_END()
