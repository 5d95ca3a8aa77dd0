#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <string_view>

/// A shard's log as far as it is written: at a replica its last entries may not be committed yet, and may be dropped
/// again. For the engine, which recovers them, and for checks of what is on disk; whoever shows records or acts on them
/// reads with `log_reader.hpp`. All thread-safe.
namespace troupe::storage {

/// Visits the records after `after_seq` to the end, in order, until `visit` returns false. Problems as of `read_log`.
expected<void> read_written_log(const store& s, std::uint32_t shard, std::uint64_t after_seq,
                                const std::function<bool(record&&, std::string_view bytes)>& visit);
/// The seq of the last record, also when it was trimmed; 0 when there never was one.
std::uint64_t written_seq(const store& s, std::uint32_t shard);
/// The time of a record, or of the last one that was trimmed when it was, too; 1970 for seq 0.
timestamp time_of(const store& s, std::uint32_t shard, std::uint64_t seq);

/// The row `applied`: at least so far the tables are up, so the log has to reach it.
std::uint64_t applied_mark(const store& s, std::uint32_t shard);
/// How far they are, from what is on disk: up to the first group that waits, else to the log's end, which was written
/// together with them. `journal_damaged` when a row of changes cannot be read.
expected<std::uint64_t> find_applied(const store& s, std::uint32_t shard);

/// At start: each shard's log has no gap between what was applied and its end, and reaches what was applied.
expected<void> check_tails(const store& s);

} // namespace troupe::storage
