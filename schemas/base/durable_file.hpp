#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

/// Small files that are there as a whole or not at all, also after a loss of power.
namespace troupe {

/// Replaces the file in one step: a temporary neighbour is written and fsynced, renamed over `path`, and the folder
/// is fsynced. `mode` is set as given, whatever the umask. `storage_full` or `storage_failed`.
expected<void> replace_file(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// The same with a content that `write` writes into a descriptor, piece by piece.
expected<void> replace_file(const std::filesystem::path& path, const std::function<expected<void>(int fd)>& write,
                            unsigned mode = 0644);

enum class kept : std::uint8_t { with_fsync, without_fsync };

/// Writes the file where it is, and leaves the folder alone: for names that nobody reads before this returned. Without
/// fsync a loss of power may leave anything.
expected<void> write_file(const std::filesystem::path& path, std::string_view content, kept how, unsigned mode = 0644);

/// Removes the neighbours that `replace_file` left in `root` and below when its process was killed in the middle.
/// Only for a tree where no other thread or process replaces files meanwhile. Folders named .git and .troupe are left
/// alone.
expected<void> remove_leftovers(const std::filesystem::path& root);

/// The whole content. `not_found`, `payload_too_large` over `bytes_max`, `storage_failed`.
expected<std::string> read_whole_file(const std::filesystem::path& path, std::size_t bytes_max);

/// Makes the names in a folder durable.
expected<void> sync_folder(const std::filesystem::path& folder);

/// The calls below work on an open descriptor; `name` is only for the sentence of a problem.
/// Gives what is left of it to `visit` in pieces of at most 64 KiB, until its end or a problem.
expected<void> read_pieces(int fd, std::string_view name, const std::function<expected<void>(std::string_view)>& visit);
expected<std::string> read_whole(int fd, std::size_t bytes_max, std::string_view name);
expected<void> write_whole(int fd, std::string_view content, std::string_view name);

/// `storage_full` for ENOSPC and EDQUOT, `not_found` for ENOENT, else `storage_failed`, with the system's words.
problem file_problem(std::string_view doing, std::string_view name, int error_number);

} // namespace troupe
