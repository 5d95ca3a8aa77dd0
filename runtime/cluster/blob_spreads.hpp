#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_peers.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe::runtime::cluster {

/// As far as it is known who holds blobs.
struct blob_members {
    std::size_t count = 0; ///< Members of the cluster, this node among them; 0: not known yet.
    std::set<uuid> up;     ///< Others of them that are connected.

    /// Whether so many are more than half.
    [[nodiscard]] bool is_majority(std::size_t nodes) const { return count > 0 && nodes >= count / 2 + 1; }
};

/// What a blob's spreading has of its node. Must not call it back.
struct spread_ports {
    std::function<const blob_members&()> members;
    /// May be lost; the peer asks for the pieces, and says when it has them.
    std::function<void(const uuid& to, const storage::blob_id& id)> offer;
};

/// Offers blobs that are here to all members, again and again, and tells when a majority has them on its disks, and for
/// a moment more waits for the others that are connected: a command that names one may be theirs to decide. One thread
/// at a time.
class blob_spreads {
public:
    using done = std::function<void(expected<void>)>;

    static constexpr std::int64_t wait_max_ms = 10'000; ///< Without progress.
    static constexpr std::int64_t others_wait_ms = 500; ///< Likewise, when a majority has it.
    static constexpr std::int64_t keep_ms = 60'000;     ///< Offers to those that a majority does not need.
    static constexpr std::int64_t again_ms = 1000;
    static constexpr std::size_t spreads_max = 4096;

    explicit blob_spreads(spread_ports ports) : ports_(std::move(ports)) {}

    /// `then`, which may be null, is called once, perhaps at once: `unavailable` when too few take it.
    void begin(const storage::blob_id& id, done then, std::int64_t now_ms);
    void on_stored(const uuid& from, const storage::blob_id& id, std::int64_t now_ms);
    void on_refused(const uuid& from, const storage::blob_id& id, std::string why);
    /// Somebody takes it.
    void on_want(const storage::blob_id& id, std::int64_t now_ms);
    void on_up(const uuid& peer);
    /// Now and then.
    void go_on(std::int64_t now_ms);

    [[nodiscard]] std::size_t outstanding() const { return all_.size(); }
    void clear() { all_.clear(); }

private:
    struct one {
        std::vector<done> waiters;
        std::set<uuid> have;
        std::map<uuid, std::string> refused;
        std::int64_t progress_ms = 0;
        std::int64_t offered_ms = 0;
    };
    using all = std::map<storage::blob_id, one>;
    void offer(all::value_type& what, std::int64_t now_ms) const;
    /// Whether it has an end. `late`: nobody else is waited for.
    bool settle(one& o, bool late = false) const;
    [[nodiscard]] problem too_few(const one& o) const;

    const spread_ports ports_;
    all all_;
};

} // namespace troupe::runtime::cluster
