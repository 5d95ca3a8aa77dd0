#pragma once

#include "net/body.hpp"
#include "schemas/base/network.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A blocking HTTP/1.1 client for model wires, the CLI and tests: http and https with certificate checks.
/// Each call runs on an io_context of its own in the caller's thread; safe from any thread.
namespace troupe::net {

struct client_response;

struct client_request {
    std::string method = "GET";
    std::string url; ///< "http://127.0.0.1:7117/api/v1/runs?limit=5"
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::optional<body_source> source = {}; ///< In place of `body`; `next` runs on the caller's thread.
    std::string ca_file;                    ///< Empty: the system's certificates.
    /// The server has to show exactly the first certificate of this file; then its name, issuer and dates say nothing.
    std::string certificate_file = {};
    std::int64_t connect_time_out_ms = 10'000;
    std::int64_t idle_time_out_ms = 90'000; ///< Longest silence; 0: none.
    std::int64_t time_out_ms = 300'000;     ///< The whole call; 0: none (streams).
    std::size_t reply_bytes_max = 64 << 20; ///< Of a body that is kept; pieces given to `on_data` are the caller's.
    /// Whether that host may be looked up (without an address), and then connected to at an address it leads to. The
    /// name is looked up once: what was allowed is what is connected to. None: whatever there is.
    std::function<bool(const std::string& host, const std::optional<ip_bytes>& address)> may_reach = {};
    /// Sees status and headers before any of the body is kept; a problem ends the call.
    std::function<expected<void>(const client_response& head)> on_head = {};
};

struct client_response {
    int status = 0;
    std::map<std::string, std::string> headers; ///< Lower-case names.
    std::string body;
};

/// One request and its whole answer. Problems: `connection_failed` (names host and cause; also a time-out of the
/// connection or of its silence), `forbidden` (`may_reach`), `deadline_exceeded` (the whole call's), `cancelled`,
/// `payload_too_large`, `invalid_request` (the URL). Any HTTP status is a success here; redirects are not followed; a
/// body that was cut short is `connection_failed`.
expected<client_response> fetch(const client_request& request, std::stop_token stop = {});

/// Like `fetch`, but the body of a 2xx answer goes piece by piece to `on_data` as it comes; returning false from it
/// ends the call without error. The bodies of other answers come back in the response.
expected<client_response> fetch_stream(const client_request& request, std::stop_token stop,
                                       const std::function<bool(std::string_view)>& on_data);

/// Splits a `text/event-stream` into events, however it was cut into pieces. A pure state machine.
struct sse_event {
    std::string event; ///< "message" when none was given.
    std::string data;  ///< Lines joined with \n.
    std::string id;
};
class sse_parser {
public:
    /// Feeds a piece; calls `on_event` for each event that is complete. False: a line or an event is over
    /// `line_bytes_max`; the parser is of no more use then.
    bool feed(std::string_view piece, const std::function<void(const sse_event&)>& on_event);
    /// How long to wait before the stream is asked for again, as it said last.
    [[nodiscard]] std::optional<std::int64_t> retry_ms() const { return retry_ms_; }
    static constexpr std::size_t line_bytes_max = 8 << 20;

private:
    std::optional<std::int64_t> retry_ms_;
    bool end_line(const std::function<void(const sse_event&)>& on_event);

    std::string line_;
    sse_event current_; ///< Its id stays from event to event, as the standard wants.
    bool has_data_ = false;
    bool skip_line_feed_ = false;
    bool at_start_ = true; ///< A byte order mark may come.
};

} // namespace troupe::net
