#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::runner {

/// The descriptor on which the confined stage says that the command is about to start.
inline constexpr int ready_fd = 3;

/// The first argument of this program where it is the stage before the command.
namespace stage_word {
inline constexpr const char* confined = "--confined"; ///< Inside bubblewrap.
inline constexpr const char* limited = "--limited";   ///< With `sandbox: none`: rlimits only.
} // namespace stage_word

/// The stage before the command: sets the rlimits, reports on `ready_fd`, and becomes the command. `arguments` are what
/// `confined_arguments` put behind the stage's word. Returns an exit code when it cannot.
int run_stage(std::string_view word, const std::vector<std::string>& arguments);

} // namespace troupe::runner
