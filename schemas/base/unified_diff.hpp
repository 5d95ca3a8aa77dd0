#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// The change from `before` to `after` as `git diff` shows it, with three lines of context. Without a content the file
/// is not there: then it is made or deleted. Empty when nothing changed; one line that says so when either is binary.
/// Thread-safe.
std::string unified_diff(std::string_view path, std::optional<std::string_view> before,
                         std::optional<std::string_view> after);

} // namespace troupe
