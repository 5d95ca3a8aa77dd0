#include "storage/replication/replica.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe::storage::replication;

BOOST_AUTO_TEST_SUITE(replication_replica)

namespace {

replica_id id_of(std::uint8_t number) {
    replica_id id;
    id.bytes[15] = number;
    return id;
}
const auto a = id_of(1);
const auto b = id_of(2);
const auto c = id_of(3);
const auto learner = id_of(9);

replica_set three(std::uint64_t epoch) { return {epoch, a, {a, b, c}, {}}; }

/// A replica with its output of the last input, and a disk that fsyncs when told.
struct fixture {
    explicit fixture(replica_id self, log_outline log = log_outline(), std::uint64_t promise = 0,
                     std::uint64_t commit = 0)
        : core(replica::recover({self, promise, std::move(log), commit}).value()) {}

    template <class Input>
    fixture& when(Input input) {
        out.clear();
        input(core, out);
        for (const auto& x : out) {
            if (const auto* p = std::get_if<persist>(&x)) {
                last_write = p->write;
            }
        }
        return *this;
    }
    fixture& when_synced() {
        return when([&](replica& r, actions& o) { r.persisted(last_write, o); });
    }
    fixture& when_sealed(std::uint64_t epoch) {
        when([&](replica& r, actions& o) { r.on_seal(r.self(), {epoch}, o); });
        return when_synced();
    }
    fixture& when_leading(const replica_set& set, position greatest = {}) {
        when_sealed(set.epoch);
        return when([&](replica& r, actions& o) { BOOST_REQUIRE(r.lead(set, greatest, o).has_value()); });
    }
    fixture& when_appended(replica_id from, append m) {
        return when([&](replica& r, actions& o) { r.on_append(from, m, o); });
    }
    fixture& when_acked(replica_id from, ack m) {
        return when([&](replica& r, actions& o) { r.on_ack(from, m, o); });
    }
    fixture& when_proposed(std::uint64_t count) {
        return when([&](replica& r, actions& o) { BOOST_REQUIRE(r.propose(count, o).has_value()); });
    }

    template <class T>
    [[nodiscard]] std::vector<T> all() const {
        std::vector<T> found;
        for (const auto& x : out) {
            if (const auto* p = std::get_if<T>(&x)) {
                found.push_back(*p);
            }
        }
        return found;
    }
    template <class T>
    [[nodiscard]] T only() const {
        const auto found = all<T>();
        BOOST_REQUIRE_EQUAL(found.size(), 1U);
        return found.front();
    }
    template <class T>
    [[nodiscard]] bool none() const {
        return all<T>().empty();
    }

    replica core;
    actions out;
    std::uint64_t last_write = 0;
};

log_outline log_of(std::vector<std::pair<std::uint64_t, std::uint64_t>> epochs_and_counts) {
    log_outline log;
    for (const auto& [epoch, count] : epochs_and_counts) {
        log.append(epoch, count);
    }
    return log;
}

ack durable(std::uint64_t epoch, std::uint64_t seq) { return {epoch, verdict::durable, {seq, epoch}, 0}; }

} // namespace

// ---- factor 1

BOOST_AUTO_TEST_CASE(alone_a_proposal_commits_with_its_fsync_and_no_message) {
    fixture f(a);
    f.when_leading({1, a, {a}, {}});
    BOOST_TEST((f.only<persist>() == persist{.write = 2, .first = 1, .last = 1, .epoch_start = true}));
    f.when_synced();
    BOOST_TEST((f.only<committed>() == committed{1, 1}));

    f.when_proposed(3);
    BOOST_TEST((f.only<persist>() == persist{.write = 3, .first = 2, .last = 4}));
    BOOST_TEST(f.out.size() == 1U);
    f.when_synced();
    BOOST_TEST((f.only<committed>() == committed{2, 4}));
    BOOST_TEST(f.out.size() == 1U);
}

BOOST_AUTO_TEST_CASE(one_fsync_commits_all_writes_before_it) {
    fixture f(a);
    f.when_leading({1, a, {a}, {}}).when_proposed(1);
    const auto first = f.last_write;
    f.when_proposed(2).when_synced();
    BOOST_TEST((f.only<committed>() == committed{1, 4}));
    f.when([&](replica& r, actions& o) { r.persisted(first, o); });
    BOOST_TEST(f.out.empty());
}

BOOST_AUTO_TEST_CASE(only_a_leader_accepts_proposals) {
    fixture f(a);
    actions out;
    BOOST_TEST((f.core.propose(1, out).error().code == troupe::code::unavailable));
    f.when_leading({1, a, {a}, {}});
    BOOST_TEST((f.core.propose(0, out).error().code == troupe::code::invalid_request));
    BOOST_TEST(out.empty());
    BOOST_TEST((f.core.propose(1, out).value() == position{2, 1}));
    f.when_sealed(2);
    BOOST_TEST(f.core.propose(1, out).has_error());
}

// ---- R6: who may lead

BOOST_AUTO_TEST_CASE(a_replica_leads_only_after_it_sealed_itself_durably) {
    fixture f(a);
    actions out;
    BOOST_TEST(f.core.lead(three(1), {}, out).has_error());
    f.when([](replica& r, actions& o) { r.on_seal(a, {1}, o); });
    BOOST_TEST(f.core.lead(three(1), {}, out).has_error()); // The promise is not fsynced.
    f.when_synced();
    BOOST_TEST(f.core.lead(three(2), {}, out).has_error());
    BOOST_TEST(f.core.lead({1, b, {a, b, c}, {}}, {}, out).has_error());
    BOOST_TEST(f.core.lead({1, a, {b, c}, {a}}, {}, out).has_error());
    BOOST_TEST(f.core.lead(three(1), {4, 1}, out).has_error()); // It lacks entries.
    BOOST_TEST(out.empty());
    BOOST_TEST(f.core.lead(three(1), {}, out).has_value());
    BOOST_TEST(f.core.lead(three(1), {}, out).has_error()); // It does already.
}

BOOST_AUTO_TEST_CASE(a_restarted_leader_needs_a_new_epoch) {
    fixture f(a, log_outline(), 1);
    f.when([](replica& r, actions& o) { r.on_seal(a, {1}, o); });
    BOOST_TEST((f.only<send_sealed>().message == sealed{1, 1, {}})); // The promise is there all the same.
    actions out;
    BOOST_TEST(f.core.lead(three(1), {}, out).has_error());
    f.when_sealed(2);
    BOOST_TEST(f.core.lead(three(2), {}, out).has_value());
}

// ---- R4, R5: commit

BOOST_AUTO_TEST_CASE(three_replicas_commit_with_one_follower) {
    fixture leader(a);
    fixture follower(b);
    leader.when_leading(three(1));
    const auto sent = leader.all<send_append>();
    BOOST_REQUIRE_EQUAL(sent.size(), 2U);
    BOOST_TEST((sent[0].to == b));
    BOOST_TEST((sent[0].message == append{.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 1, .commit = 0}));
    leader.when_synced();
    BOOST_TEST(leader.none<committed>());

    follower.when_appended(a, sent[0].message);
    BOOST_TEST((follower.only<persist>() == persist{.write = 1, .first = 1, .last = 1, .promise = 1}));
    BOOST_TEST(follower.none<send_ack>());
    follower.when_synced();
    BOOST_TEST((follower.only<send_ack>().message == durable(1, 1)));

    leader.when_acked(b, follower.only<send_ack>().message);
    BOOST_TEST((leader.only<committed>() == committed{1, 1}));
    BOOST_TEST(leader.core.active());

    leader.when_proposed(2);
    const auto next = leader.only<send_append>(); // Nothing to c, which has not answered yet.
    BOOST_TEST((next.message == append{.epoch = 1, .prev = {1, 1}, .entry_epoch = 1, .count = 2, .commit = 1}));
    follower.when_appended(a, next.message);
    BOOST_TEST((follower.only<committed>() == committed{1, 1}));
    follower.when_synced();
    leader.when_synced();
    leader.when_acked(b, follower.only<send_ack>().message);
    BOOST_TEST((leader.only<committed>() == committed{2, 3}));

    leader.when([](replica& r, actions& o) { r.beat(o); });
    const auto beat = leader.all<send_append>().front();
    BOOST_TEST((beat.message == append{.epoch = 1, .prev = {3, 1}, .entry_epoch = 0, .count = 0, .commit = 3}));
    follower.when_appended(a, beat.message);
    BOOST_TEST((follower.only<committed>() == committed{2, 3}));
    BOOST_TEST((follower.only<send_ack>().message == durable(1, 3)));
}

BOOST_AUTO_TEST_CASE(followers_alone_do_not_commit_before_the_leaders_own_fsync) {
    fixture f(a);
    f.when_leading(three(1)).when_acked(b, durable(1, 1)).when_acked(c, durable(1, 1));
    BOOST_TEST(f.core.commit() == 0U);
    f.when_synced();
    BOOST_TEST((f.only<committed>() == committed{1, 1}));
}

BOOST_AUTO_TEST_CASE(repeated_acknowledgements_count_once) {
    fixture f(a);
    f.when_leading({1, a, {a, b, c, id_of(4), id_of(5)}, {}}).when_synced();
    f.when_acked(b, durable(1, 1)).when_acked(b, durable(1, 1));
    BOOST_TEST(f.none<committed>());
    f.when_acked(c, durable(1, 1));
    BOOST_TEST((f.only<committed>() == committed{1, 1}));
}

BOOST_AUTO_TEST_CASE(learners_receive_but_do_not_vote) {
    fixture f(a);
    f.when_leading({1, a, {a, b}, {learner}});
    BOOST_TEST(f.all<send_append>().size() == 2U);
    f.when_synced().when_acked(learner, durable(1, 1));
    BOOST_TEST(f.none<committed>());
    BOOST_TEST(f.core.durable_at(learner).value() == 1U);
    BOOST_TEST(!f.core.durable_at(c).has_value());
    f.when_acked(b, durable(1, 1));
    BOOST_TEST((f.only<committed>() == committed{1, 1}));
}

BOOST_AUTO_TEST_CASE(earlier_epochs_commit_only_through_an_entry_of_the_leaders_own) {
    fixture f(a, log_of({{1, 2}}), 1);
    f.when_leading(three(3), {2, 1}).when_synced();
    f.when_acked(b, durable(3, 2)); // A majority holds entry 2 of epoch 1 …
    BOOST_TEST(f.none<committed>());
    f.when_acked(b, durable(3, 3)); // … and now the epoch-start record.
    BOOST_TEST((f.only<committed>() == committed{1, 3}));
}

BOOST_AUTO_TEST_CASE(acknowledgements_of_another_epoch_or_of_strangers_do_not_count) {
    fixture f(a);
    f.when_leading(three(2)).when_synced();
    f.when_acked(b, durable(1, 1));
    BOOST_TEST(f.out.empty());
    f.when_acked(learner, durable(2, 1));
    BOOST_TEST(f.out.empty());
    f.when_acked(b, durable(2, 7));
    BOOST_TEST((f.only<refused>().from == b));
    f.when_acked(b, durable(2, 1));
    BOOST_TEST((f.only<committed>() == committed{1, 1}));
}

BOOST_AUTO_TEST_CASE(a_leader_hears_that_its_epoch_is_over) {
    fixture f(a);
    f.when_leading(three(2));
    f.when_acked(b, {2, verdict::stale, {0, 5}, 0});
    BOOST_TEST(f.only<superseded>().epoch == 5U);
}

// ---- R1, R2, R3: following

BOOST_AUTO_TEST_CASE(a_replica_refuses_epochs_below_its_promise) {
    fixture f(b, log_outline(), 4);
    f.when_appended(a, {.epoch = 3, .prev = {}, .entry_epoch = 3, .count = 1, .commit = 0});
    BOOST_TEST((f.only<send_ack>().message == ack{3, verdict::stale, {0, 4}, 0}));
    BOOST_TEST(f.out.size() == 1U);
    f.when_appended(a, {.epoch = 4, .prev = {}, .entry_epoch = 4, .count = 1, .commit = 0});
    BOOST_TEST(f.only<persist>().has_entries());
}

BOOST_AUTO_TEST_CASE(what_was_fsynced_after_a_higher_promise_is_not_acknowledged) {
    fixture f(b);
    f.when_appended(a, {.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 1, .commit = 0});
    const auto entries = f.last_write;
    f.when([](replica& r, actions& o) { r.on_seal(c, {2}, o); });
    BOOST_TEST(f.none<send_sealed>());
    f.when([&](replica& r, actions& o) { r.persisted(entries, o); });
    BOOST_TEST(f.out.empty());
    f.when_synced();
    BOOST_TEST(f.out.size() == 1U);
    BOOST_TEST((f.only<send_sealed>().message == sealed{2, 2, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(a_new_promise_is_durable_before_anything_is_acknowledged) {
    fixture f(b, log_of({{1, 2}}), 1);
    f.when_appended(a, {.epoch = 2, .prev = {2, 1}, .entry_epoch = 0, .count = 0, .commit = 0});
    BOOST_TEST((f.only<persist>() == persist{.write = 1, .promise = 2}));
    BOOST_TEST(f.none<send_ack>());
    f.when_synced();
    BOOST_TEST((f.only<send_ack>().message == durable(2, 2)));
}

BOOST_AUTO_TEST_CASE(a_gap_is_refused_with_the_place_to_go_on) {
    fixture f(b, log_of({{1, 2}}), 1);
    f.when_appended(a, {.epoch = 1, .prev = {5, 1}, .entry_epoch = 1, .count = 1, .commit = 0});
    BOOST_TEST((f.only<send_ack>().message == ack{1, verdict::mismatch, {2, 1}, 5}));
    BOOST_TEST(f.none<persist>());
    f.when_appended(a, {.epoch = 1, .prev = {2, 1}, .entry_epoch = 1, .count = 4, .commit = 0});
    BOOST_TEST(f.only<persist>().last == 6U);
}

BOOST_AUTO_TEST_CASE(a_conflicting_suffix_is_dropped_unless_it_is_committed) {
    const append conflict{.epoch = 3, .prev = {2, 1}, .entry_epoch = 3, .count = 1, .commit = 0};
    fixture f(b, log_of({{1, 2}, {2, 4}}), 2, 2);
    f.when_appended(a, conflict);
    BOOST_TEST((f.only<persist>() == persist{.write = 1, .first = 3, .last = 3, .truncate_from = 3, .promise = 3}));
    BOOST_TEST((f.core.log().last() == position{3, 3}));

    fixture knows(b, log_of({{1, 2}, {2, 4}}), 2, 3);
    knows.when_appended(a, conflict);
    BOOST_TEST(knows.all<halt>().size() == 1U);
    BOOST_TEST(knows.none<persist>());
    BOOST_TEST((knows.core.role() == replica_role::halted));
    knows.when_appended(a, {.epoch = 4, .prev = {6, 2}, .entry_epoch = 4, .count = 1, .commit = 0});
    BOOST_TEST(knows.out.empty());
}

BOOST_AUTO_TEST_CASE(a_leader_that_lacks_a_committed_entry_stops_the_replica) {
    fixture f(b, log_of({{1, 2}}), 1, 2);
    f.when_appended(a, {.epoch = 3, .prev = {2, 2}, .entry_epoch = 3, .count = 1, .commit = 0});
    BOOST_TEST(f.all<halt>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_old_shorter_append_drops_nothing) {
    fixture f(b);
    f.when_appended(a, {.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 4, .commit = 0}).when_synced();
    f.when_appended(a, {.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 2, .commit = 0});
    BOOST_TEST(f.none<persist>());
    BOOST_TEST((f.only<send_ack>().message == durable(1, 4)));
    f.when_appended(a, {.epoch = 1, .prev = {1, 1}, .entry_epoch = 1, .count = 5, .commit = 0});
    BOOST_TEST((f.only<persist>() == persist{.write = 2, .first = 5, .last = 6}));
}

BOOST_AUTO_TEST_CASE(a_tail_that_the_leader_has_not_verified_is_neither_acknowledged_nor_committed) {
    fixture f(b, log_of({{1, 2}, {2, 3}}), 3);
    f.when_appended(a, {.epoch = 3, .prev = {2, 1}, .entry_epoch = 0, .count = 0, .commit = 5});
    BOOST_TEST((f.only<send_ack>().message == durable(3, 2)));
    BOOST_TEST((f.only<committed>() == committed{1, 2}));
}

BOOST_AUTO_TEST_CASE(the_fsync_of_dropped_entries_says_nothing_about_their_successors) {
    fixture f(b);
    f.when_appended(a, {.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 5, .commit = 0});
    const auto dropped = f.last_write;
    f.when_appended(c, {.epoch = 2, .prev = {2, 1}, .entry_epoch = 2, .count = 3, .commit = 0});
    f.when([&](replica& r, actions& o) { r.persisted(dropped, o); });
    BOOST_TEST(f.none<send_ack>());
    BOOST_TEST(f.core.durable() == 2U);
    f.when_synced();
    BOOST_TEST((f.only<send_ack>().message == durable(2, 5)));
}

BOOST_AUTO_TEST_CASE(an_epoch_has_one_leader) {
    fixture f(b);
    const append m{.epoch = 1, .prev = {}, .entry_epoch = 1, .count = 1, .commit = 0};
    f.when_appended(a, m);
    f.when_appended(c, m);
    BOOST_TEST((f.only<refused>().from == c));
    fixture leader(a);
    leader.when_leading(three(1));
    leader.when_appended(c, m);
    BOOST_TEST((leader.only<refused>().from == c));
    leader.when_appended(c, {.epoch = 2, .prev = {}, .entry_epoch = 2, .count = 1, .commit = 0});
    BOOST_TEST((leader.core.role() == replica_role::follower));
}

BOOST_AUTO_TEST_CASE(an_append_that_no_log_can_hold_is_refused) {
    fixture f(b);
    f.when_appended(a, {.epoch = 2, .prev = {}, .entry_epoch = 3, .count = 1, .commit = 0});
    BOOST_TEST(f.all<refused>().size() == 1U);
    BOOST_TEST(f.core.promise() == 0U);
}

// ---- what is lost is sent again

BOOST_AUTO_TEST_CASE(many_refusals_of_one_loss_cause_one_repetition) {
    fixture f(a);
    f.when_leading(three(1)).when_synced().when_acked(b, durable(1, 1));
    f.when_proposed(1).when_proposed(1).when_proposed(1);
    f.when_acked(b, {1, verdict::mismatch, {1, 1}, 2}); // Entry 2 was lost: 3 and 4 do not fit.
    BOOST_TEST((f.only<send_append>().message ==
                append{.epoch = 1, .prev = {1, 1}, .entry_epoch = 1, .count = 3, .commit = 1}));
    f.when_acked(b, {1, verdict::mismatch, {1, 1}, 3});
    BOOST_TEST(f.out.empty());
    f.when_proposed(1);
    BOOST_TEST(f.none<send_append>()); // First the answer.
    f.when_acked(b, durable(1, 4));
    BOOST_TEST((f.only<send_append>().message.prev == position{4, 1}));
}

BOOST_AUTO_TEST_CASE(resend_repeats_what_is_not_acknowledged) {
    fixture f(a);
    f.when_leading(three(1)).when_synced().when_acked(b, durable(1, 1));
    f.when_proposed(2);
    f.when([](replica& r, actions& o) { r.resend(b, o); });
    BOOST_TEST((f.only<send_append>().message ==
                append{.epoch = 1, .prev = {1, 1}, .entry_epoch = 1, .count = 2, .commit = 1}));
    f.when([](replica& r, actions& o) { r.resend(learner, o); });
    BOOST_TEST(f.out.empty());
}

BOOST_AUTO_TEST_CASE(a_follower_below_the_trimmed_prefix_gets_a_checkpoint) {
    fixture f(a, log_of({{1, 8}}), 1, 8);
    BOOST_TEST(!f.core.trim(9));
    BOOST_TEST(f.core.trim(6));
    f.when_leading(three(2), {8, 1});
    f.when_acked(b, {2, verdict::mismatch, {7, 1}, 8});
    BOOST_TEST((f.only<send_append>().message.prev == position{7, 1}));
    f.when_acked(c, {2, verdict::mismatch, {5, 1}, 8});
    BOOST_TEST((f.only<needs_checkpoint>().to == c));
}

// ---- checkpoints

BOOST_AUTO_TEST_CASE(a_checkpoint_takes_the_place_of_a_log_and_is_acknowledged) {
    fixture f(b, log_of({{1, 2}, {2, 1}}), 2, 2);
    f.when_appended(a, {.epoch = 4, .prev = {9, 3}, .commit = 9}).when_synced();
    f.when([](replica& r, actions& o) { BOOST_TEST(r.install(4, log_of({{1, 2}, {3, 5}}), o).has_value()); });
    BOOST_TEST((f.core.log().last() == position{7, 3})); // what did not fit is gone
    BOOST_TEST((f.only<committed>() == committed{3, 7}));
    BOOST_TEST((f.only<send_ack>().to == a));
    BOOST_TEST((f.only<send_ack>().message == durable(4, 7)));
    f.when_appended(a, {.epoch = 4, .prev = {7, 3}, .entry_epoch = 3, .count = 2, .commit = 9});
    BOOST_TEST((f.only<persist>().first == 8u)); // and the rest follows
}

BOOST_AUTO_TEST_CASE(a_checkpoint_below_the_promise_is_refused_and_one_above_raises_it) {
    fixture f(b, log_of({{1, 2}}), 3, 2);
    BOOST_TEST(f.core.may_install(2, {7, 2}).has_error());
    BOOST_TEST(f.core.may_install(3, {7, 4}).has_error()); // no log of epoch 3 holds that
    BOOST_TEST(f.core.may_install(3, {7, 2}).has_value());
    f.when([](replica& r, actions& o) { BOOST_TEST(r.install(2, log_of({{1, 7}}), o).has_error()); });
    BOOST_TEST(f.out.empty());
    f.when([](replica& r, actions& o) { BOOST_TEST(r.install(5, log_of({{1, 7}}), o).has_value()); });
    BOOST_TEST(f.core.promise() == 5u);
    BOOST_TEST(f.none<send_ack>()); // its leader is not known
    f.when_appended(a, {.epoch = 4, .prev = {7, 1}});
    BOOST_TEST((f.only<send_ack>().message.answer == verdict::stale));
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_is_here_already_is_refused) {
    const fixture f(b, log_of({{1, 4}, {2, 4}}), 3, 5);
    BOOST_TEST(f.core.may_install(3, {8, 2}).has_error());
    BOOST_TEST(f.core.may_install(3, {7, 2}).has_error());
    BOOST_TEST(f.core.may_install(3, {5, 3}).has_error()); // never back behind what is committed
    BOOST_TEST(f.core.may_install(3, {7, 3}).has_value()); // another log
    BOOST_TEST(f.core.may_install(3, {9, 2}).has_value());
}

BOOST_AUTO_TEST_CASE(a_leader_takes_no_checkpoint) {
    fixture f(a);
    f.when_leading(three(2));
    BOOST_TEST(f.core.may_install(2, {7, 1}).has_error());
    BOOST_TEST(f.core.may_install(5, {7, 1}).has_error());
}

BOOST_AUTO_TEST_CASE(a_candidate_goes_on_behind_the_checkpoint_of_its_donor) {
    fixture f(a, log_of({{1, 2}}), 1, 2);
    f.when_sealed(4);
    f.when([](replica& r, actions& o) { r.pull_from(4, b, {9, 3}, o); });
    f.when([](replica& r, actions& o) { BOOST_TEST(r.install(4, log_of({{1, 2}, {3, 5}}), o).has_value()); });
    BOOST_TEST((f.only<send_pull>().message == pull{4, {7, 3}}));
    BOOST_TEST((f.core.role() == replica_role::sealed));
    f.when([](replica& r, actions& o) {
        r.on_pulled(b, {.epoch = 4, .prev = {7, 3}, .entry_epoch = 3, .count = 2, .commit = 7}, o);
    });
    BOOST_TEST(f.only<caught_up>().epoch == 4u);
}

BOOST_AUTO_TEST_CASE(pieces_of_an_append_follow_each_other) {
    const append whole{.epoch = 4, .prev = {5, 2}, .entry_epoch = 3, .count = 6, .commit = 2};
    const auto [head, rest] = cut(whole, 2);
    BOOST_TEST((head == append{.epoch = 4, .prev = {5, 2}, .entry_epoch = 3, .count = 2, .commit = 2}));
    BOOST_TEST((rest == append{.epoch = 4, .prev = {7, 3}, .entry_epoch = 3, .count = 4, .commit = 2}));
    BOOST_TEST((cut(whole, 9).first == whole));
}

// ---- fail-over

BOOST_AUTO_TEST_CASE(a_seal_below_the_promise_is_refused) {
    fixture f(b, log_of({{1, 2}}), 3);
    f.when([](replica& r, actions& o) { r.on_seal(a, {2}, o); });
    BOOST_TEST((f.only<send_sealed>().message == sealed{2, 3, {2, 1}}));
    BOOST_TEST(!f.only<send_sealed>().message.granted());
    f.when([](replica& r, actions& o) { r.on_seal(a, {4}, o); }).when_synced();
    BOOST_TEST(f.only<send_sealed>().message.granted());
}

BOOST_AUTO_TEST_CASE(the_greatest_tail_needs_a_majority_of_the_old_voters) {
    const replica_set old{4, a, {a, b, c}, {learner}};
    std::vector<seal_answer> answers{{a, {5, 5, {9, 2}}}, {a, {5, 5, {9, 2}}}, {learner, {5, 5, {30, 4}}}};
    BOOST_TEST(!greatest_tail(old, 5, answers).has_value());
    answers.push_back({b, {5, 6, {20, 4}}}); // Refuses.
    answers.push_back({b, {4, 4, {20, 4}}}); // Of an earlier seal.
    BOOST_TEST(!greatest_tail(old, 5, answers).has_value());
    answers.push_back({c, {5, 5, {3, 3}}});
    BOOST_TEST((greatest_tail(old, 5, answers).value().from == c));
}

BOOST_AUTO_TEST_CASE(a_candidate_pulls_what_it_lacks_and_then_leads) {
    fixture candidate(a, log_of({{1, 2}, {2, 2}}), 2);
    fixture donor(b, log_of({{1, 3}, {3, 2}}), 3);
    candidate.when_sealed(4);
    donor.when_sealed(4);
    candidate.when([](replica& r, actions& o) { r.pull_from(4, b, {5, 3}, o); });
    int rounds = 0;
    while (candidate.none<caught_up>() && ++rounds < 10) {
        const auto wanted = candidate.only<send_pull>().message;
        donor.when([&](replica& r, actions& o) { r.on_pull(a, wanted, o); });
        const auto given = donor.only<send_pulled>().message;
        candidate.when([&](replica& r, actions& o) { r.on_pulled(b, given, o); });
    }
    BOOST_TEST(candidate.only<caught_up>().epoch == 4U);
    BOOST_TEST((candidate.core.log().runs() == donor.core.log().runs()));
    candidate.when([](replica& r, actions& o) { BOOST_TEST(r.lead(three(4), {5, 3}, o).has_value()); });
    BOOST_TEST((candidate.core.log().last() == position{6, 4}));
}

BOOST_AUTO_TEST_CASE(a_donor_gives_nothing_for_an_epoch_it_did_not_promise) {
    fixture donor(b, log_of({{1, 3}}), 3);
    donor.when([](replica& r, actions& o) { r.on_pull(a, {2, {}}, o); });
    BOOST_TEST(donor.out.empty());
    donor.when([](replica& r, actions& o) { r.on_pull(a, {3, {}}, o); });
    BOOST_TEST(donor.only<send_pulled>().message.count == 3U);
}

BOOST_AUTO_TEST_CASE(a_disk_whose_parts_do_not_belong_together_is_refused) {
    BOOST_TEST(replica::recover({a, 1, log_of({{1, 2}}), 2}).has_value());
    BOOST_TEST((replica::recover({a, 1, log_of({{2, 2}}), 0}).error().code == troupe::code::journal_damaged));
    BOOST_TEST((replica::recover({a, 1, log_of({{1, 2}}), 3}).error().code == troupe::code::journal_damaged));
}

BOOST_AUTO_TEST_SUITE_END()
