#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_hash.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Big things, content-addressed inside their organization. Written to the same WAL before the event that names them,
/// so that the event's fsync makes them durable too. What no state names is collected (storage/blob_collector.hpp): a
/// content that is put again counts as new. All thread-safe but `blob_writer`.
///
/// A node of a cluster (`attach_blob_peers`) asks the others, which may block for seconds: a put ends when a majority
/// of the members has the content on its disks, a read brings what is not here. Both not on threads of actors or
/// sockets. `unavailable`: too few nodes answer, to be done again. `name_blobs` never waits for them.
namespace troupe::storage {

/// Pieces keep a blob streamable and a write batch small.
inline constexpr std::size_t blob_piece_bytes = 1 << 20;

/// Stores a whole blob (again: no new bytes). Returns its name.
expected<std::string> put_blob(store& s, const uuid& organization, std::string_view bytes);

/// Takes a content piece by piece and stores it at its end; before that nothing of it can be seen, and nothing is left
/// when the writer or the process ends. More than one piece waits in an unlinked file of the data directory. Blocks on
/// the disk: not for threads of actors or sockets. One thread at a time.
class blob_writer {
public:
    blob_writer(store& s, const uuid& organization);
    ~blob_writer();
    blob_writer(const blob_writer&) = delete;
    blob_writer& operator=(const blob_writer&) = delete;

    /// `storage_full`, `storage_failed`: the writer is of no more use then.
    expected<void> append(std::string_view bytes);
    [[nodiscard]] std::uint64_t size() const;
    /// Stores what was appended (again: no new bytes). Returns its name. Called once.
    expected<std::string> finish();

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// The size of a blob, or nothing when it is not there.
expected<std::optional<std::uint64_t>> blob_size(const store& s, const uuid& organization, std::string_view name);

/// Gives a blob to `visit` in pieces from `offset`; `not_found` when it is not there. Returning false ends early.
expected<void> read_blob(const store& s, const uuid& organization, std::string_view name, std::uint64_t offset,
                         const std::function<bool(std::string_view)>& visit);

/// The bytes of a blob from `offset` to the end of their piece, at most `bytes_max`; none at its end.
expected<std::string> read_blob_piece(const store& s, const uuid& organization, std::string_view name,
                                      std::uint64_t offset, std::uint64_t bytes_max = blob_piece_bytes);

/// A whole blob of at most `bytes_max`.
expected<std::string> get_blob(const store& s, const uuid& organization, std::string_view name, std::size_t bytes_max);

/// Before a commit that names them: that all are there, and that none of them is collected before it. `not_found`
/// names the first that is not there. What is not here, but may be at other nodes, is fetched in the background:
/// `unavailable` until it has come.
expected<void> name_blobs(store& s, const uuid& organization, std::span<const blob_hash> blobs);

/// Reads a whole blob that is here: `not_found`, or `journal_damaged` unless its bytes are those that its name says.
expected<void> verify_blob(const store& s, const uuid& organization, const blob_hash& hash);

} // namespace troupe::storage
