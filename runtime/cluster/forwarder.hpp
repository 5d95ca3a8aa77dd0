#pragma once

#include "runtime/cluster/envelope.hpp"
#include "runtime/entity/messages.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace troupe::runtime::cluster {

/// What a forwarder has of its node. Must not block, nor call the forwarder.
struct forwarder_ports {
    uuid self; ///< The replica here.
    /// The replica that leads the shard, if it is alive.
    std::function<std::optional<uuid>(std::uint32_t shard)> owner_of;
    std::function<bool(const uuid& to, const envelope& what)> send;
    /// For a shard that this node leads.
    std::function<void(held_ptr)> take;
    /// How far the tables here are.
    std::function<std::uint64_t(std::uint32_t shard)> applied;
    /// The version of an entity in the tables here, which may be behind.
    std::function<std::uint64_t(const entity_address&)> version_of;
};

/// Takes commands to the owners of their shards, and the answers back. A command whose owner is lost goes to the next
/// one, under its id, by which it is not done twice. One that finds no owner in time is `unavailable`, or
/// `unknown_outcome` when somebody had it. An answer waits until the tables here show it, so that who gets it can read
/// what was done. Thread-safe.
class forwarder {
public:
    forwarder(forwarder_ports ports, std::int64_t wait_max_ms) : ports_(std::move(ports)), wait_max_ms_(wait_max_ms) {}

    void forward(held_ptr held, std::uint32_t shard, std::int64_t now_ms);
    void on_answer(const uuid& from, answer_envelope answer, std::int64_t now_ms);
    /// What was sent there gets no answer any more.
    void on_peer_down(const uuid& peer, std::int64_t now_ms);
    /// Sends what waits for an owner, or for the way to it, and what an owner has that is none any more. When one of
    /// them has changed, and now and then.
    void go_on(std::int64_t now_ms);

    /// The tables here have moved on.
    void on_applied(std::int64_t now_ms);

    /// Commands that were sent, and those that wait.
    [[nodiscard]] std::size_t outstanding() const;

private:
    struct one {
        held_ptr held;
        std::uint32_t shard = 0;
        std::int64_t waits_since_ms = 0;
        uuid sent_to = {};
        std::optional<std::uint64_t> version = {}; ///< Of its entity here, before it was sent to anybody.
        bool maybe_done = false;                   ///< Somebody had it, and was lost.
    };
    /// An answer that the tables here do not show yet.
    struct unshown {
        held_ptr held;
        reply answer;
        std::uint32_t shard = 0;
        std::uint64_t applied = 0;
        std::int64_t since_ms = 0;
    };
    using all = std::map<std::uint64_t, one>; ///< By number: in the order in which they came.
    /// Whether it found its way; then `sent_to` says where. Under the lock.
    bool send(std::uint64_t number, one& o) const;
    /// Under the lock.
    void take_back(std::int64_t now_ms, const std::function<bool(const one&)>& which);

    const forwarder_ports ports_;
    const std::int64_t wait_max_ms_;
    mutable std::mutex mutex_;
    all waiting_;
    all sent_;
    std::vector<unshown> unshown_;
    std::uint64_t next_ = 1;
};

} // namespace troupe::runtime::cluster
