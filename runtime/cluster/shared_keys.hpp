#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/key_store.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime::cluster {

struct shared_keys_settings {
    /// This node may not be in the cluster with these keys, or cannot keep them: it says why, and ends. Once, on the
    /// coordinator's thread; must not block.
    std::function<void(problem why)> on_refused;
    std::int64_t issue_wait_ms = 3000; ///< For the cluster to agree.
    std::int64_t news_wait_ms = 2000;  ///< For a key that another node has sealed with already.
    /// The cluster begins with the keys that are here: they come to the coordinator before it is founded.
    bool founds = false;
};

/// Keys of contents that all nodes of a cluster agree on: they are made and destroyed at the coordinator, by
/// compare-and-swap, and a node's key store is a replica of what stands there. Nobody seals with a key that is not at
/// the coordinator and on the own disk.
///
/// Thread-safe. Whoever waits is no thread of the coordinator's: what is waited for comes on that.
class shared_keys final : public storage::key_agreement {
public:
    /// Keys of one transaction.
    static constexpr std::size_t keys_at_once = 16;

    /// Both outlive it; the store agrees with it from now on. What is committed ends with the coordinator's `stop`.
    shared_keys(storage::key_store& keys, coordinator& agreed, shared_keys_settings settings);
    ~shared_keys() override;
    shared_keys(const shared_keys&) = delete;
    shared_keys& operator=(const shared_keys&) = delete;

    expected<void> issue(const uuid& subject) override;
    expected<void> destroy(const uuid& subject, timestamp now) override;
    void await(std::uint32_t number) override;

    /// Whether the coordinator has all keys that a founder brings; else it goes on with them.
    bool is_published();

    // ---- on the coordinator's thread, as `coordinator_listener`; before anybody else hears of it
    void on_map(const std::vector<entry>& all, std::uint64_t revision);
    void on_changes(const std::vector<change>& changes, std::uint64_t revision);
    /// False: whoever waits is told so at once.
    void on_reachable(bool reachable, const std::string& why);

private:
    /// What a thread waits for; it lives there.
    struct want {
        uuid subject;
        std::optional<timestamp> destroyed; ///< Nothing: to be issued.
        int tries = 0;
        std::optional<problem> failed = {};
    };
    using numbered_keys = std::map<std::uint32_t, storage::agreed_key>;

    expected<void> settle(want w);
    [[nodiscard]] bool is_done(const want& w) const;
    /// Whether the entry is a key; then it is among `to`, or this node is refused.
    void collect(const std::string& key, const std::optional<std::string>& value, std::uint64_t revision,
                 numbered_keys& to);
    void take(const numbered_keys& keys);
    void heard(std::uint64_t revision);
    void refuse(problem why);
    void propose();
    bool publish();
    void add_proposal(const want& w, std::uint32_t& next, transaction& to) const;
    void on_committed(const std::vector<uuid>& subjects, const expected<transaction_result>& result);
    void fail(const problem& why, const std::function<bool(const want&)>& which);

    storage::key_store& keys_;
    coordinator& coordinator_;
    const shared_keys_settings settings_;
    mutable std::mutex mutex_; ///< Before that of the key store.
    std::condition_variable changed_;
    std::vector<want*> wants_;
    std::map<std::uint32_t, std::uint64_t> revisions_; ///< Of `keys/N`.
    bool known_ = false;                               ///< The map came.
    bool under_way_ = false;                           ///< A transaction; one at a time.
    bool publishing_ = false;                          ///< Until the map says that the cluster is founded.
    std::uint32_t published_ = 0;                      ///< So far the map has all keys.
    std::uint64_t heard_ = 0;                          ///< So far the map is in the store.
    std::uint64_t wait_for_ = 0; ///< What a transaction met, or made: news that have to come first.
    std::optional<problem> unreachable_;
    std::optional<problem> refused_;
};

} // namespace troupe::runtime::cluster
