#pragma once

#include "actors/common/working_folders.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /runs: start, watch, cancel, and what they changed. The services and folders outlive the routes.
std::vector<net::route> run_routes(const runtime::services& s, const working_folders& folders);

} // namespace troupe::actors
