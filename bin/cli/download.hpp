#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

namespace troupe::cli {

/// Writes what the node answers into a file, or to standard output when it is "-".
expected<void> download_to(context& c, std::string_view path, const std::string& file);

} // namespace troupe::cli
