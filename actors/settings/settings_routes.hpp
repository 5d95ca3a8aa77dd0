#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/security_policy.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Settings of organizations. Reads come from the tables, never waking an entity.
namespace troupe::actors {

/// What settings need of other features.
struct settings_parts {
    const runtime::services* services = nullptr;
    /// The keys of the caller's organization are there when `done` is called, exactly once, from any thread.
    std::function<void(const net::request&, std::function<void(expected<void>)> done)> make_keys;
    /// Seals a value for a place of the organization, which it is bound to.
    std::function<expected<std::string>(const uuid& organization, std::string_view place, std::string_view value)> seal;
    std::function<expected<std::string>(const uuid& organization, std::string_view place, std::string_view sealed)>
        unseal;
    /// A secret of the organization.
    std::function<expected<std::string>(const uuid& organization, std::string_view name)> reveal;
    std::function<expected<bool>(const uuid& organization, std::string_view name)> has_secret;
    /// A hash under a key of the node, so that nobody can try values against the journal.
    std::function<std::uint64_t(std::string_view request)> keyed_hash;
    /// `step_up_required` for who proved too long ago who it is.
    std::function<expected<void>(const net::principal&)> check_recent;
    /// What policies judge of the caller; nothing for whom none binds.
    std::function<std::optional<policy_facts>(const net::request&)> author;
};

/// All of `parts` outlives the routes.
std::vector<net::route> settings_routes(const settings_parts& parts);

/// The value of a setting, for what the node does in the organization's name: a profile's before the base value, a
/// reference looked up, a sealed value opened, texts without quotes, everything else as JSON. Nothing when it is not
/// set; `not_found` for a reference to no secret; `secrets_locked`.
expected<std::optional<std::string>> setting_value(const settings_parts& parts, const uuid& organization,
                                                   const std::optional<std::string>& profile, std::string_view key);

} // namespace troupe::actors
