#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/base/ids.hpp"

namespace troupe::cli {

/// Shows a run from its beginning until it ends; connects again when the node restarts, asks for approvals on a
/// terminal. Answers the exit code: 0 succeeded, 1 failed or cancelled, 130 when the person stopped watching.
expected<int> watch_run(context& c, const uuid& run_id);

} // namespace troupe::cli
