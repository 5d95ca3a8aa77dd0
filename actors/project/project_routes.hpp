#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /projects and their files. The services outlive the routes.
std::vector<net::route> project_routes(const runtime::services& s);

} // namespace troupe::actors
