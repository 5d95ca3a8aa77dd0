#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /state/working-md. The services outlive the routes.
std::vector<net::route> working_routes(const runtime::services& s);

} // namespace troupe::actors
