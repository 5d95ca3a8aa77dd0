#pragma once

#include "actors/secret/secret_vault.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// Routes of secrets and their keys. A value comes in by PUT and is encrypted here, before a command is made of it; no
/// route gives one back. Both outlive the routes.
std::vector<net::route> secret_routes(const runtime::services& s, secret_vault& vault);

} // namespace troupe::actors
