#pragma once

#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

namespace troupe::net {

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

/// Percent-decodes one segment of a path or one name or value of a query. `malformed_http` for a broken escape, a
/// NUL or other control character, and for what is not UTF-8 afterwards. `plus_is_space` is for queries.
expected<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// The other way, for one segment or value: all but letters, digits, "-._~" and what `kept` has.
std::string percent_encode(std::string_view text, std::string_view kept = {});

/// ASCII only.
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string lower_case(std::string_view text);
std::string_view trim(std::string_view text);

/// Whether a comma-separated header value holds that token; parameters after ";" are ignored.
bool has_token(std::string_view list, std::string_view token);

} // namespace troupe::net
