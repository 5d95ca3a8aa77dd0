#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// CRC-32C (Castagnoli) of `bytes`; `before` is that of what precedes them. With the processor's instruction where it
/// has one.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

/// The same from tables, for any processor.
std::uint32_t crc32c_by_tables(std::string_view bytes, std::uint32_t before = 0);

} // namespace troupe
