#include "runtime/process/proxy_server.hpp"
#include "schemas/base/unique_fd.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <thread>

using namespace troupe;

namespace {

sockaddr_in place_of(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

/// A server that answers each connection with one word.
struct word_server {
    unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::uint16_t port = 0;
    std::thread thread;

    word_server() {
        auto place = place_of(0);
        socklen_t size = sizeof place;
        BOOST_REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&place), size) == 0);
        BOOST_REQUIRE(::listen(listener.get(), 8) == 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&place), &size);
        port = ntohs(place.sin_port);
        thread = std::thread([this] {
            while (true) {
                const unique_fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
                if (!client) {
                    return;
                }
                ::send(client.get(), "word", 4, MSG_NOSIGNAL);
            }
        });
    }
    ~word_server() {
        ::shutdown(listener.get(), SHUT_RDWR);
        thread.join();
    }
};

/// What comes back for a request, to the end of the connection.
std::string ask(std::uint16_t proxy, const std::string& request) {
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto place = place_of(proxy);
    BOOST_REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
    ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string out;
    char piece[4096];
    for (ssize_t got = 0; (got = ::recv(fd.get(), piece, sizeof piece, 0)) > 0;) {
        out.append(piece, static_cast<std::size_t>(got));
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_proxy)

BOOST_AUTO_TEST_CASE(the_nodes_proxy_asks_before_a_name_and_for_its_address) {
    const word_server server;
    const auto host = "localhost:" + std::to_string(server.port);
    bool name_allowed = true, address_allowed = true;
    const auto proxy = runtime::proxy_server::start(
        [&](const std::string&, std::uint16_t, const std::optional<ip_bytes>& address) -> std::optional<std::string> {
            const bool fits = address ? address_allowed && is_loopback(*address) : name_allowed;
            return fits ? std::nullopt : std::optional<std::string>(address ? "not this address" : "not this name");
        });
    BOOST_REQUIRE(proxy);
    const auto tunnel = "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    BOOST_TEST(ask((*proxy)->port(), tunnel).ends_with("\r\n\r\nword"));
    BOOST_TEST(ask((*proxy)->port(), "GET http://" + host + "/ HTTP/1.1\r\n\r\n") == "word");
    address_allowed = false;
    BOOST_TEST(ask((*proxy)->port(), tunnel).starts_with("HTTP/1.1 403 not this address"));
    name_allowed = false;
    BOOST_TEST(ask((*proxy)->port(), tunnel).starts_with("HTTP/1.1 403 not this name"));
    BOOST_TEST(ask((*proxy)->port(), "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

BOOST_AUTO_TEST_CASE(its_end_ends_what_is_open) {
    auto proxy = runtime::proxy_server::start([](auto&&...) { return std::optional<std::string>(); });
    BOOST_REQUIRE(proxy);
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto place = place_of((*proxy)->port());
    BOOST_REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
    proxy->reset(); // says nothing for ten seconds otherwise
    char byte = 0;
    BOOST_TEST(::recv(fd.get(), &byte, 1, 0) <= 0);
}

BOOST_AUTO_TEST_CASE(its_end_waits_for_no_answer) {
    const unique_fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); // takes connections, and says nothing
    auto here = place_of(0);
    socklen_t size = sizeof here;
    BOOST_REQUIRE(::bind(silent.get(), reinterpret_cast<sockaddr*>(&here), size) == 0);
    BOOST_REQUIRE(::listen(silent.get(), 1) == 0);
    ::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&here), &size);
    auto proxy = runtime::proxy_server::start([](auto&&...) { return std::optional<std::string>(); });
    BOOST_REQUIRE(proxy);
    const unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto place = place_of((*proxy)->port());
    BOOST_REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
    const auto asked = "GET http://127.0.0.1:" + std::to_string(ntohs(here.sin_port)) + "/ HTTP/1.1\r\n\r\n";
    BOOST_REQUIRE(::send(fd.get(), asked.data(), asked.size(), 0) == static_cast<ssize_t>(asked.size()));
    const unique_fd reached(::accept4(silent.get(), nullptr, nullptr, SOCK_CLOEXEC)); // it is asked now
    proxy->reset();
    char byte = 0;
    BOOST_TEST(::recv(fd.get(), &byte, 1, 0) <= 0);
}

BOOST_AUTO_TEST_SUITE_END()
