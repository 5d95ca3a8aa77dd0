#include "actors/common/text.hpp"

#include <algorithm>

namespace troupe::actors {

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    auto end = std::min(text.size(), bytes_max);
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
        --end;
    }
    return text.substr(0, end);
}

} // namespace troupe::actors
