#include "runtime/cluster/forwarder.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::cluster;

namespace {

constexpr std::uint32_t shard = 7;

uuid node(std::uint8_t n) {
    uuid out;
    out.bytes[15] = n;
    return out;
}

/// A forwarder at node 1 with what it sends and takes.
struct world {
    std::optional<uuid> owner = node(2);
    std::set<uuid> reachable{node(2), node(3)};
    std::vector<std::pair<uuid, command_envelope>> sent;
    std::vector<held_ptr> taken;
    std::vector<reply> answers;
    std::uint64_t version = 5;
    std::int64_t now = 1000;
    std::uint64_t applied = 0; ///< Here.
    forwarder f{forwarder_ports{node(1), [this](std::uint32_t) { return owner; },
                                [this](const uuid& to, const envelope& what) {
                                    if (reachable.contains(to)) {
                                        sent.emplace_back(to, std::get<command_envelope>(what));
                                    }
                                    return reachable.contains(to);
                                },
                                [this](held_ptr held) { taken.push_back(std::move(held)); },
                                [this](std::uint32_t) { return applied; },
                                [this](const entity_address&) { return version; }},
                10'000};

    void submit(std::int64_t deadline_ms = 0) {
        auto held = std::make_shared<held_command>();
        held->command.id = "~1";
        held->command.deadline_ms = deadline_ms;
        held->port = [this](reply r) { answers.push_back(std::move(r)); };
        f.forward(std::move(held), shard, now);
    }
    void answer(const uuid& from, std::size_t index, std::uint64_t v = 6, bool elsewhere = false) {
        f.on_answer(from, {sent.at(index).second.number, elsewhere, outcome{v, false, "{}"}}, now);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_forwarder)

BOOST_AUTO_TEST_CASE(a_command_goes_to_the_owner_and_its_answer_comes_back_once) {
    world w;
    w.submit();
    BOOST_REQUIRE(w.sent.size() == 1u);
    BOOST_TEST((w.sent[0].first == node(2)));
    BOOST_TEST(w.sent[0].second.decided_after == held_command::never_decided);
    w.answer(node(3), 0, 9); // of somebody else
    BOOST_TEST(w.answers.empty());
    w.answer(node(2), 0);
    w.answer(node(2), 0);
    BOOST_REQUIRE(w.answers.size() == 1u);
    BOOST_TEST(w.answers[0]->version == 6u);
    BOOST_TEST(w.f.outstanding() == 0u);
}

BOOST_AUTO_TEST_CASE(a_command_whose_owner_is_lost_goes_to_the_next_one_with_where_to_look_for_it) {
    world w;
    w.submit();
    w.version = 8; // meanwhile it, or others, came into the tables here
    w.owner.reset();
    w.f.on_peer_down(node(2), w.now);
    BOOST_TEST(w.sent.size() == 1u);
    w.owner = node(3);
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.sent.size() == 2u);
    BOOST_TEST((w.sent[1].first == node(3)));
    BOOST_TEST(w.sent[1].second.decided_after == 5u);
    BOOST_TEST(w.sent[1].second.what.id == "~1");
    w.answer(node(2), 0, 9); // of the lost one, late
    BOOST_TEST(w.answers.empty());
    w.answer(node(3), 1);
    BOOST_TEST(w.answers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_waits_until_it_can_be_read_here_but_not_for_ever) {
    world w;
    for (const bool news_come : {true, false}) {
        w.submit();
        const auto before = w.answers.size();
        w.f.on_answer(node(2), {w.sent.back().second.number, false, outcome{6, false, "{}"}, w.applied + 7}, w.now);
        w.applied += 6;
        w.f.on_applied(w.now);
        BOOST_TEST(w.answers.size() == before);
        w.applied += news_come ? 1 : 0;
        w.f.on_applied(w.now += news_come ? 0 : 1000);
        BOOST_REQUIRE(w.answers.size() == before + 1);
        BOOST_TEST(w.answers.back()->version == 6u);
    }
    BOOST_TEST(w.f.outstanding() == 0u);
}

BOOST_AUTO_TEST_CASE(one_that_becomes_this_nodes_own_is_taken_here) {
    world w;
    w.submit();
    w.owner = node(1);
    w.f.on_peer_down(node(2), w.now);
    BOOST_REQUIRE(w.taken.size() == 1u);
    BOOST_TEST(w.taken[0]->decided_after == 5u);
    BOOST_TEST(w.f.outstanding() == 0u);
    w.submit(); // at once
    BOOST_REQUIRE(w.taken.size() == 2u);
    BOOST_TEST(w.taken[1]->decided_after == held_command::never_decided);
    for (const auto& held : w.taken) {
        held->answer(outcome{});
    }
}

BOOST_AUTO_TEST_CASE(one_that_was_sent_to_a_wrong_node_waits_and_goes_to_the_right_one) {
    world w;
    w.submit();
    w.answer(node(2), 0, 0, true);
    BOOST_TEST(w.sent.size() == 1u);
    w.owner = node(3);
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.sent.size() == 2u);
    BOOST_TEST(w.sent[1].second.decided_after == held_command::never_decided); // nobody had it
    w.answer(node(3), 1);
    BOOST_TEST(w.answers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(one_whose_owner_was_deposed_goes_to_the_next_one_at_once) {
    world w;
    w.submit();
    w.owner = node(3); // the connection to the old one is still open
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.sent.size() == 2u);
    BOOST_TEST((w.sent[1].first == node(3)));
    BOOST_TEST(w.sent[1].second.decided_after == 5u); // the old one may have done it
    w.f.go_on(w.now);
    BOOST_TEST(w.sent.size() == 2u);
    w.answer(node(2), 0);
    BOOST_TEST(w.answers.empty());
    w.answer(node(3), 1);
    BOOST_TEST(w.answers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(one_that_an_owner_sends_back_says_from_where_on_to_look_for_it) {
    world w;
    w.submit();
    w.f.on_answer(node(2), {w.sent[0].second.number, true, outcome{}, 0, 4}, w.now);
    w.owner = node(3);
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.sent.size() == 2u);
    BOOST_TEST(w.sent[1].second.decided_after == 4u);
    w.answer(node(3), 1);
}

BOOST_AUTO_TEST_CASE(without_an_owner_it_is_refused_in_time_and_says_whether_it_may_be_done) {
    world w;
    w.owner.reset();
    w.submit();
    w.submit(w.now + 50);
    w.now += 51;
    w.f.go_on(w.now);
    BOOST_TEST(w.answers.size() == 1u); // its deadline
    w.now += 10'000;
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.answers.size() == 2u);
    BOOST_TEST((w.answers[1].error().code == code::unavailable));
    w.owner = node(2);
    w.submit();
    w.now += 60'000;
    w.f.go_on(w.now); // it has an owner, which takes its time
    BOOST_TEST(w.answers.size() == 2u);
    w.reachable.clear();
    w.f.on_peer_down(node(2), w.now);
    w.now += 10'000;
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.answers.size() == 3u);
    BOOST_TEST((w.answers[2].error().code == code::unknown_outcome));
    BOOST_TEST(w.f.outstanding() == 0u);
}

BOOST_AUTO_TEST_CASE(what_could_not_be_sent_goes_in_the_order_in_which_it_came) {
    world w;
    w.reachable.clear();
    w.submit();
    w.submit();
    w.reachable.insert(node(2));
    w.f.go_on(w.now);
    BOOST_REQUIRE(w.sent.size() == 2u);
    BOOST_TEST(w.sent[0].second.number < w.sent[1].second.number);
    w.answer(node(2), 1);
    w.answer(node(2), 0);
    BOOST_TEST(w.answers.size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
