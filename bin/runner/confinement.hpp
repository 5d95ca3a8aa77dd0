#pragma once

#include "runtime/process/runner_files.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::runner {

/// The descriptor from which bubblewrap reads the filter of system calls.
inline constexpr int filter_fd = 4;

/// And that from which it reads /etc/hosts, where the command has a network of its own.
inline constexpr int names_fd = 6;

/// Bubblewrap's own processes, one outside and one inside of the sandbox.
inline constexpr std::uint32_t own_processes = 2;

/// Whether the command reaches some hosts through a proxy.
bool has_proxy(const runtime::runner_spec& spec);

/// What is exec'ed for the command: bubblewrap, inside it this program as the confined stage, inside it the command.
/// Without bubblewrap only the last two.
std::vector<std::string> confined_arguments(const runtime::runner_spec& spec, const std::string& self);

/// PATH, HOME and LANG, where the proxy is, then the spec's, as "NAME=VALUE".
std::vector<std::string> command_environment(const runtime::runner_spec& spec);

} // namespace troupe::runner
