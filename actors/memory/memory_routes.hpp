#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// What an agent remembers: people read and mend it.
std::vector<net::route> memory_routes(const runtime::services& s);

} // namespace troupe::actors
