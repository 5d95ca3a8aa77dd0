#pragma once

#include "net/websocket/asyncapi.hpp"
#include "schemas/base/problem.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// The channels that a node shows: each kind's own, and those of many entities.
std::vector<net::live_channel> live_channels();

/// The permission that a channel, or a pattern of channels, asks for: `runs/018f…` and `runs/*` ask for `run:read`,
/// what shows the node for `system:read`, and what shows everything, or cannot be told, for `event:read`.
/// "*" shows the channels of all entities, and asks for `event:read`.
std::string channel_permission(std::string_view channel);

/// Whether a channel, or a pattern of channels, could ever show something, given the kinds of the node; the problem
/// says why not.
expected<void> check_channel(std::string_view channel, const std::set<std::string>& kinds);

} // namespace troupe::actors
