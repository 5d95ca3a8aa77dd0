#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>

namespace troupe::storage {

struct cut_result {
    std::uint64_t records_kept = 0;
    std::uint64_t records_cut = 0;
    std::uint32_t shards_cut = 0;
};

/// Takes the journal back to a moment: in each shard the first command with a record later than `until`, and all that
/// follows it, is cut off. What stands behind a record is answered after it was decided: so all that had been answered
/// by then is left, and nothing that was decided later. Log, history, de-duplication, heads, snapshots, applied marks
/// and epochs fit each other afterwards; the views do not: make them again (`runtime::rebuild_views`). Blobs stay.
/// `conflict` when the moment lies before what retention left of a log or of a history that has to go back.
/// For a copy that nothing else uses: it is not one step, and it needs a store without a committer.
expected<cut_result> cut_journal(store& s, timestamp until, const std::function<void(std::uint64_t records)>& progress);

} // namespace troupe::storage
