#pragma once

#include "bin/cli/args.hpp"
#include "bin/cli/commands.hpp"
#include "runtime/config/config.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <filesystem>

/// What the program does by itself in a data directory that no node serves needs the keys of its contents.
namespace troupe::cli {

/// --secrets-key-file
flag secrets_key_flag();

/// The settings that say where the master key is: --secrets-key-file, else TROUPE_SECRETS_KEY or
/// TROUPE_SECRETS_KEY_FILE, else secrets.key in `data`.
expected<runtime::config> secrets_settings(context& c, const std::filesystem::path& data);

/// Opens the contents of a store. `secrets_locked` says what to give.
expected<void> unlock(context& c, storage::store& s, bool read_only);

} // namespace troupe::cli
