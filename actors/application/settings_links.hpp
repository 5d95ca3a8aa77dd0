#pragma once

#include "actors/identity/identity.hpp"
#include "actors/secret/secret_vault.hpp"
#include "actors/settings/settings_routes.hpp"
#include "runtime/services.hpp"

namespace troupe::actors {

/// Settings seal with the vault's keys, and are judged by who knows the caller. All of it outlives the answer.
settings_parts link_settings(const runtime::services& s, const secret_vault& vault, const identity& who);

} // namespace troupe::actors
