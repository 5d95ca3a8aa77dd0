#pragma once

#include "actors/tool/project_folder.hpp"

#include <sys/types.h>

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// What a project holds, for tools that look at all of it. Links are not followed, pipes not opened, and everything has
/// a bound; the same tree gives the same answer.
namespace troupe::actors {

struct tree_entry {
    std::string path; ///< Relative to the project.
    mode_t mode = 0;  ///< With its type, as of stat(2).
    std::uint64_t bytes = 0;
};

struct project_tree {
    std::vector<tree_entry> entries; ///< Sorted by path within each folder; folders, links and special files too.
    bool complete = true;            ///< False: a bound was reached, or something could not be listed.
};

inline constexpr std::size_t tree_entries_max = 50'000;

/// Everything below `path`, or the file there. Left out are git's data, a node's own, and folders that hold what others
/// made: node_modules, __pycache__, virtual environments.
expected<project_tree> list_tree(const project_folder& project, const std::string& path, const std::stop_token& stop);

/// A plain file that is no link, as a whole. `payload_too_large` over `bytes_max`.
expected<std::string> read_plain(const project_folder& project, const std::string& path, std::size_t bytes_max);

} // namespace troupe::actors
