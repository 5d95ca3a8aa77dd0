#pragma once

#include "runtime/backup/object_store.hpp"
#include "runtime/config/config.hpp"
#include "schemas/backup.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace troupe::runtime {

struct supervised_child;

/// Backups of a running node: made one after the other on a thread of its own, when somebody asks and on schedule;
/// lists and manifests are read on another, so that they do not wait for a backup that takes long. A third copies what
/// is not in the object store yet, and tries again each minute until it is. The thread-safe
/// calls return at once; `done` is called exactly once, from any thread: with `overloaded` when too many wait, with
/// `unavailable` when the node ends before.
class backup_desk {
public:
    template <class T>
    using answer = std::function<void(expected<T>)>;

    /// The store outlives the desk's actors.
    backup_desk(storage::store& s, const config& settings);
    ~backup_desk();

    /// Every backup is copied to there. Before `children`.
    void copy_to(std::unique_ptr<object_store> remote);
    /// Breaks off copies: the node ends.
    void stop();

    /// Where the backups are: `backup.directory`, or `backups` in the data folder.
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

    /// As of `storage::create_backup`.
    void create(std::string request_key, answer<backup_detail> done);
    /// Brings the copies of the keys that lie beside the backups up to date: what was destroyed is so there, too.
    void copy_keys(answer<void> done);
    void list(answer<std::vector<backup_entry>> done);
    void find(std::string id, answer<backup_detail> done);
    /// Its copy goes first.
    void remove(std::string id, answer<void> done);

    /// The actors, for the node's supervisor.
    std::vector<supervised_child> children();

private:
    class worker;
    struct handles;
    enum class who { maker, reader, copier };
    template <class T>
    void ask(who by, std::function<expected<T>()> work, answer<T> done);
    [[nodiscard]] supervised_child child(who of, std::string id, std::function<std::int64_t()> look);
    /// One on schedule when it is due; gives the time until it looks again.
    std::int64_t look_at_schedule();
    /// Copies what is not copied; gives the time until it looks again.
    std::int64_t look_for_copies();
    void copy_soon();
    expected<void> copy_missing();
    expected<void> put_keys_away();
    expected<std::set<std::string>> copies_of(const uuid& replica);
    /// The object store, when it has a copy; else empty.
    [[nodiscard]] std::string copy_of(const std::string& id) const;

    storage::store& store_;
    std::filesystem::path directory_;
    std::int64_t every_ms_;
    std::size_t keep_;
    std::shared_ptr<std::atomic<int>> waiting_;
    std::unique_ptr<handles> handles_;
    std::unique_ptr<object_store> remote_; ///< Null: none. The copier's, but for `cancel` and `place`.
};

} // namespace troupe::runtime
