#pragma once

#include "net/http/route.hpp"

#include <vector>

namespace troupe::actors {

/// `GET /tools`: what agents on this node may call.
std::vector<net::route> tool_routes();

} // namespace troupe::actors
