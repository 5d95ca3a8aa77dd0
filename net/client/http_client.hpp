#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A blocking HTTP/1.1 client for model wires, the CLI and tests: http and https with certificate checks.
/// Each call runs on an io_context of its own in the caller's thread; safe from any thread.
namespace troupe::net {

struct client_request {
    std::string method = "GET";
    std::string url; ///< "http://127.0.0.1:7117/api/v1/runs?limit=5"
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string ca_file;                    ///< Empty: the system's certificates.
    std::int64_t connect_time_out_ms = 10'000;
    std::int64_t idle_time_out_ms = 90'000; ///< Longest silence.
    std::int64_t time_out_ms = 300'000;     ///< The whole call; 0: none (streams).
    std::size_t reply_bytes_max = 64 << 20;
};

struct client_response {
    int status = 0;
    std::map<std::string, std::string> headers; ///< Lower-case names.
    std::string body;
};

/// One request and its whole answer. Problems: `connection_failed` (names host and cause), `deadline_exceeded`,
/// `cancelled`, `payload_too_large`, `invalid_request` (the URL). Any HTTP status is a success here.
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
    /// Feeds a piece; calls `on_event` for each event that is complete. False: a line is over `line_bytes_max`.
    bool feed(std::string_view piece, const std::function<void(const sse_event&)>& on_event);
    static constexpr std::size_t line_bytes_max = 8 << 20;

private:
    std::string line_;
    sse_event current_;
    bool has_data_ = false;
    bool skip_line_feed_ = false;
};

} // namespace troupe::net
