#pragma once

#include "net/body.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <optional>
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

/// What the stream gives, piece by piece. `bytes`: how much that is, where it is known.
net::body_source source_of(std::shared_ptr<std::istream> in, std::optional<std::uint64_t> bytes, std::string name);
expected<net::body_source> open_file(const std::filesystem::path& path);
bool is_executable(const std::filesystem::path& path);

} // namespace troupe::cli
