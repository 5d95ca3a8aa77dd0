#pragma once

#include "actors/identity/identity.hpp"
#include "actors/secret/secret_vault.hpp"
#include "actors/settings/settings_routes.hpp"
#include "runtime/services.hpp"
#include "schemas/agent.hpp"
#include "storage/store.hpp"

#include <map>
#include <string>
#include <string_view>

namespace troupe::actors {

/// Settings seal with the vault's keys, and are judged by who knows the caller. All of it outlives the answer.
settings_parts link_settings(const runtime::services& s, const secret_vault& vault, const identity& who);

/// What the organization's settings say of the tools of a run of that kind (schemas/organization_rules.hpp). A rule
/// about a tool that is not there is refused, as a run's own is.
expected<std::map<std::string, tool_policy>> rules_of_organization(const storage::store& s, const uuid& organization,
                                                                   std::string_view kind);

} // namespace troupe::actors
