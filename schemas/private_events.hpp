#pragma once

#include <string_view>

namespace troupe {

/// Whether events of that kind are shown as no more than that they happened: their entities have readers of their own,
/// which lists of events and live channels do not know. Pure.
constexpr bool has_private_events(std::string_view kind) { return kind == "document"; }

} // namespace troupe
