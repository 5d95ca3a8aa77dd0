#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /tasks, their messages, and POST /agents/{id}/tasks. The services outlive the routes.
std::vector<net::route> task_routes(const runtime::services& s);

} // namespace troupe::actors
