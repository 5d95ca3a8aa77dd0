#pragma once

#include "schemas/base/clock.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Places in a column of the board as texts that are compared bytewise, so that one can always be put between two
/// others without touching them (fractional indexing). Digits and small letters; never ends in "0". Pure.
namespace troupe::actors {

/// Behind all that came earlier; of the same millisecond behind those with a smaller number.
std::string rank_of(timestamp at, std::uint64_t number);

/// Between two ranks; an empty `above` is the top, an empty `below` the end of the column. `above` < `below`.
std::string rank_between(std::string_view above, std::string_view below);

} // namespace troupe::actors
