#pragma once

#include <cstddef>
#include <string_view>

namespace troupe::actors {

/// The largest prefix of at most `bytes_max` that ends at a whole UTF-8 character.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

} // namespace troupe::actors
