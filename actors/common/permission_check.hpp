#pragma once

#include "net/http/route.hpp"
#include "schemas/base/problem.hpp"

#include <functional>
#include <string_view>

namespace troupe::actors {

/// Whether a caller has a permission beside the route's own.
using permission_check = std::function<expected<void>(const net::principal&, std::string_view permission)>;

} // namespace troupe::actors
