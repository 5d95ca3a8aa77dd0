#include "tests/net/cluster/links_fixture.hpp"

#include "net/cluster/link_dialer.hpp"
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

bool has(const std::string& text, std::string_view part) {
    BOOST_TEST_MESSAGE(text);
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cluster_tcp_links, captured_log)

BOOST_AUTO_TEST_CASE(two_nodes_find_each_other_and_frames_go_both_ways_in_order) {
    node a(1);
    node b(2);
    BOOST_TEST(!a.send(b, lane::journal, "too early"));
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    BOOST_TEST((a.heard.last_up(b.id()) == b.card));
    std::vector<std::string> wanted;
    for (int i = 0; i < 1000; ++i) {
        wanted.push_back(std::to_string(i));
        BOOST_REQUIRE(a.send(b, lane::journal, wanted.back()));
        BOOST_REQUIRE(a.send(b, lane::bulk, wanted.back()));
        BOOST_REQUIRE(b.send(a, lane::journal, wanted.back()));
    }
    BOOST_TEST(b.heard.came(a.id(), lane::journal, 1000));
    BOOST_TEST(b.heard.came(a.id(), lane::bulk, 1000));
    BOOST_TEST(a.heard.came(b.id(), lane::journal, 1000));
    BOOST_TEST((b.heard.frames(a.id(), lane::journal) == wanted));
    BOOST_TEST((b.heard.frames(a.id(), lane::bulk) == wanted));
    BOOST_TEST((a.heard.frames(b.id(), lane::journal) == wanted));
    BOOST_TEST(a.heard.frames(b.id(), lane::bulk).empty());
    BOOST_TEST(a.heard.ups(b.id()) == 1U);
}

BOOST_AUTO_TEST_CASE(three_nodes_are_connected_each_with_each) {
    node a(1);
    node b(2);
    node c(3);
    introduce({&a, &b, &c});
    BOOST_TEST(connected(a, b));
    BOOST_TEST(connected(b, c));
    BOOST_TEST(connected(a, c));
    BOOST_TEST(c.send(a, lane::journal, "from c"));
    BOOST_TEST(c.send(b, lane::journal, "to b"));
    BOOST_TEST(a.heard.came(c.id(), lane::journal, 1));
    BOOST_TEST(b.heard.came(c.id(), lane::journal, 1));
    BOOST_TEST(a.heard.frames(c.id(), lane::journal).front() == "from c");
    BOOST_TEST(!a.send(a, lane::journal, "to itself"));
    node stranger(9);
    BOOST_TEST(!a.send(stranger, lane::journal, "to nobody"));
}

BOOST_AUTO_TEST_CASE(frames_can_be_answered_from_within_the_listener) {
    node a(1);
    node b(2);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    b.heard.answer_with(
        [&](const uuid&, lane on, std::string_view bytes) { b.send(a, on, "got " + std::string(bytes)); });
    for (int i = 0; i < 100; ++i) {
        BOOST_TEST(a.send(b, lane::journal, std::to_string(i)));
        BOOST_REQUIRE(a.heard.came(b.id(), lane::journal, static_cast<std::size_t>(i) + 1));
    }
    BOOST_TEST(a.heard.frames(b.id(), lane::journal).back() == "got 99");
}

BOOST_AUTO_TEST_CASE(who_hears_that_a_peer_is_up_can_send_at_once) {
    node a(1, quick());
    node b(2, quick());
    std::atomic<int> refused = 0;
    a.heard.greet = [&](const node_card&) {
        for (const auto on : {lane::journal, lane::bulk})
            refused += !a.send(b, on, "welcome");
    };
    introduce({&a, &b});
    BOOST_TEST(b.heard.came(a.id(), lane::journal, 1));
    BOOST_TEST(b.heard.came(a.id(), lane::bulk, 1));
    BOOST_TEST(refused == 0);
}

BOOST_AUTO_TEST_CASE(a_peer_may_be_named_by_a_name_of_the_network) {
    node a(1, quick());
    node b(2, quick());
    auto place = b.place();
    place.address = "localhost"; // which may be ::1 as well, where nobody listens
    a.links->set_peers({place});
    b.links->set_peers({a.place()});
    BOOST_TEST(connected(a, b));
}

BOOST_AUTO_TEST_CASE(without_tls_nobody_beyond_this_machine_is_dialled) {
    node a(1, quick());
    a.links->set_peers({{id_of(2), "n2", "192.0.2.1", 7118}}); // for documentation: nobody has it
    BOOST_TEST(eventually([&] {
        const auto all = a.links->figures();
        return !all.empty() && all.front().why.starts_with("without TLS nodes talk on one machine only");
    }));
}

BOOST_AUTO_TEST_CASE(what_a_listener_throws_costs_nothing) {
    node a(1);
    node b(2);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    b.heard.answer_with([](const uuid&, lane, std::string_view) { throw std::runtime_error("no"); });
    for (int i = 0; i < 10; ++i)
        BOOST_TEST(a.send(b, lane::journal, "x"));
    BOOST_TEST(b.heard.came(a.id(), lane::journal, 10));
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_back_is_found_again) {
    node a(1, quick());
    auto b = std::make_unique<node>(2, quick());
    introduce({&a, b.get()});
    BOOST_REQUIRE(connected(a, *b));
    auto settings = quick();
    settings.port = b->links->port();
    const auto id = b->id();
    b.reset();
    BOOST_REQUIRE(a.heard.down(id));
    BOOST_TEST(has(a.heard.last_down(id), "n2 (127.0.0.1:"));
    BOOST_TEST(!a.links->send(id, lane::journal, std::make_shared<const std::string>("lost")));
    node again(2, settings, [](node_card& c) { c.incarnation = id_of(150); });
    again.links->set_peers({a.place()});
    BOOST_REQUIRE(a.heard.up(id, 2));
    BOOST_REQUIRE(again.heard.up(a.id()));
    BOOST_TEST((a.heard.last_up(id).incarnation == id_of(150)));
    BOOST_TEST(a.send(again, lane::journal, "hello again"));
    BOOST_TEST(again.heard.came(a.id(), lane::journal, 1));
    BOOST_TEST(a.figures(again, lane::journal).connects >= 2U);
}

BOOST_AUTO_TEST_CASE(who_is_no_member_yet_is_refused_and_comes_in_later) {
    node a(1, quick());
    node b(2, quick());
    b.links->set_peers({a.place()});
    BOOST_TEST(b.fails(a));
    a.links->set_peers({b.place()});
    BOOST_TEST(connected(a, b));
}

BOOST_AUTO_TEST_CASE(who_is_left_hears_it_and_is_reached_no_more) {
    node a(1, quick());
    node b(2, quick());
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    a.links->set_peers({});
    BOOST_TEST(a.heard.down(b.id()));
    BOOST_TEST(b.heard.down(a.id()));
    BOOST_TEST(!a.send(b, lane::journal, "x"));
    BOOST_TEST(eventually([&] { return b.figures(a, lane::journal).failed_connects > 2; })); // refused from now on
    a.links->set_peers({b.place()});
    BOOST_TEST(a.heard.up(b.id(), 2));
    BOOST_TEST(b.heard.up(a.id(), 2));
}

BOOST_AUTO_TEST_CASE(a_peer_that_moves_is_followed) {
    node a(1, quick());
    auto b = std::make_unique<node>(2, quick());
    introduce({&a, b.get()});
    BOOST_REQUIRE(connected(a, *b));
    node moved(2, quick(), [](node_card& c) { c.incarnation = id_of(150); });
    b.reset();
    moved.links->set_peers({a.place()});
    a.links->set_peers({moved.place()});
    BOOST_TEST(a.heard.up(moved.id(), 2));
    BOOST_TEST(moved.heard.up(a.id()));
}

BOOST_AUTO_TEST_CASE(nodes_that_do_not_fit_stay_apart) {
    const std::pair<std::string, std::function<void(node_card&)>> wrong[] = {
        {"belongs to cluster", [](node_card& c) { c.cluster = id_of(9); }},
        {"speaks protocol", [](node_card& c) { c.protocol = c.protocol_oldest = 99; }},
        {"has shards: ", [](node_card& c) { c.shards = 1; }},
        {"the hash function", [](node_card& c) { c.hash = "other"; }},
        {"the hash seed", [](node_card& c) { c.hash_seed = 1; }},
        {"has replication", [](node_card& c) { c.replication = 1; }},
        {"Two nodes are called n1", [](node_card& c) { c.name = "n1"; }},
    };
    for (const auto& [why, change] : wrong) {
        const captured_log log;
        {
            node a(1, quick());
            node b(2, quick(), change);
            introduce({&a, &b});
            BOOST_TEST(a.fails(b, 10));
            BOOST_TEST(b.fails(a, 10));
            BOOST_TEST(a.heard_nothing(b));
            BOOST_TEST(has(a.figures(b, lane::journal).why, why));
            BOOST_TEST(has(b.figures(a, lane::bulk).why, why));
        }
        // Each dialled and was dialled; what it says it says once, and not with every attempt.
        BOOST_TEST(log.count("a connection from n1 was refused: ") + log.count("a connection from n2 was refused: ") >=
                   1);
        BOOST_TEST(log.count("cannot open the") >= 2);
        BOOST_TEST(log.count(why) <= 6, log.text());
    }
}

BOOST_AUTO_TEST_CASE(a_copied_data_directory_is_refused) {
    node a(1, quick());
    node b(2, quick());
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    // It has b's replica and name, in another process: a keeps to the one that it has.
    node copy(2, quick(), [](node_card& c) { c.incarnation = id_of(150); });
    copy.links->set_peers({a.place()});
    BOOST_TEST(copy.fails(a));
    BOOST_TEST(a.send(b, lane::journal, "still here"));
    BOOST_TEST(b.heard.came(a.id(), lane::journal, 1));
    // And one that has a's own.
    node twin(1, quick(), [](node_card& c) {
        c.name = "n7";
        c.incarnation = id_of(151);
    });
    raw_peer p(a.links->port());
    p.send(hello_of(twin.card, a));
    BOOST_TEST(has(p.read_to_end(), "a data directory was copied"));
}

BOOST_AUTO_TEST_CASE(an_address_that_another_node_has_now_is_no_way_to_the_first) {
    node a(1, quick());
    node c(3, quick());
    c.links->set_peers({a.place()});
    auto place = c.place();
    place.replica = id_of(2); // where n2 was once
    place.name = "n2";
    a.links->set_peers({place});
    BOOST_TEST(eventually([&] {
        for (const auto& each : a.links->figures())
            if (each.peer == id_of(2) && each.failed_connects > 2)
                return true;
        return false;
    }));
    BOOST_TEST(a.heard.ups(id_of(2)) == 0U);
    BOOST_TEST(a.heard.ups(id_of(3)) == 0U);
}

BOOST_AUTO_TEST_CASE(a_listener_that_takes_nothing_makes_send_refuse_and_memory_stays_bounded) {
    auto settings = quick();
    settings.timings.silence_ms = 3'600'000;
    node a(1, settings);
    node b(2, settings);
    b.heard.keep_little();
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    b.heard.hold(true);
    const auto big = std::make_shared<const std::string>(256 << 10, 'x');
    std::size_t sent = 0;
    while (a.links->send(b.id(), lane::bulk, big)) {
        ++sent;
        BOOST_REQUIRE(sent < 1000U);
    }
    const auto window = settings.windows.bulk_bytes;
    BOOST_TEST(sent == window / (big->size() + frame_cost));
    const auto stuck = a.figures(b, lane::bulk);
    BOOST_TEST(stuck.under_way_bytes <= window);
    BOOST_TEST(stuck.refused_sends == 1U);
    BOOST_TEST(stuck.sent_frames == sent);
    // The other lane has its own.
    BOOST_TEST(a.send(b, lane::journal, "urgent"));
    b.heard.hold(false);
    BOOST_TEST(b.heard.came(a.id(), lane::bulk, sent));
    BOOST_TEST(eventually([&] { return a.figures(b, lane::bulk).under_way_bytes == 0; }));
    BOOST_TEST(a.links->send(b.id(), lane::bulk, big));
    BOOST_TEST(big.use_count() <= 2);
}

BOOST_AUTO_TEST_CASE(a_peer_that_stops_reading_is_given_up) {
    auto settings = quick();
    settings.timings = {.ping_ms = 20, .silence_ms = 200, .handshake_ms = 60'000};
    node a(1, settings);
    node b(2, quick());
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    b.heard.hold(true);
    while (a.send(b, lane::journal, std::string(100'000, 'x'))) {
    }
    BOOST_TEST(a.heard.down(b.id()));
    BOOST_TEST(has(a.heard.last_down(b.id()), "it has said nothing for 200 ms"));
    b.heard.hold(false);
    BOOST_TEST(a.heard.up(b.id(), 2));
}

BOOST_AUTO_TEST_CASE(bulk_does_not_hold_up_the_journal) {
    node a(1);
    node b(2);
    b.heard.keep_little();
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    constexpr std::size_t count = 256; // of 256 KiB: 64 MiB
    std::thread bulk([&] {
        const auto piece = std::make_shared<const std::string>(256 << 10, 'b');
        for (std::size_t i = 0; i < count; ++i)
            while (!a.links->send(b.id(), lane::bulk, piece))
                std::this_thread::yield(); // of its credit
    });
    for (std::size_t i = 0; i < 2000; ++i)
        BOOST_REQUIRE(a.send(b, lane::journal, std::to_string(i)));
    bulk.join();
    BOOST_TEST(b.heard.came(a.id(), lane::journal, 2000));
    BOOST_TEST(b.heard.came(a.id(), lane::bulk, count));
    const auto f = b.figures(a, lane::bulk);
    BOOST_TEST(f.received_frames == count);
    BOOST_TEST(f.received_bytes == count * (256U << 10));
    BOOST_TEST(b.figures(a, lane::journal).received_frames == 2000U);
}

BOOST_AUTO_TEST_CASE(the_biggest_frame_goes_and_a_bigger_one_does_not) {
    node a(1);
    node b(2);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    BOOST_TEST(!a.send(b, lane::journal, std::string(frame_bytes_max + 1, 'x')));
    for (const auto on : {lane::journal, lane::bulk}) {
        BOOST_TEST(a.send(b, on, std::string(frame_bytes_max, 'x')));
        BOOST_TEST(b.heard.came(a.id(), on, 1));
        BOOST_TEST((b.heard.frames(a.id(), on).front() == std::string(frame_bytes_max, 'x')));
    }
}

BOOST_AUTO_TEST_CASE(many_threads_may_send) {
    node a(1);
    node b(2);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    std::vector<std::thread> threads;
    for (char t = 'a'; t < 'e'; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 2000; ++i)
                while (!a.send(b, lane::journal, t + std::to_string(i)))
                    std::this_thread::yield();
        });
    for (auto& each : threads)
        each.join();
    BOOST_REQUIRE(b.heard.came(a.id(), lane::journal, 8000));
    std::map<char, int> next; // each thread's in order
    for (const auto& text : b.heard.frames(a.id(), lane::journal))
        BOOST_REQUIRE_EQUAL(std::stoi(text.substr(1)), next[text.front()]++);
}

BOOST_AUTO_TEST_CASE(pings_are_measured) {
    auto settings = quick();
    settings.timings.ping_ms = 10;
    node a(1, settings);
    node b(2, settings);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    BOOST_TEST(eventually([&] { return a.figures(b, lane::bulk).round_trip_us.has_value(); }));
    BOOST_TEST(a.figures(b, lane::journal).open);
    BOOST_TEST(a.figures(b, lane::journal).name == "n2");
}

BOOST_AUTO_TEST_CASE(ends_come_quickly_and_nobody_is_called_afterwards) {
    node a(1);
    node b(2);
    introduce({&a, &b});
    BOOST_REQUIRE(connected(a, b));
    a.links->stop();
    a.links->stop();
    BOOST_TEST(!a.send(b, lane::journal, "x"));
    BOOST_TEST(a.heard.last_down(b.id()) == "");
    BOOST_TEST(b.heard.down(a.id())); // well before any silence
    BOOST_TEST(has(b.heard.last_down(a.id()), "it said goodbye: that node stops"));
}

BOOST_AUTO_TEST_CASE(attempts_are_made_less_and_less_often) {
    const tcp_links_settings s;
    for (const std::uint32_t random : {0U, 7U, 123'456'789U, 0xffffffffU}) {
        BOOST_TEST(dial_again_ms(s, 0, random) >= 25);
        BOOST_TEST(dial_again_ms(s, 0, random) <= 50);
        BOOST_TEST(dial_again_ms(s, 3, random) >= 200);
        BOOST_TEST(dial_again_ms(s, 3, random) <= 400);
        for (const unsigned failures : {6U, 30U, 64U, 4'000'000'000U}) {
            BOOST_TEST(dial_again_ms(s, failures, random) >= 1000);
            BOOST_TEST(dial_again_ms(s, failures, random) <= 2000);
        }
    }
    node a(1, quick());
    BOOST_TEST(a.links->figures().empty());
    a.links->set_peers({{id_of(2), "n2", "127.0.0.1", 1}}); // where nobody listens
    BOOST_TEST(eventually([&] {
        const auto all = a.links->figures();
        return all.size() == 3 && std::ranges::all_of(all, [](const auto& one) { return one.failed_connects > 5; });
    }));
}

BOOST_AUTO_TEST_CASE(settings_that_cannot_be_are_named) {
    const auto why = [](const std::function<void(tcp_links_settings&)>& change, const std::string& name = "n1") {
        tcp_links_settings s;
        change(s);
        auto card = card_of(1);
        card.name = name;
        const auto made = tcp_links::make(s, card);
        BOOST_REQUIRE(!made.has_value());
        BOOST_TEST((made.error().code == code::config_invalid));
        return made.error().detail;
    };
    BOOST_TEST(has(why([](auto& s) { s.address = "somewhere"; }), "cluster.address"));
    BOOST_TEST(has(why([](auto& s) { s.address = "0.0.0.0"; }), "without it nodes listen on loopback only"));
    BOOST_TEST(has(why([](auto& s) { s.tls.ca_file = "/ca"; }), "belong together"));
    BOOST_TEST(has(why([](auto& s) { s.windows.bulk_bytes = 1000; }), "cluster.windows"));
    BOOST_TEST(has(why([](auto& s) { s.timings.silence_ms = 1; }), "cluster.timings"));
    BOOST_TEST(has(why([](auto&) {}, "no name"), "cluster.name"));
    node a(1);
    tcp_links_settings taken;
    taken.port = a.links->port();
    BOOST_TEST((tcp_links::make(taken, card_of(2)).error().code == code::address_in_use));
    tcp_links_settings open;
    open.address = "0.0.0.0";
    open.insecure = true;
    BOOST_TEST(tcp_links::make(open, card_of(2)).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
