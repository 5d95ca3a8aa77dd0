#pragma once

#include "bin/cli/find_task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::cli {

/// Puts files of this machine to the task, and gives their numbers. The first that fails ends it.
expected<std::vector<std::uint64_t>> attach_files(context& c, const named_task& task,
                                                  const std::vector<std::string>& files);

} // namespace troupe::cli
