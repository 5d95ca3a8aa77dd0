#pragma once

#include "schemas/settings.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What settings may be, and how they differ. Pure.
namespace troupe::actors {

/// By place: "values", "profiles/NAME", "templates/NAME". No place is empty.
using settings_content = std::map<std::string, setting_values>;

inline constexpr std::string_view base_place = "values";
inline constexpr std::string_view profile_places = "profiles/";
inline constexpr std::string_view template_places = "templates/";
inline constexpr std::string_view all_places = "*";

inline constexpr std::size_t setting_key_bytes_max = 128;
inline constexpr std::size_t setting_bytes_max = 8192;
inline constexpr std::size_t setting_depth_max = 8;
inline constexpr std::size_t profiles_max = 20;
inline constexpr std::size_t templates_max = 50;
/// Of all keys and values together: a version is kept whole.
inline constexpr std::size_t settings_bytes_max = 128UL << 10;

/// One value to be set, or taken away.
struct setting_given {
    std::string place;
    std::string key;
    std::optional<json::raw> value; ///< None: taken away.
};
BOOST_DESCRIBE_STRUCT(setting_given, (), (place, key, value))

/// A change as it was asked for.
struct wanted_settings {
    std::vector<setting_given> changes;
    std::vector<std::string> exactly; ///< Places that have nothing else afterwards; "*": all places.
};

/// The content after a change; `invalid_request` names every place that is wrong.
expected<settings_content> planned(const settings_content& now, const wanted_settings& wanted);

/// What differs, by place and key.
std::vector<setting_difference> differences(const settings_content& before, const settings_content& after);
void apply_difference(settings_content& to, const setting_difference& d);

/// The values of an environment: those of the profile, and those of `values` for keys that it does not have. With those
/// that are the profile's.
struct effective_settings {
    setting_values values;
    std::vector<std::string> overridden;
};
effective_settings effective(const settings_content& content, const std::optional<std::string>& profile);

/// a-z, 0-9, '-' and '_', separated by dots; each part begins with a letter or digit.
bool is_setting_key(std::string_view key);
/// Of profiles and templates: 1 to 40 of a-z, 0-9, '-' and '_', a letter or digit first.
bool is_settings_name(std::string_view name);

/// {"sealed":"…"}: as sealed values are kept. `text` is what a vault made.
json::raw sealed_value(std::string_view text);
/// What was sealed; nothing for other values.
std::optional<std::string> sealed_text(const json::raw& value);
/// The secret that a value refers to.
std::optional<std::string> reference_of(const json::raw& value);

/// What a caller gave: the text of {"secret":"…"}, which is to be sealed; nothing for other values. A problem for one
/// that would not be sealed and looks so, or that looks like one that is.
expected<std::optional<std::string>> text_to_seal(const json::raw& value, const std::string& pointer);

/// By place name.
setting_values values_in(const settings_content& content, std::string_view place);
std::map<std::string, setting_values> places_below(const settings_content& content, std::string_view prefix);

/// Those of `security.`.
setting_values security_values(const settings_content& content);

/// What was written into the organization's document before there were settings: its members that can be keys.
setting_values taken_over(const json::raw& old);

struct built_in_template {
    std::string_view name;
    std::string_view description;
    setting_values values;
};
std::span<const built_in_template> built_in_templates();
const built_in_template* find_built_in_template(std::string_view name);

} // namespace troupe::actors
