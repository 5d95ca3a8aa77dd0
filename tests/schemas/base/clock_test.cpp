#include "schemas/base/clock.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(clock_texts)

BOOST_AUTO_TEST_CASE(known_times_have_their_text) {
    BOOST_TEST(to_string(timestamp{0}) == "1970-01-01T00:00:00.000Z");
    BOOST_TEST(to_string(timestamp{-1}) == "1969-12-31T23:59:59.999Z");
    BOOST_TEST(to_string(timestamp{951'782'399'999}) == "2000-02-28T23:59:59.999Z");
    BOOST_TEST(to_string(timestamp{951'782'400'000}) == "2000-02-29T00:00:00.000Z");
    BOOST_TEST(to_string(timestamp{1'795'245'281'042}) == "2026-11-21T07:14:41.042Z");
}

BOOST_AUTO_TEST_CASE(times_read_back_as_they_were) {
    for (std::int64_t ms = -70'000'000'000'000; ms < 260'000'000'000'000; ms += 977'777'777'777) {
        if (ms < -62'167'219'200'000 || ms > 253'402'300'799'999) {
            continue; // four digits of year end here
        }
        const auto back = parse_timestamp(to_string(timestamp{ms}));
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST(back->ms == ms);
    }
}

BOOST_AUTO_TEST_CASE(times_beyond_four_digits_of_year_show_as_the_nearest) {
    BOOST_TEST(to_string(timestamp{std::numeric_limits<std::int64_t>::max()}) == "9999-12-31T23:59:59.999Z");
    BOOST_TEST(to_string(timestamp{std::numeric_limits<std::int64_t>::min()}) == "0000-01-01T00:00:00.000Z");
}

BOOST_AUTO_TEST_CASE(every_form_of_the_same_moment_is_the_same) {
    for (const auto* text : {"2026-11-21T07:14:41Z", "2026-11-21t07:14:41z", "2026-11-21T07:14:41.0Z",
                             "2026-11-21T07:14:41.000999999Z", "2026-11-21T08:14:41+01:00", "2026-11-21T01:44:41-05:30",
                             "2026-11-22T07:13:41+23:59", "2026-11-21T07:14:41-00:00"}) {
        const auto t = parse_timestamp(text);
        BOOST_REQUIRE_MESSAGE(t.has_value(), text);
        BOOST_TEST(t->ms == 1'795'245'281'000, text);
    }
    BOOST_TEST(parse_timestamp("2026-11-21T07:14:41.5Z")->ms == 1'795'245'281'500);
    BOOST_TEST(parse_timestamp("2024-02-29T00:00:00Z").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_no_moment_is_refused) {
    for (const auto* text : {"",
                             "now",
                             "2026-11-21",
                             "2026-11-21T07:14Z",
                             "2026-11-21T07:14:41",
                             "2026-11-21 07:14:41Z",
                             "2026-02-30T00:00:00Z",
                             "2025-02-29T00:00:00Z",
                             "1900-02-29T00:00:00Z",
                             "2026-00-10T00:00:00Z",
                             "2026-13-10T00:00:00Z",
                             "2026-04-31T00:00:00Z",
                             "2026-01-00T00:00:00Z",
                             "2026-11-21T24:00:00Z",
                             "2026-11-21T07:60:00Z",
                             "2026-11-21T07:14:60Z",
                             "2026-11-21T07:14:41.Z",
                             "2026-11-21T07:14:41.0123456789Z",
                             "2026-11-21T07:14:41+24:00",
                             "2026-11-21T07:14:41+01:60",
                             "2026-11-21T07:14:41+0100",
                             "2026-11-21T07:14:41+01",
                             "2026-11-21T07:14:41Z ",
                             " 2026-11-21T07:14:41Z",
                             "2026-11-21T07:14:41ZZ",
                             "26-11-21T07:14:41Z",
                             "+026-11-21T07:14:41Z",
                             "2026-1-21T07:14:41Z",
                             "0000-01-01T00:00:00+01:00",
                             "9999-12-31T23:59:59-01:00"}) {
        BOOST_TEST(!parse_timestamp(text).has_value(), text);
    }
}

BOOST_AUTO_TEST_CASE(clocks_do_not_go_back) {
    const auto first = monotonic_ms();
    BOOST_TEST(monotonic_ms() >= first);
    BOOST_TEST(system_now().ms > 1'700'000'000'000);
}

BOOST_AUTO_TEST_CASE(a_trusted_clock_follows_small_steps_and_refuses_great_ones) {
    constexpr std::int64_t year_ms = 365LL * 24 * 3600 * 1000;
    trusted_clock clock({1'800'000'000'000}, 5000, 5000);
    BOOST_TEST(clock.read({1'800'000'001'000}, 6000, 6000).ms == 1'800'000'001'000);
    BOOST_TEST(clock.read({1'800'003'600'000}, 7000, 7000).ms == 1'800'003'600'000); // an hour forwards
    BOOST_TEST(clock.read({1'800'000'001'000}, 8000, 8000).ms == 1'800'000'001'000); // and back
    BOOST_TEST(clock.refused_ms() == 0);
    for (const auto step : {year_ms, -year_ms}) {
        BOOST_TEST(clock.read({1'800'000'002'000 + step}, 9000, 9000).ms == 1'800'000'002'000);
        BOOST_TEST(clock.refused_ms() == step);
        BOOST_TEST(clock.read({1'800'000'003'000 + step}, 10'000, 10'000).ms == 1'800'000'003'000);
    }
    BOOST_TEST(clock.read({1'800'000'004'000}, 11'000, 11'000).ms == 1'800'000'004'000);
    BOOST_TEST(clock.refused_ms() == 0);
}

BOOST_AUTO_TEST_CASE(a_trusted_clock_knows_since_when_it_goes_evenly) {
    constexpr std::int64_t start = 1'800'000'000'000;
    constexpr std::int64_t hour_ms = 3'600'000;
    const auto since = [](const trusted_clock& clock) { return clock.even_since().ms - start; };
    trusted_clock clock({start}, 5000, 2000);
    clock.read({start + 60'300}, 65'000, 62'000); // it is slewed
    BOOST_TEST(since(clock) == 0);
    clock.read({start + 61'000 + 5 * hour_ms}, 66'000, 63'000); // it is set
    BOOST_TEST(since(clock) == 61'000 + 5 * hour_ms);
    clock.read({start + 62'000 + 5 * hour_ms}, 67'000, 64'000);
    BOOST_TEST(since(clock) == 61'000 + 5 * hour_ms);
    clock.read({start + 63'000}, 68'000, 65'000); // and back
    BOOST_TEST(since(clock) == 63'000);
    clock.read({start + 64'000 + hour_ms}, 69'000 + hour_ms, 66'000); // the machine slept
    BOOST_TEST(since(clock) == 64'000 + hour_ms);
    clock.read({start + 100 * hour_ms}, 70'000 + hour_ms, 67'000); // refused: time goes on as before
    BOOST_TEST(since(clock) == 64'000 + hour_ms);
}

BOOST_AUTO_TEST_SUITE_END()
