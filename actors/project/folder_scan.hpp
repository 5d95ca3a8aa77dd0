#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

/// What a working folder holds, cheaply: contents are only read where the file's times or size changed.
namespace troupe::actors {

/// A path that folder and manifest once had in common, and the file's marks when it was last hashed.
struct indexed_file {
    std::string sha256;
    bool executable = false;
    std::string seen_sha256; ///< Of the file with these marks; `sha256` unless it was changed since.
    std::uint64_t bytes = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    std::int64_t hashed_ns = 0; ///< When.
};
BOOST_DESCRIBE_STRUCT(indexed_file, (), (sha256, executable, seen_sha256, bytes, modified_ns, changed_ns, hashed_ns))

/// A path that is not saved, and who was told so last.
struct told_path {
    std::int64_t changed_ns = 0;
    std::string by;

    bool operator==(const told_path&) const = default;
};
BOOST_DESCRIBE_STRUCT(told_path, (), (changed_ns, by))

struct folder_index {
    std::uint64_t version = 0; ///< Of the project.
    std::map<std::string, indexed_file> files;
    std::map<std::string, told_path> told;
};
BOOST_DESCRIBE_STRUCT(folder_index, (), (version, files, told))

struct scanned_file {
    std::string sha256;
    std::uint64_t bytes = 0;
    bool executable = false;
};

/// A file or folder that cannot be saved: too large, not readable, or with a name that a project cannot have.
struct unsaved_path {
    problem why;
    std::int64_t changed_ns = 0;
};
inline constexpr std::size_t unsaved_paths_max = 1000;

struct folder_scan {
    std::map<std::string, scanned_file> files;
    std::set<std::string> skipped; ///< Of the index; they or their folder is unsaved: neither changed nor deleted.
    std::map<std::string, unsaved_path> unsaved; ///< By path, as valid text; at most `unsaved_paths_max`.
};

/// Called with each content that differs from the index. May store what it reads from the descriptor, and then gives
/// the name of what it stored, which counts: a file may change while it is read. An empty name: it stored nothing.
using content_sink = std::function<expected<std::string>(const std::string& path, int fd)>;

/// Looks at all files below `root`, except git's and nodes' own, symbolic links and special files. Notes what it hashed
/// in the index.
expected<folder_scan> scan_folder(const std::filesystem::path& root, folder_index& index, const content_sink& changed);

/// One path, or nothing when there is no plain file.
expected<std::optional<scanned_file>> scan_file(const std::filesystem::path& root, const std::string& path,
                                                folder_index& index, const content_sink& changed);

} // namespace troupe::actors
