#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// /tasks/{id}/attachments: files that people and programs put to a task. They are never shown by a browser in the
/// node's name: always a download, with a type that its bytes say.
std::vector<net::route> attachment_routes(const runtime::services& s);

} // namespace troupe::actors
