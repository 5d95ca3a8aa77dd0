#pragma once

#include "runtime/cluster/cluster_core.hpp"
#include "runtime/cluster/placement.hpp"
#include "schemas/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What of a cluster changes now and then, as one of its nodes knows it, and how that is told. Pure.
namespace troupe::runtime::cluster {

struct shard_glance {
    uuid leader;       ///< As its register says, alive or not; nil: there is none.
    bool held = false; ///< This node has a copy that votes.
    bool open = false; ///< It takes commands.

    bool operator==(const shard_glance&) const = default;
};

/// Cheap enough to be taken after all news.
struct cluster_glance {
    std::string self;
    std::vector<cluster_node> nodes;  ///< By name.
    std::vector<shard_glance> shards; ///< By number.
    bool serving = false;             ///< This node has a lease that is good for a while.

    bool operator==(const cluster_glance&) const = default;
    /// Null: no member has that name.
    [[nodiscard]] const cluster_node* node(std::string_view name) const;
};

/// Without `serving`, which the core does not know.
cluster_glance glance_of(const cluster_core& core);

/// An event of the live channel `cluster`.
struct cluster_news {
    std::string kind;
    std::string data; ///< JSON: a struct of schemas/cluster.hpp.
};

/// An event names at most so many shards; it counts all of them.
inline constexpr std::size_t news_shards_max = 64;

/// What came between: one event for each node and change, and one for all shards that changed in the same way.
std::vector<cluster_news> news_between(const cluster_glance& before, const cluster_glance& after);

/// Shards whose leader is another one.
std::size_t leaders_changed(const cluster_glance& before, const cluster_glance& after);

} // namespace troupe::runtime::cluster
