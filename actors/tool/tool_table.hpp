#pragma once

#include "actors/tool/tool.hpp"

#include <span>
#include <string_view>

/// The tools of this process: those of the product, and those that programs added. `tool.cpp` is the only caller.
namespace troupe::actors {

/// The table that comes with Troupe.
std::span<const tool_info> product_tools();

/// A tool that was added and not removed since, or null. Valid until the process ends.
const custom_tool* find_added(std::string_view name);

} // namespace troupe::actors
