#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"

namespace troupe::actors {

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
    auto shown = shown_lines(text, a.start_line, a.line_count, tool_content_bytes_max - 1024);
    if (!shown) {
        return refuse(fmt::format("{} has only {} lines", a.path, count_lines(text)));
    }
    tool_result r;
    r.content = std::move(*shown);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("path", a.path).field("bytes", std::uint64_t{text.size()}).field("lines", std::uint64_t{count_lines(text)});
    w.field("sha256", hash_of(text));
    w.end();
    return r;
}

namespace {

/// A whole file that another run changed meanwhile may have been read before that: what it added would be lost.
expected<void> check_unchanged(const write_file_arguments& a, const std::optional<present_file>& present,
                               const tool_environment& where) {
    if (!present || present->content == a.content || !where.changed_elsewhere) {
        return {};
    }
    const auto who = where.changed_elsewhere(a.path);
    if (!who) {
        return who.error();
    }
    return who->empty() ? expected<void>()
                        : problem{code::conflict, "'" + a.path + "' was changed by " + *who +
                                                      " since this run began. Read it, and make your change on top of "
                                                      "that with edit_file, multi_edit_file or apply_patch."};
}

} // namespace

tool_result write_file(const write_file_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    auto present = project ? read_writable(*project, a.path) : expected<std::optional<present_file>>(project.error());
    if (!present) {
        return refuse(present.error());
    }
    if (auto ok = check_unchanged(a, *present, where); !ok) {
        return refuse(ok.error());
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
    // The same when it is repeated after a crash; the details say whether there was a file before.
    return changed(fmt::format("wrote {} ({} bytes)", a.path, a.content.size()), c);
}

} // namespace troupe::actors
