#pragma once

#include "schemas/base/problem.hpp"

#include <map>
#include <string>
#include <string_view>

namespace troupe::actors {

/// The text with each {{name}} replaced by its value, which is not looked at again. Names are of letters, digits, `_`,
/// `-` and `.`, with blanks around them or not; other braces stay as they are. `invalid_request` names the values that
/// are missing; also when the result would be longer than a document may be.
expected<std::string> fill_template(std::string_view text, const std::map<std::string, std::string>& values);

} // namespace troupe::actors
