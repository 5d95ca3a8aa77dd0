#pragma once

#include "runtime/entity/derive.hpp"
#include "runtime/entity/kind.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

/// From what is on disk to an entity in memory.
namespace troupe::runtime {

/// What stands beside the state.
struct loaded_entity {
    set_aside_effects set_aside;
    std::uint64_t version = 0;
    std::uint64_t from = 0; ///< The version of the snapshot or base it was read from; 0: from its beginning.
    std::uint64_t base = 0; ///< The last event that retention cut; the greatest number: it cannot be read.
    std::vector<std::uint64_t> snapshots; ///< Good ones, newest first.
    std::size_t from_bytes = 0;           ///< Of that snapshot or base.
    std::size_t tail_bytes = 0;           ///< Payloads of the events after it.
    std::uint64_t tail_events = 0;
};

/// Brings a fresh instance to `version`: the newest snapshot that can be restored, or the state at which its history
/// begins, then the events after it. Reads only, from any thread. `journal_damaged` when the history ends elsewhere.
expected<loaded_entity> load_entity(const storage::store& s, const entity_address& a, std::uint64_t version,
                                    entity_instance& into);

} // namespace troupe::runtime
