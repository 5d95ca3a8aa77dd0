#include "runtime/cluster/cluster_view.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

using storage::replication::replica_set;

std::string name_of(const cluster_core& core, const uuid& replica) {
    auto name = core.name_of(replica);
    return name.empty() ? to_string(replica) : name;
}

std::vector<std::string> names_of(const cluster_core& core, const std::vector<uuid>& replicas) {
    std::vector<std::string> out;
    for (const auto& replica : replicas) {
        out.push_back(name_of(core, replica));
    }
    std::ranges::sort(out);
    return out;
}

bool holds(const replica_set& set, const uuid& replica) {
    return std::ranges::find(set.voters, replica) != set.voters.end();
}

cluster_node_document document_of(const cluster_core& core, const cluster_node& node) {
    cluster_node_document out;
    const auto& member = core.members().at(node.name);
    out.name = node.name;
    out.replica_id = node.replica;
    out.status = !node.alive     ? cluster_node_status::down
                 : node.draining ? cluster_node_status::draining
                                 : cluster_node_status::up;
    out.address = member.address + ":" + std::to_string(member.port);
    if (auto version = core.version_of(node.name); !version.empty()) {
        out.version = std::move(version);
    }
    for (std::uint32_t shard = 0; shard < core.shards(); ++shard) {
        const auto& set = core.shard(shard);
        out.shards_led += set.leader == node.replica && node.alive ? 1 : 0;
        out.shards_held += holds(set, node.replica) ? 1 : 0;
    }
    return out;
}

/// Whether all copies are there that are wanted, and no others.
bool is_whole(const cluster_core& core, const replica_set& set) {
    const auto alive = static_cast<std::size_t>(std::ranges::count_if(
        core.nodes(), [&](const cluster_node& node) { return node.alive && holds(set, node.replica); }));
    return alive == core.settings().self.replication && set.voters.size() == alive;
}

} // namespace

cluster_view view_of(const cluster_core& core, std::int64_t now_ms) {
    cluster_view out;
    auto& sum = out.summary;
    const auto& self = core.settings().self;
    sum.id = self.cluster;
    sum.node = self.name;
    sum.copies = self.replication;
    sum.shards = core.shards();
    sum.lease_left_ms = std::max<std::int64_t>(0, core.serves_until_ms() - now_ms);
    bool whole = true;
    for (std::uint32_t shard = 0; shard < core.shards(); ++shard) {
        const auto& set = core.shard(shard);
        const bool open = core.takes_commands(shard);
        sum.shards_closed += open ? 0 : 1;
        sum.shards_moving += is_displaced(shard, set, core.nodes(), core.settings().rules, core.pin(shard)) ? 1 : 0;
        whole = whole && is_whole(core, set);
        const auto pin = core.pin(shard);
        out.shards.push_back({shard, set.epoch, set.epoch == 0 ? "" : name_of(core, set.leader),
                              names_of(core, set.voters), names_of(core, set.learners),
                              pin == uuid() ? std::nullopt : std::optional(name_of(core, pin)), open});
    }
    sum.status = sum.shards_closed > 0 ? cluster_status::partial
                 : whole               ? cluster_status::ok
                                       : cluster_status::degraded;
    for (const auto& node : core.nodes()) {
        sum.nodes.push_back(document_of(core, node));
    }
    sum.features.assign(core.features().begin(), core.features().end());
    for (const auto& feature : core.settings().features) {
        if (!core.features().contains(feature)) {
            sum.features_waiting.push_back({feature, core.ignorant_of(feature)});
        }
    }
    return out;
}

} // namespace troupe::runtime::cluster
