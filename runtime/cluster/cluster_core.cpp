#include "runtime/cluster/cluster_core.hpp"

#include "schemas/base/json.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime::cluster {

using storage::replication::replica_set;

namespace {

/// What cannot be read is of a newer version, or of somebody who wrote it by hand: it is left out.
template <class Value>
std::optional<Value> read(const std::string& json) {
    auto value = from_json<Value>(json, strictness::stored);
    return value ? std::optional<Value>(std::move(*value)) : std::nullopt;
}

std::vector<std::string> names_of(const feature_set& features) { return {features.begin(), features.end()}; }

std::string encode(const feature_set& features) { return to_json(features_value{names_of(features)}); }

problem disagrees(std::string_view what, const std::string& theirs, const std::string& ours) {
    return {code::config_invalid, "the cluster has " + std::string(what) + " " + theirs + ", this node " + ours +
                                      ": give all nodes the same cluster file, or this one another cluster"};
}

} // namespace

cluster_core::cluster_core(cluster_settings settings) : settings_(std::move(settings)), shards_(settings_.self.shards) {
    settings_.rules.copies = settings_.self.replication;
}

// ---- from the coordinator

void cluster_core::forget() {
    config_.reset();
    features_revision_ = 0;
    members_.clear();
    member_revisions_.clear();
    alive_.clear();
    for (auto& shard : shards_) {
        shard.pin = {};
    }
}

void cluster_core::on_map(const std::vector<entry>& all, std::uint64_t revision, actions& out) {
    forget();
    known_ = true;
    revision_ = revision;
    for (const auto& e : all) {
        take(e, out);
    }
    refresh(out);
}

void cluster_core::on_changes(const std::vector<change>& changes, std::uint64_t revision, actions& out) {
    revision_ = std::max(revision_, revision);
    for (const auto& c : changes) {
        if (c.value) {
            take({c.key, *c.value, revision}, out);
        } else {
            drop(c.key);
        }
    }
    refresh(out);
}

void cluster_core::take(const entry& e, actions& out) {
    const std::string_view key(e.key);
    if (key == config_key) {
        config_ = read<config_value>(e.value);
        config_revision_ = e.revision;
    } else if (key == features_key) {
        for (auto& name : read<features_value>(e.value).value_or(features_value()).on) {
            features_.insert(std::move(name)); // what was on once may be in any log
        }
        features_revision_ = e.revision;
    } else if (key.starts_with(members_prefix)) {
        if (const auto m = read<member_value>(e.value)) {
            members_[e.key.substr(members_prefix.size())] = *m;
            member_revisions_[e.key.substr(members_prefix.size())] = e.revision;
        }
    } else if (key.starts_with(alive_prefix)) {
        if (const auto a = read<alive_value>(e.value)) {
            alive_[e.key.substr(alive_prefix.size())] = *a;
            if (a->incarnation == settings_.self.incarnation) {
                own_revision_ = e.revision;
            }
        }
    } else if (const auto number = shard_of_key(key); number && *number < shards_.size()) {
        take_register(*number, e.value, e.revision, out);
    } else if (const auto pinned = shard_of_pin(key); pinned && *pinned < shards_.size()) {
        shards_[*pinned].pin = read<pin_value>(e.value).value_or(pin_value()).leader;
    }
}

void cluster_core::drop(const std::string& key) {
    if (key.starts_with(members_prefix)) {
        members_.erase(key.substr(members_prefix.size()));
        member_revisions_.erase(key.substr(members_prefix.size()));
    } else if (key.starts_with(alive_prefix)) {
        alive_.erase(key.substr(alive_prefix.size()));
    } else if (key == config_key) {
        config_.reset();
    } else if (key == features_key) {
        features_revision_ = 0;
    } else if (const auto pinned = shard_of_pin(key); pinned && *pinned < shards_.size()) {
        shards_[*pinned].pin = {};
    }
}

void cluster_core::take_register(std::uint32_t shard, const std::string& value, std::uint64_t revision, actions& out) {
    auto& known = shards_[shard];
    auto set = decode_register(value);
    if (!set || revision <= known.revision) {
        return; // an answer to this node's own change may come before the watch
    }
    known.revision = revision;
    known.set = std::move(*set);
    out.emplace_back(register_changed{shard, known.set});
}

void cluster_core::on_lease(const lease& now, actions& out) {
    lease_ = now;
    join(out);
}

/// What follows from who is there.
void cluster_core::refresh(actions& out) {
    std::vector<cluster_node> nodes;
    std::vector<peer_place> peers;
    for (const auto& [name, m] : members_) {
        const auto a = alive_.find(name);
        const bool alive = a != alive_.end() && a->second.replica == m.replica;
        const bool draining = m.draining || (alive && a->second.retiring);
        nodes.push_back({m.replica, name, m.weight, alive, draining, false});
        if (m.replica != settings_.self.replica) {
            peers.push_back({m.replica, name, m.address, m.port});
        }
    }
    nodes_ = std::move(nodes);
    if (peers != peers_) {
        peers_ = std::move(peers);
        out.emplace_back(peers_changed{peers_});
    }
    join(out);
}

bool cluster_core::takes_commands(std::uint32_t number) const {
    const auto& set = shards_[number].set;
    const auto is_alive = [this](const uuid& replica) {
        const auto node = std::ranges::find(nodes_, replica, &cluster_node::replica);
        return node != nodes_.end() && node->alive;
    };
    const auto alive = static_cast<std::size_t>(std::ranges::count_if(set.voters, is_alive));
    return is_alive(set.leader) && alive >= set.majority() && has_quorum_of_copies(alive, settings_.rules);
}

std::optional<known_member> cluster_core::member(const std::string& name) const {
    const auto found = members_.find(name);
    return found == members_.end() ? std::nullopt
                                   : std::optional(known_member{found->second, member_revisions_.at(name)});
}

std::string cluster_core::version_of(const std::string& name) const {
    const auto found = alive_.find(name);
    return found == alive_.end() ? std::string() : found->second.version;
}

std::string cluster_core::name_of(const uuid& replica) const {
    const auto found = std::ranges::find(nodes_, replica, &cluster_node::replica);
    return found == nodes_.end() ? "" : found->name;
}

// ---- joining

bool cluster_core::joined() const {
    const auto me = alive_.find(settings_.self.name);
    return me != alive_.end() && me->second.incarnation == settings_.self.incarnation;
}

std::int64_t cluster_core::serves_until_ms() const {
    const bool known = joined_revision_ != 0 && revision_ >= joined_revision_;
    return known && lease_.id != 0 && joined_lease_ == lease_.id ? lease_.valid_until_ms : 0;
}

expected<void> cluster_core::may_join() const {
    const auto& me = settings_.self;
    if (config_) {
        if (config_->cluster != me.cluster) {
            return disagrees("the id", to_string(config_->cluster), to_string(me.cluster));
        }
        if (config_->shards != me.shards) {
            return disagrees("a number of shards of", std::to_string(config_->shards), std::to_string(me.shards));
        }
        if (config_->hash != me.hash || config_->hash_seed != me.hash_seed) {
            return disagrees("shards of", config_->hash + " " + std::to_string(config_->hash_seed),
                             me.hash + " " + std::to_string(me.hash_seed));
        }
        if (config_->copies != me.replication) {
            return disagrees("a number of copies of", std::to_string(config_->copies), std::to_string(me.replication));
        }
    }
    const auto known = members_.find(me.name);
    if (known != members_.end() && known->second.replica != me.replica) {
        return problem{code::conflict,
                       "the cluster knows a node \"" + me.name +
                           "\" with another data directory: give this one another name. If that disk is lost, remove "
                           "the node first: troupe cluster remove " +
                           me.name};
    }
    if (known == members_.end() && settings_.members_max != 0 && members_.size() >= settings_.members_max) {
        return problem{code::conflict, "the cluster has " + std::to_string(members_.size()) +
                                           " nodes, which is as many as it may have, since each follows all shards. "
                                           "One that is lost is removed first: troupe cluster remove NAME"};
    }
    return known == members_.end() && !settings_.is_new ? may_bring_data() : expected<void>();
}

/// A directory that holds something, of a node that is no member.
expected<void> cluster_core::may_bring_data() const {
    if (config_ ? config_->founder == settings_.self.replica : settings_.founds) {
        return {};
    }
    if (!config_) {
        return problem{code::conflict,
                       "the coordinator knows nothing of this cluster, and this data directory is not what it begins "
                       "with: are /etcd/endpoints and /etcd/prefix of the cluster file right? If what etcd had is "
                       "lost, restore a backup and make a new cluster from it: troupe cluster init --from"};
    }
    return problem{code::conflict,
                   settings_.founds
                       ? "there is a cluster under this /etcd/prefix already, which began with another data directory: "
                         "this one begins a cluster of its own, under a prefix of its own, with the file that "
                         "`troupe cluster init --from` makes"
                       : "this data directory holds what the cluster does not know of: a node joins with an empty one"};
}

bool cluster_core::waits_for_founder() const {
    const auto& founder = settings_.founder;
    return !config_ && ((founder && *founder != settings_.self.replica) ||
                        (settings_.founds && settings_.may_found && !settings_.may_found()));
}

void cluster_core::turn_away(problem why, actions& out) {
    if (!std::exchange(turned_, true)) {
        out.emplace_back(turned_away{std::move(why)});
    }
}

void cluster_core::join(actions& out) {
    const bool fresh = joined() && joined_lease_ == lease_.id;
    if (!known_ || turned_) {
        return;
    }
    if (auto lacks = knows_features(); !lacks) { // also while it is a member: it could not read what comes
        turn_away(lacks.error(), out);
        return;
    }
    if (lease_.id == 0 || isolated_ || is_under_way(purpose::join) || is_under_way(purpose::leave) || fresh) {
        return;
    }
    if (auto may = may_join(); !may) {
        turn_away(may.error(), out);
        return;
    }
    if (waits_for_founder()) {
        return; // `tick` looks again
    }
    const auto& me = settings_.self;
    transaction what;
    what.when.push_back({std::string(config_key), config_ ? config_revision_ : 0});
    if (!config_) {
        what.then.push_back({std::string(config_key), to_json(config_value{me.cluster, me.shards, me.hash, me.hash_seed,
                                                                           me.replication, me.replica})});
        if (!settings_.features.empty()) {
            what.then.push_back({std::string(features_key), encode(settings_.features)});
        }
    }
    const auto known = members_.find(me.name);
    what.when.push_back({member_key(me.name), known == members_.end() ? 0 : member_revisions_.at(me.name)});
    const bool draining = known != members_.end() && known->second.draining;
    const member_value now{me.replica,       settings_.address, settings_.port,
                           settings_.weight, draining,          names_of(settings_.features)};
    if (known == members_.end() || !(known->second == now)) {
        what.then.push_back({member_key(me.name), to_json(now)});
    }
    what.then.push_back(
        {alive_key(me.name), to_json(alive_value{me.replica, me.incarnation, me.version, retiring_}), true});
    joined_lease_ = lease_.id;
    joined_revision_ = 0;
    commit({purpose::join}, std::move(what), out);
}

bool cluster_core::is_under_way(purpose why) const {
    return std::ranges::any_of(commits_, [why](const auto& c) { return c.second.why == why; });
}

// ---- features

expected<void> cluster_core::knows_features() const {
    for (const auto& name : features_) {
        if (!settings_.features.contains(name)) {
            return problem{code::data_dir_newer, "the cluster stores what this program cannot read (the feature '" +
                                                     name + "' is on): run a newer one at this node"};
        }
    }
    return {};
}

std::vector<std::string> cluster_core::ignorant_of(const std::string& feature) const {
    std::vector<std::string> out;
    for (const auto& [name, member] : members_) {
        if (std::ranges::find(member.features, feature) == member.features.end()) {
            out.push_back(name);
        }
    }
    return out;
}

/// Not at once: while a new program is tried, the old one can come back.
void cluster_core::turn_features_on(std::int64_t now_ms, actions& out) {
    auto next = settings_.features;
    std::erase_if(next, [this](const std::string& feature) { return !ignorant_of(feature).empty(); });
    if (next != next_features_) {
        next_features_ = std::move(next);
        next_features_since_ms_ = now_ms;
    }
    const bool more = !std::ranges::includes(features_, next_features_);
    const bool settled = now_ms - next_features_since_ms_ >= settings_.features_after_ms;
    if (!more || !settled || !joined() || isolated_ || is_under_way(purpose::turn_on)) {
        return;
    }
    transaction what;
    what.when.push_back({std::string(features_key), features_revision_});
    for (const auto& [name, revision] : member_revisions_) { // as they were looked at; a new one looks for itself
        what.when.push_back({member_key(name), revision});
    }
    what.then.push_back({std::string(features_key), encode(next_features_)});
    commit({purpose::turn_on}, std::move(what), out);
}

// ---- leaving, since the others cannot be reached

void cluster_core::on_peer(const uuid& replica, bool connected) { connected_[replica] = connected; }

/// Whoever is alive at the coordinator and was not connected for too long.
bool cluster_core::is_out_of_reach(const uuid& id, std::int64_t now_ms) {
    const auto known = connected_.find(id);
    if (known != connected_.end() && known->second) {
        unreached_ms_.erase(id);
        return false;
    }
    const auto patience = known == connected_.end() ? settings_.connect_ms : settings_.isolated_ms;
    return now_ms - unreached_ms_.try_emplace(id, now_ms).first->second >= patience;
}

/// Of all that are alive a majority has to stay together, or half of them with the first one.
bool cluster_core::reaches_too_few(std::int64_t now_ms) {
    std::vector<uuid> alive{settings_.self.replica};
    std::vector<uuid> reached{settings_.self.replica};
    for (const auto& node : nodes_) {
        if (node.replica == settings_.self.replica) {
            continue;
        }
        if (!node.alive) {
            unreached_ms_.erase(node.replica);
            continue;
        }
        alive.push_back(node.replica);
        if (!is_out_of_reach(node.replica, now_ms)) {
            reached.push_back(node.replica);
        }
    }
    const bool half = 2 * reached.size() == alive.size();
    return 2 * reached.size() < alive.size() ||
           (half && *std::ranges::min_element(alive) < *std::ranges::min_element(reached));
}

void cluster_core::leave_or_come_back(std::int64_t now_ms, actions& out) {
    const bool alone = reaches_too_few(now_ms);
    if (alone && !isolated_ && joined_revision_ != 0) {
        isolated_ = true;
        joined_revision_ = 0; // it shows nothing from now on
    } else if (!alone && isolated_) {
        isolated_ = false;
        joined_lease_ = 0; // its key may be gone, or be about to go
    }
    if (isolated_ && joined() && !is_under_way(purpose::join) && !is_under_way(purpose::leave)) {
        const auto key = alive_key(settings_.self.name);
        commit({purpose::leave}, {{{key, own_revision_}}, {{key, std::nullopt}}}, out);
    }
}

void cluster_core::tell_retiring(actions& out) {
    const auto& me = settings_.self;
    if (alive_.at(me.name).retiring || is_under_way(purpose::retire) || is_under_way(purpose::join)) {
        return;
    }
    const auto key = alive_key(me.name);
    commit({purpose::retire},
           {{{key, own_revision_}}, {{key, to_json(alive_value{me.replica, me.incarnation, me.version, true}), true}}},
           out);
}

void cluster_core::commit(pending about, transaction what, actions& out) {
    const auto id = next_commit_++;
    commits_.emplace(id, std::move(about));
    out.emplace_back(commit_wanted{id, std::move(what)});
}

// ---- registers

void cluster_core::on_register_wanted(std::uint32_t shard, const replica_set& next, std::uint64_t over, actions& out) {
    const auto& known = shards_[shard];
    if (known.set.epoch != over) { // somebody was faster
        out.emplace_back(register_changed{shard, known.set});
        out.emplace_back(register_answered{shard, next.epoch, false});
        return;
    }
    transaction what;
    what.when.push_back({shard_key(shard), known.revision});
    what.then.push_back({shard_key(shard), encode_register(next)});
    const auto leader = name_of(known.set.leader);
    if (known.usurped_epoch == over && known.set.leader != settings_.self.replica && !leader.empty()) {
        what.when.push_back({alive_key(leader), 0}); // it may be there again, and show the shard
    }
    commit({purpose::change_shard, shard, next}, std::move(what), out);
}

void cluster_core::on_committed(std::uint64_t id, const expected<transaction_result>& result, actions& out) {
    const auto found = commits_.find(id);
    if (found == commits_.end()) {
        return;
    }
    const auto about = std::move(found->second);
    commits_.erase(found);
    if (about.why == purpose::leave || about.why == purpose::retire || about.why == purpose::turn_on) {
        return; // `on_changes` tells what came of it; else the next tick tries again
    }
    if (about.why == purpose::join) {
        if (result && result->applied) {
            joined_revision_ = result->revision;
        } else {
            joined_lease_ = 0; // once more, with the next tick
            for (const auto& e : result ? result->found : std::vector<entry>()) {
                take(e, out); // what stood in the way
            }
        }
        return;
    }
    const auto shard = about.shard;
    if (result) {
        shards_[shard].usurped_epoch = 0; // else it is asked for again
    }
    if (result && result->applied) {
        take_register(shard, encode_register(about.next), result->revision, out);
    } else if (result) {
        for (const auto& e : result->found) {
            take(e, out);
        }
    }
    out.emplace_back(
        register_answered{shard, about.next.epoch, result ? std::optional(result->applied) : std::nullopt});
}

void cluster_core::make_registers(actions& out) {
    if (!config_ || config_->founder != settings_.self.replica) {
        return;
    }
    for (std::uint32_t number = 0; number < shards_.size(); ++number) {
        const bool asked = std::ranges::any_of(commits_, [number](const auto& c) {
            return c.second.why == purpose::change_shard && c.second.shard == number;
        });
        if (shards_[number].set.epoch == 0 && !asked) {
            out.emplace_back(create_shard{number});
        }
    }
}

// ---- what is to be done next

void cluster_core::note_absences(std::int64_t now_ms) {
    for (auto& n : nodes_) {
        if (n.alive) {
            absent_since_ms_.erase(n.name);
        } else {
            const auto since = absent_since_ms_.try_emplace(n.name, now_ms).first->second;
            n.lost = now_ms - since >= settings_.replace_after_ms;
        }
    }
    for (auto& s : shards_) {
        const auto leader = std::ranges::find(nodes_, s.set.leader, &cluster_node::replica);
        if (leader != nodes_.end() && leader->alive) {
            s.ownerless_since_ms = -1;
        } else if (s.ownerless_since_ms < 0) {
            s.ownerless_since_ms = now_ms;
        }
    }
}

shard_situation cluster_core::situation_of(std::uint32_t number, const log_view& log, std::int64_t now_ms,
                                           std::size_t moving) const {
    const auto& known = shards_[number];
    return {.shard = number,
            .self = settings_.self.replica,
            .set = known.set,
            .takes = log.takes,
            .candidate = log.candidate,
            .commit = log.commit,
            .durable_at = log.durable_at,
            .ownerless_ms = known.ownerless_since_ms < 0 ? 0 : now_ms - known.ownerless_since_ms,
            .may_move = known.moving || moving < settings_.moves_max,
            .preferred = known.pin};
}

void cluster_core::tick(std::int64_t now_ms, const std::function<log_view(std::uint32_t shard)>& log_of, actions& out) {
    note_absences(now_ms);
    leave_or_come_back(now_ms, out);
    join(out);
    if (!joined() || turned_ || isolated_) {
        return;
    }
    make_registers(out);
    turn_features_on(now_ms, out);
    if (retiring_) {
        tell_retiring(out);
    }
    auto moving = static_cast<std::size_t>(std::ranges::count_if(shards_, &known_shard::moving));
    for (std::uint32_t number = 0; number < shards_.size(); ++number) {
        auto& known = shards_[number];
        const auto log = log_of(number);
        const auto now = situation_of(number, log, now_ms, moving);
        auto step = next_step(now, nodes_, settings_.rules);
        const bool moves = std::holds_alternative<change_step>(step) || std::holds_alternative<hand_over_step>(step) ||
                           is_moving(now, nodes_, settings_.rules);
        const bool mine = known.set.leader == settings_.self.replica && moves;
        moving += mine && !known.moving ? 1 : 0;
        known.moving = mine;
        if (std::holds_alternative<campaign_step>(step)) {
            known.usurped_epoch = known.set.epoch;
        }
        if (!std::holds_alternative<std::monostate>(step)) {
            out.emplace_back(take_step{number, std::move(step)});
        }
    }
}

} // namespace troupe::runtime::cluster
