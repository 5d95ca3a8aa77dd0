#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// Going back in runs: forks, what models saw, comparison, replay. The services outlive the routes.
std::vector<net::route> run_history_routes(const runtime::services& s);

} // namespace troupe::actors
