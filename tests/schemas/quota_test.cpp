#include "schemas/quota.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

quota_limits allowing(std::string_view text) { return parse_quota_limits(text).value(); }

allowance of(const quota_limits& all) { return {"free", all, false}; }

const timestamp noon = *parse_timestamp("2026-11-21T12:00:00Z");

} // namespace

BOOST_AUTO_TEST_SUITE(quota)

BOOST_AUTO_TEST_CASE(the_last_place_is_given_and_not_one_more) {
    const auto a = of(allowing("tasks_per_day=10"));
    BOOST_TEST(judge_quota(a, "tasks", 9, 1, noon).has_value());
    BOOST_TEST(judge_quota(a, "tasks", 10, 1, noon).has_error());
    BOOST_TEST(judge_quota(a, "tasks", 8, 3, noon).has_error());
    BOOST_TEST(judge_quota(a, "tasks", 8, 2, noon).has_value());
}

BOOST_AUTO_TEST_CASE(a_refusal_names_limit_value_use_plan_and_reset) {
    const auto refused = judge_quota(of(allowing("tasks_per_day=10")), "tasks", 10, 1, noon);
    BOOST_REQUIRE(refused.has_error());
    const auto& p = refused.error();
    BOOST_TEST((p.code == code::quota_exceeded));
    for (const auto* word : {"free", "10 tasks a day", "10 are in use", "2026-11-22T00:00:00"}) {
        BOOST_TEST(p.detail.find(word) != std::string::npos, p.detail);
    }
    BOOST_TEST(p.retry_after_s.value() == 12u * 3600);
    BOOST_REQUIRE(p.errors.size() == 1u);
    BOOST_TEST(p.errors[0].pointer == "/limits/tasks_per_day");
}

BOOST_AUTO_TEST_CASE(what_is_not_by_the_day_has_no_reset_to_wait_for) {
    const auto refused = judge_quota(of(allowing("agents=1")), "agents", 1, 1, noon);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(!refused.error().retry_after_s.has_value());
}

BOOST_AUTO_TEST_CASE(without_a_limit_all_is_given_and_with_zero_nothing) {
    BOOST_TEST(judge_quota(of({}), "tasks", 1'000'000'000, 1, noon).has_value());
    BOOST_TEST(judge_quota(of(allowing("tasks_per_day=none")), "tasks", 1'000'000'000, 1, noon).has_value());
    BOOST_TEST(judge_quota(of(allowing("tasks_per_day=0")), "tasks", 0, 1, noon).has_error());
    BOOST_TEST(judge_quota(of(allowing("tasks_per_day=0")), "runs", 5, 1, noon).has_value()); // nobody limits them
}

BOOST_AUTO_TEST_CASE(who_is_above_a_new_limit_may_give_back) {
    BOOST_TEST(judge_quota(of(allowing("storage_bytes=10")), "storage_bytes", 20, 0, noon).has_value());
    BOOST_TEST(judge_quota(of(allowing("storage_bytes=10")), "storage_bytes", 20, 1, noon).has_error());
}

BOOST_AUTO_TEST_CASE(a_suspended_organization_takes_nothing) {
    const auto refused = judge_quota({"pro", {}, true}, "tasks", 0, 1, noon);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::organization_suspended));
}

BOOST_AUTO_TEST_CASE(limits_are_read_with_units_and_nonsense_is_named) {
    const auto read = parse_quota_limits("agents=5, storage_bytes=2GB,tasks_per_day=none,tokens_per_day=2KiB");
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->agents.value() == 5);
    BOOST_TEST(read->tasks_per_day.value() == no_quota);
    BOOST_TEST(read->storage_bytes.value() == 2'000'000'000);
    BOOST_TEST(read->tokens_per_day.value() == 2048);
    BOOST_TEST((parse_quota_limits("").value() == quota_limits{}));
    for (const auto* text : {"agents", "agents=", "agents=-3", "agents=1,agents=2", "cats=1", "agents=1XB",
                             "storage_bytes=9999999TB", ",agents=1"}) {
        const auto wrong = parse_quota_limits(text);
        BOOST_REQUIRE_MESSAGE(wrong.has_error(), text);
        BOOST_TEST((wrong.error().code == code::config_invalid));
    }
}

BOOST_AUTO_TEST_CASE(an_own_limit_stands_in_place_of_the_plans) {
    const auto all = merged(allowing("agents=5, tasks_per_day=10"), allowing("agents=7, storage_bytes=none"));
    BOOST_TEST((all == allowing("agents=7, tasks_per_day=10, storage_bytes=none")));
}

BOOST_AUTO_TEST_CASE(days_are_those_of_utc) {
    BOOST_TEST(day_text(day_of(noon)) == "2026-11-21");
    BOOST_TEST(day_of(*parse_timestamp("2026-11-21T23:59:59.999Z")) == day_of(noon));
    BOOST_TEST(day_of(*parse_timestamp("2026-11-22T00:00:00Z")) == day_of(noon) + 1);
    BOOST_TEST(parse_day("2026-11-21").value() == day_of(noon));
    BOOST_TEST(!parse_day("2026-13-01"));
    BOOST_TEST(!parse_day("tomorrow"));
}

BOOST_AUTO_TEST_SUITE_END()
