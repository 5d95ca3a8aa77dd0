#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/network.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The security policy of an organization: what its settings `security.…` ask of whoever works in it. Pure.
namespace troupe {

using setting_values = std::map<std::string, json::raw>;

/// What is not given is not asked for.
struct security_policy {
    std::optional<std::int64_t> password_length_min;
    std::optional<std::int64_t> password_age_max_days;
    std::optional<std::int64_t> password_history; ///< So many passwords before do not come again, the present one too.
    std::optional<std::int64_t> session_lifetime_minutes;
    std::optional<std::int64_t> session_idle_minutes;
    bool mfa_required = false;          ///< Of everybody.
    std::vector<std::string> mfa_roles; ///< Of these.
    network_list addresses;             ///< Empty: from everywhere.
};

/// A setting that the node knows, and means something to it.
struct known_setting {
    std::string_view key;
    std::string_view doc;
    std::string_view schema; ///< JSON Schema.
};
std::span<const known_setting> known_settings();

inline constexpr std::string_view security_prefix = "security.";
inline constexpr std::size_t allowed_addresses_max = 200;
inline constexpr std::int64_t password_history_max = 24;

bool is_security_key(std::string_view key);

/// Of all values those of `security.`. `invalid_request` names each that is unknown or wrong, under `pointer`.
expected<security_policy> parse_security_policy(const setting_values& values, std::string_view pointer);

/// What is known of a caller. Keys have an address only.
struct policy_facts {
    bool person = false; ///< A session of somebody, no key.
    std::string address;
    std::string role; ///< In the organization; empty: none (administrators of the node).
    bool second_factor = false;
    timestamp began;                              ///< Of the session.
    timestamp used;                               ///< When the session was used last before.
    std::optional<timestamp> password_changed_at; ///< None: the session began without a password.
};
BOOST_DESCRIBE_STRUCT(policy_facts, (), (person, address, role, second_factor, began, used, password_changed_at))

enum class policy_breach : std::uint8_t { none, address, session_lifetime, session_idle, second_factor, password_age };

/// The first thing that the caller does not fulfil.
policy_breach judge_policy(const security_policy& policy, const policy_facts& caller, timestamp now);

/// What a breach is answered with; says what to do. Not for `none`.
problem problem_of(policy_breach breach);

/// Where the values of a policy stand for those who enforce it: an item of the entity `settings` of the organization.
inline constexpr std::string_view settings_kind = "settings";
inline constexpr std::string_view security_collection = "security";
inline constexpr std::string_view security_key = "current";
/// The event after which that item is another one.
inline constexpr std::string_view security_changed_event = "security_policy_changed";
struct security_record {
    setting_values values;
};
BOOST_DESCRIBE_STRUCT(security_record, (), (values))

/// Settings live in the organization `system`, under the id of the organization that they are of.
entity_address settings_address(const uuid& organization);

} // namespace troupe
