#include "schemas/base/durable_file.hpp"

#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

namespace troupe {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_prefix = ".troupe-";

bool is_temporary(const std::string& name) {
    return name.starts_with(temporary_prefix) && parse_uuid(std::string_view(name).substr(temporary_prefix.size()));
}

} // namespace

problem file_problem(std::string_view doing, std::string_view name, int error_number) {
    const auto what = error_number == ENOSPC || error_number == EDQUOT ? code::storage_full
                      : error_number == ENOENT                         ? code::not_found
                                                                       : code::storage_failed;
    return problem{what, fmt::format("cannot {} {}: {}", doing, name, std::generic_category().message(error_number))};
}

expected<void> write_whole(int fd, std::string_view content, std::string_view name) {
    while (!content.empty()) {
        const auto written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return file_problem("write", name, errno);
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

expected<void> read_pieces(int fd, std::string_view name,
                           const std::function<expected<void>(std::string_view)>& visit) {
    constexpr std::size_t piece_bytes = 64 * 1024;
    std::string piece(piece_bytes, '\0');
    for (;;) {
        const auto got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? expected<void>() : expected<void>(file_problem("read", name, errno));
        }
        if (auto visited = visit(std::string_view(piece).substr(0, static_cast<std::size_t>(got))); !visited) {
            return visited;
        }
    }
}

expected<std::string> read_whole(int fd, std::size_t bytes_max, std::string_view name) {
    constexpr std::size_t piece_bytes = 64 * 1024;
    std::string content;
    for (;;) {
        const auto had = content.size();
        content.resize(had + piece_bytes);
        const auto got = ::read(fd, content.data() + had, piece_bytes);
        content.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return file_problem("read", name, errno);
        }
        if (got == 0) {
            return content;
        }
        if (content.size() > bytes_max) {
            return problem{code::payload_too_large, fmt::format("{} is larger than {} bytes", name, bytes_max)};
        }
    }
}

expected<std::string> read_whole_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return file_problem("open", path.native(), errno);
    }
    return read_whole(fd.get(), bytes_max, path.native());
}

expected<void> sync_folder(const std::filesystem::path& folder) {
    const unique_fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return file_problem("sync", folder.native(), errno);
    }
    return {};
}

expected<void> replace_file(const std::filesystem::path& path, std::string_view content, unsigned mode) {
    return replace_file(
        path, [&](int fd) { return write_whole(fd, content, path.native()); }, mode);
}

expected<void> replace_file(const std::filesystem::path& path, const std::function<expected<void>(int)>& write,
                            unsigned mode) {
    // The name is short and its own: a file name of full length still has room for its neighbour.
    const auto temporary = path.parent_path() / (std::string(temporary_prefix) + to_string(make_uuid()));
    const auto give_up = [&](problem p) {
        ::unlink(temporary.c_str());
        return p;
    };
    unique_fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
        return file_problem("create", path.native(), errno);
    }
    if (auto written = write(fd.get()); !written) {
        return give_up(written.error());
    }
    if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) {
        return give_up(file_problem("sync", path.native(), errno));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return give_up(file_problem("replace", path.native(), errno));
    }
    return sync_folder(path.parent_path());
}

expected<void> write_file(const std::filesystem::path& path, std::string_view content, kept how, unsigned mode) {
    const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) {
        return file_problem("create", path.native(), errno);
    }
    if (auto written = write_whole(fd.get(), content, path.native()); !written) {
        return written;
    }
    if (::fchmod(fd.get(), mode) != 0 || (how == kept::with_fsync && ::fsync(fd.get()) != 0)) {
        return file_problem("sync", path.native(), errno);
    }
    return {};
}

expected<void> remove_leftovers(const fs::path& root) {
    std::vector<fs::path> leftovers;
    std::error_code failed;
    fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
        std::error_code gone; // it went away meanwhile
        const auto status = at->symlink_status(gone);
        const auto name = at->path().filename().native();
        if (fs::is_directory(status) && (name == ".git" || name == limits::node_data_name)) {
            at.disable_recursion_pending();
        } else if (fs::is_regular_file(status) && is_temporary(name)) {
            leftovers.push_back(at->path());
        }
    }
    for (const auto& path : leftovers) {
        if (!failed) {
            fs::remove(path, failed);
        }
    }
    return failed ? expected<void>(file_problem("clean", root.native(), failed.value())) : expected<void>();
}

} // namespace troupe
