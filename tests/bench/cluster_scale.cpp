// A hundred nodes and a million entities on paper that runs: the placement and the policy of the product, with logs,
// copies and time reckoned. Prints one JSON line a case: how even shards are spread, what moves when a node comes,
// drains or is lost, and how long that takes.
//     bench_cluster_scale [NODES]
//
// Reckoned: 4 KiB an entity, a copy goes with 100 MB/s out of a node and into one, two at a time; a change of a set, a
// hand-over or a campaign takes one tick of 50 ms; a lease ends 2 s after its node. A node that is lost is replaced at
// once (in the product after `replace_after_ms`). `all_follow`: as the product has it, which refuses more than 16
// nodes.
#include "runtime/cluster/placement.hpp"
#include "runtime/cluster/shard_policy.hpp"
#include "tests/bench/bench.hpp"

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <variant>

using namespace troupe;
using namespace troupe::bench;
using namespace troupe::runtime::cluster;
using storage::replication::replica_set;

namespace {

constexpr std::uint64_t entities = 1'000'000;
constexpr double entity_bytes = 4096;
constexpr double bytes_per_tick = 100e6 * 0.05;
constexpr std::size_t copies_at_a_time = 2;
constexpr std::size_t moves_max = 32;
constexpr std::int64_t tick_ms = 50;
constexpr std::int64_t lease_ms = 2000;
constexpr std::uint64_t commit = 1'000'000; // of each log

struct copy {
    uuid to;
    double left = 0;
};

struct shard_state {
    replica_set set;
    double bytes = 0;
    std::vector<copy> copies; ///< Learners on their way.
    std::int64_t ownerless_since = -1;
    bool moving = false;
};

class world {
public:
    world(std::size_t nodes, std::uint32_t shards, bool all_follow) : shards_(shards) {
        rules_.all_follow = all_follow;
        for (std::size_t i = 0; i < nodes; ++i) {
            add();
        }
        std::vector<std::uint64_t> counts(shards);
        for (std::uint64_t n = 0; n < entities; ++n) {
            const auto id = derive_uuid({"entity", std::to_string(n)});
            std::uint64_t hash = 0;
            std::memcpy(&hash, id.bytes.data(), sizeof hash);
            ++counts[hash % shards];
        }
        for (std::uint32_t number = 0; number < shards; ++number) { // as they are when all is at rest
            auto voters = place(number, nodes_, rules_.copies);
            auto& one = shards_[number];
            one.bytes = static_cast<double>(counts[number]) * entity_bytes;
            one.set = {1, voters.front(), voters, {}};
            for (const auto& node : nodes_) {
                if (all_follow && std::ranges::find(voters, node.replica) == voters.end()) {
                    one.set.learners.push_back(node.replica);
                }
            }
        }
    }

    void add() {
        const auto name = "n" + std::to_string(nodes_.size() + 1);
        nodes_.push_back({derive_uuid({"node", name}), name});
    }
    void drain(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            nodes_[i].draining = true;
        }
    }
    void kill(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            nodes_[i].alive = false;
            nodes_[i].lost = true;
        }
        now_ms_ = lease_ms; // until then nobody knows
        for (auto& one : shards_) {
            one.ownerless_since = is_alive(one.set.leader) ? -1 : 0;
        }
    }

    void print_balance(std::string_view name) const {
        std::map<uuid, double> led;
        std::map<uuid, double> voted;
        std::map<uuid, double> bytes;
        for (const auto& one : shards_) {
            led[one.set.leader] += 1;
            for (const auto& id : one.set.voters) {
                voted[id] += 1;
                bytes[id] += one.bytes;
            }
        }
        const auto worst = [&](const std::map<uuid, double>& all) {
            double sum = 0;
            double most = 0;
            for (const auto& [id, n] : all) {
                sum += n;
                most = std::max(most, n);
            }
            return most / (sum / static_cast<double>(nodes_.size()));
        };
        print_case(name, fmt::format(R"("nodes":{},"shards":{},"most_led_to_mean":{:.2f},"most_copies_to_mean":{:.2f},)"
                                     R"("most_bytes_to_mean":{:.2f},"nodes_that_lead_nothing":{})",
                                     nodes_.size(), shards_.size(), worst(led), worst(voted), worst(bytes),
                                     nodes_.size() - led.size()));
    }

    /// Until nothing wants to move any more, an hour at most.
    void run(std::string_view name) {
        std::int64_t led_ms = -1;
        std::int64_t steps_us = 0;
        std::uint64_t asked = 0;
        for (; now_ms_ < 3'600'000; now_ms_ += tick_ms) {
            const auto began = now_us();
            asked += tick();
            steps_us += now_us() - began;
            if (led_ms < 0 && std::ranges::all_of(shards_, [&](const auto& one) {
                    return is_alive(one.set.leader) || !may_commit(one.set);
                })) {
                led_ms = now_ms_;
            }
            if (quiet_) {
                break;
            }
        }
        const auto closed = std::ranges::count_if(shards_, [&](const auto& one) { return !may_commit(one.set); });
        print_case(
            name, fmt::format(R"("nodes":{},"shards":{},"all_follow":{},"led_again_s":{:.2f},"settled_s":{:.1f},)"
                              R"("copied_mb":{:.0f},"data_mb":{:.0f},"sets_changed":{},"hand_overs":{},"campaigns":{},)"
                              R"("without_a_majority":{},"policy_us_per_shard":{:.1f})",
                              nodes_.size(), shards_.size(), rules_.all_follow, static_cast<double>(led_ms) / 1000,
                              static_cast<double>(now_ms_) / 1000, copied_ / 1e6, entities * entity_bytes / 1e6,
                              changes_, hand_overs_, campaigns_, closed,
                              static_cast<double>(steps_us) / static_cast<double>(std::max<std::uint64_t>(1, asked))));
    }

private:
    [[nodiscard]] bool is_alive(const uuid& id) const {
        const auto found = std::ranges::find(nodes_, id, &cluster_node::replica);
        return found != nodes_.end() && found->alive;
    }
    [[nodiscard]] bool may_commit(const replica_set& set) const {
        return static_cast<std::size_t>(
                   std::ranges::count_if(set.voters, [&](const uuid& id) { return is_alive(id); })) >= set.majority();
    }

    /// How often the policy was asked.
    std::uint64_t tick() {
        std::uint64_t asked = 0;
        quiet_ = true;
        std::map<uuid, std::size_t> moving;
        for (const auto& one : shards_) {
            moving[one.set.leader] += one.moving ? 1 : 0;
        }
        for (std::uint32_t number = 0; number < shards_.size(); ++number) {
            auto& one = shards_[number];
            if (!may_commit(one.set)) {
                continue;
            }
            const bool led = is_alive(one.set.leader);
            const auto voters = led ? std::vector{one.set.leader} : one.set.voters;
            for (const auto& self : voters) {
                if (is_alive(self)) {
                    ++asked;
                    ask(number, self, led, moving[self]);
                }
            }
        }
        copy_on();
        return asked;
    }

    void ask(std::uint32_t number, const uuid& self, bool takes, std::size_t& moving) {
        auto& one = shards_[number];
        shard_situation now{
            .shard = number, .self = self, .set = one.set, .takes = takes, .commit = commit, .durable_at = {}};
        now.durable_at = [&one](const uuid& id) -> std::optional<std::uint64_t> {
            const bool comes = std::ranges::any_of(one.copies, [&](const copy& c) { return c.to == id; });
            return comes ? std::nullopt : std::optional(commit);
        };
        now.ownerless_ms = takes ? 0 : now_ms_ - one.ownerless_since;
        now.may_move = one.moving || moving < moves_max;
        const auto step = next_step(now, nodes_, rules_);
        const bool moves = takes && (step.index() > 1 || is_moving(now, nodes_, rules_));
        moving += moves && !one.moving ? 1 : 0;
        one.moving = moves;
        quiet_ = quiet_ && step.index() == 0 && one.copies.empty();
        if (std::holds_alternative<campaign_step>(step) && !is_alive(one.set.leader)) {
            ++campaigns_;
            one.set = {one.set.epoch + 1, self, one.set.voters, one.set.learners};
        } else if (const auto* change = std::get_if<change_step>(&step)) {
            ++changes_;
            for (const auto& id : change->learners) {
                const bool held = std::ranges::find(one.set.voters, id) != one.set.voters.end() ||
                                  std::ranges::find(one.set.learners, id) != one.set.learners.end();
                if (!held) {
                    one.copies.push_back({id, one.bytes});
                }
            }
            one.set = {one.set.epoch + 1, one.set.leader, change->voters, change->learners};
            std::erase_if(one.copies, [&](const copy& c) {
                return std::ranges::find(one.set.learners, c.to) == one.set.learners.end();
            });
        } else if (const auto* over = std::get_if<hand_over_step>(&step)) {
            ++hand_overs_;
            one.set = {one.set.epoch + 1, over->to, one.set.voters, one.set.learners};
        }
    }

    /// Each node sends two shards at a time and receives two, with half of its bandwidth each.
    void copy_on() {
        std::map<uuid, std::size_t> out;
        std::map<uuid, std::size_t> in;
        for (auto& one : shards_) {
            for (auto& c : one.copies) {
                if (out[one.set.leader] < copies_at_a_time && in[c.to] < copies_at_a_time) {
                    ++out[one.set.leader];
                    ++in[c.to];
                    const auto now = std::min(c.left, bytes_per_tick / copies_at_a_time);
                    c.left -= now;
                    copied_ += now;
                }
            }
            std::erase_if(one.copies, [](const copy& c) { return c.left <= 0; });
        }
    }

    std::vector<cluster_node> nodes_;
    std::vector<shard_state> shards_;
    cluster_rules rules_;
    std::int64_t now_ms_ = 0;
    bool quiet_ = false;
    double copied_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t hand_overs_ = 0;
    std::uint64_t campaigns_ = 0;
};

void print_all(std::size_t nodes, std::uint32_t shards, bool all_follow) {
    const world rest(nodes, shards, all_follow);
    if (!all_follow) {
        rest.print_balance("balance");
    }
    auto joined = rest;
    joined.add();
    joined.run("a node joins");
    auto drained = rest;
    drained.drain(1);
    drained.run("a node drains");
    for (const std::size_t lost : {1, 3, 10}) {
        if (lost <= nodes / 3) {
            auto left = rest;
            left.kill(lost);
            left.run(fmt::format("{} lost at once", lost));
        }
    }
}

} // namespace

int main(int count, char** words) {
    const auto nodes = count > 1 ? std::strtoul(words[1], nullptr, 10) : 100;
    for (const std::uint32_t shards : {256U, 1024U, 4096U}) {
        print_all(nodes, shards, false);
    }
    print_all(16, 256, true); // as many as the product takes
}
