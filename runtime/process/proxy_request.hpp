#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::runtime {

/// What a program asks of the proxy. Also compiled into the runner program.
struct proxy_request {
    bool tunnel = false; ///< CONNECT.
    std::string host;    ///< Without brackets.
    std::uint16_t port = 0;
    std::string head;             ///< What the server gets; nothing of a tunnel.
    std::uint64_t body_bytes = 0; ///< That follow the head; of a tunnel all.
};

/// Reads a head, which ends with an empty line: CONNECT host:port, or METHOD http://host[:port]/path. The server is
/// told to close after its answer, so that no second request of the connection can be meant for somebody else. The
/// problem is for the program that asked.
expected<proxy_request> read_proxy_request(std::string_view head);

} // namespace troupe::runtime
