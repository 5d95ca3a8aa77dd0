#include "actors/tool/project_folder.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/unified_diff.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

namespace troupe::actors {

namespace {

/// Room for the lines around what a tool answers.
constexpr std::size_t answer_bytes_max = tool_content_bytes_max - 1024;
/// A longer diff goes into no event.
constexpr std::size_t diff_bytes_max = 64 * 1024;

std::string hash_of(std::string_view content) {
    const auto hash = sha256(content);
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

/// A file as it is, with its mode.
struct present_file {
    std::string content;
    mode_t mode = 0644;
};

expected<present_file> read_present(const unique_fd& fd, std::string_view path) {
    struct stat s = {};
    if (::fstat(fd.get(), &s) != 0) {
        return file_problem("look at", path, errno);
    }
    if (!S_ISREG(s.st_mode)) {
        return problem{code::invalid_request,
                       fmt::format("{} is {}, not a file", path, S_ISDIR(s.st_mode) ? "a folder" : "a special file")};
    }
    if (s.st_size > static_cast<off_t>(content_bytes_max)) {
        return problem{code::payload_too_large,
                       fmt::format("{} has {} bytes, more than the {} that this tool reads; use search_files, or "
                                   "run_command with head, tail or sed",
                                   path, s.st_size, content_bytes_max)};
    }
    auto content = read_whole(fd.get(), content_bytes_max, path);
    if (!content) {
        return content.error();
    }
    return present_file{std::move(*content), s.st_mode & 07777U};
}

/// O_NONBLOCK: a pipe in the project must not hold the caller.
expected<present_file> read_present(const project_folder& project, const std::string& path) {
    const auto fd = project.open_at(path, O_RDONLY | O_NONBLOCK);
    return fd ? read_present(*fd, path) : expected<present_file>(fd.error());
}

/// One change of a file, from nothing or from its content before.
struct change {
    std::string path;
    std::optional<std::string> before;
    std::string after;
};

tool_result changed(std::string text, const change& c) {
    tool_result r;
    r.content = std::move(text);
    auto diff = unified_diff(c.path, c.before, c.after);
    const bool cut = diff.size() > diff_bytes_max;
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("path", c.path).field("bytes", std::uint64_t{c.after.size()}).field("created", !c.before.has_value());
    if (c.before) {
        w.field("sha256_before", hash_of(*c.before));
    }
    w.field("sha256_after", hash_of(c.after)).field("diff", utf8_prefix(diff, diff_bytes_max)).field("diff_cut", cut);
    w.end();
    return r;
}

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

/// On a repeat: whether the edit is already there. The new text may contain the old one, which then proves nothing.
bool is_done(std::string_view content, const edit_file_arguments& a) {
    const auto made = a.new_text.empty() ? std::vector<std::size_t>() : occurrences(content, a.new_text);
    if (made.size() != 1) {
        return false;
    }
    const auto left = occurrences(content, a.old_text);
    return std::all_of(left.begin(), left.end(), [&](std::size_t at) {
        return at >= made[0] && at + a.old_text.size() <= made[0] + a.new_text.size();
    });
}

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
    const auto place = project ? project->make_parents(a.path) : expected<project_folder::place>(project.error());
    if (!place) {
        return refuse(place.error());
    }
    change c{a.path, std::nullopt, a.content};
    mode_t mode = 0644;
    const unique_fd old(
        ::openat(place->folder.get(), place->name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (!old && errno == ELOOP) {
        return refuse(fmt::format("{} is a symbolic link; write to the file that it names", a.path));
    }
    if (!old && errno != ENOENT) {
        return refuse(file_problem("open", a.path, errno));
    }
    if (old) {
        auto present = read_present(old, a.path);
        if (!present) {
            return refuse(present.error());
        }
        c.before = std::move(present->content);
        mode = present->mode;
    }
    if (a.executable) {
        mode |= 0111U;
    }
    const auto written = replace_file(path_of(place->folder) + "/" + place->name, a.content, mode);
    if (!written) {
        return refuse(written.error());
    }
    return changed(fmt::format("{} {} ({} bytes)", c.before ? "replaced" : "created", a.path, a.content.size()), c);
}

tool_result edit_file(const edit_file_arguments& a, const tool_environment& where) {
    if (a.old_text == a.new_text) {
        return refuse("old_text and new_text are the same: nothing would change");
    }
    const auto project = project_folder::open(where.project);
    auto file = project ? read_present(*project, a.path) : expected<present_file>(project.error());
    if (!file) {
        return refuse(file.error());
    }
    if (where.repeat && is_done(file->content, a)) {
        return changed(fmt::format("edited {} (it was done before the repeat)", a.path),
                       {a.path, file->content, file->content});
    }
    const auto found = occurrences(file->content, a.old_text);
    if (found.empty()) {
        return refuse(
            fmt::format("old_text does not occur in {}; read the file again, whitespace has to be the same", a.path));
    }
    if (found.size() > 1) {
        return refuse(
            fmt::format("old_text occurs {} times in {}, at lines {}; add lines around it until it is the only one",
                        found.size(), a.path, line_numbers(file->content, found)));
    }
    auto place = project->make_parents(a.path);
    if (!place) {
        return refuse(place.error());
    }
    struct stat s = {};
    if (::fstatat(place->folder.get(), place->name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(s.st_mode)) {
        return refuse(fmt::format("{} is a symbolic link; edit the file that it names", a.path));
    }
    auto after = file->content;
    after.replace(found[0], a.old_text.size(), a.new_text);
    const auto written = replace_file(path_of(place->folder) + "/" + place->name, after, file->mode);
    if (!written) {
        return refuse(written.error());
    }
    auto said = fmt::format("edited {} at line {}", a.path, line_numbers(file->content, found)); // before it moves away
    return changed(std::move(said), {a.path, std::move(file->content), std::move(after)});
}

} // namespace troupe::actors
