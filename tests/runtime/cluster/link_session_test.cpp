#include "runtime/cluster/link_session.hpp"

#include "tests/runtime/cluster/cards.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;
using test::card_of;
using test::id_of;

namespace {

constexpr std::int64_t ms = 1000;

/// All that an end has to write, which is gone from there.
std::string take(frame_outbox& from, std::size_t bytes_max = std::string::npos) {
    std::array<std::string_view, 1000> pieces;
    std::string out;
    for (std::size_t i = 0, count = from.gather(pieces); i < count && out.size() < bytes_max; ++i)
        out += pieces[i].substr(0, bytes_max - out.size());
    from.written(out.size());
    return out;
}

shared_bytes bytes_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

std::string frame(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    return std::string(head.data(), head.size()).append(payload);
}

link_hello hello_of(const node_card& card, const uuid& expects = id_of(2), lane on = lane::journal) {
    return {card, on, expects};
}

const auto nobody_objects = [](const auto&) -> expected<void> { return {}; };

/// n1 has dialled n2.
struct pair {
    explicit pair(link_hello hello = hello_of(card_of(1)), link_windows windows = {},
                  link_receiver::judge accept = nobody_objects, link_sender::judge approve = nobody_objects,
                  node_card theirs = card_of(2))
        : sender({}, {}, hello, std::move(approve), 0),
          receiver({}, windows, std::move(theirs), std::move(accept), 0) {}

    /// Carries what there is to the other side until nothing is left.
    void exchange() {
        while (!sender.out().empty() || !receiver.out().empty()) {
            to_receiver(take(sender.out()));
            sender.on_bytes(take(receiver.out()), now_us);
        }
    }
    void to_receiver(std::string_view bytes) {
        receiver.on_bytes(bytes, [this](std::string_view f) { got.emplace_back(f); });
    }
    void both_on_time(std::int64_t at_us) {
        now_us = at_us;
        sender.on_time(now_us);
        receiver.on_time(now_us);
    }

    link_sender sender;
    link_receiver receiver;
    std::vector<std::string> got;
    std::int64_t now_us = 0;
};

/// The reasons at both sides, after the handshake.
struct ends {
    std::string dialled;
    std::string accepted;
};
ends refused(pair&& p) {
    p.exchange();
    BOOST_TEST(p.sender.is_closed());
    BOOST_TEST(p.receiver.is_closed());
    BOOST_TEST(!p.sender.send(bytes_of("a")));
    BOOST_TEST_MESSAGE(p.sender.why().detail);
    return {p.sender.why().detail, p.receiver.why().detail};
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_link_session)

BOOST_AUTO_TEST_CASE(two_nodes_shake_hands_and_frames_go) {
    pair p(hello_of(card_of(1), id_of(2), lane::bulk));
    BOOST_TEST(!p.sender.send(bytes_of("too early")));
    p.exchange();
    BOOST_TEST(p.sender.is_open());
    BOOST_TEST(p.receiver.is_open());
    BOOST_TEST((p.sender.peer() == card_of(2)));
    BOOST_TEST((p.receiver.hello()->card == card_of(1)));
    BOOST_TEST((p.receiver.hello()->on == lane::bulk));
    BOOST_TEST(p.sender.window() == link_windows{}.bulk_bytes);
    BOOST_TEST(p.sender.send(bytes_of("first")));
    BOOST_TEST(p.sender.send(bytes_of("")));
    BOOST_TEST(p.sender.send(bytes_of(std::string(frame_bytes_max, 'x'))));
    p.exchange();
    const std::vector<std::string> wanted{"first", "", std::string(frame_bytes_max, 'x')};
    BOOST_TEST((p.got == wanted));
}

BOOST_AUTO_TEST_CASE(nothing_depends_on_where_bytes_are_cut) {
    pair whole;
    const auto hello = take(whole.sender.out());
    for (std::size_t cut = 0; cut <= hello.size(); ++cut) {
        pair p;
        take(p.sender.out());
        p.to_receiver(hello.substr(0, cut));
        BOOST_TEST(p.receiver.is_open() == (cut == hello.size()));
        p.to_receiver(hello.substr(cut));
        BOOST_REQUIRE(p.receiver.is_open());
        const auto welcome = take(p.receiver.out());
        const auto at = std::min(cut, welcome.size());
        p.sender.on_bytes(welcome.substr(0, at), 0);
        p.sender.on_bytes(welcome.substr(at), 0);
        BOOST_REQUIRE(p.sender.is_open());
        BOOST_TEST(p.sender.send(bytes_of("some frame")));
        const auto data = take(p.sender.out());
        p.to_receiver(data.substr(0, std::min(cut, data.size())));
        p.to_receiver(data.substr(std::min(cut, data.size())));
        BOOST_TEST((p.got == std::vector<std::string>{"some frame"}));
    }
    pair p;
    for (const char c : hello)
        p.to_receiver({&c, 1});
    BOOST_TEST(p.receiver.is_open());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_the_reason_on_both_sides) {
    const auto with = [](const std::function<void(node_card&)>& change) {
        auto card = card_of(1);
        change(card);
        return refused(pair(hello_of(card)));
    };
    const std::pair<std::function<void(node_card&)>, std::string> wrong[] = {
        {[](node_card& c) { c.cluster = id_of(9); }, "belongs to cluster"},
        {[](node_card& c) { c.protocol = c.protocol_oldest = 7; }, "speaks protocol"},
        {[](node_card& c) { c.shards = 1; }, "has shards"},
        {[](node_card& c) { c.hash = "md5"; }, "the hash function"},
        {[](node_card& c) { c.hash_seed = 1; }, "the hash seed"},
        {[](node_card& c) { c.replication = 1; }, "has replication"},
        {[](node_card& c) { c.name = "n2"; }, "Two nodes are called n2"},
        {[](node_card& c) { c.replica = id_of(2); }, "a data directory was copied"},
        {[](node_card& c) { c.name = "no name"; }, "no card of a node"},
    };
    for (const auto& [change, sentence] : wrong) {
        const auto [dialled, accepted] = with(change);
        BOOST_TEST(has(dialled, sentence));
        BOOST_TEST(has(dialled, "it refuses this node: "));
        BOOST_TEST(has(accepted, sentence));
    }
}

BOOST_AUTO_TEST_CASE(an_address_that_another_node_took_over_is_refused) {
    const auto [dialled, accepted] = refused(pair(hello_of(card_of(1), id_of(3))));
    BOOST_TEST(has(dialled, "that address was taken over"));
    BOOST_TEST(has(accepted, "where n1 expects replica 00000000-0000-0000-0000-000000000003"));
}

BOOST_AUTO_TEST_CASE(judges_have_the_last_word_on_either_side) {
    const std::string no = "n1 is not a member (yet).";
    const auto by_receiver = refused(pair(hello_of(card_of(1)), {}, [&](const link_hello& h) -> expected<void> {
        BOOST_TEST(h.card.name == "n1");
        return problem{code::unavailable, no};
    }));
    BOOST_TEST(by_receiver.dialled == "it refuses this node: " + no);
    BOOST_TEST(by_receiver.accepted == no);
    const auto by_sender =
        refused(pair(hello_of(card_of(1)), {}, nobody_objects, [](const node_card&) -> expected<void> {
            return problem{code::forbidden, "no such name"};
        }));
    BOOST_TEST(by_sender.dialled == "no such name");
    BOOST_TEST(by_sender.accepted == "it said goodbye: no such name");
}

BOOST_AUTO_TEST_CASE(a_welcome_is_judged_like_a_hello) {
    const auto welcomed = [](const std::string& payload) {
        link_sender s({}, {}, hello_of(card_of(1)), nobody_objects, 0);
        s.on_bytes(frame(frame_type::welcome, payload), 0);
        return s.is_open() ? "" : s.why().detail;
    };
    const auto by = [&](const node_card& card, std::uint64_t window = 1 << 20) {
        return welcomed(to_json(link_welcome{card, window}));
    };
    auto foreign = card_of(2);
    foreign.cluster = id_of(9);
    BOOST_TEST(by(card_of(2)) == "");
    BOOST_TEST(has(by(foreign), "belongs to cluster"));
    BOOST_TEST(has(by(card_of(3)), "its address was taken over"));
    BOOST_TEST(has(welcomed("{"), "a welcome that cannot be read"));
    BOOST_TEST(has(welcomed(R"({"card":7})"), "a welcome that cannot be read"));
    // Of a later version, which has something more to say.
    auto more = to_json(link_welcome{card_of(2), 1 << 20});
    more.insert(1, R"("zone":"b",)");
    BOOST_TEST(welcomed(more) == "");
}

BOOST_AUTO_TEST_CASE(whoever_is_no_node_gets_no_answer_and_who_is_gets_one) {
    const auto told = [](std::string_view bytes) {
        pair p;
        p.to_receiver(bytes);
        BOOST_REQUIRE(p.receiver.is_closed());
        return p.receiver.why().detail + (p.receiver.out().empty() ? "" : " (told)");
    };
    BOOST_TEST(told("GET / HTTP/1.1\r\n") == "it is no node of Troupe");
    BOOST_TEST(told("TROUPE2\n") == "it is no node of Troupe");
    BOOST_TEST(has(told("\x16\x03\x01"), "it wants TLS, and this node has none"));
    const std::string magic(link_magic);
    BOOST_TEST(told(magic + frame(frame_type::hello, "{")) == "it sent a hello that cannot be read (told)");
    BOOST_TEST(told(magic + frame(frame_type::data, "a")) == "it sent a frame that has no place there (type 4) (told)");
    BOOST_TEST(told(magic + std::string(9, '\xff')) == "it sent a frame of an unknown type (255) (told)");
    auto damaged = magic + frame(frame_type::hello, to_json(hello_of(card_of(1))));
    damaged.back() = '!';
    BOOST_TEST(told(damaged) == "it sent a frame whose checksum is wrong (told)");
    BOOST_TEST(has(told(magic + frame(frame_type::hello, std::string(4097, ' '))), "too big"));
    const auto good = magic + frame(frame_type::hello, to_json(hello_of(card_of(1))));
    BOOST_TEST(has(told(good + frame(frame_type::data, "a")), "it went on before it was welcomed"));
}

BOOST_AUTO_TEST_CASE(a_node_with_tls_is_known_by_its_alert) {
    link_sender s({}, {}, hello_of(card_of(1)), nobody_objects, 0);
    s.on_bytes("\x15\x03\x03", 0);
    BOOST_TEST(has(s.why().detail, "it wants TLS"));
}

BOOST_AUTO_TEST_CASE(sentences_of_others_are_one_short_line) {
    link_sender s({}, {}, hello_of(card_of(1)), nobody_objects, 0);
    s.on_bytes(frame(frame_type::refuse, to_json(link_farewell{"conflict", "a\nb" + std::string(900, 'x')})), 0);
    BOOST_TEST((s.why().code == code::conflict));
    BOOST_TEST(has(s.why().detail, "it refuses this node: a?bxxx"));
    BOOST_TEST(s.why().detail.size() <= 600U);
    link_sender t({}, {}, hello_of(card_of(1)), nobody_objects, 0);
    t.on_bytes(frame(frame_type::refuse, "\xff"), 0);
    BOOST_TEST(t.why().detail == "it refuses this node, and does not say why");
    // A reason that is all escapes still fits into its frame.
    link_receiver r(
        {}, {}, card_of(2),
        [](const link_hello&) -> expected<void> {
            return problem{code::conflict, std::string(5000, '"')};
        },
        0);
    r.on_bytes(std::string(link_magic) + frame(frame_type::hello, to_json(hello_of(card_of(1)))), {});
    link_sender u({}, {}, hello_of(card_of(1)), nobody_objects, 0);
    u.on_bytes(take(r.out()), 0);
    BOOST_TEST(has(u.why().detail, "it refuses this node: ''''"));
}

BOOST_AUTO_TEST_CASE(frames_out_of_place_end_an_open_connection_only) {
    const auto to_receiver = [](std::string_view bytes) {
        pair p;
        p.exchange();
        p.to_receiver(bytes);
        return p.receiver.is_closed();
    };
    BOOST_TEST(!to_receiver(frame(frame_type::data, "a")));
    BOOST_TEST(to_receiver(frame(frame_type::hello, to_json(hello_of(card_of(1))))));
    BOOST_TEST(to_receiver(frame(frame_type::credit, "12345678")));
    BOOST_TEST(to_receiver(frame(frame_type::ping, "1234")));
    BOOST_TEST(to_receiver("garbage, and more of it"));
    const auto to_sender = [](std::string_view bytes) {
        pair p;
        p.exchange();
        p.sender.on_bytes(bytes, 0);
        return p.sender.is_closed();
    };
    BOOST_TEST(!to_sender(frame(frame_type::credit, std::string(8, '\0'))));
    BOOST_TEST(to_sender(frame(frame_type::credit, std::string("\1\0\0\0\0\0\0\0", 8)))); // for what was never sent
    BOOST_TEST(to_sender(frame(frame_type::credit, "")));
    BOOST_TEST(to_sender(frame(frame_type::pong, "12345678"))); // to no ping
    BOOST_TEST(to_sender(frame(frame_type::data, "a")));
    BOOST_TEST(to_sender(frame(frame_type::welcome, to_json(link_welcome{card_of(2), 1}))));
}

BOOST_AUTO_TEST_CASE(beyond_its_credit_nothing_is_taken_until_some_comes_back) {
    pair p(hello_of(card_of(1)), {.journal_bytes = 3 * (100 + frame_cost), .bulk_bytes = 0});
    p.exchange();
    const auto frame_of_100 = bytes_of(std::string(100, 'a'));
    for (int i = 0; i < 3; ++i)
        BOOST_TEST(p.sender.send(frame_of_100));
    BOOST_TEST(!p.sender.send(frame_of_100));
    BOOST_TEST(!p.sender.send(bytes_of("")));
    p.exchange(); // taken, but not yet said
    BOOST_TEST(!p.sender.send(bytes_of("")));
    p.both_on_time(250 * ms);
    p.exchange();
    BOOST_TEST(p.sender.under_way() == 0U);
    BOOST_TEST(p.sender.send(frame_of_100));
    BOOST_TEST(!p.sender.send(bytes_of(std::string(frame_bytes_max + 1, 'a'))));
}

BOOST_AUTO_TEST_CASE(a_peer_that_lets_much_come_gets_no_more_than_the_sender_wants_to_keep) {
    link_sender s({}, {.journal_bytes = 500, .bulk_bytes = 0}, hello_of(card_of(1)), nobody_objects, 0);
    s.on_bytes(frame(frame_type::welcome, to_json(link_welcome{card_of(2), ~std::uint64_t{0}})), 0);
    BOOST_TEST(s.window() == 500U);
    BOOST_TEST(s.send(bytes_of(std::string(400, 'a'))));
    BOOST_TEST(!s.send(bytes_of(std::string(400, 'a'))));
}

BOOST_AUTO_TEST_CASE(credit_comes_back_by_itself_when_much_goes) {
    pair p;
    p.exchange();
    const auto big = bytes_of(std::string(256 << 10, 'a'));
    std::uint64_t most = 0;
    for (int i = 0; i < 1000; ++i) {
        BOOST_REQUIRE(p.sender.send(big));
        most = std::max(most, p.sender.under_way());
        p.exchange();
    }
    BOOST_TEST(most < credit_step_bytes + 2 * big->size());
    // And the biggest frame always finds room.
    BOOST_TEST(p.sender.send(bytes_of(std::string(frame_bytes_max, 'a'))));
}

BOOST_AUTO_TEST_CASE(a_sender_that_disregards_its_credit_is_cut_off) {
    pair p(hello_of(card_of(1)), {.journal_bytes = 1000, .bulk_bytes = 0});
    p.exchange();
    p.to_receiver(frame(frame_type::data, std::string(900, 'a')));
    BOOST_TEST(p.receiver.is_open());
    p.to_receiver(frame(frame_type::data, "b"));
    BOOST_TEST(p.receiver.why().detail == "it sent more than its credit");
    BOOST_TEST(p.got.size() == 1U);
}

BOOST_AUTO_TEST_CASE(credits_are_never_exceeded_and_nothing_is_lost_in_any_interleaving) {
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        const std::uint64_t window = 500 + random() % 5000;
        pair p(hello_of(card_of(1)), {.journal_bytes = window, .bulk_bytes = 0});
        p.exchange();
        std::vector<std::string> sent;
        std::string forth; // on the wire
        std::string back;
        for (int step = 0; step < 400; ++step) {
            switch (random() % 6) {
            case 0:
            case 1: {
                const std::string text(random() % 700, static_cast<char>('a' + random() % 26));
                const auto room = p.sender.under_way() + text.size() + frame_cost <= window;
                BOOST_REQUIRE_EQUAL(p.sender.send(bytes_of(text)), room);
                if (room)
                    sent.push_back(text);
                break;
            }
            case 2:
                forth += take(p.sender.out(), random() % 900);
                break;
            case 3: {
                const auto part = std::min<std::size_t>(random() % 900, forth.size());
                p.to_receiver(forth.substr(0, part));
                forth.erase(0, part);
                break;
            }
            case 4:
                back += take(p.receiver.out(), random() % 30);
                p.sender.on_bytes(back.substr(0, 7), p.now_us);
                back.erase(0, 7);
                break;
            default:
                p.both_on_time(p.now_us + 10 * ms);
            }
            BOOST_REQUIRE(p.sender.under_way() <= window);
            BOOST_REQUIRE(p.sender.out().bytes() <= window + 100); // bounded memory: what waits was paid for
            BOOST_REQUIRE(p.sender.is_open());
            BOOST_REQUIRE(p.receiver.is_open());
        }
        p.to_receiver(forth);
        p.sender.on_bytes(back, p.now_us);
        p.exchange();
        p.both_on_time(p.now_us + ms);
        p.exchange();
        BOOST_REQUIRE(p.got == sent);
        BOOST_REQUIRE_EQUAL(p.sender.under_way(), 0U);
    }
}

BOOST_AUTO_TEST_CASE(pings_keep_an_idle_connection_and_measure_it) {
    pair p;
    p.exchange();
    for (std::int64_t t = 0; t <= 60'000; t += 250) {
        p.both_on_time(t * ms);
        const auto ping = take(p.sender.out());
        p.to_receiver(ping);
        p.sender.on_bytes(take(p.receiver.out()), p.now_us + 300);
    }
    BOOST_TEST(p.sender.is_open());
    BOOST_TEST(p.receiver.is_open());
    BOOST_TEST(p.sender.round_trip_us().value_or(0) == 300);
}

BOOST_AUTO_TEST_CASE(silence_ends_a_connection_at_either_end) {
    pair p;
    p.exchange();
    std::int64_t t = 0;
    for (; t < link_timings().silence_ms; t += 250) {
        p.both_on_time(t * ms); // nothing is carried
        BOOST_REQUIRE(p.sender.is_open());
        BOOST_REQUIRE(p.receiver.is_open());
    }
    p.both_on_time(t * ms);
    BOOST_TEST(p.sender.why().detail == "it has said nothing for 3000 ms");
    BOOST_TEST(p.receiver.why().detail == "it has said nothing for 3000 ms");
    // Only one ping waits for its answer.
    BOOST_TEST(p.sender.out().bytes() < 1000U);
}

BOOST_AUTO_TEST_CASE(a_pause_of_our_own_is_no_silence_of_the_peer) {
    pair p;
    p.exchange();
    p.both_on_time(1000 * ms);
    p.exchange();
    p.both_on_time(100'000 * ms);
    BOOST_TEST(p.sender.is_open());
    BOOST_TEST(p.receiver.is_open());
    p.both_on_time(90'000 * ms); // and a clock that goes back is no time at all
    BOOST_TEST(p.sender.is_open());
}

BOOST_AUTO_TEST_CASE(a_handshake_has_its_time) {
    pair p;
    std::int64_t t = 250;
    for (; t < 5000; t += 250) {
        p.both_on_time(t * ms);
        p.to_receiver(take(p.sender.out(), 1)); // a byte now and then is not enough
        BOOST_REQUIRE(!p.sender.is_closed());
        BOOST_REQUIRE(!p.receiver.is_closed());
    }
    p.both_on_time(t * ms);
    BOOST_TEST(p.sender.why().detail == "there was no handshake within 5000 ms");
    BOOST_TEST(p.receiver.why().detail == "there was no handshake within 5000 ms");
}

BOOST_AUTO_TEST_CASE(who_goes_says_so) {
    pair p;
    p.exchange();
    BOOST_TEST(p.sender.send(bytes_of("waits")));
    p.sender.close({code::unavailable, "this node stops"});
    p.exchange();
    BOOST_TEST(p.receiver.why().detail == "it said goodbye: this node stops");
    BOOST_TEST(p.receiver.was_told());
    BOOST_TEST(p.got.empty()); // what had not begun to go
    pair q;
    q.exchange();
    BOOST_TEST(q.sender.send(bytes_of("has begun")));
    q.to_receiver(take(q.sender.out(), 5));
    q.sender.close({code::unavailable, "this node stops"});
    q.exchange();
    BOOST_TEST((q.got == std::vector<std::string>{"has begun"}));
    BOOST_TEST(q.receiver.why().detail == "it said goodbye: this node stops");
}

BOOST_AUTO_TEST_CASE(a_sender_that_never_reads_is_told_no_more_than_a_little) {
    pair p;
    p.exchange();
    std::string pings;
    for (int i = 0; i < 10'000; ++i)
        pings += frame(frame_type::ping, "12345678");
    p.to_receiver(pings);
    BOOST_TEST(p.receiver.why().detail == "it does not read what it is told");
    BOOST_TEST(p.receiver.out().bytes() < 70'000U);
}

BOOST_AUTO_TEST_SUITE_END()
