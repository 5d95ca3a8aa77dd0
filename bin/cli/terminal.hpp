#pragma once

#include "schemas/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// How text reaches people: coloured, aligned, in tables. All pure but `screen_of`.
namespace troupe::cli {

enum class tone : std::uint8_t { plain, strong, faint, good, bad, warn, accent };

/// What the output can show.
struct screen {
    bool interactive = false; ///< A terminal.
    bool colour = false;
    std::size_t width = 0; ///< Columns; 0: no limit (not a terminal).
};

/// The screen behind a file descriptor; honours NO_COLOR, TERM=dumb and COLUMNS.
screen screen_of(int descriptor);

/// `text` in a tone, when the screen shows colour.
std::string paint(const screen& s, tone t, std::string_view text);

/// A status as symbol, word and tone: "✓ succeeded". Unknown words get a neutral symbol.
tone tone_of_status(std::string_view status);
std::string_view symbol_of_status(std::string_view status);
std::string status_text(std::string_view status);

struct column {
    std::string title;
    bool right = false;
    bool flexible = false; ///< May be shortened to `min` columns when the table is too wide.
    std::size_t min = 8;
};
struct cell {
    std::string text; ///< Cleaned by the table.
    troupe::cli::tone tone = troupe::cli::tone::plain;
};

/// Columns that a flexible column has at most where the screen sets no limit: names stay whole, texts do not.
inline constexpr std::size_t piped_width_max = 200;

/// Column widths for the natural ones: flexible columns give way, the widest first, until all fits.
std::vector<std::size_t> fit_columns(const std::vector<column>& columns, std::vector<std::size_t> natural,
                                     std::size_t width);

/// An aligned table with a faint heading; every line ends with a line feed. Text is cleaned.
std::string table(const screen& s, const std::vector<column>& columns, const std::vector<std::vector<cell>>& rows);

/// "name  value" lines with aligned values, wrapped under themselves. Empty values are left out.
std::string details(const screen& s, const std::vector<std::pair<std::string, cell>>& fields);

std::string relative_time(timestamp t, timestamp now); ///< "12 s ago", "in 3 min", "2026-01-31".
std::string duration_text(std::int64_t ms);            ///< "340 ms", "2.4 s", "3 min 20 s", "2 h 05 min".
std::string bytes_text(std::uint64_t bytes);           ///< "1.4 MiB"
std::string count_text(std::uint64_t number);          ///< "12 345"

} // namespace troupe::cli
