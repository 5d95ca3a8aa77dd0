#include "runtime/retention/retention_actor.hpp"

#include "runtime/audit/audit_log.hpp"
#include "runtime/entity/rebuild.hpp"
#include "runtime/retention/history_cut.hpp"
#include "storage/base.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/poison.hpp"
#include "storage/rocks.hpp"
#include "storage/trim.hpp"
#include "tests/runtime/host_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::test;

namespace keys = storage::keys;

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

/// A host with retention that a test lets go round.
class retained_host {
public:
    explicit retained_host(const std::filesystem::path& directory, runtime::retention_policy p,
                           std::uint64_t snapshot_events = 200)
        : host(directory, {}, snapshot_events), policy(std::move(p)) {
        host.services.settings.dedup_window_ms = hour_ms;
    }
    ~retained_host() { stop(); }

    void stop() {
        caf::anon_send_exit(actor, caf::exit_reason::kill);
        host.run();
        actor = nullptr;
    }

    caf::actor spawn() {
        return runtime::spawn_retention(host.system, host.services,
                                        {policy, [this] { return host.committer; },
                                         [this](std::uint32_t shard) { return host.shards[shard]; }, &statistics},
                                        false);
    }

    /// Once through all shards, after what may be left of a round that has begun.
    void round() {
        if (!actor) {
            actor = spawn();
        }
        // The audit log reads them before they are trimmed.
        BOOST_REQUIRE(runtime::audit_log(*host.store, runtime::fatal).catch_up(1'000'000).value());
        const auto before = statistics.rounds.load();
        for (int i = 0; i < 10'000 && statistics.rounds < before + 2; ++i) {
            host.scheduler().advance_time(std::chrono::seconds(1)); // its rests; the clock of records stands still
            host.run();
        }
        BOOST_REQUIRE(statistics.rounds >= before + 2);
    }

    std::uint64_t base_of(const uuid& id) { return storage::read_base_mark(*host.store, host.address(id))->version; }

    void check() {
        const auto found = storage::verify_journal(*host.store, [](std::uint64_t) {});
        BOOST_TEST(!found.first_bad.has_value(), (found.first_bad ? found.first_bad->detail : ""));
        BOOST_TEST(found.snapshots_damaged == 0u);
        const auto views = runtime::rebuild_views(*host.store, host.kinds, false, [](std::uint64_t) {});
        BOOST_REQUIRE(views.has_value());
        BOOST_TEST(views->equal(), views->missing << " missing, " << views->extra << " extra, " << views->different
                                                  << " different, " << views->quarantined.size() << " quarantined");
    }

    std::size_t events_of(const uuid& id) {
        std::size_t out = 0;
        const auto read =
            storage::read_history(*host.store, host.address(id), base_of(id), [&](storage::record&&) -> expected<void> {
                ++out;
                return {};
            });
        BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
        return out;
    }

    std::vector<std::string> items(const uuid& id) {
        const auto page = storage::read_items(*host.store, {host.address(id), "additions", false, 1000, {}});
        BOOST_REQUIRE(page.has_value());
        return page->items;
    }

    void damage(const std::string& key) {
        std::string value;
        auto& db = host.store->db();
        BOOST_REQUIRE(db.db->Get({}, db.derived, key, &value).ok());
        value.back() = static_cast<char>(value.back() ^ 1);
        BOOST_REQUIRE(db.db->Put({}, db.derived, key, value).ok());
    }
    void damage_snapshot(const uuid& id, std::uint64_t version) {
        const auto a = host.address(id);
        damage(keys::numbered(host.store->shard_of(a), keys::table::snapshot, a, version));
    }
    void damage_base(const uuid& id) {
        const auto a = host.address(id);
        damage(keys::numbered(host.store->shard_of(a), keys::table::base, a, base_of(id)));
    }

    host_fixture host;
    runtime::retention_policy policy;
    runtime::retention_statistics statistics;
    caf::actor actor;
};

runtime::retention_policy histories_for(std::int64_t ms) { return {0, ms, {}}; }

} // namespace

BOOST_AUTO_TEST_SUITE(retention)

BOOST_AUTO_TEST_CASE(the_list_of_poison_outlives_the_events_that_it_follows_from) {
    temporary_directory directory;
    retained_host r(directory.path, histories_for(hour_ms), 4);
    const auto id = make_uuid();
    const auto bad = r.host.begin(r.host.make(id, crash{}, "bad"));
    for (int i = 0; i < 20 && !bad->has_value(); ++i) {
        r.host.advance(6000);
    }
    BOOST_REQUIRE(bad->has_value());
    for (int i = 1; i <= 10; ++i) {
        r.host.ask(r.host.make(id, add{i}));
    }
    r.host.advance(2 * hour_ms);
    r.round();
    BOOST_REQUIRE(r.base_of(id) > 1u); // the first event, `$poisoned`, is cut
    r.check();
    BOOST_TEST(storage::read_poison(*r.host.store, {system_organization, 10, {}})->items.size() == 1u);
}

BOOST_AUTO_TEST_CASE(old_events_are_cut_and_the_entity_stays_what_it_was) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        retained_host r(directory.path, histories_for(hour_ms), 4);
        for (int i = 1; i <= 10; ++i) {
            r.host.ask(r.host.make(id, add{i}));
        }
        r.host.advance(2 * hour_ms);
        r.round();
        BOOST_TEST(r.base_of(id) == 9u); // all but the newest command
        BOOST_TEST(r.statistics.events_cut.load() == 9u);
        BOOST_TEST(r.events_of(id) == 1u);
        BOOST_TEST(r.items(id).size() == 10u);
        r.check();
        const auto whole = storage::read_history(*r.host.store, r.host.address(id), 0,
                                                 [](storage::record&&) -> expected<void> { return {}; });
        BOOST_REQUIRE(whole.has_error()); // the read says where the history begins
        BOOST_TEST((whole.error().code == code::not_found));
        BOOST_TEST(whole.error().detail.find("begins after event 9") != std::string::npos, whole.error().detail);
        BOOST_TEST(r.host.ask(r.host.make(id, add{100}))->version == 11u);
        r.round();
        BOOST_TEST(r.base_of(id) == 10u); // it is not the newest any more
    }
    retained_host r(directory.path, histories_for(hour_ms), 4);
    BOOST_TEST(r.host.ask(r.host.make(id, add{1000}))->version == 12u);
    BOOST_TEST(r.host.document(id).total == 1155);
    r.check();
}

BOOST_AUTO_TEST_CASE(young_events_and_those_of_kinds_that_are_kept_stay) {
    temporary_directory directory;
    const auto id = make_uuid();
    retained_host r(directory.path, histories_for(hour_ms));
    for (int i = 0; i < 5; ++i) {
        r.host.ask(r.host.make(id, add{1}));
        r.host.advance(20 * 60'000);
    }
    r.round();
    BOOST_TEST(r.base_of(id) == 3u); // of 100, 80 and 60 minutes ago
    r.stop();
    r.policy.kinds["counter"] = 0;
    r.host.advance(5 * hour_ms);
    r.round();
    BOOST_TEST(r.base_of(id) == 3u);
    r.stop();
    r.policy = {0, 0, {{"counter", hour_ms}}};
    r.round();
    BOOST_TEST(r.base_of(id) == 4u);
}

BOOST_AUTO_TEST_CASE(any_one_good_state_is_enough_to_load) {
    for (const std::string which : {"newest", "both snapshots", "base"}) {
        temporary_directory directory;
        const auto id = make_uuid();
        std::vector<std::uint64_t> versions;
        {
            retained_host r(directory.path, histories_for(hour_ms), 4);
            for (int i = 1; i <= 10; ++i) {
                r.host.ask(r.host.make(id, add{i}));
            }
            r.host.advance(2 * hour_ms);
            r.round();
            for (const auto& s : storage::read_snapshots(*r.host.store, r.host.address(id), 9)) {
                versions.push_back(s.version);
            }
            BOOST_REQUIRE(versions.size() == 2u);
            BOOST_TEST(versions[0] >= r.base_of(id));
            if (which == "base") {
                r.damage_base(id);
            } else {
                r.damage_snapshot(id, versions[0]);
            }
            if (which == "both snapshots") {
                r.damage_snapshot(id, versions[1]);
            }
        }
        retained_host r(directory.path, histories_for(hour_ms), 4);
        const auto answer = r.host.ask(r.host.make(id, add{1}));
        BOOST_REQUIRE_MESSAGE(answer.has_value(), which << ": " << (answer ? "" : answer.error().detail));
        BOOST_TEST(answer->version == 11u);
        BOOST_TEST(r.host.document(id).total == 56);
        const auto found = storage::verify_journal(*r.host.store, [](std::uint64_t) {});
        BOOST_TEST((which == "base" ? found.first_bad.has_value() : !found.first_bad.has_value()));
    }
}

BOOST_AUTO_TEST_CASE(an_entity_without_any_good_state_is_quarantined) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        retained_host r(directory.path, histories_for(hour_ms));
        for (int i = 1; i <= 3; ++i) {
            r.host.ask(r.host.make(id, add{i}));
        }
        r.host.advance(2 * hour_ms);
        r.round();
        const auto snapshots = storage::read_snapshots(*r.host.store, r.host.address(id), 9);
        BOOST_REQUIRE(snapshots.size() == 1u); // written with the cut: there was none
        r.damage_snapshot(id, snapshots[0].version);
        r.damage_base(id);
    }
    retained_host r(directory.path, histories_for(hour_ms));
    const auto answer = r.host.ask(r.host.make(id, add{1}));
    BOOST_REQUIRE(answer.has_error());
    BOOST_TEST((answer.error().code == code::quarantined));
    BOOST_TEST(answer.error().detail.find("begins") != std::string::npos, answer.error().detail);
}

BOOST_AUTO_TEST_CASE(a_repeat_within_the_window_gets_the_first_answer_also_without_its_events) {
    temporary_directory directory;
    const auto id = make_uuid();
    retained_host r(directory.path, histories_for(hour_ms / 2)); // shorter than the window: the config refuses that
    const auto first = r.host.ask(r.host.make(id, add{7}, "key"));
    BOOST_REQUIRE(first.has_value());
    r.host.ask(r.host.make(id, add{1}));
    r.host.advance(hour_ms / 2 + 1);
    r.round();
    BOOST_TEST(r.base_of(id) == 1u);
    auto again = r.host.ask(r.host.make(id, add{7}, "key"));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->repeated);
    BOOST_TEST(again->version == first->version);
    BOOST_TEST(again->document == first->document);
    r.host.advance(hour_ms); // over the window: the next cut lets go of what is cut then
    r.host.ask(r.host.make(id, add{1}, "other"));
    r.host.ask(r.host.make(id, add{1}));
    r.host.advance(2 * hour_ms);
    r.round();
    BOOST_TEST(!storage::read_command(*r.host.store, r.host.address(id), "other").value().has_value());
    BOOST_TEST(r.host.document(id).total == 10);
}

BOOST_AUTO_TEST_CASE(a_late_repeat_of_an_effect_changes_nothing) {
    temporary_directory directory;
    const auto id = make_uuid();
    retained_host r(directory.path, histories_for(hour_ms));
    BOOST_REQUIRE(r.host.ask(r.host.make(id, add{7}, "effect/somebody/1")).has_value());
    r.host.ask(r.host.make(id, add{1}));
    r.host.advance(5 * hour_ms);
    r.round();
    BOOST_TEST(r.base_of(id) == 1u);
    const auto again = r.host.ask(r.host.make(id, add{7}, "effect/somebody/1"));
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->repeated);
    BOOST_TEST(again->version == 1u);
    BOOST_TEST(r.host.document(id).total == 8);
}

BOOST_AUTO_TEST_CASE(a_command_that_was_set_aside_stays_so) {
    temporary_directory directory;
    const auto id = make_uuid();
    retained_host r(directory.path, histories_for(hour_ms));
    const auto bad = r.host.begin(r.host.make(id, crash{}, "effect/bad"));
    for (int i = 0; i < 20 && !bad->has_value(); ++i) {
        r.host.advance(6000);
    }
    BOOST_REQUIRE(bad->has_value());
    r.host.ask(r.host.make(id, add{1}));
    r.host.advance(5 * hour_ms);
    r.round();
    BOOST_TEST(r.base_of(id) == 1u);
    const auto again = r.host.ask(r.host.make(id, crash{}, "effect/bad"));
    BOOST_REQUIRE(again.has_error());
    BOOST_TEST((again.error().code == code::poison));
}

BOOST_AUTO_TEST_CASE(a_long_history_is_cut_in_bounded_steps_while_commands_come) {
    temporary_directory directory;
    const auto id = make_uuid();
    retained_host r(directory.path, histories_for(hour_ms));
    constexpr int count = 5000;
    for (int i = 0; i < count; ++i) {
        r.host.begin(r.host.make(id, add{1}));
    }
    r.host.run();
    r.host.advance(2 * hour_ms);
    const auto cut =
        runtime::make_cut(*r.host.store, r.host.kinds.at("counter"), r.host.address(id), count, r.host.now, r.host.now);
    BOOST_TEST(cut->events == runtime::cut_events_max);
    BOOST_TEST(cut->more);
    std::vector<std::shared_ptr<std::optional<runtime::reply>>> answers;
    for (int i = 0; i < 50; ++i) {
        answers.push_back(r.host.begin(r.host.make(id, add{1})));
    }
    r.round();
    BOOST_TEST(r.base_of(id) == static_cast<std::uint64_t>(count));
    for (const auto& answer : answers) {
        BOOST_REQUIRE(answer->has_value());
        BOOST_TEST(answer->value().has_value());
    }
    BOOST_TEST(r.host.document(id).total == count + 50);
    r.check();
}

BOOST_AUTO_TEST_CASE(entities_that_were_asleep_sleep_again) {
    temporary_directory directory;
    retained_host r(directory.path, histories_for(hour_ms));
    std::vector<uuid> ids;
    for (int i = 0; i < 40; ++i) {
        ids.push_back(make_uuid());
        r.host.ask(r.host.make(ids.back(), add{1}));
        r.host.ask(r.host.make(ids.back(), add{2}));
    }
    r.host.services.settings.idle_ms = 0;
    r.host.advance(r.host.services.settings.sweep_ms);
    r.host.services.settings.idle_ms = 100 * hour_ms;
    BOOST_REQUIRE(r.host.services.entities_active.load() == 0u);
    r.host.advance(2 * hour_ms);
    r.round();
    BOOST_TEST(r.host.services.entities_active.load() == 0u);
    BOOST_TEST(r.statistics.events_cut.load() == 40u);
    r.check();
}

BOOST_AUTO_TEST_CASE(logs_are_trimmed_and_entities_keep_their_events) {
    temporary_directory directory;
    const auto id = make_uuid();
    {
        retained_host r(directory.path, {hour_ms, 0, {}});
        for (int i = 1; i <= 10; ++i) {
            r.host.ask(r.host.make(id, add{i}));
        }
        const auto shard = r.host.store->shard_of(r.host.address(id));
        r.host.advance(2 * hour_ms);
        r.host.ask(r.host.make(id, add{100}));
        r.round();
        BOOST_TEST(storage::read_log_base(*r.host.store, shard)->at.seq == 11u);
        BOOST_TEST(r.host.store->applied(shard) == 12u);
        BOOST_TEST(r.events_of(id) == 11u);
        r.check();
    }
    retained_host r(directory.path, {hour_ms, 0, {}});
    BOOST_TEST(r.host.ask(r.host.make(id, add{1}))->version == 12u);
    BOOST_TEST(r.host.document(id).total == 156);
    r.check();
}

BOOST_AUTO_TEST_CASE(a_log_that_may_not_be_trimmed_just_now_is_no_failure) {
    temporary_directory directory;
    retained_host r(directory.path, {hour_ms, 0, {}});
    const auto id = make_uuid();
    for (int i = 1; i <= 10; ++i) {
        r.host.ask(r.host.make(id, add{i}));
    }
    r.host.advance(2 * hour_ms);
    BOOST_REQUIRE(runtime::audit_log(*r.host.store, runtime::fatal).catch_up(1'000'000).value());
    const auto other = r.spawn(); // it trims what the first one has found as well: `conflict`
    r.round();
    caf::anon_send_exit(other, caf::exit_reason::kill);
    BOOST_TEST(storage::read_log_base(*r.host.store, r.host.store->shard_of(r.host.address(id)))->at.seq == 11u);
    BOOST_TEST(r.statistics.failures.load() == 0u);
}

namespace {

/// What two hosts have to agree on.
void check_alike(retained_host& cut, retained_host& whole, const std::vector<uuid>& ids, const std::string& when) {
    for (const auto& id : ids) {
        const auto a = storage::read_document(*cut.host.store, cut.host.address(id));
        const auto b = storage::read_document(*whole.host.store, whole.host.address(id));
        BOOST_REQUIRE((a.has_value() && b.has_value() && a->has_value() == b->has_value()));
        if (*a) {
            BOOST_REQUIRE_MESSAGE((*a)->json == (*b)->json, when << ": documents differ");
            BOOST_REQUIRE_MESSAGE((*a)->version == (*b)->version, when << ": versions differ");
        }
        BOOST_REQUIRE_MESSAGE(cut.items(id) == whole.items(id), when << ": items differ");
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_journal_with_retention_is_like_its_twin_that_keeps_all) {
    for (std::uint32_t seed = 1; seed <= 12; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        temporary_directory cut_directory;
        temporary_directory whole_directory;
        const runtime::retention_policy policy{below(3) ? 60'000 + below(600'000) : 0, 60'000 + below(600'000), {}};
        const std::uint64_t snapshot_events = 2 + below(20);
        std::vector<uuid> ids;
        for (int i = 0; i < 6; ++i) {
            ids.push_back(make_uuid());
        }
        timestamp now{1'700'000'000'000};
        std::uint64_t number = 0;
        std::uint64_t cut_in_all = 0;
        for (int life = 0; life < 4; ++life) {
            const auto when = "seed " + std::to_string(seed) + ", life " + std::to_string(life);
            retained_host cut(cut_directory.path, policy, snapshot_events);
            retained_host whole(whole_directory.path, {}, snapshot_events);
            cut.host.now = whole.host.now = now;
            cut.host.services.settings.dedup_window_ms = whole.host.services.settings.dedup_window_ms = 60'000;
            check_alike(cut, whole, ids, when);
            for (int act = 0; act < 60; ++act) {
                const auto& id = ids[below(static_cast<std::uint32_t>(ids.size()))];
                const auto what = below(100);
                if (what < 60) {
                    const auto c = cut.host.make(id, add{1 + below(9)}, "key/" + std::to_string(number++));
                    const auto x = cut.host.ask(c);
                    const auto y = whole.host.ask(c);
                    BOOST_REQUIRE((x && y && x->version == y->version && x->document == y->document));
                    const auto again = cut.host.ask(c);
                    BOOST_REQUIRE((again && again->repeated && again->document == x->document));
                } else if (what < 65) {
                    const auto c =
                        cut.host.make(id, add_later{1, 1 + below(100'000)}, "key/" + std::to_string(number++));
                    cut.host.ask(c);
                    whole.host.ask(c);
                } else if (what < 75) {
                    const auto c = cut.host.make(id, tell{ids[below(6)], 1}, "key/" + std::to_string(number++));
                    cut.host.ask(c);
                    whole.host.ask(c);
                } else if (what < 90) {
                    const auto ms = 1 + below(200'000);
                    cut.host.advance(ms);
                    whole.host.advance(ms);
                } else if (below(2)) {
                    cut.round();
                } else {
                    cut.host.services.settings.idle_ms = whole.host.services.settings.idle_ms = below(2) ? 0 : 60'000;
                }
            }
            cut.round();
            cut_in_all += cut.statistics.events_cut;
            check_alike(cut, whole, ids, when);
            cut.check();
            now = cut.host.now;
        }
        BOOST_TEST(cut_in_all > 0u, "seed " << seed << " cut nothing");
    }
}

BOOST_AUTO_TEST_CASE(what_was_overwritten_after_a_cut_is_still_an_item_of_the_base) {
    temporary_directory directory;
    retained_host r(directory.path, {});
    const auto id = make_uuid();
    const auto a = r.host.address(id);
    const auto shard = r.host.store->shard_of(a);
    const auto key = keys::item(shard, a, "additions", "one");
    const auto put = [&](storage::derived_changes changes) {
        for (const auto& [k, value] : changes.puts) {
            BOOST_REQUIRE(r.host.store->db().db->Put({}, r.host.store->db().derived, k, value).ok());
        }
        for (const auto& k : changes.deletes) {
            BOOST_REQUIRE(r.host.store->db().db->Delete({}, r.host.store->db().derived, k).ok());
        }
    };
    const auto change = [&](storage::derived_changes changes) {
        BOOST_REQUIRE(storage::keep_base_items(*r.host.store, changes).has_value());
        put(std::move(changes));
    };
    const auto move = [&](const std::string& document) {
        storage::derived_changes changes;
        BOOST_REQUIRE(storage::move_base_items(*r.host.store, {{key, document}}, changes).has_value());
        put(std::move(changes));
    };
    const auto base = [&] { return storage::read_base_items(*r.host.store, a).value(); };
    const std::string name{"additions\0one", 13};
    put({{{key, "first"}}, {}, {}, {}});
    move("first");
    BOOST_TEST(base().at(name) == "first");
    change({{{key, "second"}}, {}, {}, {}});
    BOOST_TEST(base().at(name) == "first");
    change({{}, {key}, {}, {}});
    BOOST_TEST(base().at(name) == "first");
    change({{{key, "first"}}, {}, {}, {}}); // the same again, made by a later event
    change({{}, {key}, {}, {}});
    BOOST_TEST(base().at(name) == "first");
    move("second"); // the base goes on to where it was overwritten
    BOOST_TEST(base().at(name) == "second");
    move("");
    BOOST_TEST(base().empty());
}

BOOST_AUTO_TEST_CASE(snapshots_come_by_bytes_too) {
    temporary_directory directory;
    retained_host r(directory.path, {}, 1000);
    r.host.services.settings.snapshot_bytes = 1024; // a record takes about 270
    const auto id = make_uuid();
    for (int i = 0; i < 3; ++i) {
        r.host.ask(r.host.make(id, add{1}));
    }
    BOOST_TEST(storage::read_snapshots(*r.host.store, r.host.address(id), 9).empty());
    r.host.ask(r.host.make(id, add{1}));
    BOOST_TEST(storage::read_snapshots(*r.host.store, r.host.address(id), 9).size() == 1u);
    for (int i = 0; i < 4; ++i) {
        r.host.ask(r.host.make(id, add{1}));
    }
    BOOST_TEST(storage::read_snapshots(*r.host.store, r.host.address(id), 9).size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
