#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Figures of source texts, counted and never estimated. Pure; linear in the text.
namespace troupe::actors {

/// How they are counted:
/// - `code_lines` hold something beside blanks and comments;
/// - `functions` are definitions as far as their form shows them: by keyword (Python, JavaScript, Go, Rust), or by a
/// name
///   with parentheses and a brace at the level of a file, namespace or class (C++, Java, C);
/// - `decisions` are what makes another path: if, for, while, case, catch, `&&`, `||`, `?` and what the language has in
///   their place. Strings and comments do not count;
/// - `complexity` is McCabe's, for all functions together: decisions + functions.
struct code_measure {
    std::string language;
    std::uint64_t files = 0;
    std::uint64_t lines = 0;
    std::uint64_t code_lines = 0;
    std::uint64_t functions = 0;
    std::uint64_t decisions = 0;
    std::uint64_t complexity = 0;

    code_measure& operator+=(const code_measure& other);
};
BOOST_DESCRIBE_STRUCT(code_measure, (), (language, files, lines, code_lines, functions, decisions, complexity))

/// Nothing for a language that is not measured; known by the file's suffix.
std::optional<code_measure> measure_source(std::string_view path, std::string_view text);

} // namespace troupe::actors
