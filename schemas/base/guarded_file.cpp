#include "schemas/base/guarded_file.hpp"

#include "schemas/base/durable_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace troupe {
namespace {

namespace fs = std::filesystem;

/// 0, or the system's error.
int move_name(const fs::path& from, const fs::path& to, unsigned how) {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), how) == 0 ? 0 : errno;
}

/// After both names were swapped for nothing. What came between the two swaps is newer than what comes back by them.
expected<bool> swap_back(const fs::path& fresh, const fs::path& path, const std::optional<file_mark>& mine) {
    auto failed = move_name(fresh, path, RENAME_EXCHANGE);
    if (failed == 0 && mark_of(fresh) != mine) {
        failed = move_name(fresh, path, RENAME_EXCHANGE);
    }
    return failed == 0 ? expected<bool>(false) : file_problem("put back", path.native(), failed);
}

/// False: somebody was faster, and has what he wrote.
expected<bool> put_in_place(const fs::path& fresh, const fs::path& path, const std::optional<file_mark>& before) {
    const auto mine = mark_of(fresh);
    auto failed = move_name(fresh, path, before ? RENAME_EXCHANGE : RENAME_NOREPLACE);
    if (failed == EINVAL || failed == ENOSYS) { // not on this file system
        if (mark_of(path) != before) {
            return false;
        }
        failed = move_name(fresh, path, 0);
    } else if (failed == (before ? ENOENT : EEXIST)) {
        return false;
    } else if (failed == 0 && before && mark_of(fresh) != before) {
        return swap_back(fresh, path, mine);
    }
    return failed == 0 ? expected<bool>(true) : file_problem("replace", path.native(), failed);
}

} // namespace

std::optional<file_mark> mark_of(const fs::path& path) {
    struct ::stat found {};
    if (::stat(path.c_str(), &found) != 0) {
        return std::nullopt;
    }
    return file_mark{found.st_ino, found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec, found.st_size};
}

expected<std::optional<file_mark>> replace_unless_changed(const fs::path& path, std::string_view content,
                                                          const std::optional<file_mark>& before) {
    using outcome = expected<std::optional<file_mark>>;
    if (mark_of(path) != before) {
        return std::optional<file_mark>();
    }
    auto fresh = path;
    fresh += ".new";
    const auto written = write_file(fresh, content, kept::with_fsync);
    const auto mine = mark_of(fresh);
    auto done = written ? put_in_place(fresh, path, before) : written.error();
    ::unlink(fresh.c_str()); // what was displaced, or what has no place
    if (done && *done) {
        if (auto durable = sync_folder(path.parent_path()); !durable) {
            done = durable.error();
        }
    }
    return !done ? outcome(done.error()) : outcome(*done ? mine : std::nullopt);
}

} // namespace troupe
