#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>

/// Tells a data directory from a copy of it: DIR/place.json holds the moment at which that very file was made, which
/// moves with the directory but is another one in a copy. Two nodes that live on from the same past would do twice what
/// is owed: calls, commands, messages.
namespace troupe::storage {

/// `data_dir_unusable` when the directory is a copy. Where the file system does not tell when a file was made, or tells
/// of a change instead, nothing is known and nothing refused. Nor are snapshots of whole disks noticed.
expected<void> check_place(const std::filesystem::path& directory);
/// From now on this is where the directory stands. Called by its owner only.
expected<void> mark_place(const std::filesystem::path& directory);

} // namespace troupe::storage
