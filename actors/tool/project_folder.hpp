#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::actors {

/// What git keeps of a project is no part of it, whether a folder or, in a linked worktree, a file.
inline constexpr const char* git_data_name = ".git";

/// A project's files, by paths that cannot leave it: neither by "..", nor as absolute paths, nor through symbolic
/// links, not even when these change meanwhile (openat2 with RESOLVE_BENEATH; a check before the open where the kernel
/// has none), nor lead into the data of a node that lies in the project (`limits::node_data_name`). Problems:
/// `path_outside_project`, `invalid_request` for names that no file can have, `not_found`, `storage_failed`.
class project_folder {
public:
    static expected<project_folder> open(const std::filesystem::path& root);

    /// The path without "." and doubled slashes; "" is the project itself.
    static expected<std::string> normalize(std::string_view path);

    /// Opens what is there, with flags as of open(2).
    [[nodiscard]] expected<unique_fd> open_at(std::string_view path, int flags) const;

    /// The folder that holds `path`, made with its parents where missing, and the last name. For what is written: not
    /// within git's own data.
    struct place {
        unique_fd folder;
        std::string name;
    };
    [[nodiscard]] expected<place> make_parents(std::string_view path) const;
    /// The same without making anything: `not_found` where a folder on the way is missing.
    [[nodiscard]] expected<place> find_parents(std::string_view path) const;

private:
    project_folder(unique_fd root, std::filesystem::path path) : root_(std::move(root)), path_(std::move(path)) {}

    [[nodiscard]] expected<place> parents(std::string_view path, bool make) const;

    unique_fd root_;
    std::filesystem::path path_;
};

/// A path that names the open file or folder for calls that take only paths.
std::string path_of(const unique_fd& fd);

namespace detail {
/// The way without openat2: checks where the path leads, then opens it. A link that changes in between escapes the
/// check.
int open_checked(const std::filesystem::path& root, const std::string& path, int flags);
} // namespace detail

} // namespace troupe::actors
