#pragma once

#include "schemas/base/problem.hpp"
#include "storage/epochs.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// A shard as a whole, for a replica that cannot be brought up to date with entries: all rows that replicas have in
/// common, as of one moment. `shard_logs` says when one may be taken and put in the place of what is there.
namespace troupe::storage {

/// What a checkpoint is of.
struct checkpoint_head {
    std::uint32_t shard = 0;
    replication::position at; ///< Its last record. All up to it are committed, and in its tables.
    epochs_row log;           ///< Where its log begins, its epochs, and the promise under which it was taken.
};
void put_head(std::string& out, const checkpoint_head& head);
/// `invalid_request` when the bytes are none, or its parts do not fit each other.
expected<checkpoint_head> read_head(std::string_view bytes);

/// Of all pieces in their order.
struct checkpoint_sum {
    std::uint64_t rows = 0;
    std::uint64_t hash = 0;

    bool operator==(const checkpoint_sum&) const = default;
};

/// Reads a shard piece by piece, as it was when this was made. One thread at a time; the store outlives it.
class checkpoint_source {
public:
    checkpoint_source(const store& s, checkpoint_head head);
    ~checkpoint_source();
    checkpoint_source(checkpoint_source&&) noexcept;
    checkpoint_source& operator=(checkpoint_source&&) noexcept;

    [[nodiscard]] const checkpoint_head& head() const;
    /// The next rows, of about so many bytes, at least one; empty: there are no more.
    expected<std::string> next(std::size_t bytes);
    /// Of the pieces so far.
    [[nodiscard]] const checkpoint_sum& sum() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// What arrives of a checkpoint: in files beside the database, of which it becomes a part as a whole. They go with this
/// object, and at the next start. One thread at a time; the store outlives it.
class checkpoint_staging {
public:
    static expected<checkpoint_staging> open(store& s, checkpoint_head head);
    ~checkpoint_staging();
    checkpoint_staging(checkpoint_staging&&) noexcept;
    checkpoint_staging& operator=(checkpoint_staging&&) noexcept;

    [[nodiscard]] const checkpoint_head& head() const;
    /// The next piece. `invalid_request` when it is none of such a checkpoint: nothing more is to be added then.
    expected<void> add(std::string_view piece);
    /// That was all. `invalid_request` when it was not.
    expected<void> finish(const checkpoint_sum& all);

    /// Puts it in the place of all rows of the shard: whatever happens, all of it is there then, or nothing has
    /// changed. False: try again in a moment, since rows of the shard have to be written out first. For `shard_logs`.
    expected<bool> install();

private:
    struct impl;
    explicit checkpoint_staging(std::unique_ptr<impl> made);
    std::unique_ptr<impl> impl_;
};

/// Removes what an earlier process left of checkpoints that did not come to their end.
void drop_staged(const store& s);

} // namespace troupe::storage
