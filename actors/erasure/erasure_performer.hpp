#pragma once

#include "actors/common/working_folders.hpp"
#include "actors/erasure/erasure_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"

#include <filesystem>

/// Destroys keys and removes what is left. Blocks: on a thread of the host's performers.
namespace troupe::actors {

struct erasure_parts {
    const runtime::services* services = nullptr;
    working_folders* folders = nullptr;
    std::filesystem::path commands; ///< Where the runner's files are, in a folder for each run.
};

/// A step that fails is tried again after a rest, for as long as it takes; the log says why.
runtime::performer_of<erasure_model> make_erasure_performer(erasure_parts parts);

/// What a kill between destroying a key and removing the rest has left, and what was erased since a backup that was
/// restored, of which others are told (forget_erased.hpp). Before a node starts.
expected<void> finish_removals(const runtime::services& s, const runtime::kind_registry& kinds);

} // namespace troupe::actors
