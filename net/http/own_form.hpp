#pragma once

#include "runtime/bus/bus.hpp"

#include <functional>
#include <string>

namespace troupe::net {

/// What one reader of a stream is sent of an event.
struct own_text {
    std::string bytes; ///< As it goes out; empty: nothing.
    bool last = false; ///< The stream ends with it.
};

/// A form of events for one reader alone, in place of the envelopes that all readers share. It may keep what it has
/// seen: it is called from the bus's threads, one call at a time, and must not block.
using own_form = std::function<own_text(const runtime::live_event&)>;

} // namespace troupe::net
