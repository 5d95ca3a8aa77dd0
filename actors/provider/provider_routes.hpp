#pragma once

#include "actors/provider/provider.hpp"
#include "net/http/route.hpp"

#include <vector>

namespace troupe::actors {

/// `GET /models` and `GET /providers`. `models` outlives them.
std::vector<net::route> provider_routes(const model_registry& models);

} // namespace troupe::actors
