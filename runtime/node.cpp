#include "runtime/node.hpp"

#include "runtime/backup/backup_desk.hpp"
#include "runtime/bus/hub.hpp"
#include "runtime/entity/actors.hpp"
#include "runtime/entity/timer_actor.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <thread>
#include <utility>

namespace troupe::runtime {

namespace {

/// The newest record may be so far ahead of the clock at start without a warning.
constexpr std::int64_t journal_ahead_ms = 60'000;

std::uint32_t jittered_retry_s() {
    thread_local std::minstd_rand random(std::random_device{}());
    return 1 + random() % 3;
}

} // namespace

namespace {

/// Waits until a number of parts have started for the first time.
class start_latch {
public:
    void expect(std::size_t count) { missing_ = count; }
    void count_down() {
        const std::lock_guard lock(mutex_);
        if (--missing_ == 0) {
            opened_.notify_all();
        }
    }
    void wait() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return missing_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable opened_;
    std::size_t missing_ = 0;
};

} // namespace

struct node::impl {
    explicit impl(const config& c) : settings(c), caf_config(), system(caf_settings()) {}

    caf::actor_system_config& caf_settings() {
        // Sharing with a low throughput: one hot actor does not starve the others (FIELD-NOTES: 450 ms -> 9 ms).
        caf_config.set("scheduler.policy", caf::atom("sharing"));
        caf_config.set("scheduler.max-throughput", std::size_t{30});
        caf_config.set("scheduler.max-threads", std::size_t{std::max(2U, std::thread::hardware_concurrency())});
        return caf_config;
    }

    held_ptr hold(command&& c, reply_port&& port) const {
        auto held = std::make_shared<held_command>();
        if (c.id.empty()) {
            // So that a crash of its entity between commit and answer cannot apply it twice.
            c.id = storage::fresh_command_mark + to_string(make_uuid());
        }
        held->bytes = c.payload.size() + 512;
        held->command = std::move(c);
        held->port = std::move(port);
        return held;
    }

    void route(held_ptr held) {
        const auto shard = router_of(store->shard_of(held->command.to));
        if (!shard) {
            held->answer(problem{code::unavailable, "the node is starting or stopping; try again in a moment", {}, 1});
            return;
        }
        caf::anon_send(shard, submit_msg{std::move(held)});
    }

    shard_actor router_of(std::uint32_t shard) const {
        const std::shared_lock lock(handles);
        return shard < shards.size() ? shards[shard] : shard_actor();
    }

    /// The edge's way in: within the bounds of outstanding commands and bytes.
    void submit(command&& c, reply_port&& port) {
        auto held = hold(std::move(c), std::move(port));
        const auto commands = outstanding_commands.fetch_add(1) + 1;
        const auto bytes = outstanding_bytes.fetch_add(static_cast<std::int64_t>(held->bytes)) +
                           static_cast<std::int64_t>(held->bytes);
        held->on_answered = [this, size = held->bytes] {
            --outstanding_commands;
            outstanding_bytes -= static_cast<std::int64_t>(size);
        };
        if (stopping) {
            held->answer(problem{code::unavailable, "the node is stopping; try again in a moment", {}, 1});
            return;
        }
        if (commands > settings.limits_outstanding_commands || bytes > settings.limits_outstanding_bytes) {
            held->answer(
                problem{code::overloaded,
                        "the node has as many commands in hand as it may; try again after the time in Retry-After",
                        {},
                        jittered_retry_s()});
            return;
        }
        route(std::move(held));
    }

    /// Of records and timers.
    timestamp now() {
        const bool trusted = clock.refused_ms() == 0;
        const auto out = clock.read(system_now(), boot_ms());
        const auto refused = clock.refused_ms();
        if (trusted && refused != 0) {
            log_for("runtime").error(
                "the system's clock was set by {} s: refused, the node keeps its time. Set the clock "
                "right, or restart the node if the new time is right",
                refused / 1000);
        } else if (!trusted && refused == 0) {
            log_for("runtime").info("the system's clock is followed again");
        }
        return out;
    }

    /// Where each log's time stands: it never goes back.
    void read_shard_times() {
        host.shard_times = std::vector<std::atomic<std::int64_t>>(store->who().shards);
        timestamp newest;
        for (std::uint32_t shard = 0; shard < store->who().shards; ++shard) {
            const auto last = storage::last_time(*store, shard);
            host.shard_times[shard] = last.ms;
            newest = std::max(newest, last);
        }
        if (newest - host.clock() > journal_ahead_ms) {
            log_for("runtime").warn(
                "the journal's newest record is of {}, ahead of the system's clock: times stand still "
                "until then. Is the clock right?",
                to_string(newest));
        }
    }

    supervised_child committer_child(std::unique_ptr<storage::committer> first) {
        auto opened = std::make_shared<std::unique_ptr<storage::committer>>(std::move(first));
        return {{.id = "committer", .label = "committer"}, [this, opened](const child_context&) {
                    auto owned = std::move(*opened);
                    if (!owned) {
                        auto again = storage::committer::open(
                            *store, static_cast<std::uint64_t>(settings.storage_free_bytes_min));
                        owned = std::move(again.value()); // a failure of the child: the supervisor says so
                    }
                    const std::unique_lock lock(handles);
                    committer = spawn_committer(system, host, std::move(owned), true);
                    return caf::actor_cast<caf::actor>(committer);
                }};
    }

    /// A router, and those of its entities that owe effects.
    supervised_child shard_child(std::uint32_t shard) {
        return {{.id = std::to_string(shard), .label = "shard"}, [this, shard](const child_context&) {
                    const std::unique_lock lock(handles);
                    if (!shards[shard]) {
                        started.count_down();
                    }
                    shards[shard] = spawn_shard(system, host, committer, shard);
                    board->lower(shard, host.clock()); // timers that nobody announced
                    for (auto& a : storage::read_owed(*store, shard)) {
                        caf::anon_send(shards[shard], wake_msg{std::move(a)});
                    }
                    return caf::actor_cast<caf::actor>(shards[shard]);
                }};
    }

    /// The last ones to start.
    std::vector<supervised_child> backup_children() {
        auto out = backups->children();
        out.back().start = [this, start = out.back().start, first = true](const child_context& c) mutable {
            auto made = start(c);
            if (std::exchange(first, false)) {
                started.count_down();
            }
            return made;
        };
        return out;
    }

    supervised_child timers_child() {
        return {{.id = "timers", .label = "timers"},
                [this](const child_context&) { return spawn_timers(system, host, *board); }};
    }

    config settings;
    trusted_clock clock{system_now(), boot_ms()};
    std::unique_ptr<storage::store> store;
    std::unique_ptr<hub> live;
    supervision_tree tree;
    dead_letters letters;
    std::unique_ptr<timer_board> board;
    std::unique_ptr<backup_desk> backups;
    kind_registry kinds;
    host_services host;
    services shared;
    caf::actor_system_config caf_config;
    caf::actor_system system;
    mutable std::shared_mutex handles; ///< Of the two below: a restart replaces them.
    committer_actor committer;
    std::vector<shard_actor> shards;
    caf::actor root;
    start_latch started; ///< Every router and the desk of backups: commands may come.
    std::atomic<std::int64_t> outstanding_commands{0};
    std::atomic<std::int64_t> outstanding_bytes{0};
    std::atomic<bool> stopping{false};
};

node::node() = default;
node::~node() { stop(5000); }

services& node::parts() { return impl_->shared; }

expected<std::unique_ptr<node>> node::open(const config& settings) {
    storage::store_options options;
    options.directory = settings.data;
    options.shards = static_cast<std::uint32_t>(settings.shards);
    options.shards_given = settings.shards != config().shards;
    options.cache_bytes = static_cast<std::size_t>(settings.storage_cache_bytes);
    options.dedup_window_ms = settings.dedup_window_ms;
    options.free_bytes_min = static_cast<std::uint64_t>(settings.storage_free_bytes_min);
    auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    auto live = hub::start(**store, default_aliases());
    if (!live) {
        return live.error();
    }
    std::unique_ptr<node> out(new node);
    out->impl_ = std::make_unique<impl>(settings);
    auto& me = *out->impl_;
    me.store = std::move(*store);
    me.live = std::move(*live);
    me.tree.listen([&me](const supervision_change& change) {
        me.live->publish(
            {{}, change.at, "supervision", "changed", to_json(change), me.store->who().default_organization});
    });
    me.shared.store = me.store.get();
    me.shared.settings = &me.settings;
    me.shared.live = me.live.get();
    me.shared.tree = &me.tree;
    me.shared.letters = &me.letters;
    me.backups = std::make_unique<backup_desk>(*me.store, me.settings);
    me.shared.backups = me.backups.get();
    me.shared.submit = [&me](command c, reply_port port) { me.submit(std::move(c), std::move(port)); };
    return out;
}

expected<void> node::start(kind_registry kinds) {
    auto& me = *impl_;
    auto committer =
        storage::committer::open(*me.store, static_cast<std::uint64_t>(me.settings.storage_free_bytes_min));
    if (!committer) {
        return committer.error();
    }
    me.kinds = std::move(kinds);
    me.board = std::make_unique<timer_board>(*me.store);
    auto& host = me.host;
    host.store = me.store.get();
    host.kinds = &me.kinds;
    host.tree = &me.tree;
    host.letters = &me.letters;
    host.settings.snapshot_events = static_cast<std::uint64_t>(me.settings.snapshot_events);
    host.settings.idle_ms = me.settings.entity_idle_ms;
    host.clock = [&me] { return me.now(); };
    me.read_shard_times();
    host.dispatch = [&me](command c, reply_port port) { me.route(me.hold(std::move(c), std::move(port))); };
    host.on_committed = [&me](const std::vector<storage::record>& records) { me.live->committed(records); };
    host.on_timer = [&me](std::uint32_t shard, timestamp due) { me.board->lower(shard, due); };
    host.publish = [&me](const entity_address& from, std::string_view channel, std::string_view kind,
                         std::string data) {
        me.live->publish(
            {{}, system_now(), std::string(channel), std::string(kind), std::move(data), from.organization});
    };
    {
        const std::unique_lock lock(me.handles);
        me.shards.resize(me.store->who().shards);
        me.started.expect(me.store->who().shards + 1); // and all that stands after them
    }
    std::vector<supervised_child> routers;
    for (std::uint32_t shard = 0; shard < me.store->who().shards; ++shard) {
        routers.push_back(me.shard_child(shard));
    }
    // What stands later needs what stands before it: a new committer means new routers.
    supervisor_spec spec;
    spec.strategy = restart_strategy::rest_for_one;
    std::vector<supervised_child> children;
    children.push_back(me.committer_child(std::move(*committer)));
    children.push_back(supervisor_child({.id = "shards", .kind = child_kind::supervisor}, {.restarts_max = 50},
                                        std::move(routers), &me.tree));
    children.push_back(me.timers_child());
    std::ranges::move(me.backup_children(), std::back_inserter(children));
    supervisor_options options;
    options.path = host.settings.node_path;
    options.tree = &me.tree;
    options.on_escalation = [](const std::string& reason) { fatal("the supervisor of the node gave up: " + reason); };
    auto root = spawn_supervisor(me.system, std::move(spec), std::move(children), std::move(options));
    if (!root) {
        return root.error();
    }
    me.root = *root;
    me.started.wait();
    return {};
}

void node::stop(std::int64_t deadline_ms) {
    auto& me = *impl_;
    if (me.stopping.exchange(true) || !me.root) {
        return;
    }
    const auto deadline = monotonic_ms() + deadline_ms;
    const auto ask_all = [&] {
        for (std::uint32_t shard = 0; shard < me.shards.size(); ++shard) {
            caf::anon_send(me.router_of(shard), sweep_msg{true});
        }
    };
    ask_all();
    for (int round = 1; me.host.entities_active > 0 && monotonic_ms() < deadline; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        if (round % 20 == 0) {
            ask_all(); // those that were busy
        }
    }
    if (me.host.entities_active > 0) {
        log_for("runtime").warn("{} entities were still busy; what they owe goes on after the next start",
                                me.host.entities_active.load());
    }
    if (auto flushed = me.store->flush(); !flushed) {
        log_for("runtime").error("{}", flushed.error().detail);
    }
    if (!end_supervisor(me.system, me.root, std::max<std::int64_t>(1000, deadline - monotonic_ms()))) {
        log_for("runtime").warn("some actors did not end in time");
    }
}

node_statistics node::statistics() const {
    const auto& me = *impl_;
    node_statistics out;
    out.entities_active = me.host.entities_active;
    out.commands_accepted = me.host.commands_accepted;
    out.commands_refused = me.host.commands_refused;
    out.commands_repeated = me.host.commands_repeated;
    out.commands_outstanding = static_cast<std::uint64_t>(std::max<std::int64_t>(0, me.outstanding_commands));
    out.commits = me.host.commits;
    out.subscribers = me.live->subscribers();
    out.clock_refused_ms = me.clock.refused_ms();
    return out;
}

expected<event_page> node::events(const uuid& organization, std::string_view after, std::size_t limit) {
    return impl_->live->read(organization, after, limit);
}

} // namespace troupe::runtime
