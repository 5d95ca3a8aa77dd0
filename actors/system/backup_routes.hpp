#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// Backups of this node: make, list, show, delete. A restore is offline: `troupe backup restore`.
std::vector<net::route> backup_routes(const runtime::services& s);

} // namespace troupe::actors
