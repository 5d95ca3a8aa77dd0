#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <string_view>
#include <vector>

namespace troupe::actors {

/// Of the index key by which a task is found: "key=TASK-017".
inline constexpr std::string_view task_key_filter = "key";

/// `{id}` of a task's path.
net::query_parameter task_in_path();

/// /board, and what moves tasks on it: their status, their place in a column, another try.
std::vector<net::route> board_routes(const runtime::services& s);

} // namespace troupe::actors
