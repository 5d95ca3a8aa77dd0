#pragma once

#include "actors/tool/tool.hpp"
#include "runtime/config/fetch_policy.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe::actors {

inline constexpr std::string_view fetch_tool_name = "fetch_url";
inline constexpr std::string_view fetch_permission = "network";

struct fetch_limits {
    std::size_t body_bytes = 5 << 20;
    std::int64_t time_ms = 30'000; ///< With all redirects.
    int redirects = 5;
};

/// `fetch_url`, for a node that allows it: GET over http and https, of what the policy allows, at each redirect anew.
/// What comes back is marked as data from outside.
custom_tool make_fetch_tool(runtime::fetch_policy allowed, fetch_limits limits = {});

} // namespace troupe::actors
