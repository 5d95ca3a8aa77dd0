#pragma once

#include "net/http/route.hpp"

#include <vector>

/// What a request for a stream says about it, as `text/event-stream` and as WebSocket.
namespace troupe::net {

/// `since`, `kind`, `entity` and `where`: for the route of a stream.
std::vector<query_parameter> stream_parameters();

/// Parameters of pages say nothing of a stream: passed over in silence, its reader would miss what it asked for.
expected<void> check_stream_query(const request& r);

/// The place to begin at and the filter, where the route does not say them itself.
expected<stream_spec> complete(stream_spec spec, const request& r);

} // namespace troupe::net
