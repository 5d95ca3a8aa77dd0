#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/committer.hpp"
#include "storage/store.hpp"

namespace troupe::runtime {

/// Decides one command on a data directory that no node runs on, and commits what it decided with one fsync, as the
/// entity's actor would. Effects are only noted as owed: the next node does them. De-duplication is the caller's.
/// Problems: the model's refusal, `quarantined`, and those of the committer. Blocks.
reply decide_offline(const storage::store& s, storage::committer& committer, const entity_kind& kind, const command& c);

} // namespace troupe::runtime
