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
/// For a copy that nothing else uses: it is not one step, and it needs a store without a committer. A replica's logs
/// are cut at what is applied first (`drop_unapplied`).
expected<cut_result> cut_journal(store& s, timestamp until, const std::function<void(std::uint64_t records)>& progress);

/// Takes off what a replica's logs have beyond what is applied, and gives how many records that were: in a copy nobody
/// knows any more whether they were committed. So goes what was kept for other replicas, which get all of a shard at
/// once. Promises stay. For a copy that nothing else uses, without a committer, and that becomes another replica: this
/// one may have acknowledged them.
expected<std::uint64_t> drop_unapplied(store& s);

} // namespace troupe::storage
