#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/http/route.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "runtime/bus/bus.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::actors {

/// The node as a server of the Model Context Protocol: what the HTTP API can do, for the same callers.
class mcp_service {
public:
    /// `bus` outlives it; null: nothing is followed. `origins`: `edge.cors.origins`.
    mcp_service(std::unique_ptr<inner_calls> calls, runtime::bus* bus, std::string origins);
    ~mcp_service();

    /// `/mcp`, and where its metadata of OAuth stand.
    [[nodiscard]] std::vector<net::route> routes();

private:
    [[nodiscard]] net::mcp::server_offer make_offer();

    std::unique_ptr<inner_calls> calls_;
    runtime::bus* bus_;
    std::unique_ptr<net::mcp::server_endpoint> endpoint_;
};

} // namespace troupe::actors
