#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/http/route.hpp"
#include "runtime/bus/bus.hpp"

#include <memory>
#include <string>
#include <vector>

namespace troupe::actors {

/// Agents as others call them by the A2A protocol: a card for each, and its JSON-RPC. All it does it does by the HTTP
/// API's own operations, in the name of the caller. Outlives its routes; thread-safe.
class a2a_service {
public:
    /// `live` outlives it. `public_url`: under which the node is known; empty: as each caller calls it.
    a2a_service(std::unique_ptr<inner_calls> calls, runtime::bus* live, std::string public_url);
    ~a2a_service();
    a2a_service(const a2a_service&) = delete;

    std::vector<net::route> routes();

private:
    struct parts;
    std::shared_ptr<parts> parts_;
};

} // namespace troupe::actors
