#pragma once

#include <string>
#include <string_view>
#include <vector>

/// What agents can do, by name; letters of any case are alike. Pure.
namespace troupe::actors {

bool has_capability(const std::vector<std::string>& all, const std::string& wanted);

/// "python,sql" → python, sql; blanks around them do not count, empty ones neither.
std::vector<std::string> capabilities_in(std::string_view list);

/// All that a list with commas names.
bool has_all(const std::vector<std::string>& all, std::string_view list);

} // namespace troupe::actors
