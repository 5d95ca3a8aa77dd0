#include "runtime/cluster/cluster_glance.hpp"

#include "schemas/cluster.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace troupe::runtime::cluster {

cluster_glance glance_of(const cluster_core& core) {
    cluster_glance out;
    const auto& self = core.settings().self;
    out.self = self.name;
    out.nodes = core.nodes();
    std::ranges::sort(out.nodes, {}, &cluster_node::name);
    for (std::uint32_t number = 0; number < core.shards(); ++number) {
        const auto& set = core.shard(number);
        const bool held = std::ranges::find(set.voters, self.replica) != set.voters.end();
        out.shards.push_back({set.leader, held, core.takes_commands(number)});
    }
    return out;
}

const cluster_node* cluster_glance::node(std::string_view name) const {
    const auto found = std::ranges::find(nodes, name, &cluster_node::name);
    return found == nodes.end() ? nullptr : &*found;
}

namespace {

class news {
public:
    news(const cluster_glance& before, const cluster_glance& after) : before_(before), after_(after) {}

    std::vector<cluster_news> all() {
        for (const auto& node : before_.nodes) {
            if (!after_.node(node.name)) {
                tell("node_removed", node);
            }
        }
        for (const auto& node : after_.nodes) {
            compare(before_.node(node.name), node);
        }
        tell_moves();
        tell_shards("shards_closed",
                    [](const shard_glance& was, const shard_glance& is) { return was.open && !is.open; });
        tell_shards("shards_opened",
                    [](const shard_glance& was, const shard_glance& is) { return !was.open && is.open; });
        if (before_.serving != after_.serving) {
            out_.push_back({after_.serving ? "lease_back" : "lease_ended", to_json(cluster_lease_news{after_.self})});
        }
        return std::move(out_);
    }

private:
    void tell(std::string kind, const cluster_node& node) {
        out_.push_back({std::move(kind), to_json(cluster_node_news{after_.self, node.name, node.replica})});
    }

    void compare(const cluster_node* was, const cluster_node& is) {
        if (!was || was->replica != is.replica) { // another one may have taken the name
            tell("node_joined", is);
            return;
        }
        if (was->alive != is.alive) {
            tell(is.alive ? "node_up" : "node_down", is);
        }
        if (was->draining != is.draining) {
            tell(is.draining ? "node_drained" : "node_resumed", is);
        }
    }

    [[nodiscard]] std::string name_of(const uuid& replica) const {
        for (const auto* all : {&after_.nodes, &before_.nodes}) {
            const auto found = std::ranges::find(*all, replica, &cluster_node::replica);
            if (found != all->end()) {
                return found->name;
            }
        }
        return to_string(replica);
    }

    /// Shards for which it holds, with the numbers of the first ones.
    template <class News>
    void visit(News& into, const std::function<bool(const shard_glance& was, const shard_glance& is)>& which) const {
        for (std::uint32_t number = 0; number < std::min(before_.shards.size(), after_.shards.size()); ++number) {
            if (which(before_.shards[number], after_.shards[number])) {
                ++into.count;
                if (into.shards.size() < news_shards_max) {
                    into.shards.push_back(number);
                }
            }
        }
    }

    void tell_moves() {
        cluster_moves_news all{after_.self, 0, {}, {}, {}};
        visit(all, [&](const shard_glance& was, const shard_glance& is) {
            if (was.leader == is.leader) {
                return false;
            }
            if (!was.leader.is_nil()) {
                ++all.from[name_of(was.leader)];
            }
            if (!is.leader.is_nil()) {
                ++all.to[name_of(is.leader)];
            }
            return true;
        });
        if (all.count > 0) {
            out_.push_back({"shards_moved", to_json(all)});
        }
    }

    void tell_shards(std::string kind, const std::function<bool(const shard_glance&, const shard_glance&)>& which) {
        cluster_quorum_news all{after_.self, 0, {}, 0};
        visit(all, which);
        all.closed = static_cast<std::uint64_t>(
            std::ranges::count_if(after_.shards, [](const shard_glance& shard) { return !shard.open; }));
        if (all.count > 0) {
            out_.push_back({std::move(kind), to_json(all)});
        }
    }

    const cluster_glance& before_;
    const cluster_glance& after_;
    std::vector<cluster_news> out_;
};

} // namespace

std::vector<cluster_news> news_between(const cluster_glance& before, const cluster_glance& after) {
    return news(before, after).all();
}

std::size_t leaders_changed(const cluster_glance& before, const cluster_glance& after) {
    std::size_t out = 0;
    for (std::size_t number = 0; number < std::min(before.shards.size(), after.shards.size()); ++number) {
        out += before.shards[number].leader == after.shards[number].leader ? 0 : 1;
    }
    return out;
}

} // namespace troupe::runtime::cluster
