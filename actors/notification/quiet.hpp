#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/notification.hpp"

#include <optional>

/// Quiet hours. Pure.
namespace troupe::actors {

/// What is wrong with them, by the pointers of preferences; nothing when they can be used.
std::vector<field_error> check_quiet(const quiet_hours& q);

/// The same moment, or the end of the quiet hours that it is in. Those that cannot be read are none.
timestamp after_quiet(const std::optional<quiet_hours>& q, timestamp t);

} // namespace troupe::actors
