#include "runtime/process/proxy_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

namespace troupe::runtime {

namespace {

constexpr std::size_t connections_max = 128; ///< At a time; more wait in the listener's queue.

} // namespace

struct proxy_server::impl {
    unique_fd listener;
    std::uint16_t port = 0;
    proxy_rules rules;
    std::mutex mutex;
    std::condition_variable changed;
    std::set<int> clients; ///< Sockets of the connections at work.
    bool stopping = false;
    std::thread accepts;

    void serve(unique_fd client) {
        serve_connection(client, rules);
        const std::scoped_lock lock(mutex);
        clients.erase(client.get());
        client.reset(); // Under the lock: nobody shuts down a descriptor that is another's already.
        changed.notify_all();
    }

    void accept_all() {
        while (true) {
            unique_fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            std::unique_lock lock(mutex);
            if (client) {
                changed.wait(lock, [&] { return stopping || clients.size() < connections_max; });
            }
            if (stopping) {
                return;
            }
            if (!client) { // Out of descriptors, or a client that was gone at once.
                changed.wait_for(lock, std::chrono::milliseconds(50));
                continue;
            }
            clients.insert(client.get());
            std::thread([this, held = std::make_shared<unique_fd>(std::move(client))] {
                serve(std::move(*held));
            }).detach();
        }
    }

    ~impl() {
        std::unique_lock lock(mutex);
        stopping = true;
        changed.notify_all();
        ::shutdown(listener.get(), SHUT_RDWR);
        for (const int client : clients) {
            ::shutdown(client, SHUT_RDWR);
        }
        changed.wait(lock, [&] { return clients.empty(); });
        lock.unlock();
        if (accepts.joinable()) {
            accepts.join();
        }
    }
};

proxy_server::proxy_server(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
proxy_server::~proxy_server() = default;

std::uint16_t proxy_server::port() const { return impl_->port; }

expected<std::unique_ptr<proxy_server>> proxy_server::start(decltype(proxy_rules::refusal) refusal) {
    auto made = std::make_unique<impl>();
    made->rules.refusal = std::move(refusal);
    made->listener = unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in place{};
    socklen_t size = sizeof place;
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto listener = made->listener.get();
    if (::bind(listener, reinterpret_cast<sockaddr*>(&place), sizeof place) != 0 ||
        ::listen(listener, connections_max) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&place), &size) != 0) {
        return problem{code::unavailable, std::string("cannot open a port for the proxy: ") + std::strerror(errno)};
    }
    made->port = ntohs(place.sin_port);
    made->accepts = std::thread([&all = *made] { all.accept_all(); });
    return std::unique_ptr<proxy_server>(new proxy_server(std::move(made)));
}

} // namespace troupe::runtime
