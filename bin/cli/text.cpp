#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::cli {
namespace {

/// An escape sequence that is longer than this was none: what follows is shown again.
constexpr std::size_t sequence_bytes_max = 4096;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

struct range {
    char32_t first;
    char32_t last;
};

template <std::size_t N>
constexpr bool within(const std::array<range, N>& ranges, char32_t c) {
    return std::ranges::any_of(ranges, [c](range r) { return c >= r.first && c <= r.last; });
}

/// Combining marks and joiners: no column of their own.
constexpr std::array<range, 11> zero_width = {{{0x0300, 0x036F},
                                               {0x0483, 0x0489},
                                               {0x0591, 0x05BD},
                                               {0x0610, 0x061A},
                                               {0x064B, 0x065F},
                                               {0x0E47, 0x0E4E},
                                               {0x200B, 0x200D},
                                               {0x20D0, 0x20FF},
                                               {0xFE00, 0xFE0F},
                                               {0xFE20, 0xFE2F},
                                               {0xE0100, 0xE01EF}}};
/// East Asian wide characters and emoji: two columns.
constexpr std::array<range, 12> double_width = {{{0x1100, 0x115F},
                                                 {0x2E80, 0x303E},
                                                 {0x3041, 0xA4CF},
                                                 {0xAC00, 0xD7A3},
                                                 {0xF900, 0xFAFF},
                                                 {0xFE30, 0xFE6F},
                                                 {0xFF00, 0xFF60},
                                                 {0xFFE0, 0xFFE6},
                                                 {0x1F300, 0x1F64F},
                                                 {0x1F680, 0x1F6FF},
                                                 {0x1F900, 0x1F9FF},
                                                 {0x20000, 0x3FFFD}}};
/// Characters that change the direction of what follows, or show nothing at all: used to disguise text.
constexpr std::array<range, 6> disguising = {
    {{0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE007F}}};

/// How many bytes the character that starts with `lead` has; 0: it cannot start one.
std::size_t length_of(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 3;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/// The character in `bytes`, which has the length its first byte says; nothing for an overlong or surrogate form.
char32_t decode(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    switch (bytes.size()) {
    case 1:
        return byte(0);
    case 2:
        return (byte(0) & 0x1FU) << 6 | (byte(1) & 0x3FU);
    case 3:
        return (byte(0) & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
    default:
        return (byte(0) & 0x07U) << 18 | (byte(1) & 0x3FU) << 12 | (byte(2) & 0x3FU) << 6 | (byte(3) & 0x3FU);
    }
}

bool valid(char32_t c, std::size_t bytes) {
    constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
    return c >= least[bytes] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

std::size_t width_of(char32_t c) {
    if (c < 0x300) {
        return 1;
    }
    return within(zero_width, c) ? 0 : within(double_width, c) ? 2 : 1;
}

/// The next character of clean text: its bytes and its columns.
std::pair<std::string_view, std::size_t> next_character(std::string_view text) {
    const auto length = std::clamp<std::size_t>(length_of(static_cast<unsigned char>(text.front())), 1, text.size());
    const auto bytes = text.substr(0, length);
    return {bytes, width_of(decode(bytes))};
}

} // namespace

void text_filter::put(std::string& out, char32_t c, std::string_view bytes) {
    if (std::exchange(return_pending_, false) && c != '\n') {
        out += '\n';
    }
    switch (state_) {
    case state::text:
        break;
    case state::escape:
        // ESC [ starts a control sequence, ESC P X ] ^ _ a string; others take intermediates and one more character.
        state_ = c == '['                                                   ? state::control
                 : c == 'P' || c == 'X' || c == ']' || c == '^' || c == '_' ? state::string
                 : c >= 0x20 && c <= 0x2F                                   ? state::escape
                                                                            : state::text;
        if (c >= 0x20) {
            return;
        }
        break;
    case state::control:
        if (c >= 0x20 && c < 0x40 && ++skipped_ < sequence_bytes_max) {
            return;
        }
        state_ = state::text;
        if (c >= 0x40 && c <= 0x7E) {
            return;
        }
        break;
    case state::string_escape:
        state_ = c == '\\' ? state::text : state::string;
        return;
    case state::string:
        if (c == 0x07 || c == 0x9C) {
            state_ = state::text;
            return;
        }
        if (c == 0x1B) {
            state_ = state::string_escape;
            return;
        }
        if (c != '\n' && ++skipped_ < sequence_bytes_max) {
            return;
        }
        state_ = state::text;
        break;
    }
    if (c == 0x1B) {
        state_ = state::escape;
        skipped_ = 0;
    } else if (c == 0x9B) {
        state_ = state::control;
        skipped_ = 0;
    } else if (c == 0x90 || c == 0x98 || (c >= 0x9D && c <= 0x9F)) {
        state_ = state::string;
        skipped_ = 0;
    } else if (c == '\n') {
        out += '\n';
    } else if (c == '\r') {
        return_pending_ = true;
    } else if (c == '\t') {
        out += "    ";
    } else if (c >= 0x20 && !(c >= 0x7F && c <= 0x9F) && !within(disguising, c)) {
        out += bytes;
    }
}

std::string text_filter::feed(std::string_view piece) {
    const std::string joined = std::exchange(partial_, {}) + std::string(piece);
    std::string out;
    out.reserve(joined.size());
    for (std::size_t i = 0; i < joined.size();) {
        const auto wanted = length_of(static_cast<unsigned char>(joined[i]));
        std::size_t have = wanted == 0 ? 0 : 1;
        while (have != 0 && have < wanted && i + have < joined.size() &&
               (static_cast<unsigned char>(joined[i + have]) & 0xC0) == 0x80) {
            ++have;
        }
        if (have != 0 && have < wanted && i + have == joined.size()) {
            partial_ = joined.substr(i);
            break;
        }
        const auto bytes = std::string_view(joined).substr(i, std::max<std::size_t>(have, 1));
        const char32_t c = have == wanted && wanted != 0 ? decode(bytes) : 0;
        if (have == wanted && wanted != 0 && valid(c, wanted)) {
            put(out, c, bytes);
        } else {
            put(out, 0xFFFD, replacement);
        }
        i += bytes.size();
    }
    return out;
}

std::string clean(std::string_view text) { return text_filter().feed(text); }

std::string clean_line(std::string_view text) {
    std::string out;
    for (const char c : clean(text)) {
        if (c != ' ' && c != '\n') {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    if (out.ends_with(' ')) {
        out.pop_back();
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto [bytes, columns] = next_character(text);
        width += columns;
        text.remove_prefix(bytes.size());
    }
    return width;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string shorten(std::string_view text, std::size_t width) {
    if (width == 0 || display_width(text) <= width) {
        return std::string(text);
    }
    std::string out;
    std::size_t used = 1; // for the "…"
    while (!text.empty()) {
        const auto [bytes, columns] = next_character(text);
        if (used + columns > width) {
            break;
        }
        used += columns;
        out += bytes;
        text.remove_prefix(bytes.size());
    }
    while (out.ends_with(' ')) {
        out.pop_back();
    }
    return out + "…";
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
    if (width == 0) {
        return lines_of(text);
    }
    std::vector<std::string> out;
    for (const auto& line : lines_of(text)) {
        std::string_view rest = line;
        do {
            std::size_t used = 0;
            std::size_t taken = 0;
            std::size_t space = 0; // where the last word that fits ends
            while (taken < rest.size()) {
                const auto [bytes, columns] = next_character(rest.substr(taken));
                if (used + columns > width && taken > 0) {
                    break;
                }
                if (bytes == " " && rest.find_first_not_of(' ') < taken) {
                    space = taken;
                }
                used += columns;
                taken += bytes.size();
            }
            const bool all = taken == rest.size();
            const bool at_word_end = !all && rest[taken] == ' ';
            const auto end = all || at_word_end || space == 0 ? taken : space;
            out.emplace_back(rest.substr(0, end));
            rest.remove_prefix(end);
            while (!all && rest.starts_with(' ')) {
                rest.remove_prefix(1);
            }
        } while (!rest.empty());
    }
    return out;
}

} // namespace troupe::cli
