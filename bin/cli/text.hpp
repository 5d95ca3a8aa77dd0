#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Text that others wrote, made safe and measured for a terminal. Pure.
namespace troupe::cli {

/// Removes escape sequences, control and direction-changing characters from text that others wrote, and mends
/// broken UTF-8. Keeps its state, so that a sequence cut into pieces is removed too.
class text_filter {
public:
    /// Line feeds stay, a tab becomes four spaces, a carriage return starts a new line unless a line feed follows.
    std::string feed(std::string_view piece);

private:
    enum class state : std::uint8_t { text, escape, control, string, string_escape };
    void put(std::string& out, char32_t c, std::string_view bytes);
    state state_ = state::text;
    std::size_t skipped_ = 0; ///< Bytes of the sequence so far: an unfinished one cannot swallow everything.
    bool return_pending_ = false;
    std::string partial_; ///< An unfinished UTF-8 character.
};

std::string clean(std::string_view text);      ///< All of it; keeps line feeds.
std::string clean_line(std::string_view text); ///< On one line: white space becomes one space.

/// Columns that clean text takes: wide characters 2, combining ones 0.
std::size_t display_width(std::string_view text);
/// "a, b, c"
std::string joined(const std::vector<std::string>& words);
/// At most `width` columns, with "…" at the end when cut. `width` 0: all.
std::string shorten(std::string_view text, std::size_t width);
/// Lines of at most `width` columns, broken at spaces where possible; keeps line feeds. `width` 0: no limit.
std::vector<std::string> wrap(std::string_view text, std::size_t width);
std::vector<std::string> lines_of(std::string_view text);

} // namespace troupe::cli
