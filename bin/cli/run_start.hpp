#pragma once

#include "bin/cli/commands.hpp"

namespace troupe::cli {

/// The row of `run start`.
command run_start_command();

} // namespace troupe::cli
