#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_hash.hpp"

#include <compare>

namespace troupe::storage {

class store;

/// Which blob, of which organization.
struct blob_id {
    uuid organization;
    blob_hash hash{};

    auto operator<=>(const blob_id&) const = default;
};

/// The other nodes, which hold the same blobs. Thread-safe.
class blob_peers {
public:
    virtual ~blob_peers() = default;

    /// Waits until a majority of all members has the blob, which is stored here, on its disks; the others get it, too,
    /// in their own time. Blocks. `unavailable`: too few have it; to be done again.
    virtual expected<void> spread(const blob_id& id) = 0;
    /// The same without waiting, nor a word on how it went.
    virtual void offer(const blob_id& id) = 0;
    /// Brings a blob here that others have. Blocks. `not_found`: no member has it; `unavailable`: too few could be
    /// asked, or they have trouble with it.
    virtual expected<void> fetch(const blob_id& id) = 0;
    /// The same without waiting: says how things stand. `unavailable`: it is being fetched, to be asked again in a
    /// moment.
    virtual problem begin_fetch(const blob_id& id) = 0;
};

/// The blobs of this store are kept at those nodes, too, from now on. Once, before blobs are put or read; not owned,
/// outlives their use.
void attach_blob_peers(store& s, blob_peers& peers);
/// Null: this node is alone.
blob_peers* blob_peers_of(const store& s);

} // namespace troupe::storage
