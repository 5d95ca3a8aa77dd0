#pragma once

#include "runtime/entity/kind.hpp"
#include "runtime/entity/rebuild.hpp"
#include "schemas/backup.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A data directory made from a backup.
namespace troupe::runtime {

struct restore_options {
    std::filesystem::path backup;     ///< The folder of one backup.
    std::filesystem::path target;     ///< Must not be there, or be empty.
    std::optional<timestamp> until;   ///< What was decided later is left out; nothing: all of the backup.
    std::uint64_t free_bytes_min = 0; ///< That have to be left on the target's disk.
    /// Opens the contents of the copy, whose keys come from beside the backup. Asked for with `until` only: views that
    /// are made again have to be read.
    std::function<expected<void>(storage::store&)> unlock = {};
};

struct restore_result {
    backup_manifest from;
    std::uint64_t records = 0;              ///< In the restored journal.
    std::uint64_t records_cut = 0;          ///< That were later than `until`.
    std::vector<std::string> quarantined;   ///< Entities whose views could not be made again after a cut.
    std::optional<problem> damaged_content; ///< The first blob that is damaged; it was so when the backup was made.
};

/// Copies the backup, checks every file's hash and every record, drops what a replica had not applied, cuts at `until`
/// and makes the views again. The target
/// becomes a data directory with the last step: a failure or a kill before leaves none that a node would start with.
/// What was erased since the backup stays so: the keys are those that lie beside the backup now.
/// A moment whose states name a content that was collected before the backup was made is refused; so is one after the
/// backup, or before all that is in it.
/// Problems: `invalid_request` for such a moment, `not_found`, `journal_damaged` with the place, `conflict` when the
/// target is not empty, `storage_full`. Blocks; `progress` says what is being done, for people.
expected<restore_result> restore_backup(const restore_options& options, const kind_registry& kinds,
                                        const std::function<void(std::string_view doing)>& progress);

} // namespace troupe::runtime
