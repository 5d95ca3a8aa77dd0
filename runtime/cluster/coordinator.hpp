#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What nodes have to agree on, outside of all logs: who is there, who leads which shard in which epoch.
///
/// A coordinator is a small linearizable map from keys to values that outlives nodes: etcd for a cluster
/// (net/etcd), `memory_coordinator` for a single node and for tests. It knows nothing of what the keys mean.
namespace troupe::runtime::cluster {

/// A key with what it holds. `revision` grows with every transaction of the whole map and says when the key changed
/// last.
struct entry {
    std::string key;
    std::string value;
    std::uint64_t revision = 0;

    bool operator==(const entry&) const = default;
};

/// Holds when the key was last changed at `revision`; 0: it must not be there.
struct condition {
    std::string key;
    std::uint64_t revision = 0;
};

/// Sets or, without a value, removes a key.
struct change {
    std::string key;
    std::optional<std::string> value;
    bool leased = false; ///< Goes with this node's lease. Keys of others' leases are not `leased`.

    bool operator==(const change&) const = default;
};

/// All changes or none, if all conditions hold. At most `transaction_max` of both together, each key once in `then`,
/// and `transaction_bytes_max` of keys and values.
struct transaction {
    std::vector<condition> when;
    std::vector<change> then;
};
inline constexpr std::size_t transaction_max = 128;
inline constexpr std::size_t transaction_bytes_max = 1 << 20; // etcd refuses requests of 1.5 MiB, in base64

/// `invalid_request` for a transaction that no coordinator takes. Pure.
expected<void> check(const transaction& what);

struct transaction_result {
    bool applied = false;
    std::uint64_t revision = 0; ///< Of the map, after it.
    std::vector<entry>
        found; ///< When not applied: what the keys of the conditions hold now. Missing ones are left out.
};

/// This node's lease: keys that were written as `leased` are removed by the coordinator when it ends.
struct lease {
    std::uint64_t id = 0;            ///< 0: there is none now.
    std::int64_t valid_until_ms = 0; ///< Monotonic clock; reckoned from before the keepalive was sent.

    bool operator==(const lease&) const = default;
};

/// What a coordinator tells. Called on its own thread, one call at a time, in the order of revisions.
class coordinator_listener {
public:
    virtual ~coordinator_listener() = default;
    /// The whole map: first after `start`, and again whenever changes may have been missed (a compacted watch).
    virtual void on_map(std::vector<entry> all, std::uint64_t revision) = 0;
    /// All changes of one revision, which is that of each key from now on.
    virtual void on_changes(std::vector<change> changes, std::uint64_t revision) = 0;
    /// Granted, extended, or lost (`id` 0; a new one is asked for at once). A lost lease takes its keys along:
    /// `on_changes` says so.
    virtual void on_lease(lease now) = 0;
    /// Whether the coordinator can be reached. While it cannot, nothing changes and leases run out.
    virtual void on_reachable(bool reachable, const std::string& why) = 0;
};

/// Thread-safe.
class coordinator {
public:
    virtual ~coordinator() = default;

    /// Begins to watch and to hold a lease. Once; the listener outlives `stop`.
    virtual void start(coordinator_listener& listener) = 0;

    /// Gives the lease back, so that others need not wait for its end, and calls nobody any more: what is under way is
    /// `done` before it returns, what is committed later never. Blocks for a moment. Not from a callback.
    virtual void stop() = 0;

    /// `done` is called once, on the coordinator's thread (never inside of this call): `unavailable` when it was
    /// certainly not applied, `unknown_outcome` when nobody knows: the listener will hear of it if it was. It may be
    /// applied much later, too (a frozen member wakes up), so what is committed again needs a condition. With a
    /// `leased` change and no lease: `unavailable`. `invalid_request` for one that is too big.
    virtual void commit(transaction what, std::function<void(expected<transaction_result>)> done) = 0;
};

} // namespace troupe::runtime::cluster
