#include "net/http/rate_limit.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe::net;

namespace {
constexpr std::int64_t second = 1'000'000;
}

BOOST_AUTO_TEST_SUITE(rate_limit)

BOOST_AUTO_TEST_CASE(a_burst_goes_through_and_then_the_rate) {
    rate_limiter limiter({.per_second = 10, .burst = 3});
    for (const auto left : {2, 1, 0}) {
        const auto verdict = limiter.take("a", 0);
        BOOST_TEST(verdict.allowed);
        BOOST_TEST(verdict.remaining == left);
        BOOST_TEST(verdict.limit == 3);
    }
    BOOST_TEST(!limiter.take("a", 0).allowed);
    BOOST_TEST(!limiter.take("a", second / 10 - 1).allowed);
    BOOST_TEST(limiter.take("a", second / 10).allowed);
    BOOST_TEST(!limiter.take("a", second / 10).allowed);
}

BOOST_AUTO_TEST_CASE(a_refused_request_takes_nothing_and_says_when_to_come_again) {
    rate_limiter limiter({.per_second = 1, .burst = 1});
    BOOST_TEST(limiter.take("a", 0).allowed);
    for (int i = 0; i < 100; ++i) {
        const auto verdict = limiter.take("a", second / 2);
        BOOST_TEST(!verdict.allowed);
        BOOST_TEST(verdict.reset_s == 1);
    }
    BOOST_TEST(limiter.take("a", second).allowed);
}

BOOST_AUTO_TEST_CASE(idle_time_fills_up_to_the_burst_and_no_more) {
    rate_limiter limiter({.per_second = 10, .burst = 3});
    for (int i = 0; i < 3; ++i)
        limiter.take("a", 0);
    int passed = 0;
    for (int i = 0; i < 10; ++i)
        passed += limiter.take("a", 3600 * second).allowed ? 1 : 0;
    BOOST_TEST(passed == 3);
}

BOOST_AUTO_TEST_CASE(keys_do_not_share) {
    rate_limiter limiter({.per_second = 1, .burst = 1});
    BOOST_TEST(limiter.take("a", 0).allowed);
    BOOST_TEST(!limiter.take("a", 0).allowed);
    BOOST_TEST(limiter.take("b", 0).allowed);
}

BOOST_AUTO_TEST_CASE(without_a_rate_everything_passes_and_nothing_is_kept) {
    rate_limiter limiter({});
    for (int i = 0; i < 1000; ++i)
        BOOST_TEST(limiter.take("a", 0).allowed);
    BOOST_TEST(limiter.take("a", 0).limit == 0);
    BOOST_TEST(limiter.keys() == 0U);
}

BOOST_AUTO_TEST_CASE(a_flood_of_keys_takes_bounded_memory) {
    rate_limiter limiter({.per_second = 1, .burst = 2}, 1600);
    for (int i = 0; i < 100'000; ++i)
        limiter.take("k" + std::to_string(i), i);
    BOOST_TEST(limiter.keys() <= 1600U);
}

BOOST_AUTO_TEST_CASE(of_two_limits_the_tighter_one_is_told) {
    const rate_verdict none;
    const rate_verdict wide{.allowed = true, .limit = 100, .remaining = 50, .reset_s = 1};
    const rate_verdict tight{.allowed = true, .limit = 10, .remaining = 1, .reset_s = 1};
    const rate_verdict over{.allowed = false, .limit = 1000, .remaining = 0, .reset_s = 1};
    BOOST_TEST(tight.is_tighter_than(wide));
    BOOST_TEST(over.is_tighter_than(tight));
    BOOST_TEST(wide.is_tighter_than(none));
    BOOST_TEST(!none.is_tighter_than(wide));
}

BOOST_AUTO_TEST_SUITE_END()
