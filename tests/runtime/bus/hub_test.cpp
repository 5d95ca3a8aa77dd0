#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/trim.hpp"
#include "tests/runtime/bus/hub_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(live_hub)

BOOST_AUTO_TEST_CASE(aliases_are_asked_only_when_somebody_listens) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 1);
    int asked = 0;
    journal.hub.reset();
    auto started = runtime::hub::start(*journal.store, {[&](const runtime::seen_event&) {
        ++asked;
        return std::string();
    }});
    BOOST_REQUIRE(started.has_value());
    journal.hub = std::move(*started);
    journal.hub->publish({{}, {}, channel_of(all[0]), "token", "{}", system_organization});
    journal.write_all(all);
    BOOST_TEST(asked == 0);
    listener l;
    const auto s = journal.subscribe(l, {channel_of(all[0])}); // the token is older than the last journaled event
    journal.write_all(all);
    BOOST_TEST(l.wait_for(1).front().data == "2");
    BOOST_TEST(asked == 1);
}

BOOST_AUTO_TEST_CASE(from_now_only_what_comes_later_is_delivered) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 3);
    journal.write_all(all, 2);
    listener l;
    const auto s = journal.subscribe(l, {"*"});
    journal.write_all(all);
    check_runs(
        by_channel(l.wait_for(3)), [](const auto&) { return 3; }, 3);
    const auto first = l.now().front();
    BOOST_TEST(first.channel == channel_of(all[0]));
    BOOST_TEST(first.kind == "added");
    BOOST_TEST(first.data == "3");
    BOOST_TEST(!first.id.empty());
    BOOST_TEST(first.ts.ms > 0);
    BOOST_TEST((first.organization == system_organization));
}

BOOST_AUTO_TEST_CASE(from_the_start_the_past_comes_before_the_present) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 8);
    for (int i = 0; i < 10; ++i) {
        journal.write_all(all, 3);
    }
    listener l;
    const auto s = journal.subscribe(l, {"counters/*"}, "start");
    journal.write_all(all, 2);
    const auto seen = by_channel(l.wait_for(8 * 32));
    BOOST_TEST(seen.size() == 8u);
    check_runs(
        seen, [](const auto&) { return 1; }, 32);
}

BOOST_AUTO_TEST_CASE(every_subscriber_sees_each_event_once_in_order_while_commits_go_on) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 12);
    constexpr int rounds = 120;
    constexpr std::uint64_t last = rounds * 3;
    struct joined {
        listener heard;
        std::string since;
        std::size_t entity;  ///< Number of the only entity it listens to; beyond the last: all.
        std::uint64_t floor; ///< Of a subscription from now: what was certainly committed before.
        std::unique_ptr<runtime::subscription> handle;
    };
    std::vector<std::unique_ptr<joined>> subscribers;
    std::atomic<std::uint64_t> committed{0};
    std::atomic<bool> over{false};
    std::thread joiner([&] {
        std::minstd_rand random(7);
        while (!over && subscribers.size() < 60) {
            const auto wait_until = committed + random() % 7; // a random point of the stream
            while (!over && committed < wait_until) {
                std::this_thread::yield();
            }
            auto s = std::make_unique<joined>();
            s->since = random() % 2 == 0 ? "start" : "";
            s->entity = random() % 3 == 0 ? random() % all.size() : all.size();
            s->floor = committed;
            const auto channel = s->entity < all.size() ? channel_of(all[s->entity]) : "counters/*";
            auto made = journal.hub->subscribe({system_organization, {channel}, s->since}, s->heard.sink());
            if (made) {
                s->handle = std::move(*made);
                subscribers.push_back(std::move(s));
            }
        }
    });
    for (int i = 0; i < rounds; ++i) {
        journal.write_all(all, 3);
        committed += 3;
    }
    over = true;
    joiner.join();
    BOOST_TEST(subscribers.size() > 5u);
    for (auto& s : subscribers) {
        wait_until_live(journal, s->heard, s->entity < all.size() ? channel_of(all[s->entity]) : "counters/mark");
        const auto seen = by_channel(s->heard.now());
        BOOST_TEST(!s->heard.two_at_once());
        if (s->since == "start") {
            BOOST_TEST(seen.size() == (s->entity < all.size() ? 1u : all.size()));
        }
        check_runs(
            seen, [&](const auto& channel) { return s->since == "start" ? 1 : seen.at(channel).front(); }, last);
        for (const auto& [channel, numbers] : seen) {
            BOOST_TEST((s->since == "start" || numbers.front() > s->floor));
        }
    }
}

BOOST_AUTO_TEST_CASE(after_a_cursor_exactly_the_rest_is_delivered_also_while_commits_go_on) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 9);
    listener first;
    const auto s = journal.subscribe(first, {"*"}, "start");
    for (int i = 0; i < 30; ++i) {
        journal.write_all(all, 2);
    }
    const auto events = first.wait_for(9 * 60);
    std::vector<std::unique_ptr<listener>> later;
    std::vector<std::unique_ptr<runtime::subscription>> handles;
    std::vector<std::size_t> points;
    for (std::size_t at = 0; at < events.size(); at += 61) {
        points.push_back(at);
        later.push_back(std::make_unique<listener>());
        handles.push_back(journal.subscribe(*later.back(), {"*"}, events[at].id));
        journal.write_all(all, 1);
    }
    const auto whole = first.wait_for(9 * (60 + points.size()));
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto rest = later[i]->wait_for(whole.size() - points[i] - 1);
        BOOST_TEST(
            (by_channel(rest) == by_channel({whole.begin() + static_cast<std::ptrdiff_t>(points[i]) + 1, whole.end()})),
            "after event " << points[i]);
    }
}

BOOST_AUTO_TEST_CASE(a_cursor_of_one_channel_goes_on_with_that_channel_after_a_restart) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 5);
    journal.write_all(all, 4);
    std::string cursor;
    {
        listener l;
        const auto s = journal.subscribe(l, {channel_of(all[2])}, "start");
        cursor = l.wait_for(4)[1].id;
    }
    journal.start_hub(); // the key of cursors is kept in the directory
    journal.write_all(all, 1);
    listener l;
    const auto s = journal.subscribe(l, {channel_of(all[2])}, cursor);
    const auto seen = by_channel(l.wait_for(3));
    BOOST_TEST(seen.size() == 1u);
    check_runs(
        seen, [](const auto&) { return 3; }, 5);
}

BOOST_AUTO_TEST_CASE(patterns_and_names_choose_the_channels) {
    temporary_directory directory;
    live_journal journal(directory.path);
    auto task = journal.address_in(1);
    task.kind = "task";
    const auto counter = journal.address_in(2);
    const auto count = [&](std::vector<std::string> channels) {
        listener l;
        channels.emplace_back("marks/1");
        const auto s = journal.subscribe(l, channels, "start");
        wait_until_live(journal, l, "marks/1");
        const auto heard = l.now();
        return std::count_if(heard.begin(), heard.end(), [](const auto& e) { return !e.id.empty(); });
    };
    journal.write_typed(task, "task_created", "{}");
    journal.write_typed(task, "task_moved", R"({"to":"assigned"})");
    journal.write_typed(task, "task_moved", R"({"to":"done"})");
    journal.write_typed(counter, "added", "{}");
    BOOST_TEST(count({"*"}) == 4);
    BOOST_TEST(count({"tasks/*"}) == 3);
    BOOST_TEST(count({"t*"}) == 3); // an alias matches as well, but an event comes once
    BOOST_TEST(count({channel_of(counter)}) == 1);
    BOOST_TEST(count({channel_of(counter), channel_of(counter), "counters/*"}) == 1);
    BOOST_TEST(count({channel_of(counter), channel_of(task)}) == 4);
    BOOST_TEST(count({"tasks"}) == 0);
    BOOST_TEST(count({"tasks/"}) == 0);
    BOOST_TEST(count({channel_of(task) + "0"}) == 0);
    BOOST_TEST(count({"counters/" + to_string(task.id)}) == 0);
    BOOST_TEST(count({"activities"}) == 4);
    BOOST_TEST(count({"task_completion"}) == 1);
    BOOST_TEST(count({"agent_status"}) == 0);
}

BOOST_AUTO_TEST_CASE(an_alias_shows_where_the_event_belongs) {
    temporary_directory directory;
    live_journal journal(directory.path);
    auto task = journal.address_in(1);
    task.kind = "task";
    listener l;
    const auto s = journal.subscribe(l, {"task_completion"});
    journal.write_typed(task, "task_created", "{}");
    journal.write_typed(task, "work_finished", R"({"ok":true})");
    const auto event = l.wait_for(1).front();
    BOOST_TEST(event.channel == "task_completion");
    BOOST_TEST(event.kind == "work_finished");
    BOOST_TEST(event.data.find("task/" + to_string(task.id)) != std::string::npos);
    BOOST_TEST(event.data.find(R"("version":2)") != std::string::npos);
    BOOST_TEST(event.data.find(R"({"ok":true})") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_organization_sees_nothing) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto other = make_uuid();
    const auto mine = journal.address_in(1);
    const auto theirs = journal.address_in(1, other); // in the same shard
    journal.write_all({mine}, 3);
    listener l;
    const auto s = journal.subscribe(l, {"*", channel_of(mine)}, "start", other);
    journal.write_all({mine}, 3);
    journal.hub->publish({{}, {}, channel_of(mine), "token", "\"secret\"", system_organization});
    journal.write_all({theirs});
    const auto seen = by_channel(l.wait_for(1));
    BOOST_TEST(seen.contains(channel_of(theirs)));
    listener late;
    const auto again = journal.subscribe(late, {"*", channel_of(mine)}, {}, other);
    wait_until_live(journal, late, "marks/1", other);
    BOOST_TEST(late.now().size() == 1u);
    const auto page = journal.hub->read(other, "start", 100);
    BOOST_REQUIRE(page.has_value());
    BOOST_TEST(page->envelopes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_start_of_an_epoch_is_shown_to_nobody) {
    temporary_directory directory;
    live_journal journal(directory.path);
    journal.write_all(addresses(journal, 4)); // each shard's first record is its epoch's start
    const auto page = journal.hub->read(system_organization, "start", 100);
    BOOST_REQUIRE(page.has_value());
    BOOST_TEST(page->envelopes.size() == 4u);
    listener l;
    const auto s = journal.subscribe(l, {"*", "activities", "s/*"}, "start");
    wait_until_live(journal, l, "marks/1");
    for (const auto& e : l.wait_for(5)) {
        BOOST_TEST((e.kind == "added" || e.kind == "mark"));
    }
}

BOOST_AUTO_TEST_CASE(live_only_events_reach_who_listens_and_are_kept_for_who_comes_late) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto a = journal.address_in(0);
    const auto other = journal.address_in(0);
    journal.write_all({a, other});
    listener early;
    const auto s = journal.subscribe(early, {channel_of(a)});
    wait_until_live(journal, early, channel_of(a));
    for (const auto* token : {"\"a\"", "\"b\""}) {
        journal.hub->publish({{}, {5}, channel_of(a), "token", token, system_organization});
    }
    journal.hub->publish({{}, {5}, channel_of(other), "token", "\"x\"", system_organization});
    const auto heard = early.wait_for(3);
    BOOST_TEST(heard[1].data == "\"a\"");
    BOOST_TEST(heard[2].data == "\"b\"");
    BOOST_TEST(heard[2].id.empty());
    listener late;
    const auto t = journal.subscribe(late, {channel_of(a)}, "start");
    const auto seen = late.wait_for(4); // the journaled past first
    BOOST_TEST(seen[0].data == "1");
    BOOST_TEST(seen[2].data == "\"a\"");
    BOOST_TEST(seen[3].data == "\"b\"");
}

BOOST_AUTO_TEST_CASE(the_next_journaled_event_of_a_channel_clears_its_live_only_past) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto a = journal.address_in(0);
    const auto other = journal.address_in(0);
    journal.hub->publish({{}, {5}, channel_of(a), "token", "\"a\"", system_organization});
    journal.hub->publish({{}, {5}, channel_of(other), "token", "\"x\"", system_organization});
    journal.write_all({a});
    listener l;
    const auto s = journal.subscribe(l, {"*"});
    const auto seen = l.wait_for("\"x\"");
    BOOST_TEST(seen.size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_live_only_past_is_bounded_and_keeps_the_newest) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const std::string big(300'000, 'x');
    for (int i = 0; i < 10; ++i) {
        journal.hub->publish({{}, {5}, "runs/1", "token", "\"" + std::to_string(i) + big + "\"", system_organization});
    }
    listener l;
    const auto s = journal.subscribe(l, {"runs/1"});
    const auto seen = l.wait_for(3);
    for (std::size_t i = 0; i < seen.size(); ++i) {
        BOOST_TEST(seen[i].data[1] == static_cast<char>('7' + i));
    }
}

BOOST_AUTO_TEST_CASE(a_subscriber_of_all_goes_live_although_commits_never_pause) {
    temporary_directory directory;
    live_journal journal(directory.path, 256);
    const auto all = addresses(journal, 256);
    journal.write_all(all);
    listener l;
    const auto s = journal.subscribe(l, {"*"});
    const auto is_live = [&] { // only who is live hears of it before the next journaled event of that channel
        journal.hub->publish({{}, {}, channel_of(all[0]), "token", "\"token\"", system_organization});
        const auto heard = l.now();
        journal.write_all(all);
        return std::any_of(heard.begin(), heard.end(), [](const auto& e) { return e.id.empty(); });
    };
    int rounds = 0;
    while (!is_live() && rounds < 400) {
        ++rounds;
    }
    BOOST_TEST(rounds < 400);
    BOOST_TEST_MESSAGE("live after " << rounds);
    check_runs(
        by_channel(l.wait_for(256 * static_cast<std::size_t>(rounds + 1) + 1)), [](const auto&) { return 2; },
        rounds + 2);
}

BOOST_AUTO_TEST_CASE(after_its_end_a_subscription_hears_nothing) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 4);
    for (int i = 0; i < 20; ++i) {
        journal.write_all(all, 5);
    }
    for (int i = 0; i < 30; ++i) { // ended while its past is being read, or before, or after
        listener l;
        auto s = journal.subscribe(l, {"*"}, "start");
        BOOST_TEST(journal.hub->subscribers() == 1u);
        while (l.now().size() < static_cast<std::size_t>(i * 10)) {
            std::this_thread::yield();
        }
        s.reset();
        const auto heard = l.now().size();
        BOOST_TEST(journal.hub->subscribers() == 0u);
        if (i % 10 == 0) {
            journal.write_all(all);
        }
        journal.hub->publish({{}, {}, "xs/1", "token", "1", system_organization});
        BOOST_TEST(l.now().size() == heard);
    }
}

BOOST_AUTO_TEST_CASE(a_subscription_may_outlive_the_hub) {
    temporary_directory directory;
    live_journal journal(directory.path);
    journal.write_all(addresses(journal, 4), 5);
    listener l;
    const auto s = journal.subscribe(l, {"*"}, "start");
    journal.hub.reset();
    const auto heard = l.now().size();
    BOOST_TEST(heard <= 20u);
}

namespace {

/// Trims the log of every shard as far as it goes.
void trim_all(live_journal& journal) {
    for (std::uint32_t shard = 0; shard < journal.store->who().shards; ++shard) {
        BOOST_REQUIRE(storage::write_audit_lines(*journal.store, shard, 1000).has_value());
        const auto point = storage::find_trim(*journal.store, shard, {std::numeric_limits<std::int64_t>::max()}, 1000);
        BOOST_REQUIRE(point.has_value());
        if (point->to.at.seq > 0) {
            BOOST_REQUIRE(journal.committer->trim(shard, point->to).has_value());
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_cursor_before_the_kept_log_gets_one_reset_and_then_what_is_kept) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 8);
    std::string old;
    {
        listener l;
        const auto s = journal.subscribe(l, {"*"}, "start");
        journal.write_all(all);
        old = l.wait_for(8).back().id;
    }
    journal.write_all(all, 2);
    trim_all(journal);
    journal.write_all(all);
    listener l;
    const auto s = journal.subscribe(l, {"*"}, old);
    const auto events = l.wait_for(9);
    BOOST_TEST(events.front().kind == "reset");
    BOOST_TEST(events.front().data.find("not kept") != std::string::npos, events.front().data);
    const auto seen = by_channel({events.begin() + 1, events.end()});
    check_runs(
        seen, [](const auto&) { return 4; }, 4);
    // From the place of the reset all goes on without another one.
    listener again;
    const auto resumed = journal.subscribe(again, {"*"}, events.front().id);
    BOOST_TEST(by_channel(again.wait_for(8)).size() == 8u);
    // The oldest that is kept is what "start" asks for.
    listener start;
    const auto from_start = journal.subscribe(start, {"*"}, "start");
    BOOST_TEST(by_channel(start.wait_for(8)).size() == 8u);
}

BOOST_AUTO_TEST_CASE(an_entity_shows_its_whole_history_although_the_log_is_trimmed) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 4);
    journal.write_all(all, 3);
    trim_all(journal);
    journal.write_all(all, 2);
    listener l;
    const auto s = journal.subscribe(l, {channel_of(all[1])}, "start");
    const auto events = l.wait_for(5);
    check_runs(
        by_channel(events), [](const auto&) { return 1; }, 5);
    listener later;
    const auto resumed = journal.subscribe(later, {channel_of(all[1])}, events[1].id);
    check_runs(
        by_channel(later.wait_for(3)), [](const auto&) { return 3; }, 5);
}

BOOST_AUTO_TEST_CASE(a_past_that_cannot_be_read_is_told_once_and_not_to_who_left) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 1);
    const auto& a = all.front();
    journal.write_all(all, 4);
    trim_all(journal); // from here on its past is read from its history
    auto& db = journal.store->db();
    const auto third = storage::keys::numbered(journal.store->shard_of(a), storage::keys::table::history, a, 3);
    BOOST_REQUIRE(db.db->Put({}, db.derived, third, "no record").ok());
    listener stays;
    const auto s = journal.subscribe(stays, {channel_of(a)}, "start");
    const auto heard = stays.wait_for(3);
    BOOST_TEST(heard[1].data == "2");
    BOOST_TEST(heard[2].kind == "reset");
    BOOST_TEST(heard[2].data.find("journal_damaged") != std::string::npos, heard[2].data);

    std::atomic<int> calls = 0;
    std::atomic<bool> left = false;
    auto leaves = journal.hub->subscribe({system_organization, {channel_of(a)}, "start"}, [&](const live_event&) {
        ++calls;
        left.wait(false); // the reader stands here while the subscription ends
    });
    BOOST_REQUIRE(leaves.has_value());
    while (calls == 0) {
        std::this_thread::yield();
    }
    std::thread end([&] { leaves->reset(); });
    while (journal.hub->subscribers() > 1) {
        std::this_thread::yield();
    }
    left = true;
    left.notify_all();
    end.join();
    listener next; // the reader goes on with others after it is through
    const auto behind = journal.subscribe(next, {channel_of(a)}, "start");
    next.wait_for(3);
    BOOST_TEST(calls == 1);
    BOOST_TEST(stays.now().size() == 3u);
}

BOOST_AUTO_TEST_CASE(an_entity_whose_history_was_cut_says_so_first) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 1);
    const auto& a = all.front();
    std::vector<live_event> before;
    {
        listener l;
        const auto s = journal.subscribe(l, {channel_of(a)}, "start");
        journal.write_all(all, 4);
        before = l.wait_for(4);
    }
    const auto shard = journal.store->shard_of(a);
    std::uint64_t seq = 0;
    timestamp time;
    BOOST_REQUIRE(storage::read_history(
                      *journal.store, a, 1,
                      [&](storage::record&& r) -> expected<void> {
                          seq = r.seq;
                          time = r.time;
                          return {};
                      },
                      2)
                      .has_value());
    auto& db = journal.store->db();
    BOOST_REQUIRE(db.db
                      ->Put({}, db.derived, storage::keys::entity(shard, storage::keys::table::base, a),
                            storage::encode_base_mark({2, seq, time}))
                      .ok());
    BOOST_REQUIRE(db.db
                      ->Put({}, db.derived, storage::keys::numbered(shard, storage::keys::table::base, a, 2),
                            storage::encode_snapshot_row({2, 1, "{}"}))
                      .ok());
    BOOST_REQUIRE(
        db.db->Delete({}, db.derived, storage::keys::numbered(shard, storage::keys::table::history, a, 1)).ok());
    trim_all(journal);
    listener l;
    const auto s = journal.subscribe(l, {channel_of(a)}, "start");
    const auto events = l.wait_for(3);
    BOOST_TEST(events[0].kind == "reset");
    BOOST_TEST(events[1].data == "3");
    BOOST_TEST(events[2].data == "4");
    listener behind;
    const auto cut = journal.subscribe(behind, {channel_of(a)}, before[0].id);
    BOOST_TEST(behind.wait_for(3)[0].kind == "reset");
    listener beyond; // misses nothing
    const auto good = journal.subscribe(beyond, {channel_of(a)}, before[1].id);
    BOOST_TEST(beyond.wait_for(2)[0].data == "3");
}

BOOST_AUTO_TEST_CASE(a_page_after_an_old_cursor_begins_with_a_reset) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 6);
    journal.write_all(all);
    const auto first = journal.hub->read(system_organization, "start", 2);
    BOOST_REQUIRE((first && first->next));
    trim_all(journal);
    journal.write_all(all);
    const auto page = journal.hub->read(system_organization, *first->next, 100);
    BOOST_REQUIRE(page.has_value());
    BOOST_TEST(page->envelopes.size() == 7u);
    BOOST_TEST(page->envelopes.front().find("\"kind\":\"reset\"") != std::string::npos, page->envelopes.front());
    const auto from_start = journal.hub->read(system_organization, "start", 100);
    BOOST_TEST(from_start->envelopes.size() == 6u);
    const auto one = journal.hub->read(system_organization, *first->next, 1);
    BOOST_REQUIRE((one && one->next));
    BOOST_TEST(journal.hub->read(system_organization, *one->next, 100)->envelopes.size() == 6u);
}

BOOST_AUTO_TEST_SUITE_END()
