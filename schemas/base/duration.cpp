#include "schemas/base/duration.hpp"

#include <algorithm>

namespace troupe {

std::string span_text(std::int64_t ms) {
    if (ms < 1000) {
        return std::to_string(std::max<std::int64_t>(ms, 0)) + " ms";
    }
    // Up to two of the next unit the smaller one says more.
    const auto s = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
    return s < 120      ? std::to_string(s) + " s"
           : s < 7200   ? std::to_string(s / 60) + " min"
           : s < 172800 ? std::to_string(s / 3600) + " h"
                        : std::to_string(s / 86400) + " days";
}

} // namespace troupe
