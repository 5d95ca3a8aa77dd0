#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

/// The files of a project by path, and the rules of paths. Pure.
namespace troupe::actors {

/// A manifest is one state: this bounds its snapshot to about 2 MB.
inline constexpr std::size_t project_files_max = 10'000;
inline constexpr std::size_t project_path_bytes_max = 1024;

/// What a path holds. The contents are a blob.
struct file_entry {
    std::string sha256;
    std::uint64_t bytes = 0;
    bool executable = false;
    std::uint64_t version = 0; ///< The project's version that brought it.
    timestamp updated_at;
    std::string updated_by;
};
BOOST_DESCRIBE_STRUCT(file_entry, (), (sha256, bytes, executable, version, updated_at, updated_by))

using manifest = std::map<std::string, file_entry>;

/// Relative, with slashes, no empty, "." or ".." segment, none of a node's or git's own, no NUL, names that files can
/// have, at most `project_path_bytes_max` bytes. `path_outside_project` for what would leave the project, else
/// `invalid_request`.
expected<void> check_project_path(std::string_view path);

/// 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text);

/// A manifest and the changes decided so far on top of it, without a copy of the manifest.
class manifest_draft {
public:
    explicit manifest_draft(const manifest& base) : base_(base), count_(base.size()) {}

    [[nodiscard]] bool contains(std::string_view path) const;
    /// Refuses bad paths, a file where a folder is and the reverse, and more files than fit.
    expected<void> save(const std::string& path);
    void remove(const std::string& path);

private:
    [[nodiscard]] bool is_folder(std::string_view path) const;
    const manifest& base_;
    std::map<std::string, bool, std::less<>> changed_; ///< Path → is there afterwards.
    std::size_t count_;
};

} // namespace troupe::actors
