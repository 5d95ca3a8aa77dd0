#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {

/// A place in a distributed trace (W3C Trace Context).
struct trace_context {
    std::string trace_id;     ///< 32 hexadecimal digits.
    std::string span_id;      ///< 16: the span of this request on this node.
    std::string flags = "01"; ///< Taken from the caller.
};

/// Goes on with an incoming `traceparent` in a new span, or begins a trace. What is not valid is ignored, as the
/// standard asks. Ids come from a generator of the thread: unpredictable enough to be unique, not for secrets.
trace_context continue_trace(std::optional<std::string_view> traceparent);

/// "00-<trace>-<span>-<flags>"
std::string to_traceparent(const trace_context& t);

/// Whether a client's `X-Request-Id` may be repeated in logs and headers: 1 to 128 of [A-Za-z0-9._:-].
bool is_request_id(std::string_view text);

} // namespace troupe::net
