#pragma once

#include "bin/cli/commands.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace troupe::cli {

/// Draws a picture again every `every_ms` on the whole terminal, until Ctrl-C or until nobody reads it. A picture that
/// cannot be drawn (the node is away) is replaced by its problem, and tried again; the first one has to succeed.
expected<int> show_live(context& c, std::int64_t every_ms, const std::function<expected<std::string>()>& draw);

/// The picture as it is written to a terminal of so many rows (0: not known): in place of the one before.
std::string framed(std::string_view picture, std::size_t rows);

} // namespace troupe::cli
