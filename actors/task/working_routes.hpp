#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <functional>
#include <string>
#include <vector>

namespace troupe::actors {

/// Takes over what was changed in the text, in the name of the request's caller; with its `Idempotency-Key` once.
/// `done` comes from any thread: what was refused is as a whole, or says what was made before.
void edit_working(const runtime::services& s, net::request r, std::string text,
                  std::function<void(expected<void>)> done);

/// /state/working-md. The services outlive the routes.
std::vector<net::route> working_routes(const runtime::services& s);

} // namespace troupe::actors
