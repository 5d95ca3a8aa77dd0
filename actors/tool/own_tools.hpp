#pragma once

#include "actors/tool/tool.hpp"
#include "runtime/config/own_tools.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace troupe::actors {

/// Gives the text of a secret by its name.
using secret_finder = std::function<expected<std::string>(std::string_view name)>;

/// A tool as the configuration declares it, which has to be good. Secrets are asked for at each call.
custom_tool make_own_tool(runtime::own_tool declared, secret_finder find_secret);

} // namespace troupe::actors
