// The edge over TLS: everything that works over a plain socket, certificates that change, and who comes without TLS.
#include "net/client/http_client.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/net/server_fixture.hpp"
#include "tests/net/test_identity.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

const std::string with_key = "Authorization: Bearer good\r\n";

/// A raw TLS client that trusts everybody. Waits end after ten seconds.
class tls_client {
public:
    explicit tls_client(std::uint16_t port, const std::string& protocols = "", int version_max = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), context_(SSL_CTX_new(TLS_client_method())) {
        std::signal(SIGPIPE, SIG_IGN); // a server may close before it has read all
        const timeval patience{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("cannot connect");
        if (version_max != 0) {
            SSL_CTX_set_security_level(context_.get(), 0);
            SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
            SSL_CTX_set_max_proto_version(context_.get(), version_max);
        }
        tls_.reset(SSL_new(context_.get()));
        if (!protocols.empty())
            SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                                static_cast<unsigned>(protocols.size()));
        SSL_set_fd(tls_.get(), fd_);
        connected_ = SSL_connect(tls_.get()) == 1;
    }
    ~tls_client() { ::close(fd_); }
    tls_client(const tls_client&) = delete;
    tls_client& operator=(const tls_client&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] SSL* get() const { return tls_.get(); }
    [[nodiscard]] std::string protocol() const {
        const unsigned char* chosen = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(tls_.get(), &chosen, &size);
        return {reinterpret_cast<const char*>(chosen), size};
    }
    /// The serial is the same for all: the public key tells certificates apart.
    [[nodiscard]] bool sees(const identity& who) const {
        return EVP_PKEY_eq(X509_get0_pubkey(SSL_get0_peer_certificate(tls_.get())),
                           X509_get0_pubkey(SSL_CTX_get0_certificate(who.context.get()))) == 1;
    }

    /// False: the server has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (sent <= 0)
                return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    std::string read_until(std::string_view text) {
        while (buffer_.find(text) == std::string::npos)
            if (!fill())
                throw std::runtime_error("the server closed; so far: " + buffer_.substr(0, 500));
        const auto end = buffer_.find(text) + text.size();
        std::string out = buffer_.substr(0, end);
        buffer_.erase(0, end);
        return out;
    }
    std::string read_bytes(std::size_t count) {
        while (buffer_.size() < count)
            if (!fill())
                throw std::runtime_error("the server closed");
        std::string out = buffer_.substr(0, count);
        buffer_.erase(0, count);
        return out;
    }
    /// Status and body of the next answer.
    std::pair<int, std::string> read_reply() {
        head = read_until("\r\n\r\n");
        const auto at = head.find("Content-Length: ");
        return {std::stoi(head.substr(9, 3)),
                at == std::string::npos ? "" : read_bytes(std::stoul(head.substr(at + 16)))};
    }
    /// Whether the server ended it as TLS wants.
    bool ends_well() {
        while (fill()) {
        }
        return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
    std::string head;

private:
    bool fill() {
        std::array<char, 16384> piece{};
        const auto got = SSL_read(tls_.get(), piece.data(), static_cast<int>(piece.size()));
        if (got <= 0)
            return false;
        buffer_.append(piece.data(), static_cast<std::size_t>(got));
        return true;
    }

    int fd_;
    context_ptr context_;
    ssl_ptr tls_;
    bool connected_ = false;
    std::string buffer_;
};

server_settings secured_by(const identity& who, const std::function<void(server_settings&)>& change = {}) {
    server_settings out;
    out.tls.certificate_file = who.file;
    out.tls.key_file = who.key_file;
    if (change)
        change(out);
    return out;
}

struct secure_fixture {
    identity who{"DNS:localhost"};
    server_fixture f{secured_by(who)};
};

void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(edge_tls, secure_fixture)

BOOST_AUTO_TEST_CASE(a_connection_serves_pipelined_requests) {
    tls_client client(f.port());
    BOOST_REQUIRE(client.connected());
    BOOST_TEST(client.sees(who));
    std::string all;
    for (int i = 0; i < 50; ++i)
        all += raw_client::request("POST", "/api/echo", R"({"text":")" + std::to_string(i) + "\"}", with_key);
    client.send(all);
    for (int i = 0; i < 50; ++i)
        BOOST_TEST(client.read_reply().second == R"({"text":")" + std::to_string(i) + "\"}");
    BOOST_TEST(client.head.find("Strict-Transport-Security: max-age=31536000\r\n") != std::string::npos);
    client.send(raw_client::request("GET", "/api/client", {}, "Connection: close\r\n"));
    BOOST_TEST(client.read_reply().second == "127.0.0.1|||secure");
    BOOST_TEST(client.ends_well());
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte) {
    tls_client client(f.port());
    for (const char c : raw_client::request("POST", "/api/echo", R"({"text":"slow"})", with_key))
        client.send({&c, 1});
    BOOST_TEST(client.read_reply().second == R"({"text":"slow"})");
}

BOOST_AUTO_TEST_CASE(large_bodies_go_both_ways) {
    std::string body(1 << 20, '\0');
    for (std::size_t i = 0; i < body.size(); ++i)
        body[i] = static_cast<char>(i * 7 % 251);
    tls_client client(f.port());
    for (int i = 0; i < 3; ++i) {
        client.send(raw_client::request("PUT", "/api/files/a", body, with_key));
        const auto [status, echoed] = client.read_reply();
        BOOST_TEST(status == 200);
        BOOST_TEST((echoed == body));
    }
}

BOOST_AUTO_TEST_CASE(event_streams_work) {
    tls_client client(f.port());
    client.send(raw_client::request("GET", "/api/v1/live/1", {}, with_key + "Accept: text/event-stream\r\n"));
    client.read_until(": connected\n\n");
    for (int i = 0; i < 200; ++i)
        f.bus.publish("runs/1", "\"" + std::string(2000, 'x') + "\"");
    for (int i = 0; i < 200; ++i)
        BOOST_TEST(client.read_until("\n\n").find("xxx") != std::string::npos);
    f.edge->stop(5'000);
    BOOST_TEST(client.read_until("\n\n").find("event: closed") != std::string::npos);
    BOOST_TEST(client.ends_well());
}

BOOST_AUTO_TEST_CASE(websockets_work) {
    tls_client client(f.port());
    client.send(raw_client::request("GET", "/api/v1/ws", {},
                                    with_key + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                                               "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    BOOST_TEST(client.read_reply().first == 101);
    const std::string ping = R"({"op":"ping","ref":"1"})";
    client.send(std::string("\x81") + static_cast<char>(0x80 | ping.size()) + std::string(4, '\0') + ping);
    BOOST_TEST(client.read_until("}").find(R"({"op":"pong","ref":"1")") != std::string::npos);
    client.send(std::string("\x88\x82\0\0\0\0\x03\xe8", 8)); // close, 1000
    BOOST_TEST(client.read_bytes(4) == "\x88\x02\x03\xe8");
    BOOST_TEST(client.ends_well());
}

BOOST_AUTO_TEST_CASE(the_client_of_the_house_reads_it) {
    client_request request;
    request.url = "https://localhost:" + std::to_string(f.port()) + "/api/hello?name=a";
    request.ca_file = who.file;
    BOOST_TEST(f.edge->url().starts_with("https://127.0.0.1:"));
    const auto reply = fetch(request);
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->body == R"({"hello":"a"})");
}

BOOST_AUTO_TEST_CASE(a_client_may_expect_one_certificate_whatever_its_name) {
    const identity other("DNS:localhost");
    client_request request;
    request.url = "https://127.0.0.1:" + std::to_string(f.port()) + "/api/hello";
    request.certificate_file = who.file;
    const auto reply = fetch(request);
    BOOST_TEST(reply.has_value(), (reply ? std::string() : reply.error().detail));
    request.certificate_file = other.file;
    BOOST_TEST((fetch(request).error().code == code::connection_failed));
    request.certificate_file = "/no/such/file.pem";
    BOOST_TEST(fetch(request).error().detail.find("/no/such/file.pem") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(versions_of_old_and_protocols_of_others_are_refused) {
    BOOST_TEST(!tls_client(f.port(), "", TLS1_1_VERSION).connected());
    tls_client two(f.port(), "", TLS1_2_VERSION);
    BOOST_TEST(two.connected());
    BOOST_TEST(std::string(SSL_get_cipher_name(two.get())).starts_with("ECDHE-"));
    BOOST_TEST(tls_client(f.port(), "\x08http/1.1").protocol() == "http/1.1");
    BOOST_TEST(tls_client(f.port(), "\x02h2\x08http/1.1").protocol() == "http/1.1");
    BOOST_TEST(!tls_client(f.port(), "\x02h2").connected());
}

BOOST_AUTO_TEST_CASE(plain_http_is_told_to_use_https) {
    raw_client client(f.port());
    client.send(raw_client::request("GET", "/api/hello"));
    const auto r = client.read_reply();
    BOOST_TEST(r.status == 400);
    BOOST_TEST(r.code() == "malformed_http");
    BOOST_TEST(r.body.find("speaks https") != std::string::npos);
    BOOST_TEST(r.header("connection") == "close");
    raw_client noise(f.port());
    noise.send("hello world\r\n\r\n");
    BOOST_TEST(noise.read_reply().status == 400);
}

BOOST_AUTO_TEST_CASE(broken_handshakes_end) {
    raw_client client(f.port());
    client.send(std::string("\x16\x03\x01\x00\x05hello", 10));
    client.read_to_end();
    raw_client gone(f.port()); // nothing at all
    gone.end_sending();
    BOOST_TEST(gone.read_to_end() == "");
    BOOST_TEST(tls_client(f.port()).connected());
}

BOOST_AUTO_TEST_CASE(a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on) {
    const identity next("DNS:localhost");
    tls_client old(f.port());
    copy(next.file, who.file);
    copy(next.key_file, who.key_file);
    BOOST_TEST(f.edge->reload_certificate().has_value());
    BOOST_TEST(tls_client(f.port()).sees(next));
    old.send(raw_client::request("GET", "/api/hello"));
    BOOST_TEST(old.read_reply().first == 200);
}

BOOST_AUTO_TEST_CASE(a_bad_new_certificate_changes_nothing) {
    const identity next("DNS:localhost");
    copy(next.file, who.file); // the key is still that of the first
    const auto foreign = f.edge->reload_certificate();
    BOOST_REQUIRE(!foreign.has_value());
    BOOST_TEST(foreign.error().detail.find(who.key_file) != std::string::npos);
    BOOST_TEST(tls_client(f.port()).sees(who));
    std::ofstream(who.file) << "no certificate";
    BOOST_TEST(f.edge->reload_certificate().error().detail.find(who.file) != std::string::npos);
    std::filesystem::remove(who.file);
    BOOST_TEST(!f.edge->reload_certificate().has_value());
    BOOST_TEST(tls_client(f.port()).sees(who));
}

BOOST_AUTO_TEST_CASE(files_that_change_are_noticed_when_somebody_connects) {
    const identity next("DNS:localhost");
    copy(next.key_file, who.key_file);
    copy(next.file, who.file);
    bool seen = false;
    for (const auto end = std::time(nullptr) + 10; !seen && std::time(nullptr) < end;)
        seen = tls_client(f.port()).sees(next);
    BOOST_TEST(seen);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(edge_tls_limits)

BOOST_AUTO_TEST_CASE(files_that_are_no_identity_are_named_at_the_start) {
    const identity who("DNS:localhost");
    const identity other("DNS:localhost");
    BOOST_REQUIRE(set_log_levels("off").has_value());
    const auto why = [](const std::string& certificate, const std::string& key) {
        server_settings s;
        s.listen = "127.0.0.1:0";
        s.tls.certificate_file = certificate;
        s.tls.key_file = key;
        const auto started = server::start(s, {});
        BOOST_REQUIRE(!started.has_value());
        BOOST_TEST((started.error().code == code::config_invalid));
        return started.error().detail;
    };
    BOOST_TEST(why("/no/such.pem", who.key_file).find("/no/such.pem") != std::string::npos);
    BOOST_TEST(why(who.file, "/no/such.key").find("/no/such.key") != std::string::npos);
    BOOST_TEST(why(who.file, other.key_file).find("does not belong") != std::string::npos);
    BOOST_TEST(why(who.file, who.file).find(who.file) != std::string::npos);
    BOOST_TEST(why(who.file, "").find("belong together") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_does_not_come_is_ended) {
    const identity who("DNS:localhost");
    server_fixture f(secured_by(who, [](auto& s) { s.header_time_out_ms = 50; }));
    raw_client silent(f.port());
    BOOST_TEST(silent.read_to_end() == "");
    raw_client half(f.port());
    half.send(std::string("\x16\x03\x01\x02", 4));
    BOOST_TEST(half.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(a_drain_does_not_wait_for_handshakes) {
    const identity who("DNS:localhost");
    server_fixture f(secured_by(who));
    raw_client silent(f.port());
    tls_client served(f.port()); // the other has been accepted before
    BOOST_TEST(f.edge->connections() == 2U);
    f.edge->stop(60'000);
    BOOST_TEST(silent.read_to_end() == "");
}

BOOST_AUTO_TEST_CASE(connections_over_the_limit_get_their_answer_over_tls) {
    const identity who("DNS:localhost");
    server_fixture f(secured_by(who, [](auto& s) { s.connections_max = 1; }));
    tls_client first(f.port());
    tls_client second(f.port());
    BOOST_TEST(second.read_reply().first == 503);
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_cut) {
    const identity who("DNS:localhost");
    server_fixture f(secured_by(who, [](auto& s) { s.write_time_out_ms = 50; }));
    tls_client client(f.port());
    const auto ask = raw_client::request("PUT", "/api/files/a", std::string(1 << 20, 'x'), with_key);
    int sent = 0; // more than all buffers between the two hold; nothing of the answers is read
    while (sent < 100 && client.send(ask))
        ++sent;
    BOOST_TEST(sent < 100);
}

BOOST_AUTO_TEST_CASE(the_other_listener_sends_to_https) {
    const identity who("DNS:localhost");
    server_fixture f(secured_by(who, [](auto& s) { s.tls.redirect_listen = "127.0.0.1:0"; }));
    const auto ask = [&](const std::string& bytes) {
        raw_client client(f.edge->redirect_port());
        client.send(bytes);
        return client.read_reply();
    };
    const auto port = std::to_string(f.port());
    const auto r = ask("POST /api/v1/tasks?a=b HTTP/1.1\r\nHost: node.example:80\r\nContent-Length: 2\r\n\r\n{}");
    BOOST_TEST(r.status == 308);
    BOOST_TEST(r.header("location") == "https://node.example:" + port + "/api/v1/tasks?a=b");
    BOOST_TEST(r.header("strict-transport-security") == "");
    BOOST_TEST(ask("GET /x HTTP/1.1\r\nHost: [::1]\r\n\r\n").header("location") == "https://[::1]:" + port + "/x");
    BOOST_TEST(ask("GET http://a/x HTTP/1.0\r\n\r\n").header("location") == "https://a:" + port + "/x");
    BOOST_TEST(ask("GET /x HTTP/1.0\r\n\r\n").status == 400);
    BOOST_TEST(ask("GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status == 400);
    server_settings alone;
    alone.tls.redirect_listen = "127.0.0.1:0";
    BOOST_TEST((server::start(alone, {}).error().code == code::config_invalid));
}

BOOST_AUTO_TEST_SUITE_END()
