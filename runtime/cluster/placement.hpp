#pragma once

#include "schemas/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe::runtime::cluster {

/// A node as placement sees it.
struct cluster_node {
    uuid replica; ///< Of its data directory.
    std::string name;
    double weight = 1;     ///< How much it takes in relation to others; at most 0: nothing.
    bool alive = true;     ///< Its lease is there.
    bool draining = false; ///< It is to give away what it has.
    bool lost = false;     ///< Not alive for so long that it is replaced.

    bool operator==(const cluster_node&) const = default;
};

/// Where the copies of a shard belong: `copies` nodes, or all there are, the one that is to own it first. Nodes that
/// drain or are lost get nothing; those that are not alive keep what they have.
///
/// `preferred` comes first where it may have anything, whatever its turn: a shard that was moved by hand.
///
/// Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as of Schindelhauer and Schomaker 2005): a node
/// that comes or goes moves its own share and nothing else. Pure, the same on all nodes.
std::vector<uuid> place(std::uint32_t shard, std::span<const cluster_node> nodes, std::size_t copies,
                        const uuid& preferred = {});

} // namespace troupe::runtime::cluster
