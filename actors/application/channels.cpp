#include "actors/application/channels.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> named{{
    {"agent_status", "agent:read"},
    {"task_completion", "task:read"},
    {"activities", "event:read"},
    {"supervision", "system:read"},
    {"system_metrics", "system:read"},
    {"system_alerts", "system:read"},
}};

/// Whether a pattern with a trailing "*" shows the channel.
bool shows(std::string_view pattern, std::string_view channel) {
    return pattern.ends_with('*') && channel.starts_with(pattern.substr(0, pattern.size() - 1));
}

} // namespace

std::string channel_permission(std::string_view channel) {
    for (const auto& [name, permission] : named) {
        if (name == channel) {
            return std::string(permission);
        }
    }
    if (const auto slash = channel.find('/');
        slash != std::string_view::npos && slash > 1 && channel[slash - 1] == 's') {
        return std::string(channel.substr(0, slash - 1)) + ":read";
    }
    const bool of_node =
        std::ranges::any_of(named, [&](const auto& n) { return n.second == "system:read" && shows(channel, n.first); });
    return of_node ? "system:read" : "event:read";
}

} // namespace troupe::actors
