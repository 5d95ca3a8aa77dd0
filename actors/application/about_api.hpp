#pragma once

#include "net/http/openapi.hpp"

namespace troupe::actors {

/// What the API's description says beyond the routes.
net::api_info about_api();

} // namespace troupe::actors
