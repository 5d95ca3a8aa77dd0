#pragma once

#include "schemas/base/log.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {

/// A place in a distributed trace (W3C Trace Context).
struct trace_context {
    std::string trace_id;     ///< 32 hexadecimal digits.
    std::string span_id;      ///< 16: the span of this request on this node.
    std::string flags = "01"; ///< "01": recorded, "00": not. The caller's, if there is one.
    std::string parent_id;    ///< 16: the caller's span; empty: the trace begins here.
    std::string state;        ///< The caller's `tracestate`, to be passed on as it is; empty without a caller.

    [[nodiscard]] bool sampled() const { return !flags.empty() && (flags.back() & 1) != 0; }
};

/// Goes on with an incoming `traceparent` in a new span, or begins a trace. What is not valid is ignored, as the
/// standard asks, and so is a `tracestate` without a valid `traceparent`. Of a caller's flags those are kept that
/// version 00 knows. Ids come from a generator of the thread: unpredictable enough to be unique, not for secrets.
trace_context continue_trace(std::optional<std::string_view> traceparent,
                             std::optional<std::string_view> tracestate = {});

/// A fresh id of a span, 16 hexadecimal digits.
std::string make_span_id();

/// What "00-<trace>-<span>-<flags>" says, as it is: to hang a span under it. Nothing when it is not valid.
std::optional<trace_context> parse_traceparent(std::string_view text);

/// "00-<trace>-<span>-<flags>"
std::string to_traceparent(const trace_context& t);

/// The trace that the work of this thread belongs to, as a traceparent: for requests that it makes. Empty: none.
std::string current_traceparent();

/// Makes it the present one for as long as this lives, for lines of the log, too. For performers, which have a thread
/// of their own.
class trace_scope {
public:
    explicit trace_scope(std::string traceparent);
    ~trace_scope();
    trace_scope(const trace_scope&) = delete;
    trace_scope& operator=(const trace_scope&) = delete;

private:
    const std::string traceparent_;
    std::string before_;
    const log_scope lines_;
};

/// Whether a client's `X-Request-Id` may be repeated in logs and headers: 1 to 128 of [A-Za-z0-9._:-].
bool is_request_id(std::string_view text);

} // namespace troupe::net
