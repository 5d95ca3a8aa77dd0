#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/project_messages.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// The folders in which tools work on projects. Whoever runs tools needs them; the project feature has them.
namespace troupe::actors {

/// A path that was changed, or that could not be saved. Without a hash the file was not there.
struct project_change {
    std::string path;
    std::optional<std::string> before_sha256;
    std::optional<std::string> after_sha256;
    std::string unsaved = {}; ///< Why what was there last is not in the project; else empty.

    bool operator==(const project_change&) const = default;
};

/// Thread-safe; all calls block on disk and on the project entity.
class working_folders {
public:
    virtual ~working_folders() = default;

    struct prepared {
        std::filesystem::path path; ///< Absolute.
        std::uint64_t version = 0;  ///< The project's version that the folder holds, beside unsaved changes.
    };
    /// Brings the folder up to date with the project. Changes in it that were not saved yet stay. With `first`, a
    /// folder of the operator's own is saved before, so that the project begins with what is there.
    virtual expected<prepared> prepare(const entity_address& project, bool first, runtime::effect_context& ctx) = 0;

    struct saved {
        std::vector<project_change> changes;
        std::vector<refused_file> refused;
    };
    /// Tells the project what changed in the folder, as `by`, and what cannot be saved. Repeated: nothing is left to
    /// tell.
    virtual expected<saved> save(const entity_address& project, const std::string& by,
                                 runtime::effect_context& ctx) = 0;

    /// Tools that change the folder take turns, from before the tool to after its save: else one run would save what
    /// another one is just writing. The turn ends with what is returned; null when `stop` came before the turn.
    [[nodiscard]] virtual std::shared_ptr<void> take_turn(const entity_address& project, std::stop_token stop) = 0;

    /// Who was the last to change the file, when that was another run than `by`, after `since`; else empty.
    [[nodiscard]] virtual expected<std::string> changed_elsewhere(const entity_address& project,
                                                                  const std::string& path, const std::string& by,
                                                                  timestamp since) const = 0;

    /// Removes what this node keeps of an organization's projects beside the journal: managed folders and indexes. For
    /// its erasure; folders of the operator's own stay.
    virtual expected<void> remove_of(const uuid& organization) = 0;

    /// All that `by` ever changed in the project, by path: before its first change and after its last one.
    [[nodiscard]] virtual expected<std::vector<project_change>> changes_by(const entity_address& project,
                                                                           const std::string& by) const = 0;
};

/// The changes as one unified diff. Contents that are too large are named without their lines; at most about
/// `bytes_max`.
expected<std::string> diff_of(const storage::store& s, const uuid& organization,
                              const std::vector<project_change>& changes, std::size_t bytes_max);

} // namespace troupe::actors
