#include "actors/tool/project_folder.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

problem outside(std::string_view path) {
    return {code::path_outside_project,
            fmt::format("{} leads outside the project; use a path relative to the project's folder", path)};
}

problem open_problem(std::string_view path, int error_number) {
    switch (error_number) {
    case EXDEV:
    case ELOOP:
        return outside(path);
    case ENOENT:
        return {code::not_found, fmt::format("{} does not exist in the project", path)};
    case ENOTDIR:
        return {code::not_found, fmt::format("a part of {} is not a folder", path)};
    default:
        return file_problem("open", path, error_number);
    }
}

int open_beneath(int root, const fs::path& root_path, const std::string& path, int flags) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const auto fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) { // An old kernel, or a container's profile.
        return detail::open_checked(root_path, path, flags);
    }
    return static_cast<int>(fd);
}

problem node_data(std::string_view path) {
    return {code::path_outside_project,
            fmt::format("{} leads into the data of a node, which is no part of the project", path)};
}

/// A hook or a setting in there makes the user's git run commands that nobody allowed.
problem git_data(std::string_view path) {
    return {code::path_outside_project,
            fmt::format("{} leads into git's own data, which can be read but not written; use another path", path)};
}

bool names(const fs::path& path, const char* part) { return std::find(path.begin(), path.end(), part) != path.end(); }

/// Whether that is within a folder of this name, by whatever links the way led there.
bool is_within(const unique_fd& root, const unique_fd& found, const char* name) {
    std::error_code no_root;
    std::error_code no_place;
    const auto top = fs::read_symlink(path_of(root), no_root);
    const auto place = fs::read_symlink(path_of(found), no_place);
    return no_root || no_place || names(place.lexically_relative(top), name);
}

std::string or_dot(std::string path) { return path.empty() ? "." : path; }

} // namespace

int detail::open_checked(const fs::path& root, const std::string& path, int flags) {
    std::error_code failed;
    const auto real_root = fs::canonical(root, failed);
    const auto target = failed ? fs::path() : fs::canonical(real_root / path, failed);
    if (failed) {
        errno = failed.value();
        return -1;
    }
    if (*target.lexically_relative(real_root).begin() == "..") {
        errno = EXDEV;
        return -1;
    }
    return ::open(target.c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
}

std::string path_of(const unique_fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

expected<project_folder> project_folder::open(const fs::path& root) {
    unique_fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return file_problem("open the project folder", root.native(), errno);
    }
    return project_folder(std::move(fd), root);
}

expected<std::string> project_folder::normalize(std::string_view path) {
    if (path.find('\0') != std::string_view::npos || path.size() >= PATH_MAX) {
        return problem{code::invalid_request, "the path holds a NUL byte or is longer than 4095 bytes"};
    }
    if (path.starts_with('/')) {
        return outside(path);
    }
    fs::path clean;
    for (const auto& part : fs::path(path)) {
        if (part == "..") {
            return outside(path);
        }
        if (part.native().size() > NAME_MAX) {
            return problem{code::invalid_request, "a name in the path is longer than 255 bytes"};
        }
        if (part != "." && !part.empty()) {
            clean /= part;
        }
    }
    return clean.native();
}

expected<unique_fd> project_folder::open_at(std::string_view path, int flags) const {
    auto clean = normalize(path);
    if (!clean) {
        return clean.error();
    }
    unique_fd fd(open_beneath(root_.get(), path_, or_dot(*clean), flags));
    if (!fd) {
        return open_problem(path, errno);
    }
    if (is_within(root_, fd, limits::node_data_name)) {
        return node_data(path);
    }
    return fd;
}

expected<project_folder::place> project_folder::make_parents(std::string_view path) const {
    return parents(path, true);
}

expected<project_folder::place> project_folder::find_parents(std::string_view path) const {
    return parents(path, false);
}

expected<project_folder::place> project_folder::parents(std::string_view path, bool make) const {
    const auto clean = normalize(path);
    if (!clean) {
        return clean.error();
    }
    if (clean->empty()) {
        return problem{code::invalid_request, "the path names the project's folder, not a file in it"};
    }
    if (names(*clean, limits::node_data_name)) {
        return node_data(path);
    }
    if (names(*clean, git_data_name)) {
        return git_data(path);
    }
    constexpr int flags = O_PATH | O_DIRECTORY;
    fs::path done;
    unique_fd folder(open_beneath(root_.get(), path_, ".", flags));
    for (const auto& part : fs::path(*clean).parent_path()) {
        done /= part;
        unique_fd next(open_beneath(root_.get(), path_, done.native(), flags));
        if (!next && errno == ENOENT && make) {
            if (::mkdirat(folder.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
                return open_problem(done.native(), errno);
            }
            if (auto synced = sync_folder(path_of(folder)); !synced) {
                return synced.error();
            }
            next.reset(open_beneath(root_.get(), path_, done.native(), flags));
        }
        if (!next) {
            return open_problem(done.native(), errno);
        }
        if (is_within(root_, next, limits::node_data_name)) {
            return node_data(path);
        }
        if (is_within(root_, next, git_data_name)) {
            return git_data(path);
        }
        folder = std::move(next);
    }
    return place{std::move(folder), fs::path(*clean).filename().native()};
}

} // namespace troupe::actors
