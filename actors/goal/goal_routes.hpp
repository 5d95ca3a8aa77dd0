#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// `/goals…`
std::vector<net::route> goal_routes(const runtime::services& s);

} // namespace troupe::actors
