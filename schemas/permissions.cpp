#include "schemas/permissions.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe {
namespace {

std::pair<std::string_view, std::string_view> split(std::string_view text) {
    const auto colon = text.find(':');
    return colon == std::string_view::npos ? std::pair(text, text)
                                           : std::pair(text.substr(0, colon), text.substr(colon + 1));
}

bool is_part(std::string_view text) {
    return text == "*" || (!text.empty() && text.size() <= 32 &&
                           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
}

} // namespace

bool is_node_permission(std::string_view permission) { return split(permission).first == "system"; }

bool covers(std::string_view pattern, std::string_view permission) {
    const auto [resource, action] = split(pattern);
    const auto [wanted, wanted_action] = split(permission);
    const bool node = is_node_permission(permission);
    return (resource == wanted || (resource == "*" && !node)) && (action == wanted_action || action == "*");
}

std::string_view covering(std::span<const std::string> patterns, std::string_view permission) {
    const auto found = std::ranges::find_if(patterns, [&](const auto& p) { return covers(p, permission); });
    return found == patterns.end() ? std::string_view() : std::string_view(*found);
}

bool covers_all(std::span<const std::string> outer, std::span<const std::string> inner) {
    return std::ranges::all_of(inner, [&](const auto& pattern) { return !covering(outer, pattern).empty(); });
}

bool is_permission_pattern(std::string_view text) {
    if (text == "*") {
        return true;
    }
    const auto colon = text.find(':');
    return colon != std::string_view::npos && is_part(text.substr(0, colon)) && is_part(text.substr(colon + 1));
}

std::span<const built_in_role> built_in_roles() {
    static const std::array<built_in_role, 6> roles{{
        {owner_role, "Everything in the organization, and the organization itself.", {"*"}},
        {"admin",
         "Everything but deleting the organization: people, roles, keys, secrets and all work.",
         {"*:read", "*:write", "agent:*", "task:*", "run:*", "project:*", "approval:*", "secret:*", "member:*", "mcp:*",
          "role:*", "invitation:*", "api_key:*", "audit:*", "compliance:*", "document:*", "self:*"}},
        {"operator",
         "Runs the work: agents, tasks, runs, projects, approvals. Sees keys and secrets by name, changes none.",
         {"*:read", "agent:*", "task:*", "run:*", "project:*", "approval:*", "mcp:*", "document:write", "self:*"}},
        {"member",
         "Works: tasks, runs, projects and approvals, with the agents that are there.",
         {"agent:read", "task:*", "run:*", "project:*", "approval:*", "mcp:read", "event:read", "organization:read",
          "member:read", "document:read", "document:write", "self:*"}},
        {"viewer",
         "Sees the work and changes nothing.",
         {"agent:read", "task:read", "run:read", "project:read", "approval:read", "mcp:read", "organization:read",
          "member:read", "document:read", "self:*"}},
        {agent_role,
         "The identity of an agent: tasks, runs, files and documents, nothing of people.",
         {"agent:read", "agent:heartbeat", "task:*", "run:*", "project:read", "project:write", "approval:read",
          "document:read", "document:write", "self:read"}},
    }};
    return roles;
}

const built_in_role* find_built_in_role(std::string_view name) {
    const auto roles = built_in_roles();
    const auto found = std::ranges::find(roles, name, &built_in_role::name);
    return found == roles.end() ? nullptr : &*found;
}

} // namespace troupe
