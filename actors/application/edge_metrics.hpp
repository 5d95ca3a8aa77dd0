#pragma once

#include "net/http/server.hpp"

namespace troupe::actors {

/// Counts a request in `troupe_http_request_duration_seconds` by method, route and status. Takes no lock but for the
/// first of its kind on a thread.
void count_request(const net::answered_request& r);

} // namespace troupe::actors
