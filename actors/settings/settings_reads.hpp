#pragma once

#include "actors/settings/settings_model.hpp"
#include "actors/settings/settings_routes.hpp"
#include "storage/store.hpp"

#include <cstdint>

/// Settings as the tables have them.
namespace troupe::actors {

/// As they are, with what they take over when nothing was ever set.
struct present_settings {
    std::uint64_t entity_version = 0; ///< The ETag.
    std::uint64_t number = 0;
    settings_content content;
    std::optional<setting_values> before; ///< See `change_settings`.
    std::string document;                 ///< `settings_document`, redacted.

    /// The content that readers see: before the first version that of the organization's document.
    [[nodiscard]] settings_content shown() const;
};
expected<present_settings> read_settings(const storage::store& s, const uuid& organization);

/// Of version 0: nothing was set. `not_found`.
expected<settings_content> content_of(const storage::store& s, const uuid& organization, std::uint64_t number);

/// What the seal of a value is bound to.
std::string seal_place(std::string_view place, std::string_view key);

// The routes that read.
std::vector<net::route> settings_read_routes(const settings_parts& parts);

} // namespace troupe::actors
