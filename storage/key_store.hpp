#pragma once

#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
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

/// All keys of a data directory. Thread-safe.
class key_store {
public:
    /// Opens or makes the folder. `secrets_locked` when a key does not open, `journal_damaged` with the file and line
    /// of what cannot be read.
    static expected<std::unique_ptr<key_store>>
    open(const std::filesystem::path& folder, std::shared_ptr<const key_wrapping> wrapping, bool read_only = false);
    /// Whether there are keys in a folder.
    static bool has_keys(const std::filesystem::path& folder);

    /// The key of a subject; a first one is on disk when this returns. `erased` when it was destroyed.
    expected<std::shared_ptr<const payload_key>> of(const uuid& subject);
    /// The same without making one.
    [[nodiscard]] expected<std::shared_ptr<const payload_key>> existing(const uuid& subject) const;

    /// The key with that number: `erased` when it was destroyed, `secrets_locked` when it is not known.
    [[nodiscard]] expected<std::shared_ptr<const payload_key>> numbered(std::uint32_t number) const;
    [[nodiscard]] bool is_erased(std::uint32_t number) const;
    [[nodiscard]] std::optional<timestamp> erased_at(const uuid& subject) const;
    /// How many were destroyed: whoever keeps what was opened asks whether it is still good.
    [[nodiscard]] std::size_t erased_count() const;
    /// Whether nothing was ever sealed with a key of this store.
    [[nodiscard]] bool is_empty() const;

    /// Destroys the key of a subject, and the right to another one, for ever. Done again it changes nothing.
    expected<void> destroy(const uuid& subject, timestamp now);

    /// Wraps what is wrapped with another master key anew, and all that come with that wrapping.
    expected<void> wrap_with(std::shared_ptr<const key_wrapping> wrapping);

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
    expected<void> append(const entry& e, std::uint32_t number);
    [[nodiscard]] expected<void> rewrite(std::size_t file) const;
    [[nodiscard]] std::filesystem::path file_of(std::size_t file) const;

    const std::filesystem::path folder_;
    std::shared_ptr<const key_wrapping> wrapping_;
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
