#pragma once

#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// The keys of payloads: one for each organization and each person (its *subject*). What is kept of a subject is sealed
/// with its key (storage/sealing.hpp), so whoever destroys the key has erased the subject, in backups too: backups hold
/// no keys.
///
/// On disk the keys are small files of their own, DIR/keys, beside the database: a line for each key, wrapped with the
/// node's master key; in the place of a destroyed one stands when that was. A file is only appended to (with an fsync,
/// before anything is sealed with the key) or replaced as a whole.
namespace troupe::storage {

/// How keys are wrapped while they are kept. The master key is the business of a higher floor. Thread-safe.
class key_wrapping {
public:
    virtual ~key_wrapping() = default;
    /// Text without blanks and line ends.
    [[nodiscard]] virtual std::string wrap(const uuid& subject, std::uint32_t number, std::string_view key) const = 0;
    /// Whether `wrap` would use the same master key.
    [[nodiscard]] virtual bool is_current(std::string_view wrapped) const = 0;
    /// `secrets_locked` without the master key that it needs, or when it was changed.
    [[nodiscard]] virtual expected<wiped_text> unwrap(const uuid& subject, std::uint32_t number,
                                                      std::string_view wrapped) const = 0;
};

/// An opened key. Its number is what sealed bytes name.
struct payload_key {
    static constexpr std::size_t sealing_bytes = 32;
    static constexpr std::size_t hiding_bytes = 16;

    std::uint32_t number = 0;
    uuid subject;
    std::array<unsigned char, sealing_bytes> sealing{}; ///< Of values.
    std::array<unsigned char, hiding_bytes> hiding{};   ///< Of what rows are found by.

    payload_key() = default;
    payload_key(const payload_key&) = delete;
    ~payload_key();
};

/// A key as the nodes of a cluster have agreed on it.
struct agreed_key {
    std::uint32_t number = 0;
    uuid subject;
    std::string wrapped; ///< Empty: destroyed.
    timestamp destroyed;

    bool operator==(const agreed_key&) const = default;
};

/// How the nodes of a cluster come to the same keys under the same numbers. Thread-safe. What it calls of a store:
/// `take`, on another thread than those that wait here.
class key_agreement {
public:
    virtual ~key_agreement() = default;
    /// Returns when the store has the key of the subject, or knows that it was destroyed. Blocks for a few seconds at
    /// most, then `unavailable`.
    virtual expected<void> issue(const uuid& subject) = 0;
    /// Returns when the store knows that the key was destroyed. Blocks like `issue`.
    virtual expected<void> destroy(const uuid& subject, timestamp now) = 0;
    /// Waits a moment for a key that another node has made already.
    virtual void await(std::uint32_t number) = 0;
};

/// All keys of a data directory. Thread-safe.
class key_store {
public:
    /// Opens or makes the folder. `secrets_locked` when a key does not open, `journal_damaged` with the file and line
    /// of what cannot be read.
    static expected<std::unique_ptr<key_store>>
    open(const std::filesystem::path& folder, std::shared_ptr<const key_wrapping> wrapping, bool read_only = false);
    /// Whether there are keys in a folder.
    static bool has_keys(const std::filesystem::path& folder);

    /// The key of a subject; a first one is on disk when this returns. `erased` when it was destroyed. In a cluster it
    /// may block for a new one, and then be `unavailable`.
    expected<std::shared_ptr<const payload_key>> of(const uuid& subject);
    /// The same for who must not wait for other nodes: `conflict` when they would have to agree first.
    expected<std::shared_ptr<const payload_key>> at_hand(const uuid& subject);
    /// The same without making one.
    [[nodiscard]] expected<std::shared_ptr<const payload_key>> existing(const uuid& subject) const;

    /// The key with that number: `erased` when it was destroyed, `secrets_locked` when it is not known. In a cluster
    /// its news may be on their way: it waits for them a moment.
    [[nodiscard]] expected<std::shared_ptr<const payload_key>> numbered(std::uint32_t number) const;
    [[nodiscard]] bool is_erased(std::uint32_t number) const;
    [[nodiscard]] std::optional<timestamp> erased_at(const uuid& subject) const;
    /// How many were destroyed: whoever keeps what was opened asks whether it is still good.
    [[nodiscard]] std::size_t erased_count() const;
    /// Whether nothing was ever sealed with a key of this store.
    [[nodiscard]] bool is_empty() const;

    /// Destroys the key of a subject, and the right to another one, for ever. Done again it changes nothing.
    expected<void> destroy(const uuid& subject, timestamp now);

    /// Wraps what is wrapped with another master key anew, and all that come with that wrapping. In a cluster
    /// `conflict` when there is anything to be wrapped.
    expected<void> wrap_with(std::shared_ptr<const key_wrapping> wrapping);

    // ---- in a cluster

    /// From now on keys are made and destroyed by agreement only, which outlives all use of the store; null: alone
    /// again.
    void agree_with(key_agreement* others) { others_ = others; }
    [[nodiscard]] bool is_shared() const { return others_.load() != nullptr; }
    /// How many there are: the greatest number.
    [[nodiscard]] std::uint32_t count() const;
    /// A key that is kept, for others to agree to: up to `count`.
    [[nodiscard]] agreed_key kept(std::uint32_t number) const;
    /// Whether all of them are wrapped with the newest master key.
    [[nodiscard]] bool is_current() const;
    /// A new key, wrapped, for others to agree to. It is not kept.
    [[nodiscard]] std::string draw(const uuid& subject, std::uint32_t number) const;
    /// Keeps what was agreed on, by ascending number and without holes; what is known already changes nothing.
    /// `conflict` when a known number has another subject or key, or was destroyed here and is not there: these keys
    /// are of another cluster, or its map was set back. `secrets_locked` when one is wrapped with another master key.
    /// What is destroyed by this leaves rows to be removed (`owes_removal`).
    expected<void> take(std::span<const agreed_key> keys);

    /// The files as they are, by name: for copies of them that are kept beside backups.
    [[nodiscard]] expected<std::vector<std::pair<std::string, std::string>>> files() const;

private:
    struct entry {
        uuid subject;
        std::string wrapped; ///< Empty: destroyed.
        timestamp destroyed;
        std::shared_ptr<const payload_key> key;
    };
    key_store(std::filesystem::path folder, std::shared_ptr<const key_wrapping> wrapping);
    expected<void> read_files(bool read_only);
    expected<void> read_file(const std::filesystem::path& file, bool read_only);
    expected<void> add_line(std::string_view line, const std::filesystem::path& file);
    expected<entry> open_entry(const uuid& subject, std::uint32_t number, std::string wrapped) const;
    expected<std::shared_ptr<const payload_key>> make(const uuid& subject);
    [[nodiscard]] expected<void> check_known(const agreed_key& k) const;
    [[nodiscard]] expected<entry> open_agreed(const agreed_key& k) const;
    static std::string line_of(const entry& e, std::size_t number);
    expected<void> add(std::vector<entry> fresh);
    expected<void> destroy_known(std::uint32_t number, timestamp when);
    /// Lines of one file.
    [[nodiscard]] expected<void> append(std::span<const entry> lines) const;
    [[nodiscard]] expected<void> rewrite(std::size_t file) const;
    [[nodiscard]] std::filesystem::path file_of(std::size_t file) const;

    const std::filesystem::path folder_;
    std::shared_ptr<const key_wrapping> wrapping_;
    std::atomic<key_agreement*> others_{nullptr}; ///< Never called under the mutex.
    mutable std::shared_mutex mutex_;
    std::vector<entry> entries_; ///< By number - 1.
    std::unordered_map<uuid, std::uint32_t> numbers_;
    std::size_t erased_ = 0;
};

/// Copies key files into a folder; a destroyed key there stays destroyed, and one that is destroyed here is so there
/// afterwards. For the copy beside backups, and back from it. What stands in both has to be of the same keys.
expected<void> merge_key_files(const std::vector<std::pair<std::string, std::string>>& files,
                               const std::filesystem::path& into);
/// The key files of a folder by name, not opened; none when there is no folder.
expected<std::vector<std::pair<std::string, std::string>>> read_key_files(const std::filesystem::path& folder);

} // namespace troupe::storage
