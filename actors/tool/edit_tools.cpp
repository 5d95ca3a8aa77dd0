#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"

#include <algorithm>
#include <ranges>

namespace troupe::actors {

namespace {

/// Offsets at which `part` occurs, also where occurrences overlap.
std::vector<std::size_t> occurrences(std::string_view text, std::string_view part) {
    std::vector<std::size_t> all;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        all.push_back(at);
    }
    return all;
}

/// The numbers of the lines at the offsets, which ascend.
std::string line_numbers(std::string_view text, const std::vector<std::size_t>& offsets) {
    constexpr std::size_t shown_max = 10;
    std::string all;
    std::size_t line = 1, from = 0, shown = 0;
    for (const auto at : offsets) {
        if (shown++ == shown_max) {
            return all + ", …";
        }
        line += static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(from),
                                                    text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        from = at;
        all += fmt::format("{}{}", all.empty() ? "" : ", ", line);
    }
    return all;
}

std::string replaced(std::string_view text, const std::vector<std::size_t>& offsets, std::size_t bytes,
                     std::string_view by) {
    std::string out;
    std::size_t from = 0;
    for (const auto at : offsets) {
        out += text.substr(from, at - from);
        out += by;
        from = at + bytes;
    }
    return out += text.substr(from);
}

/// Leaves out what overlaps the one before.
std::vector<std::size_t> apart(const std::vector<std::size_t>& offsets, std::size_t bytes) {
    std::vector<std::size_t> out;
    for (const auto at : offsets) {
        if (out.empty() || at >= out.back() + bytes) {
            out.push_back(at);
        }
    }
    return out;
}

struct edited_text {
    std::string content;
    std::string lines; ///< Where, in the content before.
};

expected<edited_text> edited(std::string_view text, const text_edit& e, const std::string& path) {
    const auto refused = [](std::string why) { return problem{code::conflict, std::move(why)}; };
    if (e.old_text == e.new_text) {
        return refused("old_text and new_text are the same: nothing would change");
    }
    auto found = occurrences(text, e.old_text);
    if (found.empty()) {
        return refused(
            fmt::format("old_text does not occur in {}; read the file again, whitespace has to be the same", path));
    }
    if (found.size() > 1 && !e.replace_all) {
        return refused(fmt::format("old_text occurs {} times in {}, at lines {}; add lines around it until it is the "
                                   "only one, or set replace_all",
                                   found.size(), path, line_numbers(text, found)));
    }
    found = apart(found, e.old_text.size());
    return edited_text{replaced(text, found, e.old_text.size(), e.new_text), line_numbers(text, found)};
}

/// What the text was before the edit; nothing where the edit cannot have made it.
std::optional<std::string> undone(std::string_view text, const text_edit& e) {
    if (e.new_text.empty()) {
        return std::nullopt;
    }
    const auto made = occurrences(text, e.new_text);
    if (made.empty() || (made.size() > 1 && !e.replace_all)) {
        return std::nullopt;
    }
    return replaced(text, apart(made, e.new_text.size()), e.new_text.size(), e.old_text);
}

/// On a repeat: whether the edits are there already. They are when undoing them and doing them again leads to the same
/// text; that a new text is there proves nothing, it may contain the old one.
bool is_done(const std::string& content, const std::vector<text_edit>& edits, const std::string& path) {
    std::optional<std::string> text = content;
    for (const auto& e : edits | std::views::reverse) {
        text = text ? undone(*text, e) : std::nullopt;
    }
    for (const auto& e : edits) {
        auto again = text ? edited(*text, e, path) : problem{code::conflict, {}};
        text = again ? std::optional(std::move(again->content)) : std::nullopt;
    }
    return text && *text == content;
}

tool_result edit(const std::string& path, const std::vector<text_edit>& edits, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    auto file = project ? read_present(*project, path) : expected<present_file>(project.error());
    if (!file) {
        return refuse(file.error());
    }
    if (where.repeat && is_done(file->content, edits, path)) {
        return changed(fmt::format("edited {} (it was done before the repeat)", path),
                       {path, file->content, file->content});
    }
    auto after = file->content;
    std::string said;
    for (std::size_t i = 0; i < edits.size(); ++i) {
        auto next = edited(after, edits[i], path);
        if (!next && edits.size() > 1) {
            return refuse(
                fmt::format("edit {} of {}: {}. Nothing was changed.", i + 1, edits.size(), next.error().detail));
        }
        if (!next) {
            return refuse(next.error().detail);
        }
        after = std::move(next->content);
        const auto plural = next->lines.find(',') != std::string::npos ? "lines" : "line";
        said += fmt::format("{} {} {}", i == 0 ? "" : ";", plural, next->lines);
    }
    if (after.size() > static_cast<std::size_t>(content_bytes_max)) {
        return refuse(fmt::format("{} would have {} bytes, more than {}", path, after.size(), content_bytes_max));
    }
    const auto own = read_writable(*project, path);
    if (!own) {
        return refuse(own.error());
    }
    const auto written = put_file(*project, path, after, file->mode);
    if (!written) {
        return refuse(written.error());
    }
    return changed(fmt::format("edited {} at{}", path, said), {path, std::move(file->content), std::move(after)});
}

} // namespace

tool_result edit_file(const edit_file_arguments& a, const tool_environment& where) {
    return edit(a.path, {{a.old_text, a.new_text, a.replace_all}}, where);
}

tool_result multi_edit_file(const multi_edit_file_arguments& a, const tool_environment& where) {
    return edit(a.path, a.edits, where);
}

} // namespace troupe::actors
