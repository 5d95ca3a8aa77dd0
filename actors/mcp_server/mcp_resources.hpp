#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "runtime/bus/bus.hpp"

namespace troupe::actors {

/// `troupe://runs/{id}`, `troupe://tasks/{id}`, `troupe://agents/{id}`, `troupe://projects/{id}` and their files: to
/// list, read, complete and, with a bus, to follow. `calls` and `bus` outlive the offer.
void add_resources(net::mcp::server_offer& offer, inner_calls& calls, runtime::bus* bus);

/// Texts to begin with.
void add_prompts(net::mcp::server_offer& offer);

} // namespace troupe::actors
