#include "tests/net/loopback_server.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace troupe::net::test {

std::string peer::read_request() const {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
        const auto end = text.find("\r\n\r\n");
        if (end != std::string::npos) {
            const auto length = text.find("Content-Length: ");
            const std::size_t body = length < end ? std::strtoul(text.c_str() + length + 16, nullptr, 10) : 0;
            if (text.size() >= end + 4 + body)
                return text;
        }
        const auto count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (count <= 0)
            return text;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

void peer::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const auto count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void peer::wait_for_close() const {
    char byte = 0;
    while (::recv(socket_, &byte, 1, 0) > 0) {
    }
}

loopback_server::loopback_server(std::function<void(peer&)> serve, int connections) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0)
        throw std::runtime_error("the loopback server cannot listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, connections, serve = std::move(serve)] {
        for (int i = 0; i < connections; ++i) {
            const int socket = ::accept(listener_, nullptr, nullptr);
            if (socket < 0)
                return;
            peer client(socket);
            serve(client);
            ::close(socket);
        }
    });
}

loopback_server::~loopback_server() {
    ::shutdown(listener_, SHUT_RDWR); // wakes an accept that nobody came for
    thread_.join();
    ::close(listener_);
}

std::string loopback_server::url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

} // namespace troupe::net::test
