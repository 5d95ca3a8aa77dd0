#pragma once

#include "actors/secret/keyring_model.hpp"
#include "actors/secret/master_key_file.hpp"
#include "actors/secret/secret_crypto.hpp"
#include "actors/secret/secret_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/secret.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

/// What a node can do with its secrets: the only place where their values are plain. Thread-safe.
namespace troupe::actors {

/// A data key that was opened.
struct data_key {
    std::uint32_t number = 0;
    wiped_text bytes;
};

class secret_vault {
public:
    /// Reads the master keys and checks that they open every keyring of the data directory: `secrets_locked` names what
    /// is missing. DIR/secrets.key is made when the directory has no keyring yet. The services outlive the vault.
    static expected<std::unique_ptr<secret_vault>> open(const runtime::services& s, const runtime::config& settings);
    ~secret_vault();
    /// Waits for a rotation of the master key that goes on. Before the node ends.
    void wait();

    /// The value of a secret. `not_found` when there is none; `secrets_locked` when what is stored does not belong
    /// there.
    [[nodiscard]] expected<std::string> reveal(const uuid& organization, std::string_view name) const;

    /// The keyring, or nothing before the first secret. From the tables: never wakes an entity.
    [[nodiscard]] expected<std::optional<keyring_state>> keyring(const uuid& organization) const;
    /// What stands for a secret; version 0 when it never was. From the tables.
    [[nodiscard]] expected<sealed_secret> sealed(const uuid& organization, std::string_view name) const;
    [[nodiscard]] expected<data_key> open_key(const keyring_state& ring, std::uint32_t number) const;
    /// `count` fresh data keys with the numbers from `first` on, wrapped with the current master key.
    [[nodiscard]] std::vector<wrapped_key> make_keys(const uuid& organization, std::uint32_t first,
                                                     std::uint32_t count) const;
    [[nodiscard]] expected<secret_keys_document> describe(const uuid& organization) const;

    /// Sets a secret of the node itself. Blocks; `conflict` when somebody else set it at this moment.
    expected<void> keep(const uuid& organization, std::string_view name, std::string_view value);

    /// The command that sets a secret's next value, under the newest key. `conflict` of its entity: somebody else was
    /// first.
    [[nodiscard]] expected<set_secret> seal_next(const keyring_state& ring, std::string_view name,
                                                 std::string_view value) const;

    /// The value of a stored secret under the newest key, as a command; nothing when it is that already. For rotations.
    [[nodiscard]] expected<std::optional<reseal_secret>> reseal(const keyring_state& ring, std::string_view name) const;

    /// Wraps with the current master key what is wrapped with an older one: after a start, and after a rotation.
    /// Gives how many keyrings changed. Blocks.
    expected<std::size_t> rewrap_all();

    /// The same after a start, into the log: with both keys at hand what fails now is done by the next start.
    void rewrap_after_start();

    /// Makes a new master key, puts it first in the key file and wraps everything with it. The older ones stay in the
    /// file: backups of before need them. What a kill leaves half done goes on with the next start. Returns at once;
    /// `done` is called exactly once, from any thread; `conflict` while another rotation goes on.
    void rotate_master(std::function<void(expected<void>)> done);

private:
    secret_vault(const runtime::services& s, master_key_source source, master_keys keys);
    [[nodiscard]] std::shared_ptr<const master_keys> masters() const;
    [[nodiscard]] expected<std::vector<keyring_state>> all_keyrings() const;
    expected<void> check() const;

    const runtime::services& services_;
    master_key_source source_;
    mutable std::mutex mutex_; ///< Of the keys.
    std::shared_ptr<const master_keys> masters_;
    std::mutex rotation_mutex_; ///< Of the thread: it may be over before whoever made it has put it here.
    std::thread rotation_;
    std::atomic<bool> rotating_{false};
};

/// Encrypts every secret of an organization with its newest data key, one after the other; a repeat goes on where a
/// crash left it.
runtime::performer_of<keyring_model> make_keyring_performer(const secret_vault& vault, const runtime::services& s);

/// All keyrings of a data directory.
expected<std::vector<keyring_state>> read_keyrings(const storage::store& s);

/// Every data key of the directory opens with one of the master keys, or the problem that the first one has.
expected<void> check_keyrings(const storage::store& s, const master_keys& masters);

/// The command that wraps with the current master key what is wrapped with another one; nothing when there is nothing
/// to do. `secrets_locked` when a master key is missing.
expected<std::optional<rewrap_data_keys>> rewrapped(const master_keys& masters, const keyring_state& ring);

/// The same as `rewrap_all` for a data directory that no node runs on. Each keyring is one write: what a kill leaves
/// half done goes on with the same keys. Gives how many keyrings changed.
expected<std::size_t> rewrap_offline(storage::store& s, const master_keys& masters);

} // namespace troupe::actors
