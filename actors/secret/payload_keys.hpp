#pragma once

#include "actors/secret/secret_crypto.hpp"
#include "runtime/config/config.hpp"
#include "runtime/entity/kind.hpp"
#include "schemas/base/problem.hpp"
#include "storage/key_store.hpp"
#include "storage/store.hpp"

#include <memory>

/// The keys of payloads (storage/key_store.hpp) under the node's master keys.
namespace troupe::actors {

/// Wraps with the first master key and unwraps with all of them.
std::shared_ptr<const storage::key_wrapping> wrap_with_masters(master_keys masters);

/// Opens the payload keys of a data directory and seals with them from now on. `secrets_locked` names the master key
/// that is missing; then nothing was changed.
expected<void> attach_payload_keys(storage::store& s, const master_keys& masters, bool read_only = false);

/// What older versions wrote is plain. At the first start with keys the rows that are read (documents, lists, items,
/// timers) are made anew, sealed; events stay as they were written. A crash begins again. Before the node starts.
expected<void> seal_older_views(storage::store& s, const runtime::kind_registry& kinds);

/// `attach_payload_keys` for a tool that works on a directory which no node serves: with the master keys that the
/// settings name.
/// A directory without keys is left as it is.
expected<void> unlock_offline(storage::store& s, const runtime::config& settings, bool read_only);

} // namespace troupe::actors
