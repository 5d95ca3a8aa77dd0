#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/replication/outline.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

/// The last record of a shard's log that was trimmed: the log that is kept begins after it. Seq 0: nothing was.
struct log_base {
    replication::position at;
    timestamp time;
};

/// The row `epochs` of a shard: the promise, where the log begins, and which epoch each of its entries has.
struct epochs_row {
    std::uint64_t promise = 0;
    log_base base;
    std::vector<replication::epoch_run> runs;
};

/// Where its epochs lie in a log that ends with record `last_seq`; nothing when they do not fit.
std::optional<replication::log_outline> outline_of(const epochs_row& row, std::uint64_t last_seq);

std::string encode_epochs(std::uint64_t promise, const log_base& base, std::span<const replication::epoch_run> runs);
/// Nothing when the bytes are none.
std::optional<epochs_row> decode_epochs(std::string_view bytes);
/// `journal_damaged` when the row cannot be read. Thread-safe.
expected<epochs_row> read_epochs(const store& s, std::uint32_t shard);

} // namespace troupe::storage
