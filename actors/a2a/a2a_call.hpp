#pragma once

#include "actors/common/inner_calls.hpp"
#include "net/http/route.hpp"
#include "runtime/bus/bus.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

/// One request of the A2A protocol, from its JSON-RPC to operations of the API and back.
namespace troupe::actors {

class a2a_watch;

struct a2a_parts {
    std::unique_ptr<inner_calls> calls;
    runtime::bus* live = nullptr;

    /// A watch whose caller waits until then. Those whose callers do not any more are stopped.
    void keep_until(std::int64_t deadline_ms, const std::shared_ptr<a2a_watch>& one);

private:
    std::mutex mutex_;
    std::vector<std::pair<std::int64_t, std::weak_ptr<a2a_watch>>> waiting_;
};

/// Answers a request that is no stream. SendMessage waits for the task's end unless it is not to.
void answer_a2a(a2a_parts& p, const net::request& r, const net::responder& respond);

/// Of SendStreamingMessage and SubscribeToTask: the task, and what changes until its end.
net::stream_spec stream_a2a(a2a_parts& p, const net::request& r);

bool wants_a2a_stream(std::string_view body);

} // namespace troupe::actors
