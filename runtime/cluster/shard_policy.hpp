#pragma once

#include "runtime/cluster/placement.hpp"
#include "storage/replication/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace troupe::runtime::cluster {

/// What a node knows of one shard, and of the cluster, when it asks what to do about it.
struct shard_situation {
    std::uint32_t shard = 0;
    uuid self;
    storage::replication::replica_set set; ///< As the register says; epoch 0: there is none.
    bool takes = false;                    ///< This node owns the shard and may propose.
    bool candidate = false;                ///< It is about to lead.
    std::uint64_t commit = 0;
    /// At the owner: how far a replica's disk is.
    std::function<std::optional<std::uint64_t>(const uuid&)> durable_at;
    std::int64_t ownerless_ms = 0; ///< How long the leader of the register has not been alive.
    bool may_move = true;          ///< Bounds what moves at a time in the cluster.
    uuid preferred = {};           ///< The node to which it was moved by hand; nil: none.
};

struct cluster_rules {
    std::size_t copies = 3;     ///< In a cluster: as its card says.
    std::int64_t turn_ms = 300; ///< Between one voter and the next to campaign, should the first not come.
    /// Nodes beyond the copies follow without a vote. All nodes do: reads need it. Figures of more nodes do without.
    bool all_follow = true;
};

// ---- what is to be done next; one step at a time, each safe by itself

struct campaign_step {
    bool operator==(const campaign_step&) const = default;
};
/// Changes the set by one replica, to this one.
struct change_step {
    std::vector<uuid> voters;
    std::vector<uuid> learners;
    bool operator==(const change_step&) const = default;
};
/// Commands wait from now on; when nothing is in flight any more, that voter is asked to lead.
struct hand_over_step {
    uuid to;
    bool operator==(const hand_over_step&) const = default;
};
using shard_step = std::variant<std::monostate, campaign_step, change_step, hand_over_step>;

/// Brings a shard from where it is to where it belongs (`place`): an owner that is gone is replaced at once, by the
/// voter that comes first; a replica comes as a learner, votes when it has what is committed, and only then another one
/// stops to vote. There are never fewer voters than before, unless there are more than `copies`. All other nodes follow
/// as learners, for their reads and to be ready, until they are lost. Pure.
shard_step next_step(const shard_situation& now, std::span<const cluster_node> nodes, const cluster_rules& rules);

/// At the owner: whether a replica is on its way to where it belongs, so that others have to wait for it.
bool is_moving(const shard_situation& now, std::span<const cluster_node> nodes, const cluster_rules& rules);

/// As people are told: its leader or its copies are not where they belong, though they could be.
bool is_displaced(std::uint32_t shard, const storage::replication::replica_set& set,
                  std::span<const cluster_node> nodes, const cluster_rules& rules, const uuid& preferred);

/// Whether so many copies are enough to acknowledge anything: a majority of those that are wanted.
inline bool has_quorum_of_copies(std::size_t voters, const cluster_rules& rules) {
    return voters >= rules.copies / 2 + 1;
}

} // namespace troupe::runtime::cluster
