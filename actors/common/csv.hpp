#pragma once

#include <string>
#include <string_view>

namespace troupe::actors {

/// A text as a cell of a table (RFC 4180), quoted where it has to be. One that a spreadsheet would take for a formula
/// gets a ' before it: not for numbers, which may begin with a -.
std::string csv_text(std::string_view text);

} // namespace troupe::actors
