#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /notifications: the caller's own. The services outlive the routes.
std::vector<net::route> notification_routes(const runtime::services& s);

} // namespace troupe::actors
