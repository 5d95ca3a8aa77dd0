#include "tests/runtime/cluster/cards.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;
using test::card_of;
using test::id_of;

namespace {

/// The sentence that n1 refuses a changed n2 with.
std::string refusal(const std::function<void(node_card&)>& change) {
    auto theirs = card_of(2);
    change(theirs);
    const auto fits = compare_cards(card_of(1), theirs);
    BOOST_REQUIRE(!fits);
    BOOST_TEST((fits.error().code == code::conflict));
    return fits.error().detail;
}

bool has(const std::string& text, std::string_view part) {
    BOOST_TEST_MESSAGE(text);
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_cards)

BOOST_AUTO_TEST_CASE(nodes_of_one_cluster_fit) {
    BOOST_TEST(compare_cards(card_of(1), card_of(2)).has_value());
    auto other_build = card_of(2);
    other_build.version = "0.2.0";
    BOOST_TEST(compare_cards(card_of(1), other_build).has_value());
}

BOOST_AUTO_TEST_CASE(what_differs_is_named_with_both_sides) {
    BOOST_TEST(has(refusal([](auto& c) { c.cluster = id_of(9); }), to_string(id_of(9))));
    BOOST_TEST(has(refusal([](auto& c) { c.shards = 64; }), "n1 has shards: 256, and n2 has 64"));
    BOOST_TEST(has(refusal([](auto& c) { c.hash = "sip"; }), "hash function xxh3, and n2 has sip"));
    BOOST_TEST(has(refusal([](auto& c) { c.hash_seed = 8; }), "hash seed 7, and n2 has 8"));
    BOOST_TEST(has(refusal([](auto& c) { c.replication = 1; }), "replication 3, and n2 has 1"));
    BOOST_TEST(has(refusal([](auto& c) { c.name = "n1"; }), "Two nodes are called n1"));
    BOOST_TEST(has(refusal([](auto& c) { c.replica = id_of(1); }), "data directory was copied"));
    BOOST_TEST(has(refusal([](auto& c) { c = card_of(1); }), "reached itself"));
}

BOOST_AUTO_TEST_CASE(ranges_of_protocols_have_to_overlap) {
    const auto fits = [](std::uint32_t mine_oldest, std::uint32_t mine, std::uint32_t oldest, std::uint32_t newest) {
        auto a = card_of(1);
        auto b = card_of(2);
        a.protocol_oldest = mine_oldest;
        a.protocol = mine;
        b.protocol_oldest = oldest;
        b.protocol = newest;
        BOOST_TEST(compare_cards(a, b).has_value() == compare_cards(b, a).has_value());
        return compare_cards(a, b).has_value();
    };
    BOOST_TEST(fits(1, 2, 2, 3));
    BOOST_TEST(fits(1, 5, 3, 3));
    BOOST_TEST(!fits(1, 1, 2, 2));
    BOOST_TEST(!fits(3, 4, 1, 2));
    BOOST_TEST(!fits(1, 3, 3, 2)); // no range at all
    BOOST_TEST(has(refusal([](auto& c) {
                       c.protocol = c.protocol_oldest = 2;
                       c.shards = 1; // what a later protocol means by it is unknown
                   }),
                   "n1 (version 0.1.0) speaks protocol 1, and n2 (version 0.1.0) speaks 2"));
}

BOOST_AUTO_TEST_CASE(names_are_such_that_certificates_can_have_them) {
    for (const auto* good : {"n1", "node-1.rack_2", "7", "A"})
        BOOST_TEST(is_node_name(good));
    for (const auto* bad : {"", ".n1", "-n1", "n 1", "n/1", "n1\n", "*", "n\xc3\xa4"})
        BOOST_TEST(!is_node_name(bad));
    BOOST_TEST(is_node_name(std::string(63, 'a')));
    BOOST_TEST(!is_node_name(std::string(64, 'a')));
    BOOST_TEST(has(refusal([](auto& c) { c.name = "n2\n"; }), "no card"));
}

BOOST_AUTO_TEST_CASE(members_are_found_and_others_are_told_why_not) {
    const std::vector<peer_place> peers{{id_of(2), "n2", "127.0.0.1", 1}, {id_of(3), "n3", "127.0.0.1", 2}};
    BOOST_TEST(find_member(peers, card_of(3)).has_value());
    const auto unknown = find_member(peers, card_of(4));
    BOOST_TEST((unknown.error().code == code::unavailable));
    BOOST_TEST(has(unknown.error().detail, "n4 (replica 00000000-0000-0000-0000-000000000004) is not a member (yet)"));
    auto taken = card_of(4);
    taken.name = "n2";
    BOOST_TEST((find_member(peers, taken).error().code == code::conflict));
    BOOST_TEST(has(find_member(peers, taken).error().detail, "Two nodes are called n2"));
    auto renamed = card_of(2);
    renamed.name = "n5";
    BOOST_TEST((find_member(peers, renamed).error().code == code::conflict));
    BOOST_TEST(has(find_member(peers, renamed).error().detail, "is called n2 in this cluster, and calls itself n5"));
}

BOOST_AUTO_TEST_SUITE_END()
