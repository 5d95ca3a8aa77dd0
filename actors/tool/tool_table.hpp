#pragma once

#include "actors/tool/tool.hpp"

#include <span>
#include <string_view>

/// The tools of this process: those of the product, and those that programs added. `tool.cpp` is the only caller.
namespace troupe::actors {

/// The table that comes with Troupe.
std::span<const tool_info> product_tools();

/// What performs a tool of the product; null for others, and for those that the run answers itself.
using tool_performer = tool_result (*)(std::string_view arguments, const tool_environment& where);
tool_performer product_performer(std::string_view name);

/// A tool that was added and not removed since, or null. Valid until the process ends.
const custom_tool* find_added(std::string_view name);

} // namespace troupe::actors
