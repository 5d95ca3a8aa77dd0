#pragma once

#include "actors/provider/cassette_player.hpp"
#include "net/http/route.hpp"

#include <vector>

namespace troupe::actors {

/// `/cassettes`: the recorded calls in this node's folder. `desk` outlives them.
std::vector<net::route> cassette_routes(const cassette_desk& desk);

} // namespace troupe::actors
