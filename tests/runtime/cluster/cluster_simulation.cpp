// Whole nodes in small: the driver with the core of the cluster, the committer with its logs on simulated disks, and
// the coordinator in memory, on one clock. Nodes crash and freeze, frames are lost and late, the coordinator cannot be
// reached, by one or by all. A failure prints its seed; TROUPE_SEED=<seed> runs that one again, TROUPE_SEEDS=<count>
// more of them.

#include "runtime/cluster/driver.hpp"
#include "runtime/cluster/memory_coordinator.hpp"
#include "storage/committer.hpp"
#include "storage/keys.hpp"
#include "tests/seeds.hpp"
#include "tests/storage/replicas.hpp"
#include "tests/storage/simulated_disk.hpp"
#include "tests/storage/simulated_env.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::replication;
using namespace troupe::runtime::cluster;
using namespace troupe::test;

namespace {

constexpr std::uint32_t shards = 4;
constexpr std::int64_t ttl_ms = 1000;
constexpr std::int64_t run_ms = 12'000;

struct frame {
    std::size_t from = 0;
    std::size_t to = 0;
    std::int64_t at_ms = 0;
    std::string bytes;
    bool bulk = false;
};

/// What all nodes share.
struct surroundings {
    surroundings(std::uint64_t seed, std::size_t kept, bool trimming)
        : random(seed), kept_bytes(kept), trims(trimming) {}
    seeded_random random;
    std::size_t kept_bytes; ///< Of each shard's groups.
    bool trims;             ///< Nodes let the oldest part of their logs go.
    std::size_t installed = 0;
    std::int64_t now_ms = 1000;
    std::vector<frame> net;
    std::vector<std::function<bool(std::size_t from)>>
        reaches; ///< Of each node: whether another one is connected with it.
    std::shared_ptr<memory_map> map = std::make_shared<memory_map>();
};

/// A node: what the runtime's threads are to these parts, the steps of this class are here.
class node : log_peers, driver_port {
public:
    node(std::size_t index, std::uint64_t seed, surroundings& all)
        : index_(index), all_(all), disk(seed + index, directory_.path.string()), env_(disk, wall_ms_) {
        identity who;
        who.replica = id_of(index);
        who.shards = shards;
        std::ofstream(directory_.path / "identity.json") << to_json(who);
    }
    ~node() override { stop(); }

    [[nodiscard]] bool is_up() const { return committer != nullptr; }
    [[nodiscard]] bool reads(std::uint32_t shard) const { return is_up() && driver->serves(shard, all_.now_ms); }

    void start() {
        disk.disarm();
        disk.restart();
        store_options options;
        options.directory = directory_.path;
        options.cache_bytes = 1 << 20;
        options.write_buffer_bytes = 2 << 20;
        options.env = env_.env();
        auto opened = store::open(options);
        require(opened.has_value(), "a store opens: " + (opened ? "" : opened.error().detail));
        kept = std::move(*opened);
        log_options logs;
        logs.peers = this;
        logs.changes_bytes = all_.kept_bytes;
        logs.tail_bytes = std::min(logs.tail_bytes, all_.kept_bytes);
        auto made = storage::committer::join(*kept, 0, logs);
        require(made.has_value(), "a committer joins: " + (made ? "" : made.error().detail));
        committer = std::move(*made);
        cluster_settings s;
        s.self.name = "n" + std::to_string(index_ + 1);
        s.self.replica = id_of(index_);
        s.self.incarnation.bytes[0] = static_cast<std::uint8_t>(index_ + 1);
        s.self.incarnation.bytes[1] = ++lives_;
        s.self.shards = shards;
        s.self.replication = 3;
        s.replace_after_ms = 4000;
        checkpoint_settings whole;
        whole.piece_bytes = 8000;
        whole.patience_ticks = 20;
        whole.rest_ticks = 2;
        driver.emplace(s, *committer, static_cast<driver_port&>(*this), whole);
        queue_ = std::make_unique<run_queue>();
        memory_settings settings;
        settings.run = queue_->as_executor();
        settings.ttl_ms = ttl_ms;
        coordinator = std::make_unique<memory_coordinator>(all_.map, settings);
        coordinator->start(*driver);
    }

    /// As a kill -9, or the loss of its power.
    void crash(bool power) {
        disk.cut(power ? disk_end::power : disk_end::process);
        run_jobs();
        stop();
    }

    /// The older half of what it has applied goes from its log, as retention does it.
    void trim(std::uint32_t shard) {
        const auto until = committer->logs().applied(shard) / 2;
        if (until <= committer->logs().base_seq(shard)) {
            return;
        }
        const auto read = read_written_log(*kept, shard, until - 1, [&](record&& r, std::string_view) {
            static_cast<void>(committer->trim(shard, {{r.seq, r.epoch}, r.time})); // `conflict`: not now
            return false;
        });
        require(read.has_value(), "a log can be read");
    }

    void stop() {
        if (coordinator) {
            coordinator->vanish();
            coordinator.reset();
        }
        queue_.reset();
        driver.reset();
        committer.reset();
        kept.reset();
        run_jobs();
        active.clear();
        busy.clear();
        inbox.clear();
        peers_.clear();
    }

    void run_jobs() {
        while (env_.jobs() > 0) {
            env_.run_job(0);
        }
    }

    /// One turn of its loop.
    void turn() {
        queue_->run_some();
        for (auto& f : std::exchange(inbox, {})) {
            f.bulk ? driver->on_checkpoint_frame(id_of(f.from), f.bytes) : driver->on_frame(id_of(f.from), f.bytes);
        }
        if (all_.now_ms >= ticked_ms_ + driver_tick_ms) {
            ticked_ms_ = all_.now_ms;
            look_at_peers();
            driver->tick(all_.now_ms);
        }
        const auto written = committer->write();
        require(written.has_value(), "a healthy node goes on: " + (written ? "" : written.error().detail));
        for (const auto& event : driver->after_write()) {
            if (const auto* refused = std::get_if<peer_refused>(&event)) {
                throw std::runtime_error("a correct replica was refused: " + refused->reason);
            } else if (const auto* away = std::get_if<turned_away>(&event)) {
                throw std::runtime_error("a member was turned away: " + away->why.detail);
            } else if (const auto* ended = std::get_if<checkpoint_ended>(&event)) {
                all_.installed += ended->received && !ended->why ? 1 : 0;
            }
        }
        if (all_.random.chance(10)) {
            run_jobs();
        }
    }

    /// What the links would tell of connections.
    void look_at_peers() {
        for (std::size_t other = 0; other < all_.reaches.size(); ++other) {
            const auto up = other != index_ && all_.reaches[other] && all_.reaches[other](index_);
            const auto known = peers_.find(other);
            if (other != index_ && (known == peers_.end() || known->second != up)) {
                peers_[other] = up;
                up ? driver->on_peer_back(id_of(other)) : driver->on_peer_gone(id_of(other));
            }
        }
    }

    temporary_directory directory_;
    std::size_t index_;
    surroundings& all_;
    std::atomic<std::int64_t> wall_ms_{1'700'000'000'000};
    simulated_disk disk;
    simulated_env env_;
    std::unique_ptr<storage::store> kept;
    std::unique_ptr<storage::committer> committer;
    std::optional<runtime::cluster::driver> driver;
    std::unique_ptr<memory_coordinator> coordinator;
    std::unique_ptr<run_queue> queue_;
    std::vector<frame> inbox;
    std::map<std::string, activation> active;
    std::set<std::string> busy;
    std::int64_t frozen_until_ms = 0;

private:
    bool send(const replica_id& to, std::string bytes) override { return put(to, std::move(bytes), false); }
    bool send_checkpoint(const uuid& to, std::string bytes) override {
        return !all_.random.chance(10) && put(to, std::move(bytes), true);
    }
    void on_installed(std::uint32_t) override {}
    bool put(const uuid& to, std::string bytes, bool bulk) {
        const auto delay =
            static_cast<std::int64_t>(all_.random.chance(90) ? all_.random.below(4) : all_.random.below(300));
        const auto at_ms = bulk ? std::max(all_.now_ms + delay, last_bulk_ms_) : all_.now_ms + delay;
        last_bulk_ms_ = bulk ? at_ms : last_bulk_ms_; // a lane keeps its order
        all_.net.push_back({index_, index_of(to), at_ms, std::move(bytes), bulk});
        return true;
    }
    void commit(std::uint64_t id, transaction what) override {
        coordinator->commit(std::move(what), [this, id](const expected<transaction_result>& result) {
            driver->on_committed(id, result);
        });
    }
    void set_peers(std::vector<peer_place>) override {} // frames find their way

    std::map<std::size_t, bool> peers_;
    std::int64_t ticked_ms_ = 0;
    std::int64_t last_bulk_ms_ = 0;
    std::uint8_t lives_ = 0;
};

struct outcome {
    std::size_t committed = 0;
    std::size_t reads = 0;
    std::size_t installed = 0;   ///< Checkpoints.
    std::int64_t settled_ms = 0; ///< From the last fault until every shard was where it belongs.
};

class cluster {
public:
    cluster(std::uint64_t seed, std::size_t count, std::size_t kept, bool trims)
        : all_(seed, kept, trims), random_(all_.random) {
        for (std::size_t i = 0; i < count; ++i) {
            nodes_.push_back(std::make_unique<node>(i, seed * 100, all_));
            nodes_.back()->start();
        }
        for (std::uint64_t number = 1; entities_.size() < 2 * shards; ++number) {
            entity_address a{system_organization, "counter", uuid()};
            std::memcpy(a.id.bytes.data(), &number, sizeof number);
            entities_.push_back(a);
        }
    }

    /// Whether both hear each other.
    [[nodiscard]] bool are_connected(std::size_t one, std::size_t other) const {
        return nodes_[other]->is_up() && !cut_.contains({one, other}) && !cut_.contains({other, one}) &&
               all_.now_ms >= nodes_[other]->frozen_until_ms;
    }

    outcome run() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            all_.reaches.emplace_back([this, i](std::size_t from) { return are_connected(from, i); });
        }
        while (all_.now_ms < run_ms) {
            if (random_.chance(2)) {
                disturb();
            }
            step();
        }
        heal();
        result_.installed = all_.installed;
        return result_;
    }

private:
    void step() {
        all_.now_ms += 2;
        all_.map->advance(all_.now_ms);
        deliver();
        for (auto& n : nodes_) {
            if (n->is_up() && all_.now_ms >= n->frozen_until_ms && random_.chance(70)) {
                n->turn();
                collect(*n);
            }
        }
        work();
        read();
    }

    void deliver() {
        auto arrived = std::stable_partition(all_.net.begin(), all_.net.end(),
                                             [&](const frame& f) { return f.at_ms > all_.now_ms; });
        std::vector<frame> now(std::make_move_iterator(arrived), std::make_move_iterator(all_.net.end()));
        all_.net.erase(arrived, all_.net.end());
        for (auto& f : now) {
            const bool cut = !calm_ && (cut_.contains({f.from, f.to}) || random_.chance(2));
            if (!cut && nodes_[f.to]->is_up()) {
                nodes_[f.to]->inbox.push_back(std::move(f));
            }
        }
    }

    // ---- what goes wrong

    void disturb() {
        auto& n = *nodes_[random_.below(nodes_.size())];
        if (n.is_up() && random_.chance(40)) { // what an operator may ask for at any time
            n.committer->hand_over(static_cast<std::uint32_t>(random_.below(shards)),
                                   id_of(random_.below(nodes_.size())));
        }
        if (all_.trims && n.is_up() && all_.now_ms >= n.frozen_until_ms && random_.chance(50)) {
            n.trim(static_cast<std::uint32_t>(random_.below(shards)));
        }
        const auto dice = random_.below(100);
        if (dice < 12 && n.is_up()) {
            n.crash(random_.chance(50));
        } else if (dice < 45 && !n.is_up()) {
            n.start();
        } else if (dice < 55) {
            n.frozen_until_ms = all_.now_ms + static_cast<std::int64_t>(random_.below(2500));
            if (n.is_up()) {
                n.coordinator->keep_alive(false);
            }
        } else if (dice < 65) {
            cut_.clear();
            const auto alone = random_.below(nodes_.size());
            const bool one_way = random_.chance(30);
            for (std::size_t other = 0; other < nodes_.size(); ++other) {
                cut_.insert({alone, other});
                if (!one_way) {
                    cut_.insert({other, alone});
                }
            }
        } else if (dice < 80) {
            connect();
        } else if (dice < 86 && n.is_up()) {
            n.coordinator->cut("a cable");
        } else if (dice < 88) {
            for (auto& each : nodes_) {
                if (each->is_up()) {
                    each->coordinator->cut("an outage");
                }
            }
        } else if (dice < 96) {
            for (auto& each : nodes_) {
                if (each->is_up()) {
                    each->coordinator->heal(random_.chance(30));
                    each->coordinator->keep_alive(true);
                }
            }
        } else if (n.is_up()) {
            n.coordinator->set_fate(random_.chance(50)   ? memory_coordinator::fate::answered
                                    : random_.chance(50) ? memory_coordinator::fate::lost_after
                                                         : memory_coordinator::fate::lost_before);
        }
    }

    void connect() { cut_.clear(); }

    // ---- clients

    void work() {
        const auto& a = entities_[random_.below(entities_.size())];
        for (auto& n : nodes_) {
            if (n->is_up() && all_.now_ms >= n->frozen_until_ms && n->committer->owns(n->kept->shard_of(a)) &&
                random_.chance(30)) {
                submit(*n, a);
            }
        }
    }

    void submit(node& n, const entity_address& a) {
        const auto name = to_string(a);
        if (n.busy.contains(name)) {
            return;
        }
        if (!n.active.contains(name)) {
            auto activated = n.committer->activate(a);
            require(activated.has_value(), "an owner activates its entities");
            n.active[name] = *activated;
        }
        const auto number = ++numbers_;
        storage::append one;
        one.entity = a;
        one.activation = n.active[name].id;
        one.expected_version = n.active[name].version;
        record r;
        r.entity = a;
        r.entity_seq = one.expected_version + 1;
        r.command_id = "c" + std::to_string(number);
        r.type = "happened";
        r.time = {1'700'000'000'000 + all_.now_ms};
        r.payload = "{}";
        one.records.push_back(std::move(r));
        n.busy.insert(name);
        n.committer->submit(std::move(one), number);
    }

    void collect(node& n) {
        for (const auto& done : n.committer->take_settled()) {
            const auto name = to_string(done.what.entity);
            n.busy.erase(name);
            if (!done.result) {
                n.active.erase(name);
                continue;
            }
            ++n.active[name].version;
            ++result_.committed;
            const auto shard = n.kept->shard_of(done.what.entity);
            answered_[shard] = std::max(answered_[shard], done.result->last_seq);
            require(truth_[shard].emplace(done.result->last_seq, done.ticket).second, "no seq is answered twice");
        }
    }

    /// Whoever may show a shard shows all that was ever answered, by whomever.
    void read() {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            for (auto& n : nodes_) {
                if (n->reads(shard)) {
                    ++result_.reads;
                    require(n->committer->logs().applied(shard) >= answered_[shard],
                            "an owner with a lease shows all that was answered");
                }
            }
        }
    }

    // ---- the end

    [[nodiscard]] bool is_settled() const {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            const auto owners = std::ranges::count_if(nodes_, [&](const auto& n) { return n->reads(shard); });
            const auto& set = nodes_.front()->driver->core().shard(shard);
            const auto wanted = place(shard, nodes_.front()->driver->core().nodes(), 3);
            auto voters = set.voters;
            auto placed = wanted;
            std::ranges::sort(voters);
            std::ranges::sort(placed);
            if (wanted.empty() || owners != 1 || voters != placed ||
                voters.size() + set.learners.size() != nodes_.size() || set.leader != wanted.front()) {
                return false;
            }
        }
        return true;
    }

    void heal() {
        calm_ = true;
        cut_.clear();
        for (auto& n : nodes_) {
            n->frozen_until_ms = 0;
            if (!n->is_up()) {
                n->start();
            }
            n->coordinator->heal();
            n->coordinator->keep_alive(true);
            n->coordinator->set_fate(memory_coordinator::fate::answered);
        }
        const auto began = all_.now_ms;
        while (!is_settled()) {
            require(all_.now_ms < began + 60'000, "healthy nodes bring every shard to where it belongs");
            step();
        }
        result_.settled_ms = all_.now_ms - began;
        for (int i = 0; i < 1500; ++i) { // idle followers hear of the commit
            step();
        }
        compare();
    }

    void compare() const {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            std::map<std::uint64_t, record> all; // by seq, of whoever has it
            for (const auto& n : nodes_) {       // voters, and who follows
                auto log = log_of(*n->kept, shard);
                if (!all_.trims) {
                    require_histories(log);
                }
                for (auto& r : log) {
                    const auto seq = r.seq;
                    const auto known = all.try_emplace(seq, std::move(r));
                    require(known.second || known.first->second == r, "logs have the same at the same place");
                }
            }
            check_truth(shard, all);
        }
    }

    void check_truth(std::uint32_t shard, const std::map<std::uint64_t, record>& log) const {
        const auto found = truth_.find(shard);
        for (const auto& [seq, ticket] :
             found == truth_.end() ? std::map<std::uint64_t, std::uint64_t>() : found->second) {
            const auto at = log.find(seq);
            const bool trimmed = all_.trims && at == log.end() && (log.empty() || seq < log.begin()->first);
            require(trimmed || (at != log.end() && at->second.command_id == "c" + std::to_string(ticket)),
                    "what was answered stands where it was said to");
        }
    }

    surroundings all_;
    seeded_random& random_;
    std::vector<std::unique_ptr<node>> nodes_;
    std::vector<entity_address> entities_;
    std::set<std::pair<std::size_t, std::size_t>> cut_; // (from, to)
    bool calm_ = false;
    std::map<std::uint32_t, std::map<std::uint64_t, std::uint64_t>> truth_; ///< Of each shard: seq to append.
    std::array<std::uint64_t, shards> answered_{};
    std::uint64_t numbers_ = 0;
    outcome result_;
};

constexpr std::size_t all_groups = 16 << 20;
constexpr std::size_t few_groups = 30; // that change one byte each

void simulate(std::size_t count, std::size_t kept, std::uint64_t wanted, bool trims = false) {
    outcome all;
    const auto name =
        std::to_string(count) + " nodes" + (kept == few_groups ? ", few groups kept" : "") + (trims ? ", trimmed" : "");
    const auto seeds = each_seed(wanted, name, [&](std::uint64_t seed) {
        cluster world(seed, count, kept, trims);
        const auto one = world.run();
        all.committed += one.committed;
        all.reads += one.reads;
        all.installed += one.installed;
        all.settled_ms = std::max(all.settled_ms, one.settled_ms);
    });
    BOOST_TEST_MESSAGE(count << " nodes, " << seeds << " seeds: " << all.committed << " appends, " << all.reads
                             << " reads, " << all.installed << " checkpoints, at most " << all.settled_ms
                             << " ms until all was in its place");
    if (seeds > 1) { // otherwise it would prove nothing
        BOOST_TEST(all.committed > 50 * seeds);
        BOOST_TEST(all.reads > 1000 * seeds);
        BOOST_TEST((kept == all_groups && !trims ? all.installed == 0 : all.installed > (trims ? 0 : seeds)));
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_simulation)

BOOST_AUTO_TEST_CASE(three_nodes_lose_nothing_and_show_nothing_old) { simulate(3, all_groups, 10); }
BOOST_AUTO_TEST_CASE(five_nodes_lose_nothing_and_show_nothing_old) { simulate(5, all_groups, 6); }
BOOST_AUTO_TEST_CASE(nodes_that_keep_few_groups_lose_nothing_and_show_nothing_old) { simulate(3, few_groups, 10); }
BOOST_AUTO_TEST_CASE(nodes_that_trim_their_logs_lose_nothing_and_show_nothing_old) {
    simulate(3, all_groups, 10, true);
}

BOOST_AUTO_TEST_SUITE_END()
