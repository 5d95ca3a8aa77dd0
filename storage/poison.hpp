#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/poison.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The list of commands that were set aside: a row for each `$poisoned` event, written with it, and made again with the
/// other views.
namespace troupe::storage {

/// The row that follows from the host's `$poisoned` record.
std::pair<std::string, std::string> poison_row(std::uint32_t shard, const record& r);

struct poison_query {
    uuid organization;
    std::size_t limit = 50;
    std::string cursor = {}; ///< From the page before; empty: from the newest.
};
struct poison_page {
    std::vector<poisoned_command> items; ///< The newest first.
    std::optional<std::string> next_cursor;
};
/// `invalid_request` when the cursor is none of this list. Thread-safe.
expected<poison_page> read_poison(const store& s, const poison_query& query);

/// The rows of one entity as they are stored, of events up to that version: what history cannot give again after
/// retention cut it.
expected<std::vector<std::pair<std::string, std::string>>> poison_rows_until(const store& s, const entity_address& a,
                                                                             std::uint64_t version);

/// Those of one entity, the newest first. Of its shard and organization at most the newest `scanned_max` are looked at.
expected<std::vector<poisoned_command>> read_poison_of(const store& s, const entity_address& a, std::size_t limit);

} // namespace troupe::storage
