#include "runtime/cluster/shard_policy.hpp"

#include <algorithm>
#include <iterator>

namespace troupe::runtime::cluster {

namespace {

using storage::replication::replica_set;
using ids = std::vector<uuid>;

bool holds(const ids& all, const uuid& id) { return std::ranges::find(all, id) != all.end(); }

ids without(ids all, const uuid& id) {
    std::erase(all, id);
    return all;
}

ids with(ids all, const uuid& id) {
    all.push_back(id);
    return all;
}

/// A learner that is so many records behind is still on its way.
constexpr std::uint64_t lag_max = 1000;

bool is_alive(std::span<const cluster_node> nodes, const uuid& id) {
    const auto found = std::ranges::find(nodes, id, &cluster_node::replica);
    return found != nodes.end() && found->alive;
}

class steps {
public:
    steps(const shard_situation& now, std::span<const cluster_node> nodes, const cluster_rules& rules)
        : now_(now), nodes_(nodes), rules_(rules) {
        if (now.takes || !is_alive(nodes, now.set.leader)) { // else nothing is to be done here
            wanted_ = place(now.shard, nodes, rules.copies, now.preferred);
        }
    }

    [[nodiscard]] shard_step next() const {
        if (now_.set.epoch == 0 || now_.candidate) {
            return {};
        }
        if (!now_.takes) {
            return take_over();
        }
        for (const auto step : {&steps::forget_learner, &steps::promote, &steps::remove, &steps::learn}) {
            if (auto found = (this->*step)(); !std::holds_alternative<std::monostate>(found)) {
                return found;
            }
        }
        return give_away();
    }

    [[nodiscard]] bool is_moving() const {
        return std::ranges::any_of(now_.set.learners, [this](const uuid& id) {
            return alive(id) && (holds(wanted_, id) || !caught_up(id, now_.commit - std::min(now_.commit, lag_max)));
        });
    }

private:
    [[nodiscard]] bool alive(const uuid& id) const { return is_alive(nodes_, id); }
    [[nodiscard]] bool caught_up(const uuid& id, std::uint64_t to) const {
        const auto reached = now_.durable_at(id);
        return reached && *reached >= to && alive(id);
    }
    /// It has, or is to have, a copy.
    [[nodiscard]] bool follows(const uuid& id) const {
        const auto found = std::ranges::find(nodes_, id, &cluster_node::replica);
        return found != nodes_.end() && !found->lost && (rules_.all_follow || holds(wanted_, id));
    }

    /// Its own name in the register is of an earlier life, or of a set that did not come to be.
    [[nodiscard]] shard_step take_over() const {
        if (now_.set.leader == now_.self) {
            return campaign_step{};
        }
        if (alive(now_.set.leader)) {
            return {};
        }
        std::int64_t turn = 0;
        for (const auto& voter : in_order(now_.set.voters)) {
            if (voter == now_.self) {
                return now_.ownerless_ms >= turn ? shard_step(campaign_step{}) : shard_step();
            }
            turn += alive(voter) ? rules_.turn_ms : 0;
        }
        return {};
    }

    /// Where they are wanted first.
    [[nodiscard]] ids in_order(const ids& voters) const {
        ids out;
        for (const auto* from : {&wanted_, &voters}) {
            for (const auto& id : *from) {
                if (holds(voters, id) && !holds(out, id)) {
                    out.push_back(id);
                }
            }
        }
        return out;
    }

    [[nodiscard]] shard_step forget_learner() const {
        for (const auto& id : now_.set.learners) {
            if (!follows(id)) {
                return change_step{now_.set.voters, without(now_.set.learners, id)};
            }
        }
        return {};
    }

    [[nodiscard]] shard_step promote() const {
        for (const auto& id : now_.set.learners) {
            if (now_.set.voters.size() <= rules_.copies && holds(wanted_, id) && caught_up(id, now_.commit)) {
                return change_step{with(now_.set.voters, id), without(now_.set.learners, id)};
            }
        }
        return {};
    }

    /// Only what is too much stops to vote: whoever is not alive first.
    [[nodiscard]] shard_step remove() const {
        if (now_.set.voters.size() <= rules_.copies) {
            return {};
        }
        ids surplus;
        std::ranges::copy_if(now_.set.voters, std::back_inserter(surplus),
                             [&](const uuid& id) { return id != now_.self && !holds(wanted_, id); });
        if (surplus.empty()) {
            return {};
        }
        const auto gone = std::ranges::find_if(surplus, [&](const uuid& id) { return !alive(id); });
        const auto& goes = gone == surplus.end() ? surplus.front() : *gone;
        // Whoever stays has to be able to commit without it.
        const auto left = without(now_.set.voters, goes);
        const auto up = std::ranges::count_if(left, [&](const uuid& id) { return id == now_.self || alive(id); });
        if (static_cast<std::size_t>(up) <= left.size() / 2) {
            return {};
        }
        return change_step{left, follows(goes) ? with(now_.set.learners, goes) : now_.set.learners};
    }

    /// Voters first.
    [[nodiscard]] shard_step learn() const {
        auto all = wanted_;
        if (rules_.all_follow) {
            std::ranges::transform(nodes_, std::back_inserter(all), &cluster_node::replica);
        }
        for (const auto& id : all) {
            const bool known = holds(now_.set.voters, id) || holds(now_.set.learners, id);
            if (!known && alive(id) && now_.may_move) {
                return change_step{now_.set.voters, with(now_.set.learners, id)};
            }
        }
        return {};
    }

    /// To where it is wanted first, among those that have everything.
    [[nodiscard]] shard_step give_away() const {
        for (const auto& id : in_order(now_.set.voters)) {
            if (id == now_.self && holds(wanted_, id)) {
                return {};
            }
            if (id != now_.self && holds(wanted_, id) && now_.may_move && caught_up(id, now_.commit)) {
                return hand_over_step{id};
            }
        }
        return {};
    }

    const shard_situation& now_;
    std::span<const cluster_node> nodes_;
    const cluster_rules& rules_;
    ids wanted_;
};

} // namespace

shard_step next_step(const shard_situation& now, std::span<const cluster_node> nodes, const cluster_rules& rules) {
    return steps(now, nodes, rules).next();
}

bool is_moving(const shard_situation& now, std::span<const cluster_node> nodes, const cluster_rules& rules) {
    return steps(now, nodes, rules).is_moving();
}

bool is_displaced(std::uint32_t shard, const replica_set& set, std::span<const cluster_node> nodes,
                  const cluster_rules& rules, const uuid& preferred) {
    auto wanted = place(shard, nodes, rules.copies, preferred);
    std::erase_if(wanted, [&](const uuid& id) { return !is_alive(nodes, id); });
    const bool led = wanted.empty() || set.leader == wanted.front();
    const bool held = std::ranges::all_of(wanted, [&](const uuid& id) { return holds(set.voters, id); });
    const bool followed = std::ranges::all_of(nodes, [&](const cluster_node& node) {
        return !node.alive || holds(set.voters, node.replica) || holds(set.learners, node.replica);
    });
    return !led || !held || !followed || set.voters.size() > rules.copies;
}

} // namespace troupe::runtime::cluster
