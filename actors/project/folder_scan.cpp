#include "actors/project/folder_scan.hpp"

#include "actors/project/project_manifest.hpp"
#include "actors/tool/project_folder.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/sha256.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <fmt/format.h>
#include <system_error>
#include <utility>
#include <vector>

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

/// The name; what is not UTF-8 in it is replaced.
std::string as_text(const std::string& name) {
    const auto parsed = json::document::parse(json::quoted(name));
    const auto text = parsed ? parsed->root().as_string() : std::nullopt;
    return text ? std::string(*text) : "?";
}

/// Of a path that was there a moment ago.
bool is_gone(int error_number) { return error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP; }
bool is_gone(const problem& p) { return p.code == code::not_found || p.code == code::path_outside_project; }

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

/// The hash of what the descriptor gives from its place on.
expected<std::string> hash_of(int fd, const std::string& name) {
    sha256_stream hash;
    std::uint64_t size = 0;
    auto read = read_pieces(fd, name, [&](std::string_view piece) {
        hash.add(piece);
        size += piece.size();
        return size > limits::file_bytes_max
                   ? expected<void>(problem{code::payload_too_large, "It grew while it was read."})
                   : expected<void>();
    });
    return read ? expected<std::string>(to_hex(hash.finish())) : expected<std::string>(read.error());
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
    if (::lstat(full.c_str(), &s) != 0) {
        return is_gone(errno) ? expected<std::optional<scanned_file>>(std::nullopt)
                              : file_problem("look at", path, errno);
    }
    if (!S_ISREG(s.st_mode)) {
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
        return is_gone(fd.error()) ? expected<std::optional<scanned_file>>(std::nullopt) : fd.error();
    }
    if (::fstat(fd->get(), &s) != 0 || !S_ISREG(s.st_mode)) {
        return std::optional<scanned_file>();
    }
    if (static_cast<std::uint64_t>(s.st_size) > limits::file_bytes_max) {
        return problem{
            code::payload_too_large,
            fmt::format("It has {} bytes; a file of a project has at most {}. Split it, or keep it elsewhere.",
                        s.st_size, limits::file_bytes_max)};
    }
    auto hash = hash_of(fd->get(), full.native());
    if (!hash) {
        return hash.error();
    }
    out.executable = (s.st_mode & S_IXUSR) != 0;
    out.sha256 = std::move(*hash);
    out.bytes = static_cast<std::uint64_t>(::lseek(fd->get(), 0, SEEK_CUR)); // what was read
    if (!is_as_indexed(index, path, out.sha256)) {
        ::lseek(fd->get(), 0, SEEK_SET);
        auto stored = changed(path, fd->get());
        if (!stored) {
            return stored.error();
        }
        if (!stored->empty()) {
            out.sha256 = std::move(*stored);
            out.bytes = static_cast<std::uint64_t>(::lseek(fd->get(), 0, SEEK_CUR));
        }
    }
    note(index, path, s, out.sha256, at_ns);
    return std::optional(std::move(out));
}

namespace {

/// Looks at one folder after the other, so that few are open at a time.
class folder_walk {
public:
    folder_walk(const project_folder& project, const fs::path& root, folder_index& index, const content_sink& changed)
        : project_(project), root_(root), index_(index), changed_(changed) {}

    expected<folder_scan> run() {
        for (folders_ = {""}; !folders_.empty();) {
            const auto folder = std::move(folders_.back());
            folders_.pop_back();
            if (auto ok = look_through(folder); !ok) {
                return ok.error();
            }
        }
        return std::move(out_);
    }

private:
    expected<void> look_through(const std::string& path) {
        const auto folder = project_.open_at(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        std::error_code failed;
        if (folder) {
            fs::directory_iterator at(path_of(*folder), failed);
            for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
                const auto name = at->path().filename().native();
                if (auto ok = look_at(*folder, name, path.empty() ? name : path + '/' + name); !ok) {
                    return ok;
                }
            }
        }
        if (folder && !failed) {
            return {};
        }
        auto why = folder ? file_problem("look through", path, failed.value()) : folder.error();
        if (path.empty()) {
            return problem{code::storage_failed, "Cannot look through " + root_.string() + ": " + why.detail};
        }
        if (folder || !is_gone(why)) {
            leave_out(path, std::move(why));
        }
        return {};
    }

    expected<void> look_at(const unique_fd& folder, const std::string& name, const std::string& path) {
        struct stat s {};
        if (name == git_data_name || name == limits::node_data_name) {
            return {};
        }
        if (::fstatat(folder.get(), name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) {
            if (!is_gone(errno)) {
                leave_out(path, file_problem("look at", path, errno));
            }
            return {};
        }
        const auto changed_ns = to_ns(s.st_ctim);
        if (!S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode)) {
            return {};
        }
        if (as_text(path) != path) {
            leave_out(path, {code::invalid_request, "Its name is not UTF-8 text. Rename it."}, changed_ns);
        } else if (auto ok = check_project_path(path); !ok) {
            leave_out(path, std::move(ok.error()), changed_ns);
        } else if (S_ISDIR(s.st_mode)) {
            folders_.push_back(path);
        } else {
            return look_at_file(path, changed_ns);
        }
        return {};
    }

    expected<void> look_at_file(const std::string& path, std::int64_t changed_ns) {
        bool sink_failed = false;
        auto file = scan_file(root_, path, index_, [&](const auto&, int fd) {
            auto stored = changed_(path, fd);
            sink_failed = !stored && stored.error().code != code::payload_too_large; // that is the file's own
            return stored;
        });
        if (sink_failed) {
            return file.error();
        }
        if (!file) {
            leave_out(path, std::move(file.error()), changed_ns);
        } else if (*file) {
            out_.files.emplace(path, std::move(**file));
        }
        if (out_.files.size() > project_files_max) {
            return problem{code::payload_too_large,
                           fmt::format("The folder {} holds more than {} files, which is what a project can "
                                       "have. Remove what is not needed.",
                                       root_.string(), project_files_max)};
        }
        return {};
    }

    /// What the project has of it, or below it, is neither changed nor deleted: nobody could look.
    void leave_out(const std::string& path, problem why, std::int64_t changed_ns = 0) {
        const auto skipped_before = out_.skipped.size();
        if (index_.files.contains(path)) {
            out_.skipped.insert(path);
        }
        const auto below = path + '/';
        for (auto i = index_.files.lower_bound(below); i != index_.files.end() && i->first.starts_with(below); ++i) {
            out_.skipped.insert(i->first);
        }
        if (out_.skipped.size() > skipped_before) {
            why.detail += " (the project keeps what it has of it)";
        }
        if (out_.unsaved.size() < unsaved_paths_max) {
            out_.unsaved.emplace(as_text(path), unsaved_path{std::move(why), changed_ns});
        }
    }

    const project_folder& project_;
    const fs::path& root_;
    folder_index& index_;
    const content_sink& changed_;
    std::vector<std::string> folders_; ///< Still to be looked through.
    folder_scan out_;
};

} // namespace

expected<folder_scan> scan_folder(const fs::path& root, folder_index& index, const content_sink& changed) {
    const auto project = project_folder::open(root);
    return project ? folder_walk(*project, root, index, changed).run() : expected<folder_scan>(project.error());
}

} // namespace troupe::actors
