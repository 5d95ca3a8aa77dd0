#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/committer.hpp"

#include <cstddef>
#include <cstdint>

/// Retention of an entity's history: its oldest events are replaced by the state and the items that they made
/// (storage/base.hpp). Reads only; the entity commits what comes out, under its activation.
namespace troupe::runtime {

/// The bounds of one cut: the replay runs on the threads of all entities.
inline constexpr std::uint64_t cut_events_max = 2000;
inline constexpr std::size_t cut_bytes_max = 4 << 20;

struct history_cut {
    storage::derived_changes changes;
    std::uint64_t base = 0;   ///< The last event that is cut by it.
    std::uint64_t events = 0; ///< How many are; 0: none is old enough.
    bool more = false;        ///< A bound was reached.
};

/// The changes that cut the oldest whole commands of an entity at `version` that are not newer than `until`; never the
/// newest command. A repeat of a command after `repeats_since`, or of an effect, which may come at any time, still gets
/// its answer: what that needs is kept. The state is stored as of the features that are on (null: all). Fails when the
/// history or its base cannot be read, or the model throws.
expected<history_cut> make_cut(const storage::store& s, const entity_kind& kind, const entity_address& a,
                               std::uint64_t version, timestamp until, timestamp repeats_since,
                               const feature_set* on = nullptr);

/// Whether a snapshot of `version` or later can be restored into `probe`.
bool has_good_snapshot(const storage::store& s, const entity_address& a, std::uint64_t version, entity_instance& probe);

/// Restores the newest state that is kept from before event `event`, and says of which version; 0: a fresh instance,
/// whose history is whole. `not_found` when only later states are kept.
expected<std::uint64_t> restore_before(const storage::store& s, const entity_address& a, std::uint64_t event,
                                       entity_instance& into);

} // namespace troupe::runtime
