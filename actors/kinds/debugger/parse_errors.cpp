#include "actors/kinds/debugger/suspects.hpp"
#include "actors/kinds/kind_tools.hpp"
#include "actors/kinds/project_tree.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/limits.hpp"

#include <sys/stat.h>

namespace troupe::actors {

namespace {

constexpr std::size_t log_bytes_max = 16 * limits::mib;
constexpr std::size_t shown_frames_max = 8;
constexpr std::size_t shown_message_bytes_max = 500;

/// A log that came through JSON twice has "\n" in place of its line ends.
std::string unescaped(const std::string& text) {
    if (text.find('\n') != text.npos || text.find("\\n") == text.npos) {
        return text;
    }
    const auto parsed = json::document::parse("\"" + text + "\"");
    const auto inner = parsed ? parsed->root().as_string() : std::nullopt;
    return inner ? std::string(*inner) : text;
}

expected<std::string> text_of(const parse_errors_arguments& a, const project_folder& project) {
    if (a.text.empty() == a.path.empty()) {
        return problem{code::tool_arguments_invalid, "give either text or path"};
    }
    return a.path.empty() ? expected<std::string>(unescaped(a.text)) : read_plain(project, a.path, log_bytes_max);
}

std::string text_of(const suspect& s, std::size_t number) {
    auto out = fmt::format("{}. {}{}{}: {}\n", number, s.language, s.language.empty() ? "" : " ",
                           troupe::detail::enum_name(s.kind), utf8_prefix(s.message, shown_message_bytes_max));
    std::size_t shown = 0;
    for (const auto& f : s.frames) {
        if (++shown > shown_frames_max) {
            out += fmt::format("   [{} more]\n", s.frames.size() - shown_frames_max);
            break;
        }
        out += fmt::format("   {}{}:{}{}{}\n", f.in_project ? "" : "(not in the project) ", f.file, f.line,
                           f.column > 0 ? fmt::format(":{}", f.column) : "",
                           f.function.empty() ? "" : " in " + f.function);
    }
    return out;
}

} // namespace

tool_result parse_errors(const parse_errors_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    const auto text = project ? text_of(a, *project) : expected<std::string>(project.error());
    const auto tree = text ? list_tree(*project, "", where.stop) : expected<project_tree>(text.error());
    if (!tree) {
        return refuse(tree.error());
    }
    std::vector<std::string> paths;
    for (const auto& e : tree->entries) {
        if (S_ISREG(e.mode)) {
            paths.push_back(e.path);
        }
    }
    const auto suspects = read_suspects(*text, source_index(std::move(paths)));
    tool_result r;
    r.content = fmt::format("suspects: {}\n", suspects.size());
    if (suspects.empty()) {
        r.content +=
            "Nothing in it is an error that this tool knows: no diagnostic with file and line, and no trace.\n";
    }
    for (std::size_t i = 0; i < suspects.size(); ++i) {
        r.content += text_of(suspects[i], i + 1);
    }
    r.content = shorten(r.content, tool_content_bytes_max);
    r.details.text = "{\"suspects\":" + to_json(suspects) + "}";
    return r;
}

} // namespace troupe::actors
