#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <vector>

namespace troupe::actors {

/// Agents as models, for clients of OpenAI's protocol: `/v1/models`, `/v1/chat/completions`. The services outlive them.
std::vector<net::route> chat_routes(const runtime::services& s);

} // namespace troupe::actors
