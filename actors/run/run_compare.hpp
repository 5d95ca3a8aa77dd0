#pragma once

#include "schemas/run_history.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

/// Two runs side by side. Pure.
namespace troupe::actors {

/// Steps of both by key, at most `limit` of those after `after`. A fork has its source's steps up to where it began.
run_comparison compare_runs(const run_document& left, const std::vector<step_document>& left_steps,
                            const run_document& right, const std::vector<step_document>& right_steps,
                            std::string_view after, std::size_t limit);

} // namespace troupe::actors
