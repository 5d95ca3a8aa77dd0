#pragma once

#include "runtime/entity/kind.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

namespace troupe::actors {

/// In a directory that was restored from a backup others still know those who were erased since: their names are taken,
/// they are members of organizations, and people members of theirs. An erasure that ran here has told them all; this
/// tells them what it would have. A repeat changes nothing. Before a node starts; blocks.
expected<void> forget_erased(storage::store& s, const runtime::kind_registry& kinds);

} // namespace troupe::actors
