#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// The configurations that an agent had, read from its history.
std::vector<net::route> agent_version_routes(const runtime::services& s);

} // namespace troupe::actors
