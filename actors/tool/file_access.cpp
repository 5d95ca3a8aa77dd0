#include "actors/tool/file_access.hpp"

#include "actors/tool/tool_performers.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/unified_diff.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace troupe::actors {

namespace {

/// A longer diff goes into no event.
constexpr std::size_t diff_bytes_max = 64 * 1024;
/// More files go into no result's details; the diff has them all the same, as far as it reaches.
constexpr std::size_t detailed_files_max = 200;

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

void write_hashes(json::object_writer& w, const file_change& c) {
    w.field("path", c.path);
    if (c.after) {
        w.field("bytes", std::uint64_t{c.after->size()}).field("created", !c.before.has_value());
    } else {
        w.field("deleted", true);
    }
    if (c.before) {
        w.field("sha256_before", hash_of(*c.before));
    }
    if (c.after) {
        w.field("sha256_after", hash_of(*c.after));
    }
}

void write_diff(json::object_writer& w, std::string_view diff) {
    const bool cut = diff.size() > diff_bytes_max;
    w.field("diff", utf8_prefix(diff, diff_bytes_max)).field("diff_cut", cut);
}

} // namespace

std::string hash_of(std::string_view content) {
    const auto hash = sha256(content);
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

/// O_NONBLOCK: a pipe in the project must not hold the caller.
expected<present_file> read_present(const project_folder& project, const std::string& path) {
    const auto fd = project.open_at(path, O_RDONLY | O_NONBLOCK);
    return fd ? read_present(*fd, path) : expected<present_file>(fd.error());
}

expected<std::optional<present_file>> read_writable(const project_folder& project, const std::string& path) {
    const auto place = project.find_parents(path);
    if (!place && place.error().code == code::not_found) {
        return std::optional<present_file>();
    }
    if (!place) {
        return place.error();
    }
    const unique_fd fd(
        ::openat(place->folder.get(), place->name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && errno == ENOENT) {
        return std::optional<present_file>();
    }
    if (!fd && errno == ELOOP) {
        if (const auto target = project.open_at(path, O_PATH); !target && target.error().code != code::not_found) {
            return target.error(); // it leads outside
        }
        return problem{code::invalid_request,
                       fmt::format("{} is a symbolic link; use the path of the file that it names", path)};
    }
    if (!fd) {
        return file_problem("open", path, errno);
    }
    auto present = read_present(fd, path);
    return present ? expected<std::optional<present_file>>(std::move(*present)) : present.error();
}

expected<void> put_file(const project_folder& project, const std::string& path, std::string_view content, mode_t mode) {
    const auto place = project.make_parents(path);
    return place ? replace_file(path_of(place->folder) + "/" + place->name, content, mode)
                 : expected<void>(place.error());
}

expected<void> remove_file(const project_folder& project, const std::string& path) {
    const auto place = project.find_parents(path);
    if (!place) {
        return place.error();
    }
    if (::unlinkat(place->folder.get(), place->name.c_str(), 0) != 0) {
        return file_problem("delete", path, errno);
    }
    return sync_folder(path_of(place->folder));
}

tool_result changed(std::string text, const file_change& c) {
    tool_result r;
    r.content = std::move(text);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    write_hashes(w, c);
    write_diff(w, unified_diff(c.path, c.before, c.after));
    w.end();
    return r;
}

tool_result changed(std::string text, const std::vector<file_change>& all) {
    std::string files = "[", diff;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i < detailed_files_max) {
            files += i == 0 ? "" : ",";
            json::object_writer w(files);
            write_hashes(w, all[i]);
            w.end();
        }
        if (diff.size() <= diff_bytes_max) {
            diff += unified_diff(all[i].path, all[i].before, all[i].after);
        }
    }
    tool_result r;
    r.content = std::move(text);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("files_changed", std::uint64_t{all.size()}).raw_field("files", files + "]");
    write_diff(w, diff);
    w.end();
    return r;
}

} // namespace troupe::actors
