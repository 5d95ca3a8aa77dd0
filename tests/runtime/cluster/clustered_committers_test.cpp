// The committer actors of three nodes, each with a driver, on CAF's deterministic scheduler: over a coordinator and
// links in memory, and stores on the disk. Nothing happens by itself.

#include "runtime/cluster/memory_coordinator.hpp"
#include "runtime/cluster/wiring.hpp"
#include "runtime/entity/actors.hpp"
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

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::cluster;
using namespace troupe::test;

namespace {

constexpr std::uint32_t shards = 4;
constexpr std::int64_t ttl_ms = 1000;
constexpr std::int64_t step_ms = 10;

class memory_links;

/// What connects them.
struct cables {
    run_queue frames;
    std::map<uuid, memory_links*> ends;
    std::set<uuid> cut;

    [[nodiscard]] bool connects(const uuid& a, const uuid& b) const {
        return ends.contains(a) && ends.contains(b) && !cut.contains(a) && !cut.contains(b);
    }
    void plug_in(const uuid& end);
};

class memory_links final : public links {
public:
    memory_links(cables& all, node_card mine) : all_(all), mine_(std::move(mine)) {}

    void start(links_listener& listener) override {
        listener_ = &listener;
        all_.ends[mine_.replica] = this;
    }
    void stop() override { all_.ends.erase(mine_.replica); }
    void set_peers(std::vector<peer_place> peers) override { peers_ = std::move(peers); }
    bool send(const uuid& to, lane on, shared_bytes frame) override {
        const bool known = std::ranges::find(peers_, to, &peer_place::replica) != peers_.end();
        if (!known || !all_.connects(mine_.replica, to)) {
            return false;
        }
        all_.frames.as_executor()([&all = all_, from = mine_.replica, to, on, frame] {
            if (all.connects(from, to)) {
                all.ends[to]->listener_->on_frame(from, on, *frame);
            }
        });
        return true;
    }
    void meet(const memory_links& other) const { listener_->on_up(other.mine_); }

private:
    cables& all_;
    node_card mine_;
    links_listener* listener_ = nullptr;
    std::vector<peer_place> peers_;
};

void cables::plug_in(const uuid& end) {
    cut.erase(end);
    for (const auto& [id, other] : ends) {
        if (id != end) {
            other->meet(*ends.at(end));
            ends.at(end)->meet(*other);
        }
    }
}

/// What all nodes share.
struct surroundings {
    deterministic host;
    std::int64_t now_ms = 1000;
    cables net;
    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
};

/// As much of a node as its committer needs.
struct small_node {
    small_node(std::size_t index, surroundings& in, std::uint8_t cluster_number = 1) : all(in), replica(id_of(index)) {
        storage::identity who;
        who.replica = replica;
        who.shards = shards;
        std::ofstream(directory.path / "identity.json") << to_json(who);
        storage::store_options options;
        options.directory = directory.path;
        store = std::move(storage::store::open(options).value());
        services.store = store.get();
        services.monotonic = [this] { return all.now_ms; };
        services.on_ownership = [this](std::uint32_t shard, bool now) { owned[shard] = now; };
        services.on_turned_away = [this](const problem& why) { turned = why; };
        services.end_process = [](std::string_view why) { BOOST_ERROR("a process ended: " << why); };
        settings.self.name = "n" + std::to_string(index + 1);
        settings.self.cluster.bytes[0] = cluster_number;
        settings.self.replica = replica;
        settings.self.incarnation = make_uuid();
        settings.self.shards = shards;
        settings.self.replication = 3;
        agreed = std::make_unique<memory_coordinator>(all.map, memory_settings{news.as_executor(), ttl_ms});
        peers = std::make_unique<memory_links>(all.net, settings.self);
        wires = std::make_unique<wiring>(*agreed, *peers);
        storage::log_options logs;
        logs.peers = wires.get();
        auto joined = std::move(storage::committer::join(*store, 0, logs).value());
        auto driver = std::make_unique<cluster::driver>(settings, *joined, *wires);
        committer = spawn_committer(all.host.system, services, std::move(joined), false, std::move(driver));
        wires->start([to = committer](driver_input input) { caf::anon_send(to, drive_msg{std::move(input)}); });
    }

    /// As a kill -9.
    void vanish() {
        agreed->vanish();
        peers->stop();
        caf::anon_send_exit(std::exchange(committer, nullptr), caf::exit_reason::kill);
        all.host.run();
        owned.assign(shards, false);
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
    std::unique_ptr<memory_coordinator> agreed;
    std::unique_ptr<memory_links> peers;
    std::unique_ptr<wiring> wires;
    committer_actor committer;
    std::vector<bool> owned = std::vector<bool>(shards);
    std::optional<problem> turned;
};

template <class T>
using answer = std::shared_ptr<std::optional<expected<T>>>;

class three_nodes {
public:
    three_nodes() {
        all.map->advance(all.now_ms);
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

} // namespace

BOOST_FIXTURE_TEST_SUITE(clustered_committers, three_nodes)

BOOST_AUTO_TEST_CASE(they_join_and_own_all_shards_between_them) {
    place_all();
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        BOOST_TEST(std::ranges::count_if(nodes, [&](auto& n) { return n->owned[shard]; }) == 1);
    }
}

BOOST_AUTO_TEST_CASE(an_append_is_answered_after_a_majority_and_an_activation_waits_for_it) {
    place_all();
    const auto a = entity();
    auto& owner = *shower_of(0);
    std::size_t told = 0;
    owner.services.on_committed = [&](const auto& records) { told += records.size(); };
    const auto first = activate(owner, a);
    BOOST_REQUIRE(first->has_value() && (*first)->has_value());
    all.net.cut.insert(owner.replica);
    const auto done = append(owner, a, ***first);
    const auto second = activate(owner, a);
    BOOST_TEST(!done->has_value());
    BOOST_TEST(!second->has_value());
    BOOST_TEST(told == 0u);
    all.net.plug_in(owner.replica); // and it sends again what was lost
    settle();
    BOOST_REQUIRE(done->has_value());
    BOOST_TEST((*done)->has_value());
    BOOST_TEST(told == 1u);
    BOOST_REQUIRE(second->has_value() && (*second)->has_value());
    BOOST_TEST((*second)->value().version == 1u);
    for (const auto& n : nodes) {
        BOOST_TEST((log_of(*n->store, 0).back().command_id == "c1"));
    }
}

BOOST_AUTO_TEST_CASE(who_does_not_own_a_shard_refuses) {
    place_all();
    const auto a = entity();
    auto& other = **std::ranges::find_if(nodes, [](auto& n) { return !n->owned[0]; });
    const auto active = activate(other, a);
    BOOST_REQUIRE(active->has_value() && (*active)->has_error());
    BOOST_TEST(((*active)->error().code == code::unavailable));
    const auto done = append(other, a, {});
    BOOST_REQUIRE(done->has_value() && (*done)->has_error());
    BOOST_TEST(((*done)->error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(shards_of_one_that_goes_away_are_taken_by_others) {
    place_all();
    const auto a = entity();
    write(a);
    auto& gone = *shower_of(0);
    gone.vanish();
    until("the others own every shard", [&] {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            if (shower_of(shard) == nullptr) {
                return false;
            }
        }
        return true;
    });
    auto& owner = *shower_of(0);
    BOOST_TEST(&owner != &gone);
    const auto active = activate(owner, a);
    BOOST_REQUIRE(active->has_value() && (*active)->has_value());
    BOOST_TEST((*active)->value().version == 1u); // what was answered is there
    write(a);
}

BOOST_AUTO_TEST_CASE(an_append_in_flight_ends_with_the_ownership) {
    place_all();
    const auto a = entity();
    auto& owner = *shower_of(0);
    const auto first = activate(owner, a);
    all.net.cut.insert(owner.replica);
    const auto done = append(owner, a, ***first);
    const auto second = activate(owner, a);
    owner.agreed->keep_alive(false);
    until("it hears of its successor", [&] { return done->has_value(); });
    BOOST_REQUIRE((*done)->has_error());
    BOOST_TEST(((*done)->error().code == code::unknown_outcome));
    BOOST_TEST(!owner.owned[0]);
    BOOST_REQUIRE(second->has_value() && (*second)->has_error());
    BOOST_TEST(((*second)->error().code == code::unavailable));
}

// News of the new lease come in one burst with those of who took the shards meanwhile: `run_actors` sees whether two
// nodes show one.
BOOST_AUTO_TEST_CASE(a_new_lease_counts_only_when_it_was_told_which_shards_are_lost) {
    place_all();
    auto& before = *shower_of(0);
    all.net.cut.insert(before.replica);
    before.agreed->keep_alive(false);
    until("its lease is over", [&] { return !has_key(alive_key(before.settings.self.name)); });
    before.hears = false;
    before.agreed->keep_alive(true);
    before.news.run_some(1); // that it is over
    until("another one shows its shard", [&] { return shower_of(0) != nullptr; });
    BOOST_TEST(shower_of(0) != &before);
    BOOST_TEST(before.owned[0]); // as far as it knows
    before.news.run_some(1);     // the new one: it joins again
    settle();
    before.hears = true;
    settle();
    BOOST_TEST(!before.owned[0]);
    BOOST_TEST(before.services.serves_until_ms > all.now_ms);
}

BOOST_AUTO_TEST_CASE(who_is_there_again_keeps_its_shards_though_others_have_not_heard_of_it) {
    place_all();
    auto& owner = *shower_of(0);
    all.net.cut.insert(owner.replica);
    owner.agreed->keep_alive(false);
    until("its lease is over", [&] { return !has_key(alive_key(owner.settings.self.name)); });
    for (auto& n : nodes) {
        n->hears = n.get() == &owner;
    }
    owner.agreed->keep_alive(true);
    settle();
    BOOST_TEST(owner.shows(0));
    owner.hears = false; // not of a successor either
    for (int i = 0; i < 10; ++i) {
        step(); // the others believe it gone
    }
    for (auto& n : nodes) {
        n->hears = n.get() != &owner;
    }
    for (int i = 0; i < 20; ++i) {
        step();
    }
    BOOST_TEST(owner.shows(0));
}

BOOST_AUTO_TEST_CASE(a_node_of_another_cluster_is_turned_away) {
    place_all();
    nodes.push_back(std::make_unique<small_node>(3, all, 2));
    settle();
    BOOST_REQUIRE(nodes.back()->turned.has_value());
    BOOST_TEST((nodes.back()->turned->code == code::config_invalid));
    BOOST_TEST(nodes.back()->services.serves_until_ms == 0);
}

BOOST_AUTO_TEST_SUITE_END()
