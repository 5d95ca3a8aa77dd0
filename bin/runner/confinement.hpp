#pragma once

#include "runtime/process/runner_files.hpp"

#include <string>
#include <vector>

namespace troupe::runner {

/// The descriptor on which the confined stage says that the command is about to start.
inline constexpr int ready_fd = 3;

/// What is exec'ed for the command: bubblewrap, inside it this program as the confined stage, inside it the command.
/// Without bubblewrap only the last two.
std::vector<std::string> confined_arguments(const runtime::runner_spec& spec, const std::string& self);

/// PATH, HOME and LANG, then the spec's, as "NAME=VALUE".
std::vector<std::string> command_environment(const runtime::runner_spec& spec);

/// The confined stage, inside the sandbox: sets the rlimits, reports on `ready_fd`, and becomes the command.
/// `arguments` are what `confined_arguments` put behind "--confined". Returns an exit code when it cannot.
int run_confined(const std::vector<std::string>& arguments);

} // namespace troupe::runner
