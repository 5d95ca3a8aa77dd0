#pragma once

#include "net/http/route.hpp"

#include <string>
#include <string_view>

namespace troupe::net {

/// What an answer needs to know of its request and connection.
struct reply_frame {
    std::string_view request_id;
    std::string_view traceparent;
    std::string_view server;
    std::string_view date_line;       ///< With its CRLF.
    std::string_view more_lines = {}; ///< Further header lines, each with its CRLF.
    bool close = false;               ///< `Connection: close`
    bool keep_alive = false;          ///< `Connection: keep-alive`, for HTTP/1.0.
    bool without_length = false;      ///< The body ends with the connection (streams).
};

/// Appends status line and header, with the security headers of every answer. Control characters in a handler's
/// header become spaces, so that none can forge a header.
void append_head(std::string& out, const response& r, const reply_frame& frame);

/// The problem as a response with another status than its code's own: 408, 426, 431, 505. The body says the same.
response with_status(response problem_response, int status);

std::string_view reason_of(int status);

} // namespace troupe::net
