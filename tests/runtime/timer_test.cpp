#include "runtime/entity/timer_actor.hpp"

#include "runtime/entity/rebuild.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "tests/runtime/host_fixture.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>

using namespace troupe;
using namespace troupe::test;

namespace {

/// A host with its timer service, as a node starts it.
class timed_host : public host_fixture {
public:
    /// `passed_ms`: how far the clock went on while no host was there.
    explicit timed_host(const std::filesystem::path& directory, std::int64_t passed_ms = 0)
        : host_fixture(directory), board(*store) {
        now = now + passed_ms;
        services.on_timer = [this](std::uint32_t shard, timestamp due) { board.lower(shard, due); };
        timers = runtime::spawn_timers(system, services, board);
        run();
    }
    ~timed_host() {
        caf::anon_send_exit(timers, caf::exit_reason::kill);
        run();
        timers = nullptr;
    }

    /// Lets time pass tick by tick.
    void pass(std::int64_t ms) {
        for (std::int64_t passed = 0; passed < ms; passed += runtime::timer_tick_ms) {
            advance(runtime::timer_tick_ms);
        }
    }

    [[nodiscard]] std::ptrdiff_t events(std::string_view type) const {
        return std::count_if(committed.begin(), committed.end(), [&](const auto& r) { return r.type == type; });
    }

    [[nodiscard]] std::size_t rows(const uuid& id) const {
        std::optional<timestamp> next;
        return storage::read_timers(*store, store->shard_of(address(id)), {std::numeric_limits<std::int64_t>::max()},
                                    100, next)
            .size();
    }

    runtime::timer_board board;
    caf::actor timers;
};

} // namespace

BOOST_AUTO_TEST_SUITE(timers)

BOOST_AUTO_TEST_CASE(a_timer_fires_once_when_it_is_due_and_not_before) {
    temporary_directory directory;
    timed_host host(directory.path);
    const auto id = make_uuid();
    host.ask(host.make(id, add_later{5, 1000}));
    BOOST_TEST(host.rows(id) == 1u);
    host.pass(950);
    BOOST_TEST(host.document(id).total == 0);
    host.pass(2 * runtime::timer_tick_ms);
    BOOST_TEST(host.document(id).total == 5);
    BOOST_TEST(host.rows(id) == 0u);
    host.pass(60'000);
    BOOST_TEST(host.document(id).total == 5);
    BOOST_TEST(host.events("timer_cleared") == 1);
    BOOST_TEST(host.committed.back().principal == "node");
}

BOOST_AUTO_TEST_CASE(a_timer_survives_a_restart) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        timed_host host(directory.path);
        host.ask(host.make(id, add_later{5, 10'000}));
        host.pass(1000);
    }
    timed_host host(directory.path, 1000);
    host.pass(8900);
    BOOST_TEST(host.committed.empty());
    host.pass(200);
    BOOST_TEST(host.document(id).total == 5);
    host.pass(20'000);
    BOOST_TEST(host.events("added") == 1);
}

BOOST_AUTO_TEST_CASE(a_timer_that_fired_does_not_fire_again_after_a_restart) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        timed_host host(directory.path);
        host.ask(host.make(id, add_later{5, 100}));
        host.pass(200);
        BOOST_TEST(host.document(id).total == 5);
    }
    timed_host host(directory.path, 200);
    host.pass(60'000);
    BOOST_TEST(host.committed.empty());
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(late_timers_fire_at_start_each_once) {
    temporary_directory directory;
    std::vector<uuid> all;
    {
        timed_host host(directory.path);
        for (int i = 0; i < 40; ++i) {
            all.push_back(make_uuid());
            host.ask(host.make(all.back(), add_later{i + 1, 1000 + 10 * i}));
        }
    }
    timed_host host(directory.path, 3600 * 1000);
    host.pass(2 * runtime::timer_tick_ms);
    for (int i = 0; i < 40; ++i) {
        BOOST_TEST(host.document(all[i]).total == i + 1);
    }
    host.pass(60'000);
    BOOST_TEST(host.events("added") == 40);
}

BOOST_AUTO_TEST_CASE(more_due_timers_than_fit_a_tick_all_fire_and_flood_nobody) {
    temporary_directory directory;
    timed_host host(directory.path);
    std::vector<uuid> all;
    while (all.size() < 1500) { // of one shard
        const auto id = make_uuid();
        if (host.store->shard_of(host.address(id)) == 0) {
            all.push_back(id);
            host.begin(host.make(id, add_later{1, 1000}));
        }
    }
    host.run();
    host.pass(950);
    std::ptrdiff_t fired = 0;
    for (int tick = 0; tick < 10; ++tick) {
        host.pass(runtime::timer_tick_ms);
        BOOST_TEST(host.events("added") - fired <= 256); // a tick's share, however many ticks there were
        fired = host.events("added");
    }
    BOOST_TEST(fired == 1500);
}

BOOST_AUTO_TEST_CASE(timers_that_nobody_takes_do_not_hold_up_others) {
    temporary_directory directory;
    timed_host host(directory.path);
    auto id = make_uuid();
    while (host.store->shard_of(host.address(id)) != 0) {
        id = make_uuid();
    }
    for (int i = 0; i < 1000; ++i) { // of a kind that is no more
        const entity_address gone{system_organization, "nothing", make_uuid()};
        const auto key = storage::keys::timer(0, host.now + i, gone, "later");
        BOOST_REQUIRE(
            host.store->db().db->Put({}, host.store->db().derived, key, storage::encode_timer_row("x", "{}")).ok());
    }
    host.ask(host.make(id, add_later{5, 2000}));
    host.pass(2000 + 10 * runtime::timer_tick_ms);
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(a_cleared_timer_does_not_fire) {
    temporary_directory directory;
    timed_host host(directory.path);
    const auto id = make_uuid();
    host.ask(host.make(id, add_later{5, 1000}));
    host.ask(host.make(id, timer_over{})); // before its time
    BOOST_TEST(host.document(id).total == 5);
    BOOST_TEST(host.rows(id) == 0u);
    const auto events = host.committed.size();
    host.pass(60'000);
    BOOST_TEST(host.committed.size() == events);
}

BOOST_AUTO_TEST_CASE(a_timer_that_is_set_again_fires_at_its_new_time_only) {
    temporary_directory directory;
    timed_host host(directory.path);
    const auto id = make_uuid();
    host.ask(host.make(id, add_later{5, 1000}));
    host.ask(host.make(id, add_later{7, 5000}));
    BOOST_TEST(host.rows(id) == 1u);
    host.pass(4900);
    BOOST_TEST(host.document(id).total == 0);
    host.pass(200);
    BOOST_TEST(host.document(id).total == 7);
    host.ask(host.make(id, add_later{9, 1000}));
    host.ask(host.make(id, add_later{11, 100})); // sooner
    host.pass(200);
    BOOST_TEST(host.document(id).total == 18);
    host.pass(60'000);
    BOOST_TEST(host.document(id).total == 18);
}

BOOST_AUTO_TEST_CASE(timers_of_a_passivated_entity_fire) {
    temporary_directory directory;
    timed_host host(directory.path);
    host.services.settings.idle_ms = 0;
    const auto id = make_uuid();
    host.ask(host.make(id, add_later{5, 60'000}));
    host.pass(30'000);
    BOOST_TEST(host.services.entities_active.load() == 0u);
    host.pass(30'100);
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(a_crash_at_any_step_fires_the_timer_once) {
    for (int steps = 0; steps < 40; ++steps) {
        temporary_directory directory;
        const auto id = make_uuid();
        {
            timed_host host(directory.path);
            host.ask(host.make(id, add_later{5, 1000}));
            host.now = host.now + 1000;
            host.scheduler().advance_time(std::chrono::milliseconds(runtime::timer_tick_ms));
            for (int i = 0; i < steps && host.scheduler().try_run_once(); ++i) {
            }
        }
        timed_host host(directory.path, 1000);
        host.pass(2 * runtime::timer_tick_ms);
        BOOST_TEST(host.document(id).total == 5, "after " << steps << " steps");
    }
}

BOOST_AUTO_TEST_CASE(lateness_is_measured_from_when_it_was_due_and_a_node_was_there) {
    temporary_directory directory;
    {
        timed_host host(directory.path);
        host.ask(host.make(make_uuid(), add_later{5, 1000}));
        host.pass(1000 + runtime::timer_tick_ms);
        BOOST_TEST(host.services.timer_lateness_max_ms.load() <= runtime::timer_tick_ms);
        host.ask(host.make(make_uuid(), add_later{5, 1000}));
        host.advance(5000); // one long step, as on a machine that was suspended
        BOOST_TEST(host.services.timer_lateness_max_ms.load() >= 3900);
        BOOST_TEST(host.services.timers_late.load() == 1u);
        host.ask(host.make(make_uuid(), add_later{5, 1000}));
    }
    timed_host host(directory.path, 3600 * 1000);
    host.pass(2 * runtime::timer_tick_ms);
    BOOST_TEST(host.events("added") == 1);
    BOOST_TEST(host.services.timers_late.load() == 0u); // the node was away, not late
}

BOOST_AUTO_TEST_CASE(a_timer_whose_command_is_poison_is_set_aside_for_good) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        timed_host host(directory.path);
        host.ask(host.make(id, add_later{bad_timer, 1000}));
        host.pass(30'000);
        BOOST_TEST(host.events("$poisoned") == 1);
        BOOST_TEST(host.letters.counts().at("poison") == 1u);
        BOOST_TEST(host.rows(id) == 0u); // nothing is sent any more
        const auto repeats = host.services.commands_repeated.load();
        host.pass(60'000);
        BOOST_TEST(host.services.commands_repeated.load() == repeats);
        BOOST_TEST(host.document(id).total == 0);
        host.services.settings.idle_ms = 0; // a snapshot, which has to know it too
        host.pass(20'000);
        BOOST_TEST(host.services.entities_active.load() == 0u);
    }
    timed_host host(directory.path, 200'000);
    host.ask(host.make(id, add{1}));
    host.pass(60'000);
    BOOST_TEST(host.rows(id) == 0u);
    BOOST_TEST(host.letters.counts().count("crash") == 0u);
    const auto views = runtime::rebuild_views(*host.store, host.kinds, false, [](std::uint64_t) {});
    BOOST_TEST((views && views->equal()));

    host.ask(host.make(id, add_later{5, 1000})); // set anew, it is another one
    host.pass(2000);
    BOOST_TEST(host.document(id).total == 6);
}

BOOST_AUTO_TEST_SUITE_END()
