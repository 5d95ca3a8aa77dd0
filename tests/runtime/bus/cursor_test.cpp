#include "tests/runtime/bus/hub_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(cursors)

BOOST_AUTO_TEST_CASE(a_bad_cursor_is_refused) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto a = journal.address_in(0);
    std::string good;
    {
        listener l;
        const auto s = journal.subscribe(l, {"*"});
        journal.write_all({a});
        good = l.wait_for(1).front().id;
    }
    for (const auto& bad : {std::string("x"), std::string("Start"), std::string("!"), std::string(200, 'A'),
                            good.substr(1), good + "A", good.substr(0, good.size() / 2)}) {
        check_refused(journal, bad);
    }
    auto flipped = good;
    flipped[good.size() / 2] = flipped[good.size() / 2] == 'A' ? 'B' : 'A';
    check_refused(journal, flipped);
    BOOST_TEST(journal.hub->read(system_organization, good, 10).has_value());
}

BOOST_AUTO_TEST_CASE(a_cursor_of_another_node_is_refused) {
    temporary_directory one;
    temporary_directory two;
    live_journal journal(one.path);
    live_journal other(two.path);
    listener l;
    const auto s = other.subscribe(l, {"*"});
    other.write_all({other.address_in(0)});
    check_refused(journal, l.wait_for(1).front().id);
}

BOOST_AUTO_TEST_CASE(a_cursor_shows_nothing_of_positions) {
    temporary_directory directory;
    live_journal journal(directory.path);
    listener l;
    const auto s = journal.subscribe(l, {"*"});
    const auto a = journal.address_in(0);
    journal.write_all({a});
    const auto id = l.wait_for(1).front().id;
    listener again;
    const auto t = journal.subscribe(again, {"*"}, "start");
    BOOST_TEST(again.wait_for(1).front().id != id); // sealed with a fresh nonce: equal positions look different
}

BOOST_AUTO_TEST_CASE(the_feed_is_read_in_pages_each_event_once_in_order) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 7);
    const auto foreign = addresses(journal, 5, make_uuid());
    for (int i = 0; i < 10; ++i) {
        journal.write_all(all, 2);
        journal.write_all(foreign, 3);
    }
    std::vector<std::string> whole;
    for (const std::size_t limit : {1000u, 1u, 7u, 140u}) {
        std::vector<std::string> envelopes;
        std::string after = "start";
        for (bool more = true; more;) {
            const auto page = journal.hub->read(system_organization, after, limit);
            BOOST_REQUIRE(page.has_value());
            BOOST_TEST(page->envelopes.size() <= limit);
            envelopes.insert(envelopes.end(), page->envelopes.begin(), page->envelopes.end());
            more = page->next.has_value();
            after = page->next.value_or("");
            BOOST_REQUIRE(envelopes.size() <= 140u);
        }
        BOOST_TEST(envelopes.size() == 140u, "limit " << limit);
        sequences seen;
        for (const auto& e : envelopes) {
            seen[member(e, "channel")].push_back(std::stoull(member(e, "data")));
            BOOST_TEST(member(e, "kind") == "added");
        }
        BOOST_TEST(seen.size() == 7u);
        check_runs(
            seen, [](const auto&) { return 1; }, 20);
        whole = limit == 1000 ? envelopes : whole;
    }
    for (const std::size_t at : {0u, 50u, 138u, 139u}) { // the id of an envelope is a cursor behind it
        const auto rest = journal.hub->read(system_organization, member(whole[at], "id"), 1000);
        BOOST_REQUIRE(rest.has_value());
        BOOST_TEST(rest->envelopes.size() == 139 - at);
        BOOST_TEST(!rest->next.has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_cursor_of_the_feed_is_one_for_a_subscription) {
    temporary_directory directory;
    live_journal journal(directory.path);
    const auto all = addresses(journal, 4);
    journal.write_all(all, 10);
    const auto page = journal.hub->read(system_organization, "start", 25);
    BOOST_REQUIRE(page.has_value() && page->next.has_value());
    listener l;
    const auto s = journal.subscribe(l, {"*"}, *page->next);
    sequences seen;
    for (const auto& e : page->envelopes) {
        seen[member(e, "channel")].push_back(std::stoull(member(e, "data")));
    }
    for (auto& [channel, numbers] : by_channel(l.wait_for(15))) {
        seen[channel].insert(seen[channel].end(), numbers.begin(), numbers.end());
    }
    check_runs(
        seen, [](const auto&) { return 1; }, 10);
}

BOOST_AUTO_TEST_SUITE_END()
