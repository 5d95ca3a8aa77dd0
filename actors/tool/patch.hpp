#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Unified diffs, as `diff -u` and `git diff` write them: read into files and hunks, and applied to contents. Pure.
namespace troupe::actors {

inline constexpr std::size_t patch_files_max = 500;
/// A hunk may have to be looked for in the whole file.
inline constexpr std::size_t patch_hunks_max = 1000;

struct patch_line {
    char kind = ' ';  ///< ' ' stays, '-' goes, '+' comes.
    std::string text; ///< With its line feed, where it has one.
};

struct patch_hunk {
    std::size_t old_start = 0; ///< Counted from 1, as the patch says; 0 where there is no line before.
    std::size_t old_count = 0;
    std::size_t new_start = 0;
    std::size_t new_count = 0;
    std::size_t patch_line_number = 0; ///< Where it begins in the patch.
    std::vector<patch_line> lines;
};

struct file_patch {
    std::string old_path; ///< Empty: the file is made.
    std::string new_path; ///< Empty: the file is deleted. Another one than `old_path`: it is renamed.
    std::optional<bool> executable;
    std::vector<patch_hunk> hunks;
};

/// The files of a patch; text around them is skipped. `tool_arguments_invalid` names the line of the patch that is
/// wrong, also for what is not supported: binary patches, copies, symbolic links, submodules.
expected<std::vector<file_patch>> parse_patch(std::string_view text);

struct patched_text {
    std::string content;
    std::vector<std::size_t> lines;      ///< Of each hunk: its first line in `content`, from 1.
    std::vector<std::ptrdiff_t> offsets; ///< Of each hunk: how many lines further down it fitted than was said.
};

/// What the hunks make of a content. A hunk that does not fit where it says is looked for elsewhere, whole and without
/// any tolerance, and taken when it fits at one place only. `conflict` tells of each hunk that does not fit.
expected<patched_text> apply_hunks(const file_patch& patch, std::string_view content);

/// The patch that undoes this one, but for the mode.
file_patch reversed(const file_patch& patch);

} // namespace troupe::actors
