#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/http/route.hpp"
#include "runtime/bus/bus.hpp"

#include <memory>
#include <string_view>

/// One request of the A2A protocol, from its JSON-RPC to operations of the API and back.
namespace troupe::actors {

struct a2a_parts {
    std::unique_ptr<inner_calls> calls;
    runtime::bus* live = nullptr;
};

/// Answers a request that is no stream. SendMessage waits for the task's end unless it is not to.
void answer_a2a(a2a_parts& p, const net::request& r, const net::responder& respond);

/// Of SendStreamingMessage and SubscribeToTask: the task, and what changes until its end.
net::stream_spec stream_a2a(a2a_parts& p, const net::request& r);

bool wants_a2a_stream(std::string_view body);

} // namespace troupe::actors
