#include "bin/cli/render_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace troupe::cli {
namespace {

constexpr std::size_t call_text_bytes_max = 400;

/// A text member, or a list of texts joined with spaces.
std::string words_of(const json::value& from, std::string_view name) {
    const auto member = from.find(name);
    if (!member) {
        return {};
    }
    if (const auto text = member->as_string()) {
        return std::string(*text);
    }
    std::string out;
    member->each_element(
        [&](json::value item) { out += (out.empty() ? "" : " ") + std::string(item.as_string().value_or("")); });
    return out;
}

std::string short_arguments(const json::value& arguments) {
    if (const auto text = arguments.as_string()) {
        const auto parsed = json::document::parse(*text); // as the model wrote it
        return parsed && parsed->root().type() == json::kind::object ? short_arguments(parsed->root())
                                                                     : std::string(*text);
    }
    if (arguments.type() != json::kind::object) {
        return arguments.type() == json::kind::null ? "" : arguments.dump();
    }
    if (auto command = words_of(arguments, "command"); !command.empty()) {
        return command;
    }
    const auto path = words_of(arguments, "path");
    for (const std::string_view name : {"pattern", "query", "regex"}) {
        if (const auto sought = words_of(arguments, name); !sought.empty()) {
            return path.empty() ? fmt::format("\"{}\"", sought) : fmt::format("\"{}\" in {}", sought, path);
        }
    }
    if (!path.empty()) {
        return path;
    }
    for (const std::string_view name : {"question", "url", "name"}) {
        if (auto text = words_of(arguments, name); !text.empty()) {
            return text;
        }
    }
    return arguments.size() == 0 ? "" : arguments.dump();
}

tone tone_of_diff_line(std::string_view line) {
    return line.starts_with("+")    ? tone::good
           : line.starts_with("-")  ? tone::bad
           : line.starts_with("@@") ? tone::accent
                                    : tone::plain;
}

bool is_diff_header(std::string_view line) {
    static constexpr std::array starts = {"diff ",    "index ",       "--- ",     "+++ ",
                                          "new file", "deleted file", "old mode", "new mode"};
    return std::ranges::any_of(starts, [&](std::string_view start) { return line.starts_with(start); });
}

} // namespace

std::string call_text(std::string_view tool, const std::optional<json::value>& arguments) {
    auto out = clean_line(tool);
    if (arguments) {
        const auto rest = clean_line(short_arguments(*arguments).substr(0, call_text_bytes_max));
        out += rest.empty() ? "" : " " + rest;
    }
    return out;
}

std::string diff_text(const screen& s, std::string_view diff, std::string_view indent, std::size_t lines_max) {
    std::string out;
    std::size_t shown = 0;
    const auto lines = lines_of(clean(diff));
    for (const auto& line : lines) {
        if (lines_max != 0 && shown == lines_max) {
            out += fmt::format("{}{}\n", indent,
                               paint(s, tone::faint, fmt::format("… {} more lines", lines.size() - shown)));
            break;
        }
        ++shown;
        const auto t = is_diff_header(line) ? tone::strong : tone_of_diff_line(line);
        const auto room = lines_max != 0 && s.width > indent.size() ? s.width - indent.size() : 0;
        out += std::string(indent) + paint(s, t, shorten(line, room)) + "\n";
    }
    return out;
}

std::string word_stream::flush_word() {
    if (word_.empty()) {
        return {};
    }
    std::string out;
    const auto width = display_width(word_);
    if (column_ > 0 && width_ > 0 && indent_ + column_ + spaces_ + width > width_) {
        out += '\n';
        column_ = 0;
        spaces_ = 0;
    }
    if (column_ == 0) {
        out += std::string(indent_, ' ');
    }
    out += std::string(spaces_, ' ') + word_;
    column_ += spaces_ + width;
    spaces_ = 0;
    word_.clear();
    return out;
}

std::string word_stream::feed(std::string_view piece) {
    std::string out;
    for (const char c : filter_.feed(piece)) {
        if (c == '\n') {
            out += flush_word() + '\n';
            column_ = 0;
            spaces_ = 0;
        } else if (c == ' ') {
            out += flush_word();
            ++spaces_;
        } else {
            word_ += c;
        }
    }
    return out;
}

std::string word_stream::finish() {
    auto out = flush_word();
    if (column_ > 0) {
        out += '\n';
    }
    column_ = 0;
    spaces_ = 0;
    return out;
}

std::string bounded_output::add_line(std::string line) {
    const auto bar = indent_ + paint(screen_, tone::faint, "│") + " ";
    const auto room = screen_.width > indent_.size() + 2 ? screen_.width - indent_.size() - 2 : 0;
    auto shown = bar + shorten(line, room) + "\n";
    if (++count_ <= first_lines) {
        return shown;
    }
    held_.push_back(std::move(shown));
    if (held_.size() > last_lines) {
        held_.pop_front();
    }
    return {};
}

std::string bounded_output::feed(std::string_view piece) {
    std::string out;
    for (const char c : filter_.feed(piece)) {
        if (c == '\n') {
            out += add_line(std::exchange(line_, {}));
        } else {
            line_ += c;
        }
    }
    return out;
}

std::string bounded_output::finish() {
    std::string out;
    if (!line_.empty()) {
        out += add_line(std::exchange(line_, {}));
    }
    if (const auto left_out = count_ - std::min(count_, first_lines + held_.size()); left_out > 0) {
        out +=
            indent_ +
            paint(screen_, tone::faint, fmt::format("│ … {} {} left out", left_out, left_out == 1 ? "line" : "lines")) +
            "\n";
    }
    for (const auto& line : held_) {
        out += line;
    }
    held_.clear();
    return out;
}

} // namespace troupe::cli
