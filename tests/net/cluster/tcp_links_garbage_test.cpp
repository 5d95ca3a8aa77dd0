#include "tests/net/cluster/links_fixture.hpp"

#include <deque>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

bool has(const std::string& text, std::string_view part) {
    BOOST_TEST_MESSAGE(text);
    return text.find(part) != std::string::npos;
}

/// n1, which knows n2 (there is none: tests play it) and n3, which is connected.
struct served : captured_log {
    served() {
        a.links->set_peers({c.place(), {id_of(2), "n2", "127.0.0.1", 1}});
        c.links->set_peers({a.place()});
        BOOST_REQUIRE(connected(a, c));
    }
    /// Nothing of what was tried has cost n3 anything.
    ~served() {
        BOOST_TEST(a.heard.last_down(c.id()) == "");
        BOOST_TEST(c.heard.last_down(a.id()) == "");
        BOOST_TEST(c.send(a, lane::journal, "still here"));
        BOOST_TEST(a.heard.came(c.id(), lane::journal, 1));
        BOOST_TEST(eventually([&] { return a.links->accepted() == 3; })); // those of n3
    }
    static tcp_links_settings few() {
        auto out = quick();
        out.handshakes_max = 4;
        out.connections_max = 7;
        return out;
    }

    node a{1, few()};
    node c{3, quick()};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cluster_tcp_links_garbage, served)

BOOST_AUTO_TEST_CASE(garbage_costs_one_connection) {
    for (const auto* text : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "TROUPE2\n", "\n\n\n\n\n\n\n\n\n", "TROUPE1x"}) {
        raw_peer p(a.links->port());
        p.send(text);
        BOOST_TEST(p.read_to_end() == "");
    }
    raw_peer framed(a.links->port());
    framed.send(std::string(link_magic) + std::string(100, '\xfe'));
    BOOST_TEST(has(framed.read_to_end(), "it sent a frame of an unknown type (254)"));
    raw_peer big(a.links->port());
    big.send(std::string(link_magic) + frame(frame_type::hello, std::string(5000, ' ')));
    BOOST_TEST(has(big.read_to_end(), "it sent a frame that is too big"));
    raw_peer early(a.links->port());
    early.send(std::string(link_magic) + frame(frame_type::data, "x"));
    BOOST_TEST(has(early.read_to_end(), "it sent a frame that has no place there"));
}

BOOST_AUTO_TEST_CASE(a_member_that_goes_wrong_later_loses_its_connection) {
    const std::pair<std::string, std::string> wrong[] = {
        {std::string(50, '\xfe'), "of an unknown type"},
        {frame(frame_type::hello, "{}"), "that has no place there"},
        {std::string("\1\0\x80\0....\4", 9), "that is too big"}, // 8 MiB and one byte
        {frame(frame_type::data, "good").replace(9, 1, "G"), "whose checksum is wrong"},
    };
    for (const auto on : {lane::journal, lane::bulk}) {
        for (const auto& [bytes, why] : wrong) {
            raw_peer p(a.links->port());
            p.send(hello_of(card_of(2), a, on));
            BOOST_TEST(has(p.read_some(), "\"window\""));
            p.send(frame(frame_type::data, "before"));
            p.send(bytes);
            BOOST_TEST(has(p.read_to_end(), why));
        }
        BOOST_TEST(a.heard.came(id_of(2), on, 4));
        BOOST_TEST(a.heard.frames(id_of(2), on).back() == "before");
    }
}

BOOST_AUTO_TEST_CASE(a_newer_connection_of_the_same_process_takes_the_place_of_the_older) {
    raw_peer first(a.links->port());
    first.send(hello_of(card_of(2), a));
    BOOST_TEST(has(first.read_some(), "\"window\""));
    raw_peer second(a.links->port());
    second.send(hello_of(card_of(2), a));
    BOOST_TEST(has(second.read_some(), "\"window\""));
    BOOST_TEST(has(first.read_to_end(), "a newer connection has taken its place"));
    second.send(frame(frame_type::data, "x"));
    BOOST_TEST(a.heard.came(id_of(2), lane::journal, 1));
}

BOOST_AUTO_TEST_CASE(a_hello_may_come_byte_by_byte) {
    raw_peer p(a.links->port());
    for (const char byte : hello_of(card_of(2), a, lane::bulk))
        p.send({&byte, 1});
    BOOST_TEST(has(p.read_some(), "\"window\""));
    for (const char byte : frame(frame_type::data, "slow"))
        p.send({&byte, 1});
    BOOST_TEST(a.heard.came(id_of(2), lane::bulk, 1));
}

BOOST_AUTO_TEST_CASE(connections_that_say_nothing_are_few) {
    std::deque<raw_peer> silent;
    for (int i = 0; i < 4; ++i)
        silent.emplace_back(a.links->port());
    BOOST_TEST(eventually([&] { return a.links->accepted() == 7; }));
    raw_peer one_more(a.links->port());
    BOOST_TEST(one_more.read_to_end() == "");
    BOOST_TEST(c.send(a, lane::bulk, "x"));
    BOOST_TEST(a.heard.came(c.id(), lane::bulk, 1));
}

BOOST_AUTO_TEST_CASE(half_open_connections_end) {
    auto settings = quick();
    settings.timings = {.ping_ms = 10, .silence_ms = 100, .handshake_ms = 100};
    node b(4, settings);
    b.links->set_peers({{id_of(2), "n2", "127.0.0.1", 1}});
    raw_peer nothing(b.links->port());
    raw_peer half(b.links->port());
    half.send(hello_of(card_of(2), b).substr(0, 30));
    BOOST_TEST(nothing.read_to_end() == "");
    BOOST_TEST(has(half.read_to_end(), "there was no handshake within 100 ms"));
    raw_peer quiet_one(b.links->port());
    quiet_one.send(hello_of(card_of(2), b));
    BOOST_TEST(has(quiet_one.read_to_end(), "it has said nothing for 100 ms"));
    BOOST_TEST(eventually([&] { return b.links->accepted() == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
