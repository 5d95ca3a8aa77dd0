#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>
#include <string>

namespace troupe::storage {

/// The SHA-256 of a file of any size, as lower-case hexadecimal. The file is fsynced: what has a hash is on disk.
expected<std::string> hash_file(const std::filesystem::path& file);

/// Copies a file, fsyncs the copy and gives the hash of what was read. `to` must not exist; its mode is 0600.
expected<std::string> copy_and_hash_file(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace troupe::storage
