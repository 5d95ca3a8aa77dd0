#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

/// Limits, usage and invoices of an organization. From the tables, never waking an entity.
namespace troupe::actors {

std::vector<net::route> usage_routes(const runtime::services& s);

} // namespace troupe::actors
