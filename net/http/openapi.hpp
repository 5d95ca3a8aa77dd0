#pragma once

#include "net/http/route.hpp"

#include <map>
#include <span>
#include <string>

namespace troupe::net {

/// What the API's description says beyond the routes.
struct api_info {
    std::string version;                     ///< Of the program.
    std::map<std::string, std::string> tags; ///< What the operations of a tag are about.
};

/// The OpenAPI 3.1 document of a route table, as JSON. Everything in it comes from the declarations that also route,
/// authorize and validate.
std::string make_openapi(std::span<const route> routes, const api_info& info);

} // namespace troupe::net
