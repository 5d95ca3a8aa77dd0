#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/epochs.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What retention looks for in a shard: records that its log need not keep, and entities whose history is too old.
/// All only reads, thread-safe, and in steps of bounded work. The committer trims (`committer::trim`), entities cut.
///
/// Entities are loaded from their history, never from the log, so the log may be trimmed below any record whose events
/// are good there, or were cut below a good base. It is needed by the feed, exports and restores to a moment only.
namespace troupe::storage {

/// Up to where a shard's log may be trimmed.
struct trim_point {
    log_base to;       ///< Seq 0: nothing to trim now.
    bool more = false; ///< The step's bound was reached: ask again after this was trimmed.
};

/// The end of the oldest whole commands of the log, at most `records_max` records, that are not newer than `until` and
/// whose every record was found good in the history of its entity. `journal_damaged` when one was not: then the log is
/// the only copy, and nothing from there on is to be trimmed.
expected<trim_point> find_trim(const store& s, std::uint32_t shard, timestamp until, std::uint64_t records_max);

/// Entities of a shard whose oldest kept event is not newer than what `until` says of their kind (nothing: for ever).
struct old_histories {
    std::vector<entity_address> entities;
    std::string next; ///< Where to go on; empty: that was the last.
};
expected<old_histories> find_old_histories(const store& s, std::uint32_t shard, const std::string& from,
                                           std::size_t entities_max,
                                           const std::function<std::optional<timestamp>(std::string_view kind)>& until);

/// Gives the disk back what trimmed logs took. Blocks while it works; may run beside everything else.
expected<void> reclaim_logs(const store& s);

} // namespace troupe::storage
