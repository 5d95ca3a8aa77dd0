#pragma once

#include "actors/common/working_folders.hpp"
#include "storage/store.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

/// The folders of projects on this node: caches of their manifests.
///
/// Beside each folder stands an index of what was last the same in folder and manifest. Preparing and saving are merges
/// of three: what the index says was there, what the folder holds, what the manifest holds. So what a command wrote
/// before a crash is neither lost nor overwritten, and somebody else's change is not undone. Where both changed a file
/// the manifest wins; the folder's content stays as a blob that the log names.
///
/// Runs that work on one project at the same time share its folder; those that change it take turns, so that a save
/// holds what its author wrote. Only what a crash left unsaved is saved by whoever comes next.
namespace troupe::actors {

class project_workspaces final : public working_folders {
public:
    /// `directory` holds the managed folders and all indexes; those of deleted projects are removed. The store outlives
    /// this.
    project_workspaces(storage::store& store, std::filesystem::path directory);
    ~project_workspaces() override;

    /// `not_found` without the project; `storage_failed` and the like where the folder cannot be used.
    expected<prepared> prepare(const entity_address& project, bool first, runtime::effect_context& ctx) override;
    expected<saved> save(const entity_address& project, const std::string& by, runtime::effect_context& ctx) override;
    [[nodiscard]] std::shared_ptr<void> take_turn(const entity_address& project, std::stop_token stop) override;
    [[nodiscard]] expected<std::string> changed_elsewhere(const entity_address& project, const std::string& path,
                                                          const std::string& by, timestamp since) const override;
    expected<void> remove_of(const uuid& organization) override;
    [[nodiscard]] expected<std::vector<project_change>> changes_by(const entity_address& project,
                                                                   const std::string& by) const override;

private:
    class workspace;
    std::shared_ptr<workspace> workspace_of(const entity_address& project);

    storage::store& store_;
    std::filesystem::path directory_;
    std::mutex mutex_;
    std::map<entity_address, std::shared_ptr<workspace>> workspaces_;
};

} // namespace troupe::actors
