#pragma once

#include "runtime/entity/actors.hpp"
#include "runtime/entity/timer_actor.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "storage/views.hpp"
#include "tests/runtime/counter.hpp"
#include "tests/temporary_directory.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::test {

struct testing_config : caf::actor_system_config {
    testing_config() { set("scheduler.policy", caf::atom("testing")); }
};

/// Routers, committer and entities on CAF's deterministic scheduler, over a real store. Nothing runs but in `run`, and
/// time moves only by `advance`. Destroying it is a crash as far as the entities are concerned.
class host_fixture {
public:
    explicit host_fixture(const std::filesystem::path& directory, runtime::performer_of<counter_model> performer = {},
                          std::uint64_t snapshot_events = 200) {
        storage::store_options options;
        options.directory = directory;
        options.shards = 4;
        auto opened = storage::store::open(options);
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        store = std::move(*opened);
        kinds.emplace("counter", runtime::make_kind<counter_model>(std::move(performer)));
        services.store = store.get();
        services.kinds = &kinds;
        services.letters = &letters;
        services.settings.snapshot_events = snapshot_events;
        services.clock = [this] { return now; };
        services.shard_times = std::vector<std::atomic<std::int64_t>>(4);
        services.dispatch = [this](runtime::command c, runtime::reply_port port) {
            submit(std::move(c), std::move(port));
        };
        services.on_committed = [this](const std::vector<storage::record>& records) {
            committed.insert(committed.end(), records.begin(), records.end());
        };
        committer =
            runtime::spawn_committer(system, services, std::move(storage::committer::open(*store, 0).value()), false);
        for (std::uint32_t shard = 0; shard < 4; ++shard) {
            shards.push_back(runtime::spawn_shard(system, services, committer, shard));
        }
        run();
    }
    ~host_fixture() {
        services.dispatch = [](runtime::command, const runtime::reply_port&) {}; // nothing new from here on
        for (auto& s : shards) {
            caf::anon_send_exit(s, caf::exit_reason::kill);
        }
        caf::anon_send_exit(committer, caf::exit_reason::kill);
        run();
        shards.clear();
        committer = nullptr;
        scheduler().inline_all_enqueues(); // what is sent while the system ends is worked on at once
    }

    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
    }
    void run() { scheduler().run(); }
    void advance(std::int64_t ms) {
        now = now + ms;
        scheduler().advance_time(std::chrono::milliseconds(ms));
        run();
    }

    void submit(runtime::command c, runtime::reply_port port) {
        auto held = std::make_shared<runtime::held_command>();
        if (c.id.empty()) {
            c.id = to_string(make_uuid());
        }
        held->command = std::move(c);
        held->port = std::move(port);
        caf::anon_send(shards[store->shard_of(held->command.to)], runtime::submit_msg{held});
    }

    static entity_address address(const uuid& id) { return {system_organization, "counter", id}; }

    template <class Command>
    static runtime::command make(const uuid& id, const Command& c, std::string command_id = {}) {
        runtime::command out;
        out.to = address(id);
        out.type = wire_name<Command>::value;
        out.payload = to_json(c);
        out.id = std::move(command_id);
        out.principal = "test";
        return out;
    }

    /// Submits and returns where the answer will be.
    std::shared_ptr<std::optional<runtime::reply>> begin(runtime::command c) {
        auto answer = std::make_shared<std::optional<runtime::reply>>();
        submit(std::move(c), [answer](runtime::reply r) {
            BOOST_CHECK_MESSAGE(!answer->has_value(), "answered twice");
            *answer = std::move(r);
        });
        return answer;
    }

    /// Submits, lets everything run, returns the answer.
    runtime::reply ask(runtime::command c) {
        auto answer = begin(std::move(c));
        run();
        BOOST_REQUIRE_MESSAGE(answer->has_value(), "no answer");
        return **answer;
    }

    counter_state document(const uuid& id) {
        auto d = storage::read_document(*store, address(id));
        BOOST_REQUIRE(d.has_value() && d->has_value());
        return from_json<counter_state>((*d)->json, strictness::stored).value();
    }

    testing_config config;
    caf::actor_system system{config};
    timestamp now{1'700'000'000'000};
    std::unique_ptr<storage::store> store;
    runtime::kind_registry kinds;
    runtime::dead_letters letters;
    runtime::host_services services;
    std::vector<storage::record> committed;
    runtime::committer_actor committer;
    std::vector<runtime::shard_actor> shards;
};

} // namespace troupe::test
