#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace troupe::net::test {

/// Stands between a client and a server on 127.0.0.1, and breaks what the test wants broken.
class cut_proxy {
public:
    enum class mode : std::uint8_t {
        pass,
        refuse,        ///< Connections are closed, new ones at once.
        silent,        ///< Nothing is handed on; connections stay, and new ones are taken.
        no_answers,    ///< What the client says arrives, what the server says does not.
        stall_watches, ///< `no_answers` for connections of watches only.
    };

    explicit cut_proxy(std::uint16_t server_port);
    ~cut_proxy();
    cut_proxy(const cut_proxy&) = delete;
    cut_proxy& operator=(const cut_proxy&) = delete;

    /// From its return on nothing is handed on in another way.
    void set(mode to);
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string endpoint() const;

private:
    void work();

    std::uint16_t server_port_;
    std::uint16_t port_ = 0;
    int listener_ = -1;
    std::atomic<mode> mode_{mode::pass};
    std::atomic<mode> in_force_{mode::pass};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

} // namespace troupe::net::test
