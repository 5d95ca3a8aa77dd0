#pragma once

#include "net/websocket/asyncapi.hpp"

#include <vector>

namespace troupe::actors {

/// The channels that a node shows: each kind's own, and those of many entities.
std::vector<net::live_channel> live_channels();

} // namespace troupe::actors
