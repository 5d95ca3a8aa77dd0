#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/mcp/server_endpoint.hpp"
#include "runtime/bus/bus.hpp"

#include <memory>
#include <string>

namespace troupe::actors {

struct followed_run {
    std::string id;
    bool owned = false;       ///< It is cancelled with the call.
    bool asks = true;         ///< What it asks of a person is asked of the client's, when that can be asked.
    std::string decided = {}; ///< An approval that the run may not have heard of yet.
};

/// Answers the call with the run's document when the run has ended or waits for a person, and tells progress meanwhile.
/// `calls` and `bus` outlive it; without a bus it answers at once.
void follow_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<net::mcp::server_call>& call,
                followed_run run);

/// Goes on when the client has answered what the run asked: decides in the caller's name, and follows.
void continue_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<net::mcp::server_call>& call);

} // namespace troupe::actors
