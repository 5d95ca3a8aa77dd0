#pragma once

#include "actors/settings/settings_content.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/security_policy.hpp"
#include "schemas/settings.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The settings of an organization, under its id in the organization `system`. Each change is a version, and so is
/// going back to one. Sees sealed values as ciphertext only. Pure.
namespace troupe::actors {

/// Every change: a value, a roll-back, an import, a template.
struct change_settings {
    std::vector<setting_given> changes;
    std::vector<std::string> exactly; ///< See `wanted_settings`.
    std::string what;                 ///< "set", "rollback", "import", "template".
    std::string why;
    std::optional<std::uint64_t> restores;
    std::optional<policy_facts> author;   ///< None: no policy binds whoever asks.
    bool force = false;                   ///< Also when the author would be kept out.
    std::optional<setting_values> before; ///< What the organization's document had before there were settings.
};
BOOST_DESCRIBE_STRUCT(change_settings, (), (changes, exactly, what, why, restores, author, force, before))

struct settings_changed {
    std::uint64_t number = 0; ///< The version that it makes.
    std::string what;
    std::string why;
    std::optional<std::uint64_t> restores;
    bool forced = false;
    std::vector<setting_difference> changes;
};
BOOST_DESCRIBE_STRUCT(settings_changed, (), (number, what, why, restores, forced, changes))

/// Beside it, when the security policy is another one: who enforces it looks again.
struct security_policy_changed {};
BOOST_DESCRIBE_STRUCT(security_policy_changed, (), ())

struct settings_state {
    static constexpr int version = 1;
    uuid organization;
    std::uint64_t number = 0;
    settings_content content;
    std::string updated_by;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(settings_state, (), (organization, number, content, updated_by, updated_at))

/// Items: `settings_version_document` under `version_key`.
inline constexpr std::string_view versions_collection = "versions";
/// Items: all of a version under `version_key`, for the node itself: sealed values are ciphertext.
inline constexpr std::string_view contents_collection = "contents";
struct kept_settings {
    settings_content content;
};
BOOST_DESCRIBE_STRUCT(kept_settings, (), (content))
/// Ordered as the number is.
std::string version_key(std::uint64_t number);

/// The document of settings, for what the node reads itself.
settings_document document_of(const uuid& organization, std::uint64_t number, const settings_content& content);

/// The change as `planned` takes it, and the whole of what it is made to; the same that `decide` judges.
struct settings_plan {
    settings_content before;
    settings_content after;
};
expected<settings_plan> plan_of(std::uint64_t number, const settings_content& now, const change_settings& c,
                                timestamp at);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::change_settings)
TROUPE_NAMED(troupe::actors::settings_changed)
TROUPE_NAMED(troupe::actors::security_policy_changed)

namespace troupe::actors {

struct settings_model {
    static constexpr std::string_view kind = settings_kind;
    using state = settings_state;
    using command = std::variant<change_settings>;
    using event = std::variant<settings_changed, security_policy_changed>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static uuid subject(const state& s) { return s.organization; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// What was changed: `settings_result_document`.
    static std::string answer(const state&, const std::vector<event>&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
