#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

/// Files that a person edits while a program replaces them, without a lock that both would keep to.
namespace troupe {

/// By what a file is known as one that nobody wrote since.
struct file_mark {
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0; ///< Time of its content, since 1970.
    std::int64_t size = 0;       ///< Bytes.

    bool operator==(const file_mark&) const = default;
};

/// Of the file that is there now. Nothing: there is none, or it cannot be looked at.
std::optional<file_mark> mark_of(const std::filesystem::path& path);

/// Replaces the file in one step, durably, if it is as `before` says (nothing: there is none), and gives the mark of
/// the new one. Nothing: it was not, and whoever wrote it finds what he wrote. What is displaced is looked at only when
/// the new file has its place, so no edit falls between a look and a step; where the file system cannot exchange two
/// names (some of the network's) it is looked at before. One caller at a time a path; `PATH.new` is its neighbour.
/// `storage_full` or `storage_failed`.
expected<std::optional<file_mark>> replace_unless_changed(const std::filesystem::path& path, std::string_view content,
                                                          const std::optional<file_mark>& before);

} // namespace troupe
