#include "tests/net/etcd/cut_proxy.hpp"

#include <fmt/format.h>

#include <array>
#include <list>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::net::test {

namespace {

/// How soon a change of the mode is seen.
constexpr int poll_ms = 2;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(port);
    return out;
}

struct pair_of_sockets {
    int client = -1;
    int server = -1;
    bool watches = false;
};

/// False: that side is at its end.
bool hand_on(int from, int to, bool* watches) {
    std::array<char, 16384> bytes{};
    const auto count = ::recv(from, bytes.data(), bytes.size(), 0);
    if (count <= 0)
        return false;
    const std::string_view text(bytes.data(), static_cast<std::size_t>(count));
    if (watches != nullptr && text.find("POST /v3/watch") != std::string_view::npos)
        *watches = true;
    for (ssize_t sent = 0; sent < count;) {
        const auto more = ::send(to, bytes.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
        if (more <= 0)
            return false;
        sent += more;
    }
    return true;
}

} // namespace

cut_proxy::cut_proxy(std::uint16_t server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        throw std::runtime_error("the proxy cannot listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { work(); });
}

cut_proxy::~cut_proxy() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
}

void cut_proxy::set(mode to) {
    mode_ = to;
    while (in_force_ != to)
        std::this_thread::yield();
}

std::string cut_proxy::endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

void cut_proxy::work() {
    std::list<pair_of_sockets> all;
    const auto end = [](const pair_of_sockets& one) {
        ::close(one.client);
        ::close(one.server);
    };
    while (!stop_) {
        const auto now = mode_.load();
        in_force_ = now;
        std::vector<pollfd> waits{{listener_, POLLIN, 0}};
        for (const auto& one : all) {
            const bool answers = now == mode::pass || (now == mode::stall_watches && !one.watches);
            const bool requests = now != mode::silent;
            waits.push_back({one.client, static_cast<short>(requests ? POLLIN : 0), 0});
            waits.push_back({one.server, static_cast<short>(answers ? POLLIN : 0), 0});
        }
        ::poll(waits.data(), waits.size(), poll_ms);
        std::size_t at = 1;
        all.remove_if([&](pair_of_sockets& one) {
            const auto& client = waits[at++];
            const auto& server = waits[at++];
            const bool over = now == mode::refuse ||
                              ((client.revents & POLLIN) != 0 && !hand_on(one.client, one.server, &one.watches)) ||
                              ((server.revents & POLLIN) != 0 && !hand_on(one.server, one.client, nullptr));
            if (over)
                end(one);
            return over;
        });
        if ((waits[0].revents & POLLIN) == 0)
            continue;
        pair_of_sockets fresh;
        fresh.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        fresh.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(server_port_);
        const int yes = 1;
        ::setsockopt(fresh.client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        ::setsockopt(fresh.server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (now == mode::refuse ||
            ::connect(fresh.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            end(fresh);
        else
            all.push_back(fresh);
    }
    for (const auto& one : all)
        end(one);
}

} // namespace troupe::net::test
