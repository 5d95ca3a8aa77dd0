#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace troupe::net::test {

/// One accepted connection of a `loopback_server`.
class peer {
public:
    explicit peer(int socket) : socket_(socket) {}
    /// The request: its head, and as much body as its Content-Length says.
    std::string read_request() const;
    void send(std::string_view bytes) const;
    /// Blocks until the client closes.
    void wait_for_close() const;
    [[nodiscard]] int socket() const { return socket_; }

private:
    int socket_;
};

/// Accepts `connections` clients one after the other on 127.0.0.1, in a thread of its own, and lets `serve` talk to
/// each; the connection is closed when `serve` returns.
class loopback_server {
public:
    explicit loopback_server(std::function<void(peer&)> serve, int connections = 1);
    loopback_server(const loopback_server&) = delete;
    loopback_server& operator=(const loopback_server&) = delete;
    ~loopback_server();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string url(std::string_view path = "/") const;

private:
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

} // namespace troupe::net::test
