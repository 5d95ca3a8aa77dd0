#pragma once

#include "runtime/cluster/cluster_core.hpp"
#include "schemas/cluster.hpp"

#include <cstdint>
#include <vector>

/// What people are told of a cluster, as one of its nodes knows it. Pure.
namespace troupe::runtime::cluster {

struct cluster_view {
    cluster_document summary;
    std::vector<cluster_shard_document> shards;
};

/// `now_ms` on the monotonic clock.
cluster_view view_of(const cluster_core& core, std::int64_t now_ms);

} // namespace troupe::runtime::cluster
