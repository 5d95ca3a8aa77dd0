// How a replica comes to lead, step by step. Whole replica sets are in replication_simulation.cpp.

#include "storage/replication/member.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe::storage::replication;

namespace {

replica_id id_of(int number) {
    replica_id id;
    id.bytes[15] = static_cast<std::uint8_t>(number);
    return id;
}
const auto a = id_of(1);
const auto b = id_of(2);
const auto c = id_of(3);
const auto d = id_of(4);

/// A member with a disk that is always there at once.
struct host {
    explicit host(replica_id id, std::uint64_t promise = 0)
        : self(replica::recover({id, promise, log_outline(), 0}).value()) {}

    /// Performs all that does not leave the member.
    void write() {
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (const auto* w = std::get_if<persist>(&out[i])) {
                self.persisted(w->write, out);
            }
        }
    }
    template <class Action>
    [[nodiscard]] std::vector<Action> all() const {
        std::vector<Action> found;
        for (const auto& action : out) {
            if (const auto* one = std::get_if<Action>(&action)) {
                found.push_back(*one);
            }
        }
        return found;
    }
    template <class Action>
    [[nodiscard]] std::size_t count() const {
        return all<Action>().size();
    }

    member self;
    actions out;
};

const replica_set three{4, b, {a, b, c}, {d}};

/// `a` is on its way to lead epoch 5, which is written.
host candidate() {
    host h(a);
    h.self.on_register(three, h.out);
    BOOST_REQUIRE(h.self.campaign(h.out).has_value());
    h.self.on_register_written(5, true, h.out);
    return h;
}

/// `a` owns the shard in epoch 5, with two voters besides and the learner `d`.
host owner() {
    auto h = candidate();
    h.write();
    h.self.on_sealed(b, {5, 5, {}}, h.out);
    h.write();
    h.self.on_ack(c, {5, verdict::durable, {1, 5}, 0}, h.out);
    BOOST_REQUIRE(h.self.can_propose());
    return h;
}

} // namespace

BOOST_AUTO_TEST_SUITE(replication_member)

BOOST_AUTO_TEST_CASE(a_single_node_owns_what_it_creates) {
    host h(a, 36);
    BOOST_REQUIRE(h.self.create(h.out).has_value());
    const auto asked = h.all<write_register>();
    BOOST_REQUIRE(asked.size() == 1);
    BOOST_TEST(asked[0].over == 0U);
    BOOST_TEST((asked[0].next == replica_set{37, a, {a}, {}}));
    BOOST_TEST(!h.self.is_owner());

    h.self.on_register_written(37, true, h.out);
    h.write();
    BOOST_TEST(h.self.can_propose());
    BOOST_TEST(h.count<owns>() == 1U);
    BOOST_TEST(h.count<send_seal>() == 0U);
    BOOST_TEST(h.self.create(h.out).has_error());
}

BOOST_AUTO_TEST_CASE(nothing_is_sealed_before_the_register_is_written) {
    host h(a);
    h.self.on_register(three, h.out);
    BOOST_REQUIRE(h.self.campaign(h.out).has_value());
    h.self.tick(h.out);
    BOOST_TEST(h.count<send_seal>() == 0U);
    BOOST_TEST(h.self.core().promise() == 0U);
    h.self.on_register_written(5, true, h.out);
    BOOST_TEST(h.count<send_seal>() == 2U);
    BOOST_TEST(h.self.core().promise() == 5U);
}

BOOST_AUTO_TEST_CASE(who_is_no_voter_does_not_campaign) {
    host h(d);
    BOOST_TEST(h.self.campaign(h.out).has_error());
    h.self.on_register(three, h.out);
    BOOST_TEST(h.self.campaign(h.out).has_error());
    BOOST_TEST(h.out.empty());
}

BOOST_AUTO_TEST_CASE(who_was_slower_stays_a_follower) {
    host h(a);
    h.self.on_register(three, h.out);
    BOOST_REQUIRE(h.self.campaign(h.out).has_value());
    h.self.on_register({5, c, three.voters, three.learners}, h.out);
    h.self.on_register_written(5, false, h.out);
    BOOST_TEST(!h.self.is_candidate());
    h.self.tick(h.out);
    BOOST_TEST(h.count<send_seal>() == 0U);
    BOOST_TEST(h.self.campaign(h.out).has_value()); // for epoch 6
}

BOOST_AUTO_TEST_CASE(a_lost_answer_of_the_register_is_asked_for_again) {
    host h(a);
    h.self.on_register(three, h.out);
    BOOST_REQUIRE(h.self.campaign(h.out).has_value());
    h.self.tick(h.out);
    BOOST_TEST(h.count<write_register>() == 1U); // it is under way
    h.self.on_register_unknown(5);
    h.self.tick(h.out);
    BOOST_TEST(h.count<write_register>() == 2U);
    // The first one was applied all the same.
    h.self.on_register({5, a, three.voters, three.learners}, h.out);
    h.self.on_register_written(5, false, h.out);
    BOOST_TEST(h.self.is_candidate());
    BOOST_TEST(h.count<send_seal>() == 2U);
}

BOOST_AUTO_TEST_CASE(a_majority_of_the_old_set_is_sealed_before_anything_is_written) {
    auto h = candidate();
    h.write();
    BOOST_TEST(!h.self.is_owner());
    BOOST_TEST((h.self.core().role() == replica_role::sealed));
    h.self.on_sealed(d, {5, 5, {}}, h.out); // a learner
    BOOST_TEST((h.self.core().role() == replica_role::sealed));
    h.self.on_sealed(b, {5, 9, {}}, h.out); // it has promised more to another one
    BOOST_TEST((h.self.core().role() == replica_role::sealed));
    BOOST_TEST(h.count<superseded>() == 1U);
    h.self.on_sealed(c, {5, 5, {}}, h.out);
    BOOST_TEST((h.self.core().role() == replica_role::leader));
    BOOST_TEST(!h.self.is_owner()); // its epoch has no committed entry yet
}

BOOST_AUTO_TEST_CASE(an_owner_proposes_until_somebody_else_leads) {
    auto h = owner();
    BOOST_TEST(h.count<owns>() == 1U);
    BOOST_TEST(h.self.propose(1, h.out).has_value());
    h.self.on_register({6, c, three.voters, three.learners}, h.out);
    BOOST_TEST(h.count<deposed>() == 1U);
    BOOST_TEST(!h.self.is_owner());
    BOOST_TEST(h.self.propose(1, h.out).has_error());
}

BOOST_AUTO_TEST_CASE(a_seal_of_a_later_epoch_deposes_before_the_register_tells) {
    auto h = owner();
    h.self.on_seal(c, {6}, h.out);
    BOOST_TEST(h.count<deposed>() == 1U);
    BOOST_TEST(!h.self.can_propose());
}

BOOST_AUTO_TEST_CASE(a_set_changes_by_one_voter_at_a_time) {
    auto h = owner();
    h.out.clear();
    BOOST_TEST(h.self.change({a, b}, {c, d}, h.out).has_value());
    h = owner();
    BOOST_TEST(h.self.change({a, b, c, d}, {}, h.out).has_value());
    h = owner();
    BOOST_TEST(h.self.change({a, b, d}, {c}, h.out).has_error());           // two steps at once
    BOOST_TEST(h.self.change({a}, {}, h.out).has_error());                  // two voters go
    BOOST_TEST(h.self.change({b, c}, {}, h.out).has_error());               // the leader itself
    BOOST_TEST(h.self.change({a, b, c, id_of(9)}, {}, h.out).has_error());  // it has learned nothing
    BOOST_TEST(h.self.change({a, b, c}, {c, d}, h.out).has_error());        // both at once
    BOOST_TEST(h.self.change({a, b, c}, {d, id_of(9)}, h.out).has_value()); // one more learner
    BOOST_TEST(h.self.change({a, b, c}, {}, h.out).has_error());            // while it is at it
}

BOOST_AUTO_TEST_CASE(an_owner_stays_owner_while_it_changes_the_set) {
    auto h = owner();
    BOOST_REQUIRE(h.self.change({a, b, c, d}, {}, h.out).has_value());
    BOOST_TEST(h.self.is_owner());
    BOOST_TEST(!h.self.can_propose());
    h.out.clear();
    h.self.on_register_written(6, true, h.out);
    h.write();
    h.self.on_sealed(b, {6, 6, {1, 5}}, h.out);
    h.write();
    for (const auto voter : {b, c}) { // three of four, with this one
        BOOST_TEST(!h.self.can_propose());
        h.self.on_ack(voter, {6, verdict::durable, {2, 6}, 0}, h.out);
    }
    BOOST_TEST(h.self.can_propose());
    BOOST_TEST(h.count<deposed>() == 0U);
    BOOST_TEST(h.count<owns>() == 0U);
}

BOOST_AUTO_TEST_CASE(a_shard_is_handed_to_who_has_all_of_it) {
    auto h = owner();
    BOOST_TEST(h.self.hand_over_to(b, h.out).has_error()); // behind
    BOOST_TEST(h.self.hand_over_to(d, h.out).has_error()); // a learner
    BOOST_TEST(h.self.hand_over_to(a, h.out).has_error()); // itself
    BOOST_TEST(h.self.hand_over_to(c, h.out).has_value());
    BOOST_TEST(h.count<send_hand_over>() == 1U);
    BOOST_TEST(h.count<deposed>() == 1U); // the next owner may be at work already
    BOOST_TEST(!h.self.can_propose());
    BOOST_TEST(h.self.is_candidate());
    for (int i = 0; i < 20; ++i) {
        h.self.tick(h.out);
    }
    BOOST_TEST(!h.self.is_candidate()); // nobody came
    BOOST_TEST(!h.self.is_owner());
    BOOST_TEST(h.self.campaign(h.out).has_value());

    host next(c);
    const replica_set now{5, a, three.voters, three.learners};
    next.self.on_register(now, next.out);
    next.self.on_hand_over(b, {5}, next.out); // not the leader
    next.self.on_hand_over(a, {4}, next.out); // of an earlier leadership
    BOOST_TEST(!next.self.is_candidate());
    next.self.on_hand_over(a, {5}, next.out);
    BOOST_TEST(next.self.is_candidate());
}

BOOST_AUTO_TEST_CASE(a_promise_of_an_earlier_life_needs_a_later_epoch) {
    host h(a, 5); // it led epoch 5 before it died, and read an older register since
    h.self.on_register(three, h.out);
    BOOST_REQUIRE(h.self.campaign(h.out).has_value());
    h.self.on_register({5, a, three.voters, three.learners}, h.out);
    h.self.on_register_written(5, false, h.out);
    BOOST_TEST(!h.self.is_candidate());
    BOOST_TEST(h.self.campaign(h.out).has_value());
    BOOST_TEST(h.all<write_register>().back().next.epoch == 6U);
}

BOOST_AUTO_TEST_SUITE_END()
