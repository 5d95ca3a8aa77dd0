#include "actors/project/folder_scan.hpp"

#include "actors/project/project_manifest.hpp"
#include "actors/tool/project_folder.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <fmt/format.h>
#include <system_error>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

/// A file that changes again within the clock's grain keeps its marks: what was hashed so soon after a change is hashed
/// again.
constexpr std::int64_t racy_ns = 50'000'000;

std::int64_t to_ns(const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return to_ns(now);
}

bool is_text(const std::string& name) {
    const auto parsed = json::document::parse(json::quoted(name));
    return parsed && parsed->root().as_string() == std::string_view(name) && name.find('\0') == std::string::npos;
}

/// The hash that the index has for a file with these marks, if it can be trusted.
std::optional<std::string> known_hash(const folder_index& index, const std::string& path, const struct stat& s) {
    const auto found = index.files.find(path);
    if (found == index.files.end()) {
        return std::nullopt;
    }
    const auto& f = found->second;
    const bool same = f.bytes == static_cast<std::uint64_t>(s.st_size) && f.modified_ns == to_ns(s.st_mtim) &&
                      f.changed_ns == to_ns(s.st_ctim) && f.hashed_ns > f.changed_ns + racy_ns;
    return same ? std::optional(f.seen_sha256) : std::nullopt;
}

void note(folder_index& index, const std::string& path, const struct stat& s, const std::string& sha256,
          std::int64_t at_ns) {
    const auto found = index.files.find(path);
    if (found != index.files.end()) {
        auto& f = found->second;
        f.seen_sha256 = sha256;
        f.bytes = static_cast<std::uint64_t>(s.st_size);
        f.modified_ns = to_ns(s.st_mtim);
        f.changed_ns = to_ns(s.st_ctim);
        f.hashed_ns = at_ns;
    }
}

std::string hash_of(const std::string& content) {
    const auto hash = sha256(content);
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

/// Commands of other runs may swap names at any time: neither a link is followed nor a pipe waited for.
expected<unique_fd> open_file(const fs::path& root, const std::string& path) {
    const auto folder = project_folder::open(root);
    return folder ? folder->open_at(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) : expected<unique_fd>(folder.error());
}

bool is_as_indexed(const folder_index& index, const std::string& path, const std::string& sha256) {
    const auto found = index.files.find(path);
    return found != index.files.end() && found->second.sha256 == sha256;
}

} // namespace

expected<std::optional<scanned_file>> scan_file(const fs::path& root, const std::string& path, folder_index& index,
                                                const content_sink& changed) {
    const auto full = root / path;
    struct stat s {};
    if (::lstat(full.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) {
        return std::optional<scanned_file>();
    }
    scanned_file out{{}, static_cast<std::uint64_t>(s.st_size), (s.st_mode & S_IXUSR) != 0};
    if (auto known = known_hash(index, path, s)) {
        out.sha256 = std::move(*known);
        if (is_as_indexed(index, path, out.sha256)) {
            return std::optional(std::move(out));
        }
    }
    const auto at_ns = now_ns(); // before the content is read: a change meanwhile shows as racy
    const auto fd = open_file(root, path);
    if (!fd) {
        return fd.error().code == code::path_outside_project ? expected<std::optional<scanned_file>>(std::nullopt)
                                                             : fd.error();
    }
    if (::fstat(fd->get(), &s) != 0 || !S_ISREG(s.st_mode)) {
        return std::optional<scanned_file>();
    }
    const auto content = read_whole(fd->get(), limits::file_bytes_max, full.native());
    if (!content) {
        return content.error();
    }
    out.executable = (s.st_mode & S_IXUSR) != 0;
    out.sha256 = hash_of(*content);
    out.bytes = content->size();
    if (!is_as_indexed(index, path, out.sha256)) {
        if (auto ok = changed(path, *content); !ok) {
            return ok.error();
        }
    }
    note(index, path, s, out.sha256, at_ns);
    return std::optional(std::move(out));
}

expected<folder_scan> scan_folder(const fs::path& root, folder_index& index, const content_sink& changed) {
    folder_scan out;
    bool sink_failed = false;
    const auto sink = [&](const std::string& path, const std::string& content) {
        auto ok = changed(path, content);
        sink_failed = !ok;
        return ok;
    };
    std::error_code failed;
    fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
        const auto status = at->symlink_status(failed);
        if (failed) {
            failed.clear(); // it went away meanwhile
            continue;
        }
        const auto name = at->path().filename();
        if (fs::is_directory(status) && (name == ".git" || name == limits::node_data_name)) {
            at.disable_recursion_pending();
        }
        const auto path = at->path().lexically_relative(root).string();
        if (!fs::is_regular_file(status) || !is_text(path) || !check_project_path(path)) {
            continue;
        }
        auto file = scan_file(root, path, index, sink);
        if (sink_failed) {
            return file.error();
        }
        if (!file) { // it cannot be read, or went away meanwhile: then the next look finds out
            out.skipped.insert(path);
            continue;
        }
        if (*file) {
            out.files.emplace(path, std::move(**file));
        }
        if (out.files.size() > project_files_max) {
            return problem{code::payload_too_large,
                           fmt::format("The folder {} holds more than {} files, which is what a project can "
                                       "have. Remove what is not needed.",
                                       root.string(), project_files_max)};
        }
    }
    if (failed) {
        return problem{code::storage_failed, "Cannot look through " + root.string() + ": " + failed.message()};
    }
    return out;
}

} // namespace troupe::actors
