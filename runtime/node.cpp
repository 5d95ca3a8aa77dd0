#include "runtime/node_impl.hpp"

#include "runtime/config/retention.hpp"
#include "runtime/entity/rebuild.hpp"
#include "schemas/base/limits.hpp"
#include "storage/log_reader.hpp"
#include "storage/place.hpp"
#include "storage/views.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::runtime {

namespace {

/// The newest record may be so far ahead of the clock at start without a warning.
constexpr std::int64_t journal_ahead_ms = 60'000;

} // namespace

node::impl::impl(const config& c)
    : settings(c),
      gate({.working_max = static_cast<std::size_t>(c.limits_commands_in_work),
            .outstanding_max = static_cast<std::size_t>(c.limits_outstanding_commands),
            .bytes_max = static_cast<std::size_t>(c.limits_outstanding_bytes),
            .wait_max_ms = c.limits_wait_ms},
           [this](held_ptr held) { route(std::move(held)); }),
      watch({.stall_ms = c.watchdog_stall_ms, .end_ms = c.watchdog_end_ms}),
      caf_config(),
      system(caf_settings()) {}

caf::actor_system_config& node::impl::caf_settings() {
    // Sharing with a low throughput: one hot actor does not starve the others (FIELD-NOTES: 450 ms -> 9 ms).
    caf_config.set("scheduler.policy", caf::atom("sharing"));
    caf_config.set("scheduler.max-throughput", std::size_t{30});
    caf_config.set("scheduler.max-threads", std::size_t{std::max(2U, std::thread::hardware_concurrency())});
    return caf_config;
}

void node::impl::route(held_ptr held) {
    if (member) {
        member->commands().forward(std::move(held));
    } else {
        take(std::move(held));
    }
}

void node::impl::publish(live_event e) {
    if (member) {
        member->commands().tell_others(e);
    }
    live->publish(std::move(e));
}

void node::impl::take(held_ptr held) {
    const auto number = store->shard_of(held->command.to);
    const auto shard = router_of(number);
    if (!shard) {
        held->answer(problem{code::unavailable, "the node is starting or stopping; try again in a moment", {}, 1});
        return;
    }
    host.router_figures[number]->waiting.fetch_add(1, std::memory_order_relaxed);
    caf::anon_send(shard, submit_msg{std::move(held)});
}

shard_actor node::impl::router_of(std::uint32_t shard) const {
    const std::shared_lock lock(handles);
    return shard < shards.size() ? shards[shard] : shard_actor();
}

timestamp node::impl::now() {
    const bool trusted = clock.refused_ms() == 0;
    const auto out = clock.read(system_now(), boot_ms(), monotonic_ms());
    const auto refused = clock.refused_ms();
    if (trusted && refused != 0) {
        log_for("runtime").error("the system's clock was set by {} s: refused, the node keeps its time. Set the clock "
                                 "right, or restart the node if the new time is right",
                                 refused / 1000);
    } else if (!trusted && refused == 0) {
        log_for("runtime").info("the system's clock is followed again");
    }
    return out;
}

void node::impl::read_shard_times() {
    host.shard_times = std::vector<std::atomic<std::int64_t>>(store->who().shards);
    timestamp newest;
    for (std::uint32_t shard = 0; shard < store->who().shards; ++shard) {
        const auto last = storage::last_time(*store, shard);
        host.shard_times[shard] = last.ms;
        newest = std::max(newest, last);
    }
    store->let_rows_age(newest);
    if (newest - host.clock() > journal_ahead_ms) {
        log_for("runtime").warn("the journal's newest record is of {}, ahead of the system's clock: times stand still "
                                "until then. Is the clock right?",
                                to_string(newest));
    }
}

node::node() = default;
node::~node() { stop(5000); }

void node::change(config settings) { impl_->present.replace(std::move(settings)); }

services& node::parts() { return impl_->shared; }

namespace {

storage::store_options store_options_of(const config& settings, const cluster::cluster_place* place) {
    storage::store_options options;
    options.directory = settings.data;
    options.shards = static_cast<std::uint32_t>(settings.shards);
    options.shards_given = settings.shards != config().shards;
    options.cache_bytes = static_cast<std::size_t>(settings.storage_cache_bytes);
    options.dedup_window_ms = settings.dedup_window_ms;
    options.effect_rows_ms = settings.retention_log_ms;
    options.free_bytes_min = static_cast<std::uint64_t>(settings.storage_free_bytes_min);
    if (place) {
        options.common = cluster::common_identity_of(place->file);
        options.shards = place->file.shards;
        options.shards_given = true;
    }
    return options;
}

/// Opens the directory, if it is the one that it says it is.
expected<std::unique_ptr<storage::store>> open_store(const config& settings, cluster::cluster_place* place) {
    const auto options = store_options_of(settings, place);
    if (auto original = storage::check_place(options.directory); !original && settings.storage_copied != "adopt") {
        return original.error();
    }
    auto mark = place ? std::optional(cluster::cluster_mark{place->file.cluster, place->name}) : std::nullopt;
    const auto known = cluster::check_mark(options.directory, mark);
    if (!known) {
        return known.error();
    }
    auto store = storage::store::open(options);
    if (!store) {
        return store;
    }
    auto marked = storage::mark_place(options.directory);
    if (marked && mark) {
        mark->founds = *known ? (*known)->founds : place->file.founder == (*store)->who().replica;
        place->founds = mark->founds;
        marked = cluster::write_mark(options.directory, *mark);
    }
    return marked ? std::move(store) : marked.error();
}

} // namespace

expected<std::unique_ptr<node>> node::open(const config& settings) { return open_as(settings, nullptr); }

expected<std::unique_ptr<node>> node::open(const config& settings, cluster::cluster_place place) {
    return open_as(settings, &place);
}

expected<std::unique_ptr<node>> node::open_as(const config& settings, cluster::cluster_place* place) {
    if (auto wrong = check_retention(settings)) {
        return problem{code::config_invalid, wrong->message};
    }
    auto store = open_store(settings, place);
    if (!store) {
        return store.error();
    }
    auto cursors = place ? cluster::cursor_key_of(place->file) : std::string();
    auto live = hub::start(**store, default_aliases(**store), std::move(cursors));
    if (!live) {
        return live.error();
    }
    std::unique_ptr<node> out(new node);
    out->impl_ = std::make_unique<impl>(settings);
    auto& me = *out->impl_;
    me.store = std::move(*store);
    me.live = std::move(*live);
    me.place = place == nullptr ? std::nullopt : std::optional(*place);
    me.host.settings.node_path = "/nodes/" + settings.cluster_name;
    me.tree.listen([&me](const supervision_change& change) {
        me.publish({{}, change.at, "supervision", "changed", to_json(change), me.store->who().default_organization});
    });
    me.shared.store = me.store.get();
    me.shared.settings = me.present;
    me.shared.live = me.live.get();
    me.audit = std::make_unique<audit_log>(*me.store, fatal);
    me.shared.audit = me.audit.get();
    me.shared.tree = &me.tree;
    me.shared.letters = &me.letters;
    me.shared.failures = &me.failures;
    me.shared.troubles = &me.troubles;
    me.shared.watch = &me.watch;
    me.backups = std::make_unique<backup_desk>(*me.store, me.settings);
    me.shared.backups = me.backups.get();
    me.shared.submit = [&me](command c, reply_port port) { me.gate.submit(std::move(c), std::move(port)); };
    return out;
}

expected<void> node::start(kind_registry kinds) {
    auto& me = *impl_;
    me.kinds = std::move(kinds);
    for (const auto& [kind, time] : retention_of(me.settings).kinds) {
        if (!me.kinds.contains(kind)) {
            log_for("retention").warn("retention.kinds names '{}', which is no kind of this node", kind);
        }
    }
    me.board = std::make_unique<timer_board>(*me.store);
    auto& host = me.host;
    host.store = me.store.get();
    host.kinds = &me.kinds;
    host.tree = &me.tree;
    host.letters = &me.letters;
    host.troubles = &me.troubles;
    host.watch = &me.watch;
    host.committer_figures = std::make_shared<actor_figures>();
    for (std::uint32_t shard = 0; shard < me.store->who().shards; ++shard) {
        host.router_figures.push_back(std::make_shared<actor_figures>());
    }
    host.settings.snapshot_events = static_cast<std::uint64_t>(me.settings.snapshot_events);
    host.settings.snapshot_idle_events = static_cast<std::uint64_t>(me.settings.snapshot_idle_events);
    host.settings.active_max = static_cast<std::uint64_t>(me.settings.entity_active_max);
    host.settings.snapshot_bytes = static_cast<std::uint64_t>(me.settings.snapshot_bytes);
    host.settings.dedup_window_ms = me.settings.dedup_window_ms;
    host.settings.idle_ms = me.settings.entity_idle_ms;
    host.settings.timer_lateness_ms = me.settings.timers_lateness_ms;
    host.clock = [&me] { return me.now(); };
    host.even_since = [&me] { return me.clock.even_since(); };
    if (auto joined = me.place ? me.join() : expected<void>(); !joined) {
        return joined;
    }
    auto committer = me.open_committer();
    if (!committer) {
        return committer.error();
    }
    me.read_shard_times();
    me.keep_blobs();
    const auto uncounted = complete_holdings(*me.store, me.kinds);
    if (!uncounted) {
        return uncounted.error();
    }
    for (const auto& entity : *uncounted) {
        log_for("usage").error("what {} holds is not counted", entity);
    }
    host.dispatch = [&me](command c, reply_port port) { me.route(hold(std::move(c), std::move(port))); };
    host.on_committed = [&me](const std::vector<storage::record>& records) {
        me.live->committed(records);
        me.audit->committed();
    };
    host.on_timer = [&me](std::uint32_t shard, timestamp due) { me.board->lower(shard, due); };
    host.publish = [&me](const entity_address& from, std::string_view channel, std::string_view kind,
                         std::string data) {
        me.publish({{}, system_now(), std::string(channel), std::string(kind), std::move(data), from.organization});
    };
    {
        const std::unique_lock lock(me.handles);
        me.shards.resize(me.store->who().shards);
        me.started.expect(me.store->who().shards + 1); // and all that stands after them
    }
    // What stands later needs what stands before it: a new committer means new routers.
    supervisor_spec spec;
    spec.strategy = restart_strategy::rest_for_one;
    supervisor_options options;
    options.path = host.settings.node_path;
    options.tree = &me.tree;
    options.letters = &me.letters;
    options.on_escalation = [](const std::string& reason) { fatal("the supervisor of the node gave up: " + reason); };
    auto root = spawn_supervisor(me.system, std::move(spec), me.children(std::move(*committer)), std::move(options));
    if (!root) {
        return root.error();
    }
    me.root = *root;
    me.started.wait();
    if (me.member) {
        me.member->start(me.committer);
    }
    me.hub_entry = me.tree.add(host.settings.node_path + "/hub", "hub_reader");
    me.hub_entry.show(me.live->figures());
    me.hub_entry.set_policy("a thread of the process; ends with it");
    me.dog.emplace(me.watch, me.tree, [](const std::string& why) { end_by_watchdog(why); });
    return {};
}

expected<void> node::supervise(supervised_part part) {
    auto& me = *impl_;
    const auto id = part.id;
    const auto first = std::make_shared<first_start>();
    part.start = [start = std::move(part.start), first](part_failed failed) -> expected<std::shared_ptr<void>> {
        auto started = [&]() -> expected<std::shared_ptr<void>> {
            try {
                return start(std::move(failed));
            } catch (const std::exception& defect) {
                return problem{code::internal, defect.what()};
            }
        }();
        const bool taken_back = !started && !first->is_told(); // whoever asked for it hears why
        first->tell(started ? expected<void>() : expected<void>(started.error()));
        return taken_back ? std::make_shared<char>() : std::move(started);
    };
    const auto refused = std::make_shared<std::atomic<bool>>(false);
    add_child(me.root, part_child(std::move(part)), [first, refused](expected<void> added) {
        if (!added) { // the id is taken
            *refused = true;
            first->tell(std::move(added));
        }
    });
    auto out = first->wait();
    if (!out && !*refused) {
        std::promise<void> removed;
        remove_child(me.root, id, [&removed](const expected<void>&) { removed.set_value(); });
        removed.get_future().wait();
    }
    return out;
}

expected<void> node::supervise_actor(supervised_child child) {
    std::promise<expected<void>> added;
    add_child(impl_->root, std::move(child), [&added](expected<void> done) { added.set_value(std::move(done)); });
    return added.get_future().get();
}

void node::release_actor(std::string id) { remove_child(impl_->root, std::move(id)); }

cluster::placed_children* node::impl::placed() const {
    const std::lock_guard lock(placing);
    return member ? &member->placed() : lone_placed ? &lone_placed->children() : nullptr;
}

expected<cluster::placed_children*> node::impl::placed_to_fill() {
    const std::lock_guard lock(placing);
    if (!root || stopping) {
        return problem{code::unavailable, "the node has not started or stops: children are placed in between"};
    }
    if (!member && !lone_placed) { // few nodes have any, and it has threads of its own
        lone_placed = std::make_unique<cluster::placed_alone>(settings.cluster_name, store->who().replica, placed_here,
                                                              host.end_process);
    }
    return member ? &member->placed() : &lone_placed->children();
}

expected<void> node::place(placed_supervisor what) {
    const auto to = impl_->placed_to_fill();
    return to ? (*to)->place(std::move(what)) : expected<void>(to.error());
}

std::vector<placed_child_document> node::placed() const {
    const auto* known = impl_->placed();
    return known ? known->all() : std::vector<placed_child_document>();
}

bool node::retire(std::int64_t time_ms) { return impl_->member && impl_->member->retire(time_ms); }

void node::stop(std::int64_t deadline_ms) {
    auto& me = *impl_;
    if (me.stopping.exchange(true) || !me.root) {
        return;
    }
    if (auto* placed = me.placed()) {
        placed->stop(deadline_ms / 2);
    }
    if (me.blobs) {
        me.blobs->cancel();
    }
    me.backups->stop();
    const auto deadline = monotonic_ms() + deadline_ms;
    me.gate.stop();
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
    if (me.member) {
        me.member->stop();
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
    const auto gate = me.gate.now();
    out.commands_outstanding = gate.outstanding;
    out.commands_waiting = gate.waiting;
    out.bytes_outstanding = gate.bytes;
    out.commands_overloaded = gate.overloaded;
    out.commits = me.host.commits;
    out.timers_late = me.host.timers_late;
    out.timer_lateness_max_ms = me.host.timer_lateness_max_ms;
    out.appends = me.host.appends;
    out.performing = me.host.performing;
    out.subscribers = me.live->subscribers();
    out.events_cut = me.retention.events_cut;
    out.records_trimmed = me.retention.records_trimmed;
    out.retention_rounds = me.retention.rounds;
    out.retention_failures = me.retention.failures;
    out.clock_refused_ms = me.clock.refused_ms();
    return out;
}

cluster::membership* node::member() const { return impl_->member.get(); }

expected<event_page> node::events(const uuid& organization, std::string_view after, std::size_t limit) {
    return impl_->live->read(organization, after, limit);
}

} // namespace troupe::runtime
