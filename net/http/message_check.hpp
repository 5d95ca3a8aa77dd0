#pragma once

#include <string_view>

/// Rules for requests that are stricter than the parser's: where two programs on the way read the same bytes in two
/// ways, one request can be smuggled inside another. Pure.
namespace troupe::net {

/// What is wrong with a part of a head as it came (its first line, or all field lines with the empty one at the end);
/// empty: nothing. Each line ends with CR LF; no folded lines, no blank before a colon, no control characters.
std::string_view flaw_in_lines(std::string_view part, bool is_first_line);

/// Whether a field with that lower-case name may come only once.
bool is_single(std::string_view lower_name);

/// "name", "name:80", "192.0.2.1:80" or "[::1]:80".
bool is_host(std::string_view text);

/// A request target in its parts; `authority` only of the absolute form.
struct target_parts {
    std::string_view authority;
    std::string_view path;
    std::string_view query;
    bool good = false;
};
target_parts split_target(std::string_view target);

} // namespace troupe::net
