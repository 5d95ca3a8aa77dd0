#pragma once

#include <cstdint>
#include <string>

namespace troupe {

/// A span of time for people, in its largest fitting unit: "340 ms", "45 s", "29 min", "5 h", "3 days". Less than none
/// is none.
std::string span_text(std::int64_t ms);

} // namespace troupe
