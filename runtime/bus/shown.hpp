#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/bus/filter.hpp"
#include "storage/record.hpp"

#include <optional>
#include <string>
#include <string_view>

/// How an event looks on a channel, and who wants it. Pure; private to the hub.
namespace troupe::runtime {

/// The members of an event that anybody may see: none of a kind with private events.
std::string_view shown_payload(const storage::record& r);
/// What an event shows on a channel of many entities: its members, and where it belongs.
std::string described(const storage::record& r);
/// A live-only event on a channel of many entities.
live_event shown_on(const std::string& channel, const live_event& e);

/// The entity whose channel it is.
std::optional<entity_address> entity_of(const live_event& e);

bool passes(const event_filter& filter, const storage::record& r);
bool passes(const event_filter& filter, const live_event& e);
bool is_wanted(const subscription_request& wanted, const live_event& e);

} // namespace troupe::runtime
