#pragma once

#include "runtime/bus/hub.hpp"

#include <string>

/// The feed as pages. Private to the hub, with what both need.
namespace troupe::runtime {

/// "tasks/018f…"
std::string own_channel(const entity_address& a);
/// What a `reset` says.
problem not_kept();
/// How often a reader begins anew because the log was trimmed before it.
inline constexpr int tries_max = 5;

expected<event_page> read_page(const storage::store& s, const cursor_codec& cursors, const uuid& organization,
                               std::string_view after, std::size_t limit);

} // namespace troupe::runtime
