#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>

namespace troupe::actors {

namespace {

/// Room for the lines around what a tool answers.
constexpr std::size_t answer_bytes_max = tool_content_bytes_max - 1024;

} // namespace

tool_result read_file(const read_file_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    const auto file = project ? read_present(*project, a.path) : expected<present_file>(project.error());
    if (!file) {
        return refuse(file.error());
    }
    const std::string_view text = file->content;
    if (is_binary(text)) {
        return refuse(
            fmt::format("{} is a binary file of {} bytes; use run_command to look into it", a.path, text.size()));
    }
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
                       (text.empty() || text.ends_with('\n') ? 0 : 1);
    if (a.start_line > std::max<std::size_t>(lines, 1)) {
        return refuse(fmt::format("{} has only {} lines", a.path, lines));
    }
    std::size_t at = 0, line = 1;
    for (; line < a.start_line; ++line) {
        at = text.find('\n', at) + 1;
    }
    tool_result r;
    while (at < text.size() && line - a.start_line < a.line_count) {
        const auto end = text.find('\n', at);
        const auto next = end == std::string_view::npos ? text.size() : end + 1;
        if (r.content.size() + (next - at) > answer_bytes_max) {
            break;
        }
        r.content += text.substr(at, next - at);
        at = next;
        ++line;
    }
    if (at < text.size() && line == a.start_line) { // Not even one line fits.
        r.content =
            fmt::format("{}\n[… the rest of line {} left out: it is longer than {} bytes; the file has {} lines …]\n",
                        utf8_prefix(text.substr(at), answer_bytes_max), line, answer_bytes_max, lines);
    } else if (at < text.size()) {
        r.content += fmt::format("\n[… lines {} to {} left out; read on with start_line={} …]\n", line, lines, line);
    }
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("path", a.path).field("bytes", std::uint64_t{text.size()}).field("lines", std::uint64_t{lines});
    w.field("sha256", hash_of(text));
    w.end();
    return r;
}

tool_result write_file(const write_file_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    auto present = project ? read_writable(*project, a.path) : expected<std::optional<present_file>>(project.error());
    if (!present) {
        return refuse(present.error());
    }
    file_change c{a.path, std::nullopt, a.content};
    mode_t mode = 0644;
    if (*present) {
        c.before = std::move((*present)->content);
        mode = (*present)->mode;
    }
    if (a.executable) {
        mode |= 0111U;
    }
    const auto written = put_file(*project, a.path, a.content, mode);
    if (!written) {
        return refuse(written.error());
    }
    return changed(fmt::format("{} {} ({} bytes)", c.before ? "replaced" : "created", a.path, a.content.size()), c);
}

} // namespace troupe::actors
