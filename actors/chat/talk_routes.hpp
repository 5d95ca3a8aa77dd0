#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /chats: what is said there, and how it is taken along.
std::vector<net::route> talk_routes(const runtime::services& s);

} // namespace troupe::actors
