#pragma once

#include "actors/tool/own_tools.hpp"
#include "actors/tool/tool.hpp"
#include "runtime/config/config.hpp"

#include <memory>
#include <vector>

namespace troupe::actors {

/// Adds the tools that the configuration asks for (`tools.…`) and a program's own, as `add_tools` does.
/// `config_invalid` also names what is wrong in the configuration.
expected<std::shared_ptr<void>> add_configured_tools(const runtime::config& settings, std::vector<custom_tool> own,
                                                     secret_finder find_secret = {});

} // namespace troupe::actors
