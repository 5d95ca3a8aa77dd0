#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>
#include <string>
#include <vector>

/// Which files of a folder become a project's.
namespace troupe::cli {

struct import_file {
    std::string path; ///< Relative, with slashes.
    bool executable = false;
};

/// The regular files below `folder`, in order. Left out: links, `.git`, `.troupe` and folders that tools fill
/// (node_modules, build, target, __pycache__, …). Refuses a folder with a file over the upload's limit, by name.
expected<std::vector<import_file>> files_to_import(const std::filesystem::path& folder);

expected<std::string> read_file(const std::filesystem::path& path);
bool is_executable(const std::filesystem::path& path);

} // namespace troupe::cli
