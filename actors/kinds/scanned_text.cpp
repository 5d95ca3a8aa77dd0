#include "actors/kinds/scanned_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::actors {

namespace {

constexpr char escape = '\x1b';

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Where a terminal escape that begins at `at` ends: "\x1b[1;31m", "\x1b]0;title\a", "\x1bM".
std::size_t end_of_escape(std::string_view text, std::size_t at) {
    if (++at >= text.size()) {
        return at;
    }
    if (text[at] == '[') {
        do {
            ++at;
        } while (at < text.size() && (text[at] < '@' || text[at] > '~'));
        return std::min(at + 1, text.size());
    }
    if (text[at] == ']') {
        const auto end = text.find_first_of("\a\x1b\n", at);
        return end == text.npos ? text.size() : end + (text[end] == '\a' ? 1 : 0);
    }
    return at + 1;
}

bool is_of_path(char c) {
    return is_letter(c) || is_digit(c) ||
           (c != '\0' && std::string_view("_-./+~@$%\\").find(c) != std::string_view::npos) ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_source(std::string_view file) {
    static constexpr std::array suffixes = {"c",   "cc",    "cpp", "cxx", "h",   "hh",    "hpp", "hxx",
                                            "ipp", "inl",   "py",  "js",  "mjs", "cjs",   "jsx", "ts",
                                            "tsx", "mts",   "cts", "go",  "rs",  "java",  "kt",  "rb",
                                            "sh",  "scala", "cs",  "vue", "txt", "cmake", "m",   "mm"};
    const auto dot = file.rfind('.');
    return dot != file.npos && dot > 0 && std::ranges::find(suffixes, file.substr(dot + 1)) != suffixes.end();
}

std::uint32_t small(std::uint64_t number) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, 1U << 30));
}

/// ":12", ":12:3", "(12)" or "(12,3)" behind a file.
std::optional<source_place> numbers_behind(std::string_view file, scanner& in) {
    const bool round = in.skip("(");
    if (!round && !in.skip(":")) {
        return std::nullopt;
    }
    const auto line = in.number();
    if (!line) {
        return std::nullopt;
    }
    source_place out{std::string(file), small(*line), 0};
    auto further = in;
    if (further.skip(round ? "," : ":")) {
        if (const auto column = further.number()) {
            out.column = small(*column);
            in = further;
        }
    }
    return !round || in.skip(")") ? std::optional(out) : std::nullopt;
}

} // namespace

std::string without_escapes(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == escape) {
            at = end_of_escape(text, at);
            continue;
        }
        if (static_cast<unsigned char>(c) >= 0x20 ? c != '\x7f' : c == '\n' || c == '\t') {
            out += c;
        }
        ++at;
    }
    return out;
}

bool line_reader::next() {
    if (rest_.empty()) {
        return false;
    }
    const auto end = rest_.find('\n');
    line_ = without_escapes(rest_.substr(0, std::min(end, scanned_line_bytes_max)));
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    return true;
}

bool scanner::skip(std::string_view literal) {
    if (!rest_.starts_with(literal)) {
        return false;
    }
    rest_.remove_prefix(literal.size());
    return true;
}

scanner& scanner::blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
    return *this;
}

std::optional<std::uint64_t> scanner::number() {
    constexpr std::size_t digits_max = 18;
    const auto digits = std::min(std::min(rest_.find_first_not_of("0123456789"), rest_.size()), digits_max + 1);
    if (digits == 0 || digits > digits_max) {
        return std::nullopt;
    }
    std::uint64_t out = 0;
    std::from_chars(rest_.data(), rest_.data() + digits, out);
    rest_.remove_prefix(digits);
    return out;
}

std::optional<std::string_view> scanner::until(std::string_view literal) {
    const auto at = rest_.find(literal);
    if (at == rest_.npos) {
        return std::nullopt;
    }
    const auto out = rest_.substr(0, at);
    rest_.remove_prefix(at + literal.size());
    return out;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::uint64_t count_before(std::string_view text, std::string_view word) {
    for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
        auto digits = at;
        while (digits > 0 && text[digits - 1] == ' ') {
            --digits;
        }
        const auto end = digits;
        while (digits > 0 && is_digit(text[digits - 1])) {
            --digits;
        }
        const auto behind = at + word.size();
        if (digits < end && end < at && (behind == text.size() || !is_letter(text[behind]))) {
            return scanner(text.substr(digits)).number().value_or(0);
        }
    }
    return 0;
}

std::optional<source_place> place_at(std::string_view line, std::string_view& rest) {
    scanner in(line);
    if (in.skip("File \"")) { // Python
        const auto file = in.until("\", line ");
        const auto number = file ? in.number() : std::nullopt;
        rest = in.rest();
        return number ? std::optional(source_place{std::string(*file), small(*number), 0}) : std::nullopt;
    }
    std::size_t end = 0;
    while (end < line.size() && is_of_path(line[end])) {
        ++end;
    }
    // "C:\src\a.cpp:12"
    if (end == 1 && line.size() > 2 && line[1] == ':' && (line[2] == '\\' || line[2] == '/')) {
        for (end = 2; end < line.size() && is_of_path(line[end]);) {
            ++end;
        }
    }
    if (!is_source(line.substr(0, end))) {
        return std::nullopt;
    }
    scanner behind(line.substr(end));
    auto out = numbers_behind(line.substr(0, end), behind);
    rest = behind.rest();
    return out;
}

std::optional<source_place> find_place(std::string_view text) {
    std::string_view rest;
    for (std::size_t at = 0; at < text.size();) {
        if (text.substr(at).starts_with("File \"")) {
            if (auto found = place_at(text.substr(at, scanned_line_bytes_max), rest)) {
                return found;
            }
        }
        if (!is_of_path(text[at])) {
            ++at;
            continue;
        }
        auto end = at;
        while (end < text.size() && is_of_path(text[end])) {
            ++end;
        }
        if (end - at < scanned_line_bytes_max) {
            if (auto found = place_at(text.substr(at, end - at + 64), rest)) {
                return found;
            }
        }
        at = end;
    }
    return std::nullopt;
}

} // namespace troupe::actors
