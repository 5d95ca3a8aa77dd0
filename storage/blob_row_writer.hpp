#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_hash.hpp"
#include "storage/blob_rows.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// How blobs come onto the disk. For this floor only.
namespace troupe::storage {

struct blob_renewal {
    bool is_there = false;
    bool was_marked = false; ///< A look had found nothing that names it.
};
/// If the blob is there, its grace begins anew.
expected<blob_renewal> renew_blob(store& s, const uuid& organization, const blob_hash& hash);

/// Writes rows of one blob in batches; the last one has the head, which makes the blob visible. Not synced. Blocks on
/// the disk; one thread at a time.
class blob_row_writer {
public:
    blob_row_writer(store& s, const uuid& organization, const blob_hash& hash);
    ~blob_row_writer();

    /// The key of the next piece.
    [[nodiscard]] std::string next_key() const;
    /// As it is kept. `unavailable`, `storage_full`.
    expected<void> add(std::string_view kept);
    expected<void> finish(const blob_head& head);

private:
    expected<void> write();
    expected<void> wait_for_disk();

    struct state;
    std::unique_ptr<state> state_;
};

} // namespace troupe::storage
