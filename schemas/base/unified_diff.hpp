#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// The change from `before` to `after` as `git diff` shows it, with three lines of context. Empty when they are equal;
/// one line that says so when either is binary. Thread-safe.
std::string unified_diff(std::string_view path, std::string_view before, std::string_view after);

} // namespace troupe
