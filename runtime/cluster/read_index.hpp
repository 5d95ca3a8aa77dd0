#pragma once

#include "runtime/cluster/envelope.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace troupe::runtime::cluster {

/// Leaders of all shards by number, as the registers say; nil: none that is alive.
using shard_leaders = std::vector<uuid>;

/// What a read index has of its node. Must not block, nor call it.
struct read_index_ports {
    std::uint32_t shards = 0;
    std::function<std::shared_ptr<const shard_leaders>()> leaders;
    /// Whether this node owns the shard and may show it now.
    std::function<bool(std::uint32_t shard)> serves;
    /// Until where the shard's records are in the tables here.
    std::function<std::uint64_t(std::uint32_t shard)> applied;
    std::function<bool(const uuid& to, const envelope& what)> send;
};

/// Makes reads of the tables of any replica linearizable: a read waits until the tables here hold all that the owners
/// of the shards had answered when it came. Reads that come while the owners are asked share the next question
/// (D. Ongaro, "Consensus: Bridging Theory and Practice", 6.4: the read index, asked for by followers). Thread-safe.
class read_index {
public:
    using done = std::function<void(expected<void>)>;

    read_index(read_index_ports ports, std::int64_t wait_max_ms)
        : ports_(std::move(ports)), wait_max_ms_(wait_max_ms) {}

    /// `then` is called once, perhaps at once: `unavailable` when owners cannot be asked in time.
    void wait(done then, std::int64_t now_ms);
    void on_answer(const index_answer& answer, std::int64_t now_ms);
    /// The tables here moved on, or leaders changed; and now and then.
    void go_on(std::int64_t now_ms);
    /// What this node answers to others.
    [[nodiscard]] index_answer answer_to(const index_question& question) const;
    /// In which owners were asked so far.
    [[nodiscard]] std::uint64_t rounds() const { return round_; }

private:
    struct waiter {
        done then;
        std::int64_t since_ms = 0;
    };
    using said = std::vector<std::pair<done, expected<void>>>;

    void begin(std::int64_t now_ms);
    void ask(std::int64_t now_ms);
    /// How many shards are not up here to what their owners had.
    [[nodiscard]] std::size_t behind() const;
    void move_on(std::int64_t now_ms, said& out);
    static void tell(said& all);

    const read_index_ports ports_;
    const std::int64_t wait_max_ms_;
    std::mutex mutex_;
    std::atomic<std::uint64_t> round_ = 0; ///< Changes under the mutex only.
    std::int64_t asked_at_ms_ = 0;
    std::vector<std::optional<std::uint64_t>> wanted_; ///< Of each shard, as its owner says in this round.
    std::vector<waiter> asking_;                       ///< Came before the question of this round.
    std::vector<waiter> next_;
};

} // namespace troupe::runtime::cluster
