#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /tasks/{id}/messages, and /messages/{id} with its replies and reactions. The services outlive the routes.
std::vector<net::route> message_routes(const runtime::services& s);

} // namespace troupe::actors
