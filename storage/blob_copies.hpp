#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/base/sha256.hpp"
#include "storage/blob_peers.hpp"
#include "storage/blob_row_writer.hpp"
#include "storage/blob_rows.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Blobs as they go from node to node: in the bytes in which they are kept, sealed where they are. Nothing here asks
/// other nodes.
namespace troupe::storage {

/// Nothing: it is not here. From any thread.
expected<std::optional<blob_head>> head_of_blob(const store& s, const blob_id& id);
/// If it is here, it counts as put now, and its head is given. From any thread.
expected<std::optional<blob_head>> renew_blob(store& s, const blob_id& id);
/// From 1 on; `journal_damaged` when it is not there. From any thread.
expected<std::string> kept_piece(const store& s, const blob_id& id, std::uint32_t piece);
/// More than this no piece has, sealed or not.
inline constexpr std::size_t kept_piece_bytes_max = (1 << 20) + 128;
/// How many pieces a content of that size has.
std::uint32_t blob_pieces(std::uint64_t size);

/// A blob on its way here. What can be opened is compared with its name before it can be seen; what cannot be is
/// judged by who reads it. Blocks on the disk; one thread at a time. One that is left before its end leaves pieces,
/// which are collected.
class blob_copy {
public:
    /// `storage_full`; `erased`: the organization's key was destroyed.
    static expected<std::unique_ptr<blob_copy>> begin(store& s, const blob_id& id, const blob_head& head);

    [[nodiscard]] const blob_head& head() const { return head_; }
    /// The number of the piece that comes next.
    [[nodiscard]] std::uint32_t next() const { return next_; }
    [[nodiscard]] bool has_all() const { return next_ > blob_pieces(head_.size); }
    /// `journal_damaged`: it is none of this blob.
    expected<void> add(std::string_view kept);
    /// From now on the blob is there; it is not synced. `journal_damaged`: the bytes are not those of the name.
    expected<void> finish();

private:
    blob_copy(store& s, const blob_id& id, const blob_head& head);

    store& store_;
    const blob_id id_;
    const blob_head head_;
    blob_row_writer rows_;
    sha256_stream opened_;
    bool open_ = true; ///< All pieces so far could be opened.
    std::uint32_t next_ = 1;
};

/// A look at what states name.
struct blob_look {
    std::vector<blob_id> missing;
    std::string next; ///< Where to go on; empty: that was all.
};
/// Looks at up to `looked_max` references of a shard from a place on ("": the first).
expected<blob_look> find_missing_blobs(const store& s, std::uint32_t shard, const std::string& from,
                                       std::size_t looked_max);

} // namespace troupe::storage
