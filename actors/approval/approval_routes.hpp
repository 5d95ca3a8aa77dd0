#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// Whether a caller has a permission beside the route's own.
using permission_check = std::function<expected<void>(const net::principal&, std::string_view permission)>;

/// /approvals: what waits for a person. What is remembered for an agent changes its settings: that needs agent:write.
/// The services outlive the routes.
std::vector<net::route> approval_routes(const runtime::services& s, permission_check may);

} // namespace troupe::actors
