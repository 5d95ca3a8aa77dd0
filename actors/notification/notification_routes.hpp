#pragma once

#include "actors/notification/notification_desk.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /notifications: the caller's own. Services and desk outlive the routes.
std::vector<net::route> notification_routes(const runtime::services& s, const notification_desk& desk);

} // namespace troupe::actors
