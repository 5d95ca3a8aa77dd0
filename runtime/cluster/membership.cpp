#include "runtime/cluster/membership.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"

#include <caf/send.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

namespace troupe::runtime::cluster {

storage::common_identity common_identity_of(const cluster_file& file) {
    return {file.cluster, file.default_organization, file.hash_seed};
}

namespace {

node_card card_of(const cluster_place& place, const storage::identity& who) {
    node_card out;
    out.cluster = place.file.cluster;
    out.name = place.name;
    out.replica = who.replica;
    out.incarnation = make_uuid();
    out.shards = who.shards;
    out.hash = who.hash;
    out.hash_seed = who.hash_seed;
    out.replication = place.file.copies;
    out.version = TROUPE_VERSION;
    return out;
}

/// Each follows all shards, so every one more takes of all writes.
constexpr std::size_t nodes_max = 16;

cluster_settings settings_of(const cluster_place& place, const connections& ways, node_card self) {
    cluster_settings out;
    out.self = std::move(self);
    out.address = ways.address;
    out.port = ways.port;
    out.replace_after_ms = place.file.replace_after_ms;
    out.features_after_ms = place.file.features_after_ms;
    out.features = place.features;
    out.moves_max = 32; // at first every shard comes to every node
    out.members_max = nodes_max;
    out.founder = place.file.founder;
    out.founds = place.founds;
    return out;
}

command_ports command_ports_of(const host_services& host, const node_ports& ports) {
    command_ports out;
    out.self = host.store->who().replica;
    out.store = host.store;
    out.take = ports.take;
    out.publish = ports.publish;
    out.serves_until_ms = [&host] { return host.serves_until_ms.load(); };
    out.monotonic = host.monotonic;
    return out;
}

blob_ports blob_ports_of(const host_services& host) {
    blob_ports out;
    out.self = host.store->who().replica;
    out.store = host.store;
    return out;
}

std::unique_ptr<shared_keys> keys_of(const host_services& host, coordinator& agreed, bool founds) {
    shared_keys_settings settings;
    settings.on_refused = end_turned_away;
    settings.founds = founds;
    auto* keys = host.store->keys();
    return keys ? std::make_unique<shared_keys>(*keys, agreed, std::move(settings)) : nullptr;
}

child_placement_settings placed_settings_of(const cluster_place& place, const node_card& self) {
    child_placement_settings out;
    out.name = self.name;
    out.replica = self.replica;
    out.incarnation = self.incarnation;
    out.margin_ms = std::min<std::int64_t>(place.file.lease_ms / 4, 2000);
    return out;
}

placed_ports placed_ports_of(coordinator& agreed, const host_services& host, const node_ports& ports) {
    placed_ports out;
    out.runner = ports.placed;
    out.commit = [&agreed](transaction what, auto done) { agreed.commit(std::move(what), std::move(done)); };
    out.monotonic = host.monotonic;
    out.end_process = host.end_process;
    return out;
}

/// What is at work for an entity has to be over when another node may begin it.
constexpr std::int64_t lease_margin_ms = 250;
/// What needs a look at all shards is measured every so many ticks: a second.
constexpr std::uint64_t measure_ticks = 20;

problem unknown_node(const std::string& name) {
    return {code::not_found, "the cluster has no node \"" + name + "\": `troupe cluster nodes` lists them"};
}

} // namespace

expected<std::unique_ptr<membership>> membership::make(const cluster_place& place, host_services& host,
                                                       node_ports ports) {
    auto self = card_of(place, host.store->who());
    auto ways = place.connect(self);
    if (!ways) {
        return ways.error();
    }
    return std::unique_ptr<membership>(
        new membership(place, std::move(*ways), std::move(self), host, std::move(ports)));
}

membership::membership(const cluster_place& place, connections ways, node_card self, host_services& host,
                       node_ports ports)
    : host_(host),
      ports_(std::move(ports)),
      ways_(std::move(ways)),
      settings_(settings_of(place, ways_, std::move(self))),
      commands_(*ways_.peers, command_ports_of(host, ports_)),
      keys_(keys_of(host, *ways_.agreed, place.founds)),
      blobs_(*ways_.peers, blob_ports_of(host)),
      placed_(placed_settings_of(place, settings_.self), placed_ports_of(*ways_.agreed, host, ports_)),
      wires_(*ways_.agreed, *ways_.peers, &commands_, keys_.get(), &blobs_, &placed_),
      owned_(host.store->who().shards),
      active_(host.store->who().shards) {
    wires_.listen([this](const cluster_core& core) { note(core); });
    settings_.may_found = [this] { return !keys_ || keys_->is_published(); };
    extend_host();
}

void membership::extend_host() {
    storage::attach_blob_peers(*host_.store, blobs_);
    host_.serves_until_ms = 0;
    host_.features.set({}); // before it is known what the others can read
    host_.reroute = [this](held_ptr held) { commands_.forward(std::move(held)); };
    host_.owns = [this](std::uint32_t shard) { return active_[shard].load(); };
    host_.on_ownership = [this](std::uint32_t shard, bool owned) { on_ownership(shard, owned); };
    host_.on_applied = [this](std::uint32_t shard) {
        ports_.applied(shard);
        commands_.on_applied();
    };
    host_.on_tick = [this] { on_tick(); };
    host_.on_turned_away = end_turned_away;
}

expected<membership::engine> membership::join(std::uint64_t free_bytes_min) {
    storage::log_options options;
    options.peers = &wires_;
    auto joined = storage::committer::join(*host_.store, free_bytes_min, options);
    if (!joined) {
        return joined.error();
    }
    engine out{std::move(*joined), nullptr};
    out.driver = std::make_unique<cluster::driver>(settings_, *out.committer, wires_);
    return out;
}

// ---- from the committer

void membership::on_ownership(std::uint32_t shard, bool owned) {
    owned_[shard] = owned;
    tell_router(shard, is_active(shard, *commands_.leaders()));
}

/// Without a lease that is good for a while, or without a quorum, a shard is as good as not owned: entities leave, what
/// is at work for them stops, and commands look for an owner, until they are told that there is none.
bool membership::is_active(std::uint32_t shard, const shard_leaders& leaders) const {
    return owned_[shard] && serving_ && leaders[shard] == settings_.self.replica;
}

void membership::on_tick() {
    serving_ = host_.serves_until_ms > host_.monotonic() + lease_margin_ms;
    if (serving_ && settings_.founds) {
        end_founding();
    }
    const auto leaders = commands_.leaders();
    for (std::uint32_t shard = 0; shard < owned_.size(); ++shard) {
        tell_router(shard, is_active(shard, *leaders));
    }
    if (const auto newest = glance()) {
        placed_.note(newest->nodes, host_.serves_until_ms);
    }
    commands_.on_tick();
    tell_news();
    if (++ticks_ % measure_ticks == 0) {
        post([this](const driver& d) { measure(d); });
    }
}

/// To the readers here: those of other nodes hear it from theirs. A tick collects what comes at once, as at a
/// fail-over.
void membership::tell_news() {
    const auto newest = glance();
    if (!newest) {
        return;
    }
    auto now = *newest;
    now.serving = serving_;
    if (!told_ && !serving_) {
        return; // it has not come up yet
    }
    if (told_ && *told_ != now) {
        leader_changes_ += leaders_changed(*told_, now);
        for (auto& one : news_between(*told_, now)) {
            ports_.publish({{},
                            system_now(),
                            "cluster",
                            std::move(one.kind),
                            std::move(one.data),
                            host_.store->who().default_organization});
        }
    }
    told_ = std::move(now);
}

void membership::measure(const driver& d) {
    lag_entries_ = d.lag_entries();
    checkpoints_sent_ = d.checkpoints_sent();
    checkpoints_received_ = d.checkpoints_received();
}

/// Before anything is decided: from now on the directory is one of several, and never founds the cluster again.
void membership::end_founding() {
    const cluster_mark now{settings_.self.cluster, settings_.self.name};
    if (auto written = write_mark(host_.store->directory(), now); !written) {
        end_turned_away(written.error());
    }
    settings_.founds = false;
    log_for("cluster").info("the cluster is founded with what this data directory holds");
}

void membership::tell_router(std::uint32_t shard, bool owned) {
    if (active_[shard].exchange(owned) == owned) {
        return;
    }
    // Commands come to a router that owns its shard; one that does not would send them back.
    if (owned) {
        ports_.own(shard, true);
    }
    commands_.on_ownership(shard, owned);
    if (!owned) {
        ports_.own(shard, false);
    }
}

void membership::note(const cluster_core& core) {
    if (*host_.features.get() != core.features()) {
        host_.features.set(core.features());
        log_for("cluster").info("features that are on: {}", fmt::join(core.features(), ", "));
    }
    auto now = glance_of(core);
    if (now.nodes.empty()) {
        return; // the map has not been read
    }
    const std::lock_guard lock(mutex_);
    if (!glance_ || *glance_ != now) {
        glance_ = std::make_shared<const cluster_glance>(std::move(now));
    }
}

std::shared_ptr<const cluster_glance> membership::glance() const {
    const std::lock_guard lock(mutex_);
    return glance_;
}

cluster_statistics membership::statistics() const {
    cluster_statistics out;
    const auto now = glance();
    const auto& self = settings_.self.replica;
    for (const auto& node : now ? now->nodes : std::vector<cluster_node>()) {
        ++(node.alive ? out.nodes_up : out.nodes_down);
        out.nodes_draining += node.alive && node.draining ? 1 : 0;
    }
    for (const auto& shard : now ? now->shards : std::vector<shard_glance>()) {
        out.shards_led += shard.leader == self ? 1 : 0;
        out.shards_held += shard.held ? 1 : 0;
        out.shards_closed += shard.open ? 0 : 1;
    }
    out.lease_left_ms = std::max<std::int64_t>(0, host_.serves_until_ms - host_.monotonic());
    const auto counts = commands_.counts();
    out.peers = counts.peers;
    out.commands_sent = counts.sent;
    out.commands_taken = counts.taken;
    out.read_rounds = counts.read_rounds;
    out.leader_changes = leader_changes_;
    out.checkpoints_sent = checkpoints_sent_;
    out.checkpoints_received = checkpoints_received_;
    out.lag_entries = lag_entries_;
    return out;
}

// ---- its life

void membership::start(committer_actor to) {
    {
        const std::lock_guard lock(mutex_);
        to_ = to;
    }
    blobs_.start();
    placed_.start();
    wires_.start([to = std::move(to)](driver_input input) { caf::anon_send(to, drive_msg{std::move(input)}); });
}

namespace {

/// How often it is looked at what the node still leads.
constexpr auto retiring_look = std::chrono::milliseconds(20);

bool has_others(const cluster_glance& all, const uuid& self) {
    return std::ranges::any_of(all.nodes,
                               [&](const cluster_node& n) { return n.replica != self && n.alive && !n.draining; });
}

} // namespace

bool membership::retire(std::int64_t time_ms) {
    post([](driver& d) { d.retire(); });
    const auto& self = settings_.self.replica;
    const auto leads = [&](const shard_glance& s) { return s.leader == self && s.open; };
    const auto deadline = monotonic_ms() + time_ms;
    for (auto now = glance(); now && has_others(*now, self); now = glance()) {
        if (std::ranges::none_of(now->shards, leads)) {
            return true;
        }
        if (monotonic_ms() >= deadline) {
            log_for("cluster").warn("other nodes did not take over in {} ms all that this one led", time_ms);
            return true;
        }
        std::this_thread::sleep_for(retiring_look);
    }
    return false;
}

void membership::stop() {
    committer_actor to;
    {
        const std::lock_guard lock(mutex_);
        to.swap(to_);
    }
    if (to) {
        wires_.stop();
        blobs_.stop();
    }
}

// ---- for people

void membership::post(driver_input input) {
    const std::lock_guard lock(mutex_);
    if (to_) {
        caf::anon_send(to_, drive_msg{std::move(input)});
    }
}

void membership::look(std::function<void(cluster_view)> then) {
    post([this, then = std::move(then)](driver& d) {
        auto view = view_of(d.core(), monotonic_ms());
        view.summary.contents_complete = blobs_.is_complete();
        then(std::move(view));
    });
}

void membership::change_member(
    std::string name, changed done,
    std::function<expected<transaction>(const cluster_core& core, const known_member& member)> make) {
    post([this, name = std::move(name), done = std::move(done), make = std::move(make)](driver& d) {
        const auto member = d.core().member(name);
        if (!member) {
            done(unknown_node(name));
            return;
        }
        auto what = make(d.core(), *member);
        if (!what) {
            done(what.error());
            return;
        }
        ways_.agreed->commit(std::move(*what), [done, name](const expected<transaction_result>& result) {
            if (result && !result->applied) {
                done(problem{code::conflict, "the node \"" + name + "\" was changed by somebody else: try again"});
            } else {
                done(result ? expected<void>() : expected<void>(result.error()));
            }
        });
    });
}

void membership::set_draining(std::string name, bool draining, changed done) {
    change_member(
        name, std::move(done),
        [name, draining](const cluster_core&, const known_member& member) -> expected<transaction> {
            auto now = member.value;
            now.draining = draining;
            return transaction{{{member_key(name), member.revision}}, {{member_key(name), to_json(now), false}}};
        });
}

void membership::drain(std::string name, changed done) { set_draining(std::move(name), true, std::move(done)); }
void membership::resume(std::string name, changed done) { set_draining(std::move(name), false, std::move(done)); }

expected<void> check_leads(const std::vector<cluster_node>& nodes, const std::string& name) {
    const auto node = std::ranges::find(nodes, name, &cluster_node::name);
    if (node == nodes.end()) {
        return unknown_node(name);
    }
    if (!node->alive || node->draining) {
        return problem{code::conflict, "the node \"" + name + "\" is " + (node->alive ? "being drained" : "down") +
                                           ": move the shard to another one"};
    }
    return {};
}

void membership::move(std::uint32_t shard, std::string name, changed done) {
    change_member(name, std::move(done),
                  [name, shard](const cluster_core& core, const known_member& member) -> expected<transaction> {
                      if (auto possible = check_leads(core.nodes(), name); !possible) {
                          return possible.error();
                      }
                      return transaction{{{member_key(name), member.revision}},
                                         {{pin_key(shard), to_json(pin_value{member.value.replica}), false}}};
                  });
}

void membership::move_back(std::uint32_t shard, changed done) {
    post([this, shard, done = std::move(done)](driver&) {
        ways_.agreed->commit({{}, {{pin_key(shard), std::nullopt, false}}},
                             [done](const expected<transaction_result>& result) {
                                 done(result ? expected<void>() : expected<void>(result.error()));
                             });
    });
}

void membership::remove(std::string name, changed done) {
    change_member(name, std::move(done),
                  [name](const cluster_core& core, const known_member& member) -> expected<transaction> {
                      const auto node = std::ranges::find(core.nodes(), name, &cluster_node::name);
                      if (node != core.nodes().end() && node->alive) {
                          return problem{code::conflict, "the node \"" + name +
                                                             "\" is up: stop it first, and wait for its lease to end"};
                      }
                      return transaction{{{member_key(name), member.revision}, {alive_key(name), 0}},
                                         {{member_key(name), std::nullopt, false}}};
                  });
}

void end_turned_away(const problem& why) {
    auto& log = log_for("cluster");
    log.critical("the cluster does not take this node: {}", why.detail);
    log.flush();
    std::_Exit(1);
}

} // namespace troupe::runtime::cluster
