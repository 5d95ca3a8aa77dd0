#pragma once

#include "actors/secret/secret_crypto.hpp"
#include "runtime/config/config.hpp"
#include "schemas/base/problem.hpp"

#include <filesystem>
#include <string>

/// Where the master keys of a node come from: `secrets.key`, the file `secrets.key_file`, or DIR/secrets.key.
namespace troupe::actors {

struct master_key_source {
    std::string text;           ///< The keys themselves; else they are in `file`.
    std::filesystem::path file; ///< May be written: rotation of the master key puts the new one first.
    bool may_make = false;      ///< Only DIR/secrets.key: another file that is missing is a mistake.

    /// For sentences: "secrets.key (TROUPE_SECRETS_KEY)" or the file.
    [[nodiscard]] std::string origin() const;
};

/// `config_invalid` when both a key and a file are given.
expected<master_key_source> find_master_keys(const runtime::config& settings);

/// `not_found` when there is no file; `config_invalid` when it holds no keys. Blocks.
expected<master_keys> read_master_keys(const master_key_source& from);

/// A new file with one new key, mode 600, in a folder that is named. `already_exists` when it is there: no key file is
/// ever overwritten.
expected<void> make_key_file(const std::filesystem::path& file);

/// Likewise one with the keys that are at hand: `not_found`, `config_invalid` as of `read_master_keys`.
expected<void> copy_key_file(const master_key_source& from, const std::filesystem::path& file);

/// Puts a new key before those of the file, in one step: the old ones stay in it. Gives all of them.
expected<master_keys> add_master_key(const master_key_source& to);

} // namespace troupe::actors
