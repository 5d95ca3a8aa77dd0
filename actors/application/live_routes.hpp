#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// The paths of channels of their own: the same socket as `/ws`, subscribed from the start, and `text/event-stream`.
/// `s` outlives them.
std::vector<net::route> live_routes(const runtime::services& s);

} // namespace troupe::actors
