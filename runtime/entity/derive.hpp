#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/committer.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// From states to rows of the derived tables: what changes between two versions of an entity. Pure.
namespace troupe::runtime {

/// The rows that follow from an entity's state: kept by its host to find the difference to the next.
struct derived_rows {
    bool exists = false;
    std::vector<index_key> keys;
    std::map<std::string, timestamp> timers; ///< key -> due
    bool owes = false;
    std::vector<storage::blob_hash> blobs; ///< In order.
    std::vector<effect> owed;              ///< As `resume` gave it: timers too.
};

/// What the tables hold for this state.
derived_rows rows_of(const entity_instance& e, const view_context& ctx, std::string* document);

/// Changes from `before` to the instance's present state, which becomes `before`. Takes the instance's items.
storage::derived_changes derive(entity_instance& e, std::uint32_t shard, const entity_address& a, std::uint64_t version,
                                derived_rows& before);

/// Adds a snapshot of the instance at `version`, and removes `drop` (the one before the one before; 0: none).
void add_snapshot(storage::derived_changes& to, const entity_instance& e, std::uint32_t shard, const entity_address& a,
                  std::uint64_t version, std::uint64_t drop);

} // namespace troupe::runtime
