#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /organizations/{id}/compliance and /system/compliance. `s` outlives the routes.
std::vector<net::route> compliance_routes(const runtime::services& s);

} // namespace troupe::actors
