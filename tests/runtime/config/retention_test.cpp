#include "runtime/config/retention.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::runtime;

BOOST_AUTO_TEST_SUITE(retention_config)

BOOST_AUTO_TEST_CASE(kinds_have_times_with_units) {
    const auto kinds = parse_retention_kinds("run=90d, task=12h ,name=30m,agent=45s,project=1500ms,approval=0");
    BOOST_REQUIRE(kinds.has_value());
    BOOST_TEST(kinds->size() == 6u);
    BOOST_TEST(kinds->at("run") == 90LL * 24 * 3600 * 1000);
    BOOST_TEST(kinds->at("task") == 12LL * 3600 * 1000);
    BOOST_TEST(kinds->at("name") == 30 * 60 * 1000);
    BOOST_TEST(kinds->at("agent") == 45'000);
    BOOST_TEST(kinds->at("project") == 1500);
    BOOST_TEST(kinds->at("approval") == 0);
    BOOST_TEST(parse_retention_kinds("")->empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_time_of_a_kind_is_named) {
    for (const std::string bad : {"run", "run=", "=1d", "run=90", "run=1w", "run=-1d", "run=1.5d", "run=1d,run=2d", ",",
                                  "run=40000d", "run=99999999999999999999d", "run=1 d"}) {
        const auto refused = parse_retention_kinds(bad);
        BOOST_REQUIRE_MESSAGE(refused.has_error(), bad);
        BOOST_TEST((refused.error().code == code::config_invalid));
        BOOST_TEST(refused.error().detail.find("KIND=TIME") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_kind_has_its_own_time_or_that_of_all) {
    config c;
    c.retention_history_ms = 5'000'000'000;
    c.retention_log_ms = 0;
    c.retention_kinds = "run=90d,task=0";
    const auto policy = retention_of(c);
    BOOST_TEST(policy.history_of("run") == 90LL * 24 * 3600 * 1000);
    BOOST_TEST(policy.history_of("task") == 0);
    BOOST_TEST(policy.history_of("agent") == 5'000'000'000);
    BOOST_TEST(policy.shortest_ms() == 5'000'000'000);
    BOOST_TEST(retention_of({}).shortest_ms() == 30LL * 24 * 3600 * 1000); // the log's
    c = {};
    c.retention_log_ms = 0;
    BOOST_TEST(retention_of(c).shortest_ms() == 0);
}

BOOST_AUTO_TEST_CASE(no_retention_is_shorter_than_the_window_of_repeats) {
    config c;
    BOOST_TEST(!check_retention(c).has_value());
    c.retention_history_ms = c.dedup_window_ms;
    BOOST_TEST(!check_retention(c).has_value());
    c.retention_history_ms = c.dedup_window_ms - 1;
    BOOST_TEST(check_retention(c)->property == "retention.history_ms");
    c = {};
    c.retention_log_ms = 1000;
    BOOST_TEST(check_retention(c)->property == "retention.log_ms");
    c = {};
    c.retention_kinds = "task=0,run=1h";
    BOOST_TEST(check_retention(c)->property == "retention.kinds");
    BOOST_TEST(check_retention(c)->message.find("run") != std::string::npos);
    c.dedup_window_ms = 3'600'000;
    BOOST_TEST(!check_retention(c).has_value());
    const auto loaded =
        load_config({.file = {}, .environment = {{"TROUPE_RETENTION_HISTORY_MS", "1000"}}, .flags = {}});
    BOOST_REQUIRE(loaded.has_error());
    BOOST_TEST(loaded.error().errors.front().pointer == "environment TROUPE_RETENTION_HISTORY_MS");
    BOOST_TEST(
        load_config({.file = {},
                     .environment = {{"TROUPE_RETENTION_HISTORY_MS", "1000"}, {"TROUPE_DEDUP_WINDOW_MS", "1000"}},
                     .flags = {}})
            .has_value());
}

BOOST_AUTO_TEST_SUITE_END()
