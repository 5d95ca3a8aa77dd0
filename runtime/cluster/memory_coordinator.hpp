#pragma once

#include "runtime/cluster/coordinator.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

/// The coordinator in memory: for a single node, and for tests and simulations of many.
namespace troupe::runtime::cluster {

/// Runs what it is given later, in order, one at a time; never inside of the call.
using executor = std::function<void(std::function<void()>)>;

/// An executor that a test turns by hand. Thread-safe; copies of the executor outlive it.
class run_queue {
public:
    run_queue();
    [[nodiscard]] executor as_executor() const;
    /// Runs what waits, and what that adds, but no more than `at_most`. Returns how many ran.
    std::size_t run_some(std::size_t at_most = std::numeric_limits<std::size_t>::max());
    [[nodiscard]] std::size_t waiting() const;

private:
    struct tasks;
    std::shared_ptr<tasks> tasks_;
};

/// What coordinators share. Thread-safe.
class memory_map {
public:
    memory_map();
    ~memory_map();
    memory_map(const memory_map&) = delete;
    memory_map& operator=(const memory_map&) = delete;

    /// Sets the map's clock: nodes that can are given more time at each third of it; leases that are over end.
    void advance(std::int64_t now_ms);
    /// As if its time were over now.
    void end_lease(std::uint64_t id);
    [[nodiscard]] std::uint64_t revision() const;
    [[nodiscard]] std::vector<entry> entries() const;

private:
    friend class memory_coordinator;
    struct member;
    struct impl;
    std::unique_ptr<impl> impl_;
};

struct memory_settings {
    executor run = {};       ///< Empty: a thread of its own.
    std::int64_t ttl_ms = 0; ///< Of its lease, on the map's clock; 0: it is valid until `stop`.
};

/// One node's view of a map.
class memory_coordinator final : public coordinator {
public:
    explicit memory_coordinator(std::shared_ptr<memory_map> map = std::make_shared<memory_map>(),
                                memory_settings settings = {});
    ~memory_coordinator() override;
    memory_coordinator(const memory_coordinator&) = delete;
    memory_coordinator& operator=(const memory_coordinator&) = delete;

    void start(coordinator_listener& listener) override;
    /// With an executor of the caller's nothing runs any more that it still holds: `done` neither.
    void stop() override;
    void commit(transaction what, std::function<void(expected<transaction_result>)> done) override;

    // ---- What may befall a node, for tests.

    /// From now on the map cannot be reached: commits are `unavailable`, changes wait, the lease runs out.
    void cut(const std::string& why);
    /// Ends that. `compacted`: the changes that waited are lost, `on_map` comes instead.
    void heal(bool compacted = false);
    /// False: the lease is not extended though the map can be reached (a node that is frozen).
    void keep_alive(bool yes);
    /// What becomes of commits from now on. The lost ones are `unknown_outcome`.
    enum class fate : std::uint8_t { answered, lost_before, lost_after };
    void set_fate(fate of_commits);
    /// As `stop` for a process that was killed: nobody is called any more, the lease ends when its time is over.
    void vanish();

private:
    std::shared_ptr<memory_map> map_;
    std::shared_ptr<memory_map::member> me_;
    class own_thread;
    std::unique_ptr<own_thread> thread_;
};

} // namespace troupe::runtime::cluster
