#pragma once

#include <compare>
#include <cstdint>
#include <tuple>
#include <vector>

namespace troupe::storage::replication {

/// Names one entry of a shard's log, and with it the whole prefix that ends there (README, R2).
/// Positions order by (epoch, seq): the greater one belongs to the more advanced log.
struct position {
    std::uint64_t seq = 0; ///< From 1, without gaps. 0: before the first entry.
    std::uint64_t epoch = 0;

    bool operator==(const position&) const = default;
    std::strong_ordering operator<=>(const position& other) const {
        return std::tie(epoch, seq) <=> std::tie(other.epoch, other.seq);
    }
};

/// Entries of one epoch that stand together.
struct epoch_run {
    std::uint64_t epoch = 0;
    std::uint64_t first_seq = 0;

    bool operator==(const epoch_run&) const = default;
};

/// Which epoch each entry of a log has: one run per epoch, never the entries. Knows (base, last];
/// `base` is the position of the last entry that was trimmed.
class log_outline {
public:
    explicit log_outline(position base = {}) : base_(base), last_(base) {}

    [[nodiscard]] position base() const { return base_; }
    [[nodiscard]] position last() const { return last_; }
    [[nodiscard]] const std::vector<epoch_run>& runs() const { return runs_; }

    /// Of `base().seq <= seq <= last().seq`; asserted.
    [[nodiscard]] std::uint64_t epoch_at(std::uint64_t seq) const;
    [[nodiscard]] position at(std::uint64_t seq) const { return {seq, epoch_at(seq)}; }

    [[nodiscard]] bool contains(position p) const;

    /// The last seq of the run that holds `seq`; `base().seq < seq <= last().seq`, asserted.
    [[nodiscard]] std::uint64_t run_end(std::uint64_t seq) const;

    /// The highest position with neither seq nor epoch above those of `p`; `base()` when there is none.
    /// Two logs that differ below `p` agree at or below it.
    [[nodiscard]] position backtrack(position p) const;

    /// `epoch` is not below that of `last()`; asserted.
    void append(std::uint64_t epoch, std::uint64_t count);

    /// Drops `from` and all after it; `from > base().seq`, asserted.
    void truncate(std::uint64_t from);

    /// Makes `to` the base; `to <= last().seq`, asserted.
    void trim(std::uint64_t to);

private:
    [[nodiscard]] std::size_t run_of(std::uint64_t seq) const;

    position base_;
    position last_;
    std::vector<epoch_run> runs_; // Ascending in both members; the first begins at base_.seq + 1.
};

} // namespace troupe::storage::replication
