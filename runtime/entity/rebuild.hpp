#pragma once

#include "runtime/entity/kind.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// Views made again from the journal, and compared with what is stored.
namespace troupe::runtime {

struct rebuild_result {
    std::uint64_t entities = 0;
    std::uint64_t rows = 0;    ///< That there should be: documents, index keys, items, timers, owed marks, references.
    std::uint64_t missing = 0; ///< Rows that were not there.
    std::uint64_t extra = 0;   ///< Rows that should not be there.
    std::uint64_t different = 0;
    std::vector<std::string>
        quarantined; ///< Entities whose history cannot be replayed: their rows are left as they are.

    [[nodiscard]] bool equal() const { return missing + extra + different == 0 && quarantined.empty(); }
};

/// Replays every entity from its first event, or from where its history begins. With `write` the differences are
/// mended, shard by shard. The store must have no committer: a node that runs changes rows meanwhile.
expected<rebuild_result> rebuild_views(storage::store& s, const kind_registry& kinds, bool write,
                                       const std::function<void(std::uint64_t entities)>& progress);

/// Writes the references to blobs of those kinds that have them and whose references are not kept yet: of a data
/// directory of an older version, or of a model that has begun to name blobs. Before the routers start. An entity that
/// cannot be replayed is a problem: then nothing may be collected.
expected<void> complete_references(storage::store& s, const kind_registry& kinds);

/// Counts what entities hold for their organizations, of those kinds whose entities are not counted yet: of a data
/// directory of an older version or one that was taken back to a moment, or of a model that has begun to hold. Before
/// the routers start. What cannot be replayed is not counted, and named.
expected<std::vector<std::string>> complete_holdings(storage::store& s, const kind_registry& kinds);

} // namespace troupe::runtime
