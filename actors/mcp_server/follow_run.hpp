#pragma once

#include "actors/mcp_server/inner_calls.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "runtime/bus/bus.hpp"

#include <memory>
#include <string>

namespace troupe::actors {

/// Answers the call with the run's document when the run has ended or waits for a person, and tells progress meanwhile.
/// With `owns` the run is cancelled with the call. `calls` and `bus` outlive it; without a bus it answers at once.
void follow_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<net::mcp::server_call>& call,
                const std::string& run, bool owns);

} // namespace troupe::actors
