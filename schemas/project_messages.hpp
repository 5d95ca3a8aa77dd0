#pragma once

#include "schemas/base/described.hpp"
#include "schemas/project.hpp"

/// Commands to a project (kind "project") from other features.
namespace troupe {

/// One path of `save_files`. Without a hash the file is deleted. The blob has to be durable before.
struct file_change {
    std::string path;
    std::optional<std::string> sha256; ///< 64 lower-case hexadecimal digits.
    std::uint64_t bytes = 0;
    bool executable = false;
};
BOOST_DESCRIBE_STRUCT(file_change, (), (path, sha256, bytes, executable))

/// Why a path was not saved.
struct refused_file {
    std::string path;
    std::string code; ///< Of the problem.
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(refused_file, (), (path, code, detail))

/// From a run after a step that wrote: each path is judged for itself. Answered with `save_files_result`.
struct save_files {
    std::vector<file_change> changes;
    std::optional<std::uint64_t> base_version; ///< A path that somebody else changed after this version is refused.
    std::string by;                            ///< "run/<id>"
    std::vector<refused_file> unsaved = {};    ///< What the folder holds and cannot be saved: noted as refused.
};
BOOST_DESCRIBE_STRUCT(save_files, (), (changes, base_version, by, unsaved))

/// The answer to `save_files`. Paths that were as given already are in no list. `version` is also in the project
/// document, which is the answer when nothing had to change: decode either one as this.
struct save_files_result {
    std::uint64_t version = 0; ///< The project's version afterwards: the next `base_version`.
    std::vector<std::string> saved;
    std::vector<std::string> deleted;
    std::vector<refused_file> refused;
};
BOOST_DESCRIBE_STRUCT(save_files_result, (), (version, saved, deleted, refused))

} // namespace troupe

TROUPE_NAMED(troupe::save_files)
