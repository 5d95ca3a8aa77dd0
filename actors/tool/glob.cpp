#include "actors/tool/glob.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace troupe::actors {

namespace {

/// {a,b}{c,d}… doubles with each: further braces stay as they are.
constexpr std::size_t alternatives_max = 64;
/// "**" of a model must not take exponential time.
constexpr std::size_t segments_max = 64;

/// The comma-separated parts of what is between a brace and its end, nested braces whole.
std::vector<std::string> parts_of(std::string_view inside) {
    std::vector<std::string> parts(1);
    int depth = 0;
    for (const char c : inside) {
        depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        if (c == ',' && depth == 0) {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

std::size_t brace_end(std::string_view text, std::size_t begin) {
    int depth = 0;
    for (auto at = begin; at < text.size(); ++at) {
        depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
        if (depth == 0) {
            return at;
        }
    }
    return text.npos;
}

void expand(const std::string& pattern, std::vector<std::string>& out) {
    const auto begin = pattern.find('{');
    const auto end = begin == pattern.npos ? pattern.npos : brace_end(pattern, begin);
    if (end == pattern.npos || out.size() >= alternatives_max) {
        out.push_back(pattern);
        return;
    }
    for (const auto& part : parts_of(std::string_view(pattern).substr(begin + 1, end - begin - 1))) {
        expand(pattern.substr(0, begin) + part + pattern.substr(end + 1), out);
        if (out.size() >= alternatives_max) {
            return;
        }
    }
}

std::vector<std::string> segments_of(std::string_view pattern) {
    std::vector<std::string> out;
    while (!pattern.empty()) {
        const auto end = pattern.find('/');
        const auto segment = pattern.substr(0, end);
        const bool again = segment == "**" && !out.empty() && out.back() == "**";
        if (!segment.empty() && segment != "." && !again && out.size() < segments_max) {
            out.emplace_back(segment);
        }
        pattern.remove_prefix(end == pattern.npos ? pattern.size() : end + 1);
    }
    return out;
}

/// Which beginnings of the pattern fit the path so far, name by name: linear in both.
bool fits_segments(const std::vector<std::string>& pattern, const std::vector<std::string>& names) {
    std::vector<char> reached(pattern.size() + 1, 0);
    const auto skip_any = [&] { // "**" may stand for nothing
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            reached[i + 1] = static_cast<char>(reached[i + 1] || (reached[i] && pattern[i] == "**"));
        }
    };
    reached[0] = 1;
    skip_any();
    for (const auto& name : names) {
        std::vector<char> next(pattern.size() + 1, 0);
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (!reached[i]) {
                continue;
            }
            if (pattern[i] == "**") {
                next[i] = 1;
            } else if (::fnmatch(pattern[i].c_str(), name.c_str(), 0) == 0) {
                next[i + 1] = 1;
            }
        }
        reached = std::move(next);
        skip_any();
    }
    return reached.back() != 0;
}

} // namespace

path_glob::path_glob(std::string_view pattern) {
    std::vector<std::string> plain;
    expand(std::string(pattern), plain);
    for (const auto& one : plain) {
        auto segments = segments_of(one);
        if (one.find('/') == std::string::npos) {
            segments.insert(segments.begin(), "**");
        }
        alternatives_.push_back(one.empty() ? std::vector<std::string>{"**"} : std::move(segments));
    }
}

bool path_glob::fits(std::string_view path) const {
    const auto names = segments_of(path);
    return std::ranges::any_of(alternatives_, [&](const auto& one) { return fits_segments(one, names); });
}

} // namespace troupe::actors
