#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Permissions are RESOURCE:ACTION, as routes declare them. Roles and keys hold patterns of them: `task:write`,
/// `task:*`, `*:read`, `*`. Pure.
namespace troupe {

/// Resources of the node, not of an organization: no pattern of a role covers them. Administrators of the node have
/// them.
bool is_node_permission(std::string_view permission);

/// Whether the pattern covers the permission.
bool covers(std::string_view pattern, std::string_view permission);

/// The first pattern that covers the permission, or nothing.
std::string_view covering(std::span<const std::string> patterns, std::string_view permission);

/// Whether everything that `inner` covers is covered by one of `outer`.
bool covers_all(std::span<const std::string> outer, std::span<const std::string> inner);

/// RESOURCE:ACTION of a-z and _, either of them, or both, as `*`.
bool is_permission_pattern(std::string_view text);

/// A role that every organization has.
struct built_in_role {
    std::string_view name;
    std::string_view description;
    std::vector<std::string> permissions;
};

/// owner, admin, operator, member, viewer, agent.
std::span<const built_in_role> built_in_roles();
/// Or null.
const built_in_role* find_built_in_role(std::string_view name);

inline constexpr std::string_view owner_role = "owner";
inline constexpr std::string_view agent_role = "agent";

} // namespace troupe
