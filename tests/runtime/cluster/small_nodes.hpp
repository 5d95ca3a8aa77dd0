#pragma once

// Nodes of a cluster as far as their commands go: routers, entities, committer and driver, on CAF's deterministic
// scheduler, over a coordinator and links in memory, and stores on the disk. Nothing happens by itself.

#include "runtime/cluster/blob_exchange.hpp"
#include "runtime/cluster/command_lane.hpp"
#include "runtime/cluster/memory_coordinator.hpp"
#include "runtime/cluster/wiring.hpp"
#include "runtime/entity/actors.hpp"
#include "tests/runtime/album.hpp"
#include "tests/runtime/cluster/memory_links.hpp"
#include "tests/runtime/counter.hpp"
#include "tests/runtime/deterministic.hpp"
#include "tests/storage/replicas.hpp"
#include "tests/temporary_directory.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

using namespace runtime;
using namespace runtime::cluster;

inline constexpr std::uint32_t shards = 4;
inline constexpr std::int64_t ttl_ms = 1000;
inline constexpr std::int64_t step_ms = 10;

/// What each keeps for others, and how it sends what it does not.
struct keep_settings {
    storage::log_options logs;
    checkpoint_settings checkpoints;
    std::int64_t replace_after_ms = 600'000; ///< A node that is away.
    /// Fills the directory of the first node, which was alone before: it founds the cluster.
    std::function<void(const std::filesystem::path& directory)> fill = {};
};

/// What all nodes share.
struct surroundings {
    deterministic host;
    std::int64_t now_ms = 1000;
    cables net;
    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
    std::function<void(const std::function<bool()>&)> until; ///< Lets happen what has to.
    keep_settings keep;
};

/// As much of a node as its committer needs.
struct small_node {
    small_node(std::size_t index, surroundings& in, std::uint8_t cluster_number = 1) : all(in), replica(id_of(index)) {
        storage::identity who;
        who.replica = replica;
        who.shards = shards;
        std::ofstream(directory.path / "identity.json") << to_json(who);
        services.monotonic = [this] { return all.now_ms; };
        services.on_ownership = [this](std::uint32_t shard, bool now) {
            owned[shard] = now;
            caf::anon_send(routers[shard], ownership_msg{now});
            commands->on_ownership(shard, now);
        };
        services.on_applied = [this](std::uint32_t) { commands->on_applied(); };
        services.on_tick = [this] {
            commands->on_tick();
            blob_jobs.as_executor()([this] { blobs->tick(); });
        };
        services.clock = [this] { return timestamp{1'700'000'000'000 + all.now_ms + clock_ahead_ms}; };
        services.reroute = [this](held_ptr held) { commands->forward(std::move(held)); };
        kinds.emplace("counter", make_kind<counter_model>());
        kinds.emplace("album", make_kind<album_model>());
        services.kinds = &kinds;
        services.on_turned_away = [this](const problem& why) { turned = why; };
        services.end_process = [](std::string_view why) { BOOST_ERROR("a process ended: " << why); };
        settings.self.name = "n" + std::to_string(index + 1);
        settings.self.cluster.bytes[0] = cluster_number;
        settings.self.replica = replica;
        settings.self.shards = shards;
        settings.self.replication = 3;
        settings.replace_after_ms = all.keep.replace_after_ms;
        if (all.keep.fill) {
            settings.founder = id_of(0);
            settings.founds = index == 0;
        }
        if (settings.founds) {
            all.keep.fill(directory.path);
        }
        start();
    }

    /// Begins, or begins again after `vanish`.
    void start() {
        wires.reset();
        store.reset();
        storage::store_options options;
        options.directory = directory.path;
        store = std::move(storage::store::open(options).value());
        services.store = store.get();
        services.shard_times = std::vector<std::atomic<std::int64_t>>(shards);
        services.dispatch = [this](command c, reply_port port) { submit(std::move(c), std::move(port)); };
        settings.self.incarnation = make_uuid();
        agreed = std::make_unique<memory_coordinator>(all.map, memory_settings{news.as_executor(), ttl_ms});
        peers = std::make_unique<memory_links>(all.net, settings.self);
        commands = std::make_unique<command_lane>(
            *peers, command_ports{.self = replica,
                                  .store = store.get(),
                                  .take = [this](held_ptr held) { take(std::move(held)); },
                                  .serves_until_ms = [this] { return services.serves_until_ms.load(); },
                                  .monotonic = [this] { return all.now_ms; }});
        blobs = std::make_unique<blob_exchange>(
            *peers, blob_ports{.self = replica,
                               .store = store.get(),
                               .monotonic = [this] { return all.now_ms; },
                               .post = blob_jobs.as_executor(),
                               .wait = [this](const auto& is_over) { all.until(is_over); }});
        storage::attach_blob_peers(*store, *blobs);
        wires = std::make_unique<wiring>(*agreed, *peers, commands.get(), nullptr, blobs.get());
        auto logs = all.keep.logs;
        logs.peers = wires.get();
        auto joined = std::move(storage::committer::join(*store, 0, logs).value());
        auto driver = std::make_unique<cluster::driver>(settings, *joined, *wires, all.keep.checkpoints);
        committer = spawn_committer(all.host.system, services, std::move(joined), false, std::move(driver));
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            routers.push_back(spawn_shard(all.host.system, services, committer, shard));
        }
        wires->start([to = committer](driver_input input) { caf::anon_send(to, drive_msg{std::move(input)}); });
    }

    /// As a kill -9.
    void vanish() {
        agreed->vanish();
        peers->stop();
        services.dispatch = [](command, const reply_port&) {};
        for (auto& router : std::exchange(routers, {})) {
            caf::anon_send_exit(router, caf::exit_reason::kill);
        }
        caf::anon_send_exit(std::exchange(committer, nullptr), caf::exit_reason::kill);
        all.host.run();
        owned.assign(shards, false);
    }
    void take(held_ptr held) {
        if (is_up()) {
            const auto shard = store->shard_of(held->command.to);
            caf::anon_send(routers[shard], submit_msg{std::move(held)});
        }
    }
    /// A command that comes to this node.
    void submit(command c, reply_port port) {
        auto held = std::make_shared<held_command>();
        if (c.id.empty()) {
            c.id = storage::fresh_command_mark + to_string(make_uuid());
        }
        held->command = std::move(c);
        held->port = std::move(port);
        commands->forward(std::move(held));
    }
    [[nodiscard]] bool is_up() const { return committer != nullptr; }
    /// Whether a reader would be shown the shard.
    [[nodiscard]] bool shows(std::uint32_t shard) const {
        return owned[shard] && services.serves_until_ms > all.now_ms;
    }

    surroundings& all;
    uuid replica;
    temporary_directory directory;
    std::unique_ptr<storage::store> store;
    host_services services;
    cluster_settings settings;
    run_queue news; ///< Of the coordinator.
    bool hears = true;
    std::int64_t clock_ahead_ms = 0; ///< Of the others'.
    std::unique_ptr<memory_coordinator> agreed;
    std::unique_ptr<memory_links> peers;
    std::unique_ptr<command_lane> commands;
    run_queue blob_jobs; ///< Of the thread of blobs.
    std::unique_ptr<blob_exchange> blobs;
    std::unique_ptr<wiring> wires;
    kind_registry kinds;
    committer_actor committer;
    std::vector<shard_actor> routers;
    std::vector<bool> owned = std::vector<bool>(shards);
    std::optional<problem> turned;
};

template <class T>
using answer = std::shared_ptr<std::optional<expected<T>>>;

class three_nodes {
public:
    explicit three_nodes(const keep_settings& keep = {}) {
        all.keep = keep;
        all.map->advance(all.now_ms);
        all.until = [this](const std::function<bool()>& is_over) { until("an answer of other nodes", is_over); };
        for (std::size_t i = 0; i < 3; ++i) {
            nodes.push_back(std::make_unique<small_node>(i, all));
        }
    }
    ~three_nodes() {
        for (auto& n : nodes) {
            if (n->is_up()) {
                n->vanish();
            }
            n->wires.reset(); // it holds the committer
        }
        all.host.scheduler.clock().cancel_all();
    }

    /// All that happens without time.
    void settle() {
        for (bool more = true; more;) {
            more = all.net.frames.run_some() > 0;
            for (auto& n : nodes) {
                more = (n->hears && n->is_up() && n->news.run_some() > 0) || more;
                more = (n->is_up() && n->blob_jobs.run_some() > 0) || more;
            }
            more = run_actors() || more;
        }
    }
    bool run_actors() {
        bool ran = false;
        while (all.host.scheduler.try_run_once()) {
            ran = true;
            for (std::uint32_t shard = 0; shard < shards; ++shard) {
                require(std::ranges::count_if(nodes, [&](auto& n) { return n->shows(shard); }) <= 1,
                        "a shard is shown by one node");
            }
        }
        return ran;
    }
    void step() {
        all.now_ms += step_ms;
        all.map->advance(all.now_ms);
        all.host.scheduler.advance_time(std::chrono::milliseconds(step_ms));
        settle();
    }
    void until(const char* what, const std::function<bool()>& holds) {
        for (int i = 0; !holds(); ++i) {
            require(i < 3000, std::string("it comes to this: ") + what);
            step();
        }
    }

    small_node* shower_of(std::uint32_t shard) {
        const auto found = std::ranges::find_if(nodes, [&](auto& n) { return n->shows(shard); });
        return found == nodes.end() ? nullptr : found->get();
    }
    [[nodiscard]] std::map<std::uint32_t, storage::replication::replica_set> registers() const {
        std::map<std::uint32_t, storage::replication::replica_set> out;
        for (const auto& e : all.map->entries()) {
            if (const auto shard = shard_of_key(e.key)) {
                out[*shard] = decode_register(e.value).value();
            }
        }
        return out;
    }
    [[nodiscard]] bool has_key(const std::string& key) const {
        return std::ranges::any_of(all.map->entries(), [&](const entry& e) { return e.key == key; });
    }
    /// Until each shard is where it belongs.
    void place_all() {
        std::vector<cluster_node> known;
        for (const auto& n : nodes) {
            known.push_back({n->replica, n->settings.self.name});
        }
        until("every shard has three voters and its owner", [&] {
            const auto sets = registers();
            return sets.size() == shards && std::ranges::all_of(sets, [&](const auto& one) {
                       const auto* owner = shower_of(one.first);
                       return one.second.voters.size() == 3 && one.second.learners.empty() && owner != nullptr &&
                              owner->replica == place(one.first, known, 3).front();
                   });
        });
    }

    /// Of shard 0.
    entity_address entity() const {
        entity_address a{system_organization, "counter", make_uuid()};
        while (nodes.front()->store->shard_of(a) != 0) {
            a.id = make_uuid();
        }
        return a;
    }
    answer<storage::activation> activate(small_node& at, const entity_address& a) {
        auto out = std::make_shared<std::optional<expected<storage::activation>>>();
        all.host.system.spawn([=, to = at.committer](caf::event_based_actor* self) {
            self->request(to, caf::infinite, activate_msg{a}).then([out](activated_msg& m) { *out = m.result; });
        });
        settle();
        return out;
    }
    answer<storage::appended> append(small_node& at, const entity_address& a, const storage::activation& by) {
        auto what = std::make_shared<storage::append>();
        what->entity = a;
        what->activation = by.id;
        what->expected_version = by.version;
        storage::record r;
        r.entity = a;
        r.entity_seq = by.version + 1;
        r.command_id = "c" + std::to_string(by.version + 1);
        r.type = "happened";
        r.payload = "{}";
        what->records.push_back(std::move(r));
        auto out = std::make_shared<std::optional<expected<storage::appended>>>();
        all.host.system.spawn([=, to = at.committer](caf::event_based_actor* self) {
            self->request(to, caf::infinite, append_msg{what}).then([out](appended_msg& m) { *out = m.result; });
        });
        settle();
        return out;
    }
    /// One event, through whoever owns the shard.
    void write(const entity_address& a) {
        auto& owner = *shower_of(0);
        const auto active = activate(owner, a);
        BOOST_REQUIRE(active->has_value() && (*active)->has_value());
        const auto done = append(owner, a, ***active);
        BOOST_REQUIRE(done->has_value() && (*done)->has_value());
    }

    surroundings all;
    std::vector<std::unique_ptr<small_node>> nodes;
};

} // namespace troupe::test
