#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the parsers of other programs' output have in common. That output is anybody's: binary, full of terminal
/// escapes, with lines of megabytes. Everything here is linear in the text. Pure.
namespace troupe::actors {

/// What parsers see of a line; the rest of a longer one is passed over.
inline constexpr std::size_t scanned_line_bytes_max = 4096;

/// The text without terminal escapes, carriage returns and other control characters but tabs and line feeds.
std::string without_escapes(std::string_view text);

/// The lines of a text, one by one, as `without_escapes` leaves them.
class line_reader {
public:
    explicit line_reader(std::string_view text) : rest_(text) {}
    /// False at the end.
    bool next();
    [[nodiscard]] const std::string& line() const { return line_; }

private:
    std::string_view rest_;
    std::string line_;
};

/// Reads a line from its front. What does not fit is left where it is.
class scanner {
public:
    explicit scanner(std::string_view text) : rest_(text) {}
    [[nodiscard]] std::string_view rest() const { return rest_; }
    bool skip(std::string_view literal);
    scanner& blanks();
    std::optional<std::uint64_t> number(); ///< Of 18 digits at most.
    /// What stands before `literal`; goes on behind it.
    std::optional<std::string_view> until(std::string_view literal);

private:
    std::string_view rest_;
};

std::string_view trimmed(std::string_view text);
/// The number right before `word`, as in "3 passed": 0 where there is none.
std::uint64_t count_before(std::string_view text, std::string_view word);

/// A place in a source, as programs write it: "src/a.cpp:12", "a.py:3:1", "a.cpp(7)", `File "a.py", line 3`.
struct source_place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0; ///< 0: unknown.
};

/// The first in a text. A file has a suffix of two letters at most before its colon, or one of the known ones.
std::optional<source_place> find_place(std::string_view text);
/// At the front of a line only; `rest` is what follows.
std::optional<source_place> place_at(std::string_view line, std::string_view& rest);

} // namespace troupe::actors
