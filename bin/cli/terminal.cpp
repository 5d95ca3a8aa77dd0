#include "bin/cli/terminal.hpp"

#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>
#include <sys/ioctl.h>
#include <unistd.h>

namespace troupe::cli {
namespace {

constexpr std::size_t gap = 2; ///< Between columns.
constexpr std::size_t width_min = 40;

std::string_view escape_of(tone t) {
    switch (t) {
    case tone::strong:
        return "\x1b[1m";
    case tone::faint:
        return "\x1b[2m";
    case tone::good:
        return "\x1b[32m";
    case tone::bad:
        return "\x1b[31m";
    case tone::warn:
        return "\x1b[33m";
    case tone::accent:
        return "\x1b[36m";
    case tone::plain:
        break;
    }
    return {};
}

struct status_look {
    std::string_view status;
    std::string_view symbol;
    troupe::cli::tone tone;
};

constexpr std::array looks = {
    status_look{"succeeded", "✓", tone::good},
    status_look{"done", "✓", tone::good},
    status_look{"approved", "✓", tone::good},
    status_look{"answered", "✓", tone::good},
    status_look{"ok", "✓", tone::good},
    status_look{"idle", "○", tone::plain},
    status_look{"queued", "○", tone::plain},
    status_look{"inbox", "○", tone::plain},
    status_look{"assigned", "◔", tone::accent},
    status_look{"running", "●", tone::accent},
    status_look{"busy", "●", tone::accent},
    status_look{"started", "●", tone::accent},
    status_look{"in_progress", "●", tone::accent},
    status_look{"review", "◑", tone::warn},
    status_look{"waiting", "◆", tone::warn},
    status_look{"asked", "◆", tone::warn},
    status_look{"pending", "◆", tone::warn},
    status_look{"paused", "◆", tone::warn},
    status_look{"blocked", "◆", tone::warn},
    status_look{"unknown", "?", tone::warn},
    status_look{"restarting", "◆", tone::warn},
    status_look{"failed", "✗", tone::bad},
    status_look{"error", "✗", tone::bad},
    status_look{"down", "✗", tone::bad},
    status_look{"unreachable", "?", tone::warn},
    status_look{"denied", "✗", tone::bad},
    status_look{"cancelled", "–", tone::faint},
    status_look{"skipped", "–", tone::faint},
    status_look{"offline", "–", tone::faint},
    status_look{"stopped", "–", tone::faint},
    status_look{"stalled", "✗", tone::bad},
    status_look{"withdrawn", "–", tone::faint},
};

const status_look* look_of(std::string_view status) {
    const auto found = std::ranges::find(looks, status, &status_look::status);
    return found == looks.end() ? nullptr : found;
}

std::string age_text(std::int64_t ms) {
    constexpr std::int64_t second = 1000;
    constexpr std::int64_t minute = 60 * second;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (ms < minute) {
        return fmt::format("{} s", ms / second);
    }
    if (ms < hour) {
        return fmt::format("{} min", ms / minute);
    }
    return ms < day ? fmt::format("{} h", ms / hour) : fmt::format("{} d", ms / day);
}

} // namespace

screen screen_of(int descriptor) {
    screen s;
    s.interactive = ::isatty(descriptor) == 1;
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    s.colour = s.interactive && !(no_colour && *no_colour) && terminal && std::string_view(terminal) != "dumb";
    if (s.interactive) {
        winsize size{};
        const char* columns = std::getenv("COLUMNS");
        const int wished = columns ? std::atoi(columns) : 0;
        const std::size_t width = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                  : wished > 0 ? static_cast<std::size_t>(wished)
                                               : 80;
        s.width = std::max(width, width_min);
    }
    return s;
}

std::string paint(const screen& s, tone t, std::string_view text) {
    const auto escape = escape_of(t);
    return !s.colour || escape.empty() || text.empty() ? std::string(text) : fmt::format("{}{}\x1b[0m", escape, text);
}

tone tone_of_status(std::string_view status) {
    const auto* look = look_of(status);
    return look ? look->tone : tone::plain;
}

std::string_view symbol_of_status(std::string_view status) {
    const auto* look = look_of(status);
    return look ? look->symbol : "·";
}

std::string status_text(std::string_view status) {
    return fmt::format("{} {}", symbol_of_status(status), clean_line(status));
}

std::vector<std::size_t> fit_columns(const std::vector<column>& columns, std::vector<std::size_t> natural,
                                     std::size_t width) {
    if (width == 0) {
        for (std::size_t i = 0; i < natural.size(); ++i) {
            natural[i] = columns[i].flexible ? std::min(natural[i], piped_width_max) : natural[i];
        }
        return natural;
    }
    const auto total = [&] {
        return std::accumulate(natural.begin(), natural.end(), gap * (natural.empty() ? 0 : natural.size() - 1));
    };
    while (total() > width) {
        std::size_t widest = natural.size();
        for (std::size_t i = 0; i < natural.size(); ++i) {
            if (columns[i].flexible && natural[i] > columns[i].min &&
                (widest == natural.size() || natural[i] > natural[widest])) {
                widest = i;
            }
        }
        if (widest == natural.size()) {
            break;
        }
        --natural[widest];
    }
    return natural;
}

std::string table(const screen& s, const std::vector<column>& columns, const std::vector<std::vector<cell>>& rows) {
    std::vector<std::vector<cell>> all;
    std::vector<std::size_t> natural;
    auto& heading = all.emplace_back();
    for (const auto& c : columns) {
        heading.push_back({c.title, tone::faint});
        natural.push_back(display_width(c.title));
    }
    for (const auto& row : rows) {
        auto& cleaned = all.emplace_back();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            cleaned.push_back(i < row.size() ? cell{clean_line(row[i].text), row[i].tone} : cell{});
            natural[i] = std::max(natural[i], display_width(cleaned.back().text));
        }
    }
    const auto widths = fit_columns(columns, natural, s.width);
    std::string out;
    for (const auto& row : all) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto text = shorten(row[i].text, widths[i]);
            const std::string fill(widths[i] - std::min(widths[i], display_width(text)), ' ');
            const bool last = i + 1 == columns.size();
            line += columns[i].right ? fill + paint(s, row[i].tone, text)
                                     : paint(s, row[i].tone, text) + (last ? "" : fill);
            line += last ? "" : std::string(gap, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string details(const screen& s, const std::vector<std::pair<std::string, cell>>& fields) {
    std::size_t name_width = 0;
    for (const auto& [name, value] : fields) {
        name_width = value.text.empty() ? name_width : std::max(name_width, display_width(name));
    }
    const std::size_t indent = name_width + gap;
    std::string out;
    for (const auto& [name, value] : fields) {
        if (value.text.empty()) {
            continue;
        }
        std::string lead = paint(s, tone::faint, name) + std::string(indent - display_width(name), ' ');
        for (const auto& line : wrap(clean(value.text), s.width > indent ? s.width - indent : 0)) {
            out += lead + paint(s, value.tone, line) + "\n";
            lead = std::string(indent, ' ');
        }
    }
    return out;
}

std::string relative_time(timestamp t, timestamp now) {
    constexpr std::int64_t month_ms = 30LL * 24 * 3600 * 1000;
    const auto age = now - t;
    if (age > month_ms || age < -month_ms) {
        return to_string(t).substr(0, 10);
    }
    if (age > -1000 && age < 1000) {
        return "now";
    }
    return age < 0 ? "in " + age_text(-age) : age_text(age) + " ago";
}

std::string duration_text(std::int64_t ms) {
    if (ms < 1000) {
        return fmt::format("{} ms", std::max<std::int64_t>(ms, 0));
    }
    if (ms < 60'000) {
        return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
    }
    const auto seconds = ms / 1000;
    if (seconds < 3600) {
        return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
    }
    const auto minutes = seconds / 60;
    return minutes < 48 * 60 ? fmt::format("{} h {:02} min", minutes / 60, minutes % 60)
                             : fmt::format("{} d {:02} h", minutes / 1440, minutes % 1440 / 60);
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string count_text(std::uint64_t number) {
    auto digits = std::to_string(number);
    for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
        digits.insert(static_cast<std::size_t>(i), " ");
    }
    return digits;
}

} // namespace troupe::cli
