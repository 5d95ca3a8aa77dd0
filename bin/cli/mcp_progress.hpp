#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/base/json.hpp"

#include <string>

namespace troupe::cli {

/// Calls an MCP tool; on the way it shows how far the server says it is, and Ctrl-C cancels the call. The body of the
/// answer. The node is known already.
expected<std::string> call_with_progress(context& c, const std::string& tool, const json::raw& arguments);

} // namespace troupe::cli
