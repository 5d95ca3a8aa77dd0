#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// What was erased: for administrators of the node. Who erases: identity/deletion_routes.cpp.
std::vector<net::route> erasure_routes(const runtime::services& s);

} // namespace troupe::actors
