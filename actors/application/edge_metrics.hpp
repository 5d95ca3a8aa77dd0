#pragma once

#include "net/http/server.hpp"
#include "runtime/supervision/failures.hpp"

namespace troupe::actors {

/// Counts a request in `troupe_http_request_duration_seconds` by method, route and status. Takes no lock but for the
/// first of its kind on a thread.
void count_request(const net::answered_request& r);

/// Puts it on the board as a failure of the edge, with the ids of request and trace.
void note_failed_request(runtime::failure_board& board, const net::failed_request& r);

} // namespace troupe::actors
