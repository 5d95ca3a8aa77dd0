#include "runtime/process/proxy_connection.hpp"

#include "runtime/process/proxy_request.hpp"
#include "schemas/base/clock.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <thread>

namespace troupe::runtime {

namespace {

constexpr std::size_t head_bytes_max = 32 * 1024;
constexpr std::int64_t head_ms_max = 10'000;
constexpr int connect_ms_max = 10'000;
constexpr std::int64_t idle_ms_max =
    300'000;                        ///< As long as a slow server may think. The client's own limit comes first.
constexpr std::int64_t turn_s = 10; ///< A thread looks so often whether its connection is still in use.
constexpr std::size_t piece_bytes = 64 * 1024;

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false; // Gone, or it did not read for the time that SO_SNDTIMEO gives.
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// The reason stands in the status line as well: of a refused CONNECT many programs show only that.
void refuse(int client, int status, const std::string& why) {
    const auto body = "troupe: " + why + "\n";
    send_all(client, "HTTP/1.1 " + std::to_string(status) + " " + why +
                         "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
    ::shutdown(client, SHUT_WR);
}

/// To the empty line and a bit of what follows. Nothing when it is too long, too late or incomplete.
std::optional<std::string> read_head(int client, std::size_t& head_bytes) {
    const auto deadline_ms = monotonic_ms() + head_ms_max;
    std::string bytes;
    char piece[4096];
    while (bytes.size() < head_bytes_max) {
        pollfd wait = {client, POLLIN, 0};
        const auto left = deadline_ms - monotonic_ms();
        if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) < 0) {
            return std::nullopt;
        }
        const auto got = ::recv(client, piece, sizeof piece, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return std::nullopt;
        }
        bytes.append(piece, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (const auto end = bytes.find("\r\n\r\n"); end != bytes.npos) {
            head_bytes = end + 4;
            return bytes;
        }
    }
    return std::nullopt;
}

std::optional<ip_bytes> ip_of(const sockaddr* address) {
    char text[INET6_ADDRSTRLEN + 1] = {};
    const auto size =
        static_cast<socklen_t>(address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    ::getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    return parse_ip(text); // one with a scope is none: it is of this link
}

unique_fd connect_to(const addrinfo& place) {
    unique_fd fd(::socket(place.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || (::connect(fd.get(), place.ai_addr, place.ai_addrlen) != 0 && errno != EINPROGRESS)) {
        return {};
    }
    pollfd wait = {fd.get(), POLLOUT, 0};
    int failed = 0;
    socklen_t size = sizeof failed;
    if (::poll(&wait, 1, connect_ms_max) != 1 || ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &size) != 0 ||
        failed != 0) {
        return {};
    }
    return fd;
}

struct reached {
    unique_fd server;
    int status = 0; ///< Of the refusal.
    std::string why;
};

/// Looks up the name, and connects to the first of its addresses that may be reached and answers.
reached reach(const proxy_request& r, const proxy_rules& rules) {
    const auto place = r.host + ":" + std::to_string(r.port);
    if (auto why = rules.refusal(r.host, r.port, std::nullopt)) {
        return {{}, 403, std::move(*why)};
    }
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int failed = ::getaddrinfo(r.host.c_str(), std::to_string(r.port).c_str(), &wanted, &found)) {
        return {{}, 502, "cannot look up " + r.host + ": " + ::gai_strerror(failed)};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
    bool allowed = false;
    std::string why = r.host + " has an address of this link only";
    for (const auto* at = found; at != nullptr; at = at->ai_next) {
        const auto address = ip_of(at->ai_addr);
        auto refused = address ? rules.refusal(r.host, r.port, address) : std::optional(why);
        if (refused) {
            why = std::move(*refused);
            continue;
        }
        allowed = true;
        if (auto fd = connect_to(*at)) {
            return {std::move(fd), 0, {}};
        }
    }
    return allowed ? reached{{}, 502, "cannot connect to " + place} : reached{{}, 403, std::move(why)};
}

void set_patience(int fd) {
    const timeval turn{turn_s, 0};
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof turn);
    const timeval patience{idle_ms_max / 1000, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/// Carries bytes one way until an end, an error, a bound, or until neither way was used for long.
class carrier {
public:
    carrier(int client, int server, proxy_rules& rules) : client_(client), server_(server), rules_(rules) {}

    void carry(int from, int to, std::uint64_t bytes_left, bool tell_end) {
        const auto piece = std::make_unique<char[]>(piece_bytes);
        while (bytes_left > 0) {
            const auto got = ::recv(from, piece.get(), std::min<std::uint64_t>(piece_bytes, bytes_left), 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
                if (monotonic_ms() - used_ms_ < idle_ms_max) {
                    continue;
                }
                return end();
            }
            if (got == 0) {
                break;
            }
            used_ms_ = monotonic_ms();
            const auto size = got < 0 ? 0 : static_cast<std::size_t>(got);
            if (got < 0 || (rules_.bytes += size) > rules_.bytes_max || !send_all(to, {piece.get(), size})) {
                return end();
            }
            bytes_left -= size;
        }
        if (tell_end) {
            ::shutdown(to, SHUT_WR);
        }
    }

    /// Nothing more is asked on this connection, but when it is shut down nobody waits for the answer any more. A
    /// client that only says that it asks no more (POLLRDHUP) does.
    void watch(int client) const {
        pollfd wait = {client, 0, 0};
        while (::poll(&wait, 1, -1) < 0 && errno == EINTR) {
        }
        end();
    }

    /// Wakes the other way, too.
    void end() const {
        ::shutdown(client_, SHUT_RDWR);
        ::shutdown(server_, SHUT_RDWR);
    }

private:
    int client_;
    int server_;
    proxy_rules& rules_;
    std::atomic<std::int64_t> used_ms_ = monotonic_ms();
};

void carry_both(const proxy_request& r, std::string_view first, int client, int server, proxy_rules& rules) {
    set_patience(client), set_patience(server);
    const auto sent_already = std::min<std::uint64_t>(first.size(), r.body_bytes);
    const auto begun =
        r.tunnel ? send_all(client, "HTTP/1.1 200 Connection established\r\n\r\n") : send_all(server, r.head);
    if (!begun || !send_all(server, first.substr(0, sent_already))) {
        return;
    }
    carrier both(client, server, rules);
    std::thread up([&] {
        both.carry(client, server, r.body_bytes - sent_already, r.tunnel);
        if (!r.tunnel) {
            both.watch(client);
        }
    });
    both.carry(server, client, std::numeric_limits<std::uint64_t>::max(), true);
    if (!r.tunnel) {
        both.end(); // The answer is complete: no more is asked on this connection.
    }
    up.join();
}

} // namespace

void serve_connection(const unique_fd& client, proxy_rules& rules) {
    std::size_t head_bytes = 0;
    const auto bytes = read_head(client.get(), head_bytes);
    if (!bytes) {
        return refuse(client.get(), 400, "the head of the request did not come, or is too long");
    }
    const auto text = std::string_view(*bytes);
    const auto request = read_proxy_request(text.substr(0, head_bytes));
    if (!request) {
        return refuse(client.get(), 400, request.error().detail);
    }
    const bool used_up = rules.bytes > rules.bytes_max;
    const auto to = used_up ? reached{{}, 403, "what may be sent and received is used up"} : reach(*request, rules);
    if (!to.server) {
        if (to.status == 403 && rules.refused != nullptr) {
            ++*rules.refused;
        }
        return refuse(client.get(), to.status, to.why);
    }
    carry_both(*request, text.substr(head_bytes), client.get(), to.server.get(), rules);
}

} // namespace troupe::runtime
