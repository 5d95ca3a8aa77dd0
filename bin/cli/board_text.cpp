#include "bin/cli/board_text.hpp"

#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace troupe::cli {
namespace {

constexpr std::size_t column_width_min = 20;
constexpr std::size_t column_width_max = 40;
constexpr std::size_t gap = 2;

bool is_usual(task_status s) { return s <= task_status::done; } // inbox, assigned, in_progress, review, done

std::string heading_of(const board_column& c) {
    return fmt::format("{} {}{}", detail::enum_name(c.status), c.tasks.size(), c.more ? "+" : "");
}

/// What stands behind the title, in a word or two.
std::string remark_of(const task_document& t) {
    std::vector<std::string> out;
    if (t.waiting_for) {
        out.push_back(fmt::format("waits for {}", t.waiting_for->size()));
    }
    if (t.subtasks) {
        out.push_back(fmt::format("{}/{} parts", t.subtasks->done, t.subtasks->total));
    }
    if (t.priority == task_priority::urgent || t.priority == task_priority::high) {
        out.emplace_back(detail::enum_name(t.priority));
    }
    return joined(out);
}

struct card_line {
    std::string text;
    troupe::cli::tone tone = troupe::cli::tone::plain;
};

std::vector<card_line> card_of(const task_document& t, std::size_t width) {
    std::vector<card_line> out{{shorten(t.key.value_or(short_id(t.id)), width), tone::accent}};
    auto lines = wrap(clean_line(t.title), width);
    constexpr std::size_t title_lines_max = 2;
    if (lines.size() > title_lines_max) {
        lines.resize(title_lines_max);
        lines.back() = shorten(lines.back() + "…", width);
    }
    for (auto& line : lines) {
        out.push_back({shorten(line, width), tone::plain});
    }
    if (const auto remark = remark_of(t); !remark.empty()) {
        out.push_back({shorten(remark, width), t.waiting_for ? tone::warn : tone::faint});
    }
    out.push_back({"", tone::plain});
    return out;
}

std::vector<card_line> lines_of_column(const board_column& c, std::size_t width) {
    std::vector<card_line> out{{shorten(heading_of(c), width), tone::strong}, {"", tone::plain}};
    for (const auto& task : c.tasks) {
        std::ranges::move(card_of(task, width), std::back_inserter(out));
    }
    if (c.more) {
        out.push_back({"…", tone::faint});
    }
    return out;
}

std::string side_by_side(const screen& s, const std::vector<board_column>& columns, std::size_t width) {
    std::vector<std::vector<card_line>> cells;
    std::size_t rows = 0;
    for (const auto& c : columns) {
        cells.push_back(lines_of_column(c, width));
        rows = std::max(rows, cells.back().size());
    }
    std::string out;
    for (std::size_t row = 0; row < rows; ++row) {
        std::string line;
        std::size_t missing = 0;
        for (const auto& cell : cells) {
            const card_line none;
            const auto& one = row < cell.size() ? cell[row] : none;
            if (!one.text.empty()) {
                line += std::string(missing, ' ') + paint(s, one.tone, one.text);
                missing = 0;
            }
            missing += width + gap - display_width(one.text);
        }
        out += line + "\n";
    }
    return out;
}

std::string one_below_the_other(const screen& s, const std::vector<board_column>& columns) {
    std::string out;
    for (const auto& c : columns) {
        out += (out.empty() ? "" : "\n") + paint(s, tone::strong, heading_of(c)) + "\n";
        for (const auto& t : c.tasks) {
            const auto remark = remark_of(t);
            out += "  " + paint(s, tone::accent, clean_line(t.key.value_or(short_id(t.id)))) + " " +
                   clean_line(t.title) + (remark.empty() ? "" : " " + paint(s, tone::faint, "(" + remark + ")")) + "\n";
        }
    }
    return out;
}

} // namespace

std::string show_board(const screen& s, const board_document& board) {
    std::vector<board_column> columns;
    for (const auto& c : board.columns) {
        if (is_usual(c.status) || !c.tasks.empty()) {
            columns.push_back(c);
        }
    }
    const auto width = columns.empty() ? 0 : (s.width + gap) / columns.size();
    return width < column_width_min + gap ? one_below_the_other(s, columns)
                                          : side_by_side(s, columns, std::min(width - gap, column_width_max));
}

std::string show_activities(const screen& s, const std::vector<activity_document>& activities, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& a : activities) {
        const auto how = a.severity == activity_severity::error     ? tone::bad
                         : a.severity == activity_severity::warning ? tone::warn
                                                                    : tone::plain;
        rows.push_back({{relative_time(a.at, now), tone::faint}, {a.text, how}});
    }
    return table(s, {{"WHEN"}, {"WHAT", false, true, 20}}, rows);
}

std::string show_notifications(const screen& s, const std::vector<notification_document>& told, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& n : told) {
        rows.push_back(
            {{n.read ? "" : "●", tone::accent},
             {relative_time(n.created_at, now), tone::faint},
             {std::string(detail::enum_name(n.kind)), n.kind == notification_kind::failure ? tone::bad : tone::plain},
             {n.title, n.read ? tone::faint : tone::strong},
             {n.text, tone::faint}});
    }
    return table(s, {{""}, {"WHEN"}, {"KIND"}, {"TITLE", false, true, 20}, {"TEXT", false, true, 10}}, rows);
}

std::string show_undelivered(const screen& s, const std::vector<undelivered_document>& all, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& one : all) {
        rows.push_back({{to_string(one.id), tone::strong},
                        {std::string(detail::enum_name(one.channel)), tone::plain},
                        {relative_time(one.failed_at, now), tone::faint},
                        {std::to_string(one.attempts), tone::plain},
                        {one.error, tone::bad}});
    }
    return table(s, {{"ID"}, {"CHANNEL"}, {"GIVEN UP"}, {"ATTEMPTS", true}, {"WHY", false, true, 20}}, rows);
}

std::string show_found(const screen& s, const std::vector<search_item>& found, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& one : found) {
        std::string snippet;
        for (const auto& piece : one.snippet) {
            snippet += piece.text;
        }
        rows.push_back({{std::string(detail::enum_name(one.type)), tone::accent},
                        {one.key.value_or(to_string(one.id)), tone::plain},
                        {relative_time(one.created_at, now), tone::faint},
                        {one.title, tone::strong},
                        {snippet, tone::faint}});
    }
    return table(s, {{"TYPE"}, {"WHICH"}, {"MADE"}, {"TITLE", false, true, 20}, {"TEXT", false, true, 20}}, rows);
}

} // namespace troupe::cli
