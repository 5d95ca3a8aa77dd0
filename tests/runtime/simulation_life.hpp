#pragma once

#include "runtime/audit/audit_writer.hpp"
#include "runtime/entity/actors.hpp"
#include "runtime/entity/timer_actor.hpp"
#include "runtime/retention/retention_actor.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"
#include "tests/runtime/simulated_worker.hpp"
#include "tests/runtime/simulation.hpp"
#include "tests/storage/fake_wrapping.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::test {

/// The node refuses writes before the disk does.
inline constexpr std::uint64_t simulated_free_bytes_min = 64 * 1024;
/// Relative to a temporary folder: RocksDB hashes its path, so it has to be the same each time.
inline constexpr std::string_view simulated_folder = "node";

inline uuid random_id(seeded_random& random) {
    uuid out;
    for (std::size_t i = 0; i < 16; i += 8) {
        const auto bits = random.next();
        std::memcpy(out.bytes.data() + i, &bits, 8);
    }
    return out;
}

/// One life of the node, from start to power cut. Made as `runtime::node` makes it, without its supervisors.
struct simulation::life {
    explicit life(simulation& in) : world(in) {}
    ~life() {
        services.dispatch = [](runtime::command, const runtime::reply_port&) {};
        for (auto& w : workers) {
            w->give_up();
        }
        for (auto& s : shards) {
            caf::anon_send_exit(s, caf::exit_reason::kill);
        }
        caf::anon_send_exit(timers, caf::exit_reason::kill);
        caf::anon_send_exit(retention, caf::exit_reason::kill);
        caf::anon_send_exit(audit_writer, caf::exit_reason::kill);
        caf::anon_send_exit(committer, caf::exit_reason::kill);
        scheduler().run();
        work.clear(); // it holds actors
        workers.clear();
        shards.clear();
        timers = nullptr;
        retention = nullptr;
        audit_writer = nullptr;
        world.counts_.events_cut += retained.events_cut;
        world.counts_.trimmed += retained.records_trimmed;
        committer = nullptr;
        scheduler().clock().cancel_all();
        scheduler().inline_all_enqueues(); // what is sent while the system ends is worked on at once
    }

    struct testing_config : caf::actor_system_config {
        testing_config() { set("scheduler.policy", caf::atom("testing")); }
    };

    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
    }

    expected<void> open_store() {
        storage::store_options options;
        options.directory = simulated_folder;
        options.cache_bytes = 1 << 20;
        options.write_buffer_bytes = 2 << 20; // more than a story fills
        options.free_bytes_min = simulated_free_bytes_min;
        options.env = world.env_.env();
        auto opened = storage::store::open(options);
        if (!opened) {
            return opened.error();
        }
        store = std::move(*opened);
        if (world.sealed_) {
            auto keys = open_keys(storage::store::keys_folder(simulated_folder));
            if (!keys) {
                return keys.error();
            }
            store->attach_keys(std::move(*keys));
        }
        return {};
    }

    expected<void> start() {
        auto opened = storage::committer::open(*store, simulated_free_bytes_min);
        if (!opened) {
            return opened.error();
        }
        const auto count = store->who().shards;
        services.store = store.get();
        services.kinds = &world.kinds_;
        services.letters = &letters;
        services.settings.snapshot_events = world.snapshot_events_;
        services.settings.idle_ms = world.idle_ms_;
        services.settings.sweep_ms = 700;
        services.clock = [this] { return timestamp{world.now_ms_ + world.clock_wrong_ms_}; };
        services.make_id = [this] { return random_id(world.random_); };
        services.end_process = [this](std::string_view) {
            world.ended_ = true;
            ++world.counts_.ends_of_process;
        };
        services.shard_times = std::vector<std::atomic<std::int64_t>>(count);
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            services.shard_times[shard] = storage::last_time(*store, shard).ms;
        }
        services.dispatch = [this](runtime::command c, runtime::reply_port port) {
            if (auto* worker = simulated_worker::current()) {
                worker->ask(std::move(c), std::move(port), [this](runtime::command asked, runtime::reply_port to) {
                    submit(std::move(asked), std::move(to));
                });
            } else {
                submit(std::move(c), std::move(port));
            }
        };
        services.start_work = [this](std::function<void()> run) { work.push_back(std::move(run)); };
        services.on_committed = [this](const std::vector<storage::record>& records) {
            for (const auto& r : records) {
                if (!world.over()) {
                    world.checker_.committed(r);
                    world.trace_.add(storage::encode_record(r));
                }
            }
            audit->committed();
        };
        audit =
            std::make_unique<runtime::audit_log>(*store, [this](std::string_view why) { services.end_process(why); });
        board = std::make_unique<runtime::timer_board>(*store);
        services.on_timer = [this](std::uint32_t shard, timestamp due) { board->lower(shard, due); };
        committer = runtime::spawn_committer(system, services, std::move(*opened), false);
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            shards.push_back(runtime::spawn_shard(system, services, committer, shard));
        }
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            for (auto& a : storage::read_owed(*store, shard)) {
                caf::anon_send(shards[shard], runtime::wake_msg{std::move(a)});
            }
        }
        timers = runtime::spawn_timers(system, services, *board);
        audit_writer = runtime::spawn_audit_writer(system, *audit, "/audit", &letters, false);
        if (world.retention_.shortest_ms() > 0) {
            retention = runtime::spawn_retention(system, services,
                                                 {world.retention_, [this] { return committer; },
                                                  [this](std::uint32_t shard) { return shards[shard]; }, &retained},
                                                 false);
        }
        return {};
    }

    void submit(runtime::command c, runtime::reply_port port) {
        auto held = std::make_shared<runtime::held_command>();
        if (c.id.empty()) {
            c.id = to_string(random_id(world.random_));
        }
        held->command = std::move(c);
        held->port = std::move(port);
        caf::anon_send(shards[store->shard_of(held->command.to)], runtime::submit_msg{held});
    }

    simulation& world;
    testing_config config;
    caf::actor_system system{config};
    std::unique_ptr<storage::store> store;
    runtime::dead_letters letters;
    std::unique_ptr<runtime::timer_board> board;
    runtime::host_services services;
    runtime::committer_actor committer;
    std::vector<runtime::shard_actor> shards;
    std::vector<std::function<void()>> work;                ///< Of performers, not begun yet.
    std::vector<std::unique_ptr<simulated_worker>> workers; ///< Those that wait for an answer, or did.
    caf::actor timers;
    bool flush_failed = false;
    std::unique_ptr<runtime::audit_log> audit;
    caf::actor audit_writer;
    caf::actor retention;
    runtime::retention_statistics retained;
};

} // namespace troupe::test
