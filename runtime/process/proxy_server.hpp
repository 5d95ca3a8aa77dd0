#pragma once

#include "runtime/process/proxy_connection.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <memory>

namespace troupe::runtime {

/// A proxy of the node itself, on a port of 127.0.0.1: whoever asks it gets only where its rules let him. It is for
/// programs whose own requests cannot be judged one by one (a browser). All threads are its own.
class proxy_server {
public:
    /// `unavailable` when there is no port.
    static expected<std::unique_ptr<proxy_server>> start(decltype(proxy_rules::refusal) refusal);

    /// Ends all connections.
    ~proxy_server();

    [[nodiscard]] std::uint16_t port() const;

private:
    struct impl;
    explicit proxy_server(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::runtime
