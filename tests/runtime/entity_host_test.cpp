#include "tests/runtime/host_fixture.hpp"

#include "runtime/supervision/failures.hpp"
#include "schemas/base/limits.hpp"
#include "storage/log_reader.hpp"
#include "tests/storage/fake_wrapping.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(entity_host)

BOOST_AUTO_TEST_CASE(an_answered_command_is_in_the_journal_and_the_views) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    const auto answer = host.ask(host.make(id, add{3}));
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->version == 1u);
    BOOST_TEST(host.document(id).total == 3);
    BOOST_TEST(host.committed.size() == 1u);
    BOOST_TEST(host.committed[0].type == "added");
    BOOST_TEST(host.committed[0].principal == "test");
    const auto items = storage::read_items(*host.store, {host.address(id), "additions", false, 10, ""});
    BOOST_TEST(items->items.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_refused_command_changes_nothing) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    const auto answer = host.ask(host.make(id, add{0}));
    BOOST_REQUIRE(answer.has_error());
    BOOST_TEST((answer.error().code == code::conflict));
    BOOST_TEST(host.committed.empty());
    BOOST_TEST(!storage::read_document(*host.store, host.address(id))->has_value());
}

BOOST_AUTO_TEST_CASE(commands_that_wait_are_appended_as_one_batch_in_order) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    host.ask(host.make(id, add{1}));
    const auto before = host.services.commits.load();
    std::vector<std::shared_ptr<std::optional<runtime::reply>>> answers;
    for (int i = 0; i < 20; ++i) {
        answers.push_back(host.begin(host.make(id, add{i + 1})));
    }
    host.run();
    BOOST_TEST(host.services.commits.load() - before <= 2u); // the first alone, the rest together
    for (std::size_t i = 0; i < answers.size(); ++i) {
        BOOST_TEST(answers[i]->value()->version == i + 2);
    }
    BOOST_TEST(host.document(id).total == 1 + 20 * 21 / 2);
}

BOOST_AUTO_TEST_CASE(nothing_is_answered_before_the_commit) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    const auto answer = host.begin(host.make(id, add{1}));
    while (host.committed.empty()) {
        BOOST_REQUIRE(!answer->has_value());
        BOOST_REQUIRE(host.scheduler().try_run_once());
    }
    host.run();
    BOOST_TEST(answer->value().has_value());
}

BOOST_AUTO_TEST_CASE(a_repeated_command_is_applied_once_and_gets_the_same_answer_also_after_a_crash) {
    temporary_directory directory;
    const auto id = make_uuid();
    std::string first;
    {
        host_fixture host(directory.path);
        first = host.ask(host.make(id, add{5}, "k1"))->document;
        host.ask(host.make(id, add{7}, "k2"));
        const auto again = host.ask(host.make(id, add{5}, "k1"));
        BOOST_TEST(again->repeated);
        BOOST_TEST(again->document == first);
    }
    host_fixture host(directory.path);
    const auto again = host.ask(host.make(id, add{5}, "k1"));
    BOOST_TEST(again->repeated);
    BOOST_TEST(again->document == first);
    BOOST_TEST(again->version == 1u);
    BOOST_TEST(host.document(id).total == 12);
}

BOOST_AUTO_TEST_CASE(a_repeat_within_one_batch_waits_for_the_same_commit) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    const auto one = host.begin(host.make(id, add{5}, "k"));
    const auto two = host.begin(host.make(id, add{5}, "k"));
    host.run();
    BOOST_TEST(one->value()->document == two->value()->document);
    BOOST_TEST(!one->value()->repeated);
    BOOST_TEST(two->value()->repeated);
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(the_same_key_with_another_request_is_refused) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    auto first = host.make(id, add{5}, "k");
    first.request_hash = 1;
    auto other = host.make(id, add{6}, "k");
    other.request_hash = 2;
    host.ask(std::move(first));
    const auto answer = host.ask(std::move(other));
    BOOST_REQUIRE(answer.has_error());
    BOOST_TEST((answer.error().code == code::idempotency_mismatch));
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(a_repeat_is_recognised_behind_another_request_with_its_key) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    auto first = host.make(id, add{5}, "k");
    first.request_hash = 1;
    auto other = host.make(id, add{6}, "k");
    other.request_hash = 2;
    host.ask(first);
    host.begin(host.make(id, add{10})); // while this is written, the next two wait and become one batch
    const auto refused = host.begin(std::move(other));
    const auto repeated = host.begin(std::move(first));
    host.run();
    BOOST_TEST((refused->value().error().code == code::idempotency_mismatch));
    BOOST_REQUIRE(repeated->value().has_value());
    BOOST_TEST(repeated->value()->repeated);
    BOOST_TEST(host.document(id).total == 15);
}

BOOST_AUTO_TEST_CASE(if_match_is_judged_at_the_moment_of_decision) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    host.ask(host.make(id, add{1}));
    auto one = host.make(id, add{10});
    one.if_match = 1;
    auto two = host.make(id, add{100});
    two.if_match = 1;
    const auto first = host.begin(std::move(one));
    const auto second = host.begin(std::move(two));
    host.run();
    BOOST_TEST(first->value().has_value());
    BOOST_REQUIRE(second->value().has_error());
    BOOST_TEST((second->value().error().code == code::precondition_failed));
    BOOST_TEST(host.document(id).total == 11);
}

BOOST_AUTO_TEST_CASE(state_survives_a_crash_with_and_without_snapshots) {
    for (const std::uint64_t snapshot_events : {3u, 1000u}) {
        temporary_directory directory;
        const auto id = make_uuid();
        {
            host_fixture host(directory.path, {}, snapshot_events);
            for (int i = 1; i <= 10; ++i) {
                host.ask(host.make(id, add{i}));
            }
        }
        host_fixture host(directory.path, {}, snapshot_events);
        BOOST_TEST(host.ask(host.make(id, add{1}))->version == 11u);
        BOOST_TEST(host.document(id).total == 56);
        const auto snapshots = storage::read_snapshots(*host.store, host.address(id), 9);
        BOOST_TEST(snapshots.size() == (snapshot_events == 3 ? 2u : 0u));
    }
}

BOOST_AUTO_TEST_CASE(idle_entities_are_passivated_and_come_back) {
    temporary_directory directory;
    host_fixture host(directory.path);
    host.services.settings.idle_ms = 0;
    const auto id = make_uuid();
    host.ask(host.make(id, add{4}));
    BOOST_TEST(host.services.entities_active.load() == 1u);
    host.advance(host.services.settings.sweep_ms);
    BOOST_TEST(host.services.entities_active.load() == 0u);
    BOOST_TEST(storage::read_snapshots(*host.store, host.address(id), 9).size() == 1u);
    BOOST_TEST(host.ask(host.make(id, add{1}))->version == 2u);
    BOOST_TEST(host.document(id).total == 5);
}

BOOST_AUTO_TEST_CASE(few_events_leave_memory_without_a_snapshot) {
    temporary_directory directory;
    host_fixture host(directory.path);
    host.services.settings.idle_ms = 0;
    host.services.settings.snapshot_idle_events = 3;
    const auto id = make_uuid();
    for (std::size_t events = 1; events <= 3; ++events) {
        host.ask(host.make(id, add{1}));
        host.advance(host.services.settings.sweep_ms);
        BOOST_TEST(host.services.entities_active.load() == 0u);
        BOOST_TEST(storage::read_snapshots(*host.store, host.address(id), 9).size() == (events < 3 ? 0u : 1u));
    }
    BOOST_TEST(host.document(id).total == 3);
}

BOOST_AUTO_TEST_CASE(more_entities_than_may_be_active_leave_memory_oldest_first) {
    temporary_directory directory;
    host_fixture host(directory.path);
    host.services.settings.active_max = 10;
    std::vector<uuid> ids;
    for (int i = 0; i < 200; ++i) {
        ids.push_back(make_uuid());
        host.ask(host.make(ids.back(), add{i + 1}));
    }
    host.advance(0);
    const auto shards = host.store->who().shards;
    BOOST_TEST(host.services.entities_active.load() <= 10u + shards * 5u); // each shard may have a few more
    for (int i = 0; i < 200; ++i) {
        BOOST_TEST(host.document(ids[static_cast<std::size_t>(i)]).total == i + 1);
    }
    BOOST_TEST(host.ask(host.make(ids.front(), add{1}))->version == 2u);
}

BOOST_AUTO_TEST_CASE(a_poison_command_is_set_aside_and_the_others_are_served) {
    temporary_directory directory;
    host_fixture host(directory.path);
    runtime::failure_board failures;
    const error_listener listener([&](const error_line& line) { failures.record(line); });
    const auto id = make_uuid();
    host.ask(host.make(id, add{1}));
    const auto before = host.begin(host.make(id, add{10}));
    auto broken = host.make(id, crash{}, "bad");
    broken.correlation = "r1";
    const auto bad = host.begin(std::move(broken));
    const auto after = host.begin(host.make(id, add{100}));
    for (int i = 0; i < 20 && !after->has_value(); ++i) {
        host.advance(6000); // the back-off between restarts
    }
    BOOST_REQUIRE(bad->has_value());
    BOOST_REQUIRE(bad->value().has_error());
    BOOST_TEST((bad->value().error().code == code::poison));
    BOOST_TEST(before->value().has_value());
    BOOST_TEST(after->value().has_value());
    BOOST_TEST(host.document(id).total == 111);
    BOOST_TEST(host.letters.counts().at("crash") == static_cast<std::uint64_t>(limits::poison_crashes));
    const auto again = host.ask(host.make(id, crash{}, "bad"));
    BOOST_TEST((again.error().code == code::poison)); // not tried again
    const auto failed = failures.list();
    BOOST_REQUIRE(failed.size() == 2u); // each told once, by whoever knows the command
    BOOST_TEST(failed[0].pattern == "counter/# set '…' aside, which crashed it: the model is broken");
    BOOST_TEST(failed[0].count == 1u);
    BOOST_TEST(failed[1].pattern == "counter/# crashed: the model is broken");
    BOOST_TEST(failed[1].count == static_cast<std::uint64_t>(limits::poison_crashes));
    BOOST_TEST(failed[0].request_id.value_or("") == "r1");
    BOOST_TEST(failed[1].request_id.value_or("") == "r1");
}

BOOST_AUTO_TEST_CASE(a_command_may_become_so_many_events_and_no_more) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        host_fixture host(directory.path);
        BOOST_TEST(host.ask(host.make(id, burst{10'000, 0}))->version == 10'000u);
        for (const auto& over : {burst{10'001, 0}, burst{1'000'000, 0}, burst{17, 1 << 20}, burst{1, 5 << 20}}) {
            const auto refused = host.ask(host.make(id, over));
            BOOST_REQUIRE(refused.has_error());
            BOOST_TEST((refused.error().code == code::payload_too_large));
        }
        BOOST_TEST(host.document(id).total == 10'000);
    }
    host_fixture host(directory.path);
    BOOST_TEST(host.ask(host.make(id, add{1}))->version == 10'001u);
}

BOOST_AUTO_TEST_CASE(a_model_that_throws_anywhere_costs_only_the_command_that_made_it_throw) {
    for (const auto bad : {bad_apply, bad_view, bad_resume}) {
        temporary_directory directory;
        const auto id = make_uuid();
        {
            host_fixture host(directory.path);
            const auto before = host.begin(host.make(id, add{1}));
            const auto broken = host.begin(host.make(id, add{bad == bad_apply ? bad : bad - 1}, "bad"));
            const auto after = host.begin(host.make(id, add{1}));
            for (int i = 0; i < 20 && !after->has_value(); ++i) {
                host.advance(6000);
            }
            BOOST_REQUIRE(broken->has_value() && broken->value().has_error());
            BOOST_TEST((broken->value().error().code == code::poison));
            BOOST_TEST(before->value().has_value());
            BOOST_TEST((after->has_value() && after->value().has_value()));
            BOOST_TEST(host.document(id).total == 2);
        }
        host_fixture host(directory.path);
        BOOST_TEST(host.ask(host.make(id, add{1})).has_value());
        BOOST_TEST(host.document(id).total == 3);
    }
}

BOOST_AUTO_TEST_CASE(a_command_past_its_deadline_is_not_decided) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    auto late = host.make(id, add{1});
    late.deadline_ms = 1; // long ago on the monotonic clock
    const auto answer = host.ask(std::move(late));
    BOOST_REQUIRE(answer.has_error());
    BOOST_TEST((answer.error().code == code::deadline_exceeded));
    BOOST_TEST(host.committed.empty());
}

BOOST_AUTO_TEST_CASE(an_unknown_kind_or_command_is_a_clear_refusal) {
    temporary_directory directory;
    host_fixture host(directory.path);
    auto nowhere = host.make(make_uuid(), add{1});
    nowhere.to.kind = "nothing";
    BOOST_TEST((host.ask(std::move(nowhere)).error().code == code::not_found));
    auto nonsense = host.make(make_uuid(), add{1});
    nonsense.type = "dance";
    BOOST_TEST((host.ask(std::move(nonsense)).error().code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(a_send_effect_reaches_its_receiver_once) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto from = make_uuid();
    const auto to = make_uuid();
    host.ask(host.make(from, tell{to, 9}));
    BOOST_TEST(host.document(to).total == 9);
    BOOST_TEST(host.document(from).told == 1u);
    BOOST_TEST(storage::read_owed(*host.store, host.store->shard_of(host.address(from))).empty());
}

BOOST_AUTO_TEST_CASE(what_is_owed_is_sent_after_a_crash_and_applied_once) {
    // Stop after each number of scheduler steps in turn: the crash hits every boundary of the exchange.
    for (int steps = 1; steps < 60; ++steps) {
        temporary_directory directory;
        const auto from = make_uuid();
        const auto to = make_uuid();
        {
            host_fixture host(directory.path);
            host.begin(host.make(from, tell{to, 9}, "k"));
            for (int i = 0; i < steps && host.scheduler().try_run_once(); ++i) {
            }
        }
        host_fixture host(directory.path);
        for (std::uint32_t shard = 0; shard < 4; ++shard) {
            for (auto& a : storage::read_owed(*host.store, shard)) {
                caf::anon_send(host.shards[shard], runtime::wake_msg{a});
            }
        }
        host.ask(host.make(from, tell{to, 9}, "k")); // the client never got its answer, and repeats
        BOOST_TEST(host.document(to).total == 9, "after " << steps << " steps");
        BOOST_TEST(host.document(from).told == 1u, "after " << steps << " steps");
    }
}

BOOST_AUTO_TEST_CASE(an_answered_command_lets_go_of_who_waited) {
    auto waits = std::make_shared<int>(0);
    const std::weak_ptr<int> kept = waits;
    runtime::held_command held;
    held.port = [waits = std::move(waits)](const runtime::reply&) { ++*waits; };
    BOOST_TEST(!kept.expired());
    held.answer(runtime::outcome{});
    BOOST_TEST(kept.expired());
    held.answer(runtime::outcome{}); // is nothing any more
}

BOOST_AUTO_TEST_CASE(a_committer_that_ends_lets_go_of_what_waited_for_it) {
    temporary_directory directory;
    host_fixture host(directory.path);
    auto append = std::make_shared<storage::append>();
    const std::weak_ptr<storage::append> kept = append;
    caf::anon_send(host.committer, runtime::append_msg{std::move(append)});
    BOOST_REQUIRE(host.scheduler().try_run_once()); // it waits for the flush that comes after it
    BOOST_TEST(!kept.expired());
    caf::anon_send_exit(host.committer, caf::exit_reason::kill);
    host.run();
    BOOST_TEST(kept.expired());
}

BOOST_AUTO_TEST_CASE(index_keys_follow_the_state) {
    temporary_directory directory;
    host_fixture host(directory.path);
    const auto id = make_uuid();
    const auto count = [&](std::string filter) {
        storage::list_query query;
        query.organization = system_organization;
        query.kind = "counter";
        query.filter = std::move(filter);
        return storage::read_list(*host.store, query)->items.size();
    };
    host.ask(host.make(id, add{1}));
    BOOST_TEST(count("parity=odd") == 1u);
    BOOST_TEST(count("parity=even") == 0u);
    host.ask(host.make(id, add{1}));
    BOOST_TEST(count("parity=odd") == 0u);
    BOOST_TEST(count("parity=even") == 1u);
    BOOST_TEST(count("") == 1u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_writes_and_changes_nothing) {
    temporary_directory directory;
    const auto id = make_uuid();
    host_fixture host(directory.path);
    host.ask(host.make(id, add{1}));
    auto no_space = storage::committer::open(*host.store, std::numeric_limits<std::uint64_t>::max());
    auto full = runtime::spawn_committer(host.system, host.services, std::move(*no_space), false);
    auto shard = runtime::spawn_shard(host.system, host.services, full, host.store->shard_of(host.address(id)));
    auto held = std::make_shared<runtime::held_command>();
    held->command = host.make(id, add{5}, "k");
    std::optional<runtime::reply> answer;
    held->port = [&](runtime::reply r) { answer = std::move(r); };
    caf::anon_send(shard, runtime::submit_msg{held});
    host.run();
    BOOST_REQUIRE(answer.has_value() && answer->has_error());
    BOOST_TEST((answer->error().code == code::storage_full));
    BOOST_TEST(host.document(id).total == 1);
    caf::anon_send_exit(shard, caf::exit_reason::kill);
    caf::anon_send_exit(full, caf::exit_reason::kill);
    host.run();
}

// ---- keys that other nodes have to agree to

namespace {

/// Nodes that agree at once, or not at all.
struct fickle_agreement final : storage::key_agreement {
    explicit fickle_agreement(storage::key_store& of) : keys(of) { keys.agree_with(this); }

    expected<void> issue(const uuid& subject) override {
        ++asked;
        if (away) {
            return problem{code::unavailable, "the coordinator is away", {}, 1};
        }
        const storage::agreed_key k{keys.count() + 1, subject, keys.draw(subject, keys.count() + 1), {}};
        return keys.take(std::span(&k, 1));
    }
    expected<void> destroy(const uuid&, timestamp) override { return {}; }
    void await(std::uint32_t) override {}

    storage::key_store& keys;
    bool away = false;
    int asked = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_command_whose_keys_cannot_be_had_is_refused_and_the_next_one_is_done) {
    for (const bool organization_has_a_key : {false, true}) {
        temporary_directory directory;
        host_fixture host(directory.path);
        attach_fake_keys(*host.store);
        host.services.reroute = [](runtime::held_ptr) { BOOST_ERROR("its shard was not lost"); }; // as in a cluster
        fickle_agreement others(*host.store->keys());
        const auto id = make_uuid();
        if (organization_has_a_key) {
            BOOST_REQUIRE(host.ask(host.make(id, add{3})).has_value());
        }
        auto command = host.make(id, add{4});
        command.principal = "user/" + to_string(make_uuid());
        command.client.address = "192.0.2.1";
        others.away = true;
        const auto refused = host.ask(command);
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST((refused.error().code == code::unavailable));
        BOOST_TEST(refused.error().detail == "the coordinator is away");
        others.away = false;
        const auto done = host.ask(command);
        BOOST_REQUIRE(done.has_value());
        BOOST_TEST(done->version == (organization_has_a_key ? 2u : 1u));
        const auto asked = others.asked;
        BOOST_TEST(host.ask(host.make(id, add{5})).has_value());
        BOOST_TEST(others.asked == asked);
        BOOST_TEST(host.document(id).total == (organization_has_a_key ? 12 : 9));
    }
}

BOOST_AUTO_TEST_SUITE_END()
