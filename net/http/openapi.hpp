#pragma once

#include "net/http/route.hpp"

#include <span>
#include <string>
#include <string_view>

namespace troupe::net {

/// The OpenAPI 3.1 document of a route table, as JSON. Everything in it comes from the declarations that also route,
/// authorize and validate.
std::string make_openapi(std::span<const route> routes, std::string_view version);

} // namespace troupe::net
