#include "runtime/admission.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

using namespace troupe;
using namespace troupe::runtime;

namespace {

using place = admission_ticket::place;
using verdict = admission::verdict;

/// A house with a clock of its own.
struct house {
    explicit house(admission::bounds b) : core(b) {}

    admission::ticket_ptr ticket(const uuid& organization, std::size_t bytes = 1) {
        auto t = std::make_shared<admission_ticket>();
        t->organization = organization;
        t->bytes = bytes;
        return t;
    }
    verdict offer(const admission::ticket_ptr& t) {
        const auto out = core.offer(t, now_ms, changed);
        take();
        return out;
    }
    void end(const admission::ticket_ptr& t) {
        core.end(*t, now_ms, changed);
        take();
    }
    void take() {
        for (auto& t : changed.go) {
            went.push_back(t);
        }
        for (auto& t : changed.refused) {
            refused.push_back(t);
        }
        changed = {};
    }

    admission core;
    std::int64_t now_ms = 0;
    admission::changes changed;
    std::vector<admission::ticket_ptr> went;
    std::vector<admission::ticket_ptr> refused;
    uuid big = make_uuid();
    uuid small = make_uuid();
};

} // namespace

BOOST_AUTO_TEST_SUITE(admissions)

BOOST_AUTO_TEST_CASE(beyond_the_credits_it_waits_and_goes_when_one_comes_back) {
    house h({.working_max = 2, .outstanding_max = 10});
    const auto first = h.ticket(h.big);
    const auto second = h.ticket(h.big);
    const auto third = h.ticket(h.big);
    BOOST_TEST((h.offer(first) == verdict::goes));
    BOOST_TEST((h.offer(second) == verdict::goes));
    BOOST_TEST((h.offer(third) == verdict::waits));
    h.end(first);
    BOOST_TEST((third->where == place::working));
    BOOST_TEST(h.core.outstanding() == 2u);
    h.end(first); // a second end is none
    BOOST_TEST(h.core.outstanding() == 2u);
    h.end(second);
    h.end(third);
    BOOST_TEST(h.core.outstanding() == 0u);
    BOOST_TEST(h.core.organizations() == 0u); // nothing is kept of who is gone
}

BOOST_AUTO_TEST_CASE(organizations_take_turns_however_much_one_of_them_asks) {
    house h({.working_max = 1, .outstanding_max = 1000});
    auto current = h.ticket(h.big);
    h.offer(current);
    for (int i = 0; i < 500; ++i) {
        h.offer(h.ticket(h.big));
    }
    for (int i = 0; i < 5; ++i) {
        h.offer(h.ticket(h.small));
    }
    for (int i = 0; i < 10; ++i) {
        h.end(current);
        current = h.went.back();
    }
    const auto small = std::ranges::count_if(h.went, [&](const auto& t) { return t->organization == h.small; });
    BOOST_TEST(small == 5); // every other one
}

BOOST_AUTO_TEST_CASE(in_a_full_house_the_newest_of_the_largest_makes_room) {
    house h({.working_max = 1, .outstanding_max = 10});
    std::vector<admission::ticket_ptr> flood;
    for (int i = 0; i < 10; ++i) {
        flood.push_back(h.ticket(h.big));
        BOOST_TEST((h.offer(flood.back()) != verdict::refused));
    }
    BOOST_TEST((h.offer(h.ticket(h.big)) == verdict::refused)); // its own flood gives it no room
    BOOST_TEST(h.refused.empty());
    BOOST_TEST((h.offer(h.ticket(h.small)) == verdict::waits));
    BOOST_REQUIRE(h.refused.size() == 1u);
    BOOST_TEST(h.refused[0] == flood.back());
    for (int i = 0; i < 20; ++i) {
        h.offer(h.ticket(h.small));
    }
    BOOST_TEST(h.refused.size() == 5u); // until both have the same
    BOOST_TEST(h.core.outstanding() == 10u);
}

BOOST_AUTO_TEST_CASE(bytes_are_shared_like_places) {
    house h({.working_max = 1, .outstanding_max = 1000, .bytes_max = 100});
    BOOST_TEST((h.offer(h.ticket(h.big, 101)) == verdict::refused));
    h.offer(h.ticket(h.big, 30));
    h.offer(h.ticket(h.big, 30));
    h.offer(h.ticket(h.big, 40));
    BOOST_TEST((h.offer(h.ticket(h.small, 50)) == verdict::waits)); // takes the place of two
    BOOST_TEST(h.refused.size() == 2u);
    BOOST_TEST((h.offer(h.ticket(h.small, 30)) == verdict::refused)); // more than its share
}

BOOST_AUTO_TEST_CASE(who_waited_too_long_is_refused_and_not_worked_on) {
    house h({.working_max = 1, .outstanding_max = 10, .wait_max_ms = 1000});
    const auto first = h.ticket(h.big);
    const auto late = h.ticket(h.big);
    const auto fresh = h.ticket(h.big);
    h.offer(first);
    h.offer(late);
    h.now_ms = 800;
    h.offer(fresh);
    h.now_ms = 1001;
    h.end(first);
    BOOST_REQUIRE(h.refused.size() == 1u);
    BOOST_TEST(h.refused[0] == late);
    BOOST_TEST((fresh->where == place::working));
    BOOST_TEST(h.core.outstanding() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_parked_holds_no_credit_but_its_place) {
    house h({.working_max = 1, .outstanding_max = 2});
    const auto stuck = h.ticket(h.big);
    const auto other = h.ticket(h.big);
    h.offer(stuck);
    h.offer(other);
    h.core.park(*stuck, 0, h.changed);
    h.take();
    BOOST_TEST((other->where == place::working));
    BOOST_TEST((h.offer(h.ticket(h.big)) == verdict::refused));
    h.end(stuck);
    BOOST_TEST(h.core.outstanding() == 1u);
    BOOST_TEST((h.offer(h.ticket(h.big)) == verdict::waits)); // the one credit is in use
}

BOOST_AUTO_TEST_CASE(at_the_end_all_that_waits_goes) {
    house h({.working_max = 1, .outstanding_max = 10});
    for (int i = 0; i < 5; ++i) {
        h.offer(h.ticket(i % 2 == 0 ? h.big : h.small));
    }
    h.core.release_all(h.changed);
    h.take();
    BOOST_TEST(h.went.size() == 4u);
    BOOST_TEST(h.core.waiting() == 0u);
}

/// A world in virtual time: the house serves one ticket a millisecond; the big organization always has 400 asking, the
/// small one asks every 10 ms, one at a time.
BOOST_AUTO_TEST_CASE(a_flood_does_not_slow_down_another_organization) {
    house h({.working_max = 8, .outstanding_max = 300, .wait_max_ms = 200});
    std::deque<admission::ticket_ptr> working;
    std::int64_t small_latency_max = 0;
    std::size_t small_done = 0;
    std::size_t small_refused = 0;
    std::size_t big_done = 0;
    const auto ask = [&](const uuid& who) {
        const auto t = h.ticket(who);
        const auto said = h.offer(t);
        if (said == verdict::goes) {
            working.push_back(t);
        }
        small_refused += said == verdict::refused && who == h.small ? 1 : 0;
    };
    for (; h.now_ms < 10'000; ++h.now_ms) {
        for (int i = 0; i < 400; ++i) {
            ask(h.big);
        }
        if (h.now_ms % 10 == 0) {
            ask(h.small);
        }
        if (!working.empty()) {
            const auto done = working.front();
            working.pop_front();
            if (done->organization == h.small) {
                ++small_done;
                small_latency_max = std::max(small_latency_max, h.now_ms - done->since_ms);
            } else {
                ++big_done;
            }
            h.end(done);
            for (auto& t : h.went) {
                working.push_back(t);
            }
            h.went.clear();
        }
    }
    for (const auto& t : h.refused) {
        small_refused += t->organization == h.small ? 1 : 0;
    }
    BOOST_TEST(small_refused == 0u);
    BOOST_TEST(small_done >= 999u - 8u);
    BOOST_TEST(small_latency_max <= 20);         // what was in work before it, and a turn
    BOOST_TEST(big_done + small_done >= 9'990u); // and the house is never idle
}

BOOST_AUTO_TEST_SUITE_END()
