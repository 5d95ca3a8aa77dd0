#include "actors/compliance/compliance_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

compliance_check check(compliance_result result, std::uint32_t weight) {
    return {"one", "One", compliance_severity::high, result, weight, "It is so.", "", {{"figure", "1"}}, 0, {}};
}

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

struct monitor : entity<compliance_model> {
    monitor() { accepted(evaluate_compliance{}); }

    void finish(std::int64_t next_ms = 0) {
        accepted(record_evaluation{state().requested, {check(compliance_result::pass, 3)}, next_ms});
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(compliance)

BOOST_FIXTURE_TEST_CASE(an_evaluation_is_owed_until_its_outcome_is_recorded, monitor) {
    BOOST_TEST(owed() == texts{"evaluate/1"}, boost::test_tools::per_element());
    BOOST_TEST(*document<compliance_document>().evaluating == 1U);
    finish();
    BOOST_TEST(owed() == texts{}, boost::test_tools::per_element());
    const auto shown = document<compliance_document>();
    BOOST_TEST(!shown.evaluating.has_value());
    BOOST_TEST(shown.latest->score == 100U);
    BOOST_TEST(shown.latest->requested_by == "key/tester");
    BOOST_TEST((shown.latest->at == now));
}

BOOST_FIXTURE_TEST_CASE(who_asks_meanwhile_begins_no_other, monitor) {
    BOOST_TEST(accepted(evaluate_compliance{}).empty());
    finish();
    accepted(evaluate_compliance{});
    BOOST_TEST(owed() == texts{"evaluate/2"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(late_and_repeated_outcomes_change_nothing, monitor) {
    finish();
    BOOST_TEST(accepted(record_evaluation{1, {check(compliance_result::fail, 1)}, 0}).empty());
    accepted(evaluate_compliance{});
    BOOST_TEST(accepted(record_evaluation{1, {check(compliance_result::fail, 1)}, 0}).empty());
    BOOST_TEST(state().latest->score == 100U);
}

BOOST_FIXTURE_TEST_CASE(the_next_one_comes_by_itself_and_no_earlier, monitor) {
    finish(day_ms);
    BOOST_TEST(owed() == texts{"next/2"}, boost::test_tools::per_element());
    BOOST_TEST(accepted(evaluate_compliance{compliance_reason::schedule}).empty());
    now.ms += day_ms;
    accepted(evaluate_compliance{compliance_reason::schedule});
    BOOST_TEST(owed() == texts{"evaluate/2"}, boost::test_tools::per_element());
    finish();
    now.ms += day_ms;
    BOOST_TEST(accepted(evaluate_compliance{compliance_reason::schedule}).empty()); // of a plan that is over
}

BOOST_AUTO_TEST_CASE(who_is_watched_already_keeps_its_time) {
    entity<compliance_model> fresh;
    BOOST_TEST(!fresh.view().exists);
    fresh.accepted(watch_compliance{1000});
    BOOST_TEST(fresh.owed() == texts{"next/1"}, boost::test_tools::per_element());
    BOOST_TEST(fresh.accepted(watch_compliance{5}).empty());
    BOOST_TEST(!fresh.document<compliance_document>().latest.has_value());
    fresh.now.ms += 1000;
    fresh.accepted(evaluate_compliance{compliance_reason::schedule});
    BOOST_TEST(fresh.accepted(watch_compliance{5}).empty());
}

BOOST_FIXTURE_TEST_CASE(of_an_organization_that_is_gone_nothing_is_owed, monitor) {
    accepted(end_compliance{});
    BOOST_TEST(owed() == texts{}, boost::test_tools::per_element());
    BOOST_TEST(accepted(end_compliance{}).empty());
}

BOOST_FIXTURE_TEST_CASE(each_evaluation_is_an_item_and_the_oldest_ones_go, monitor) {
    for (std::uint64_t n = 1; n <= evaluations_kept; ++n) {
        finish();
        BOOST_TEST_REQUIRE(items().size() == 2U);
        accepted(evaluate_compliance{});
    }
    finish();
    BOOST_TEST_REQUIRE(items().size() == 4U);
    BOOST_TEST(items()[0].key == evaluation_key(evaluations_kept + 1));
    BOOST_TEST(items()[2].key == evaluation_key(1));
    BOOST_TEST(items()[2].document.empty());
    BOOST_TEST(evaluation_key(9) < evaluation_key(10));
}

BOOST_AUTO_TEST_CASE(the_score_is_the_share_of_the_weights_that_apply) {
    using enum compliance_result;
    BOOST_TEST(compliance_score({}) == 100U);
    BOOST_TEST(compliance_score({check(pass, 1), check(fail, 1)}) == 50U);
    BOOST_TEST(compliance_score({check(pass, 3), check(fail, 1)}) == 75U);
    BOOST_TEST(compliance_score({check(warn, 10)}) == 50U);
    BOOST_TEST(compliance_score({check(pass, 999), check(warn, 1)}) == 99U); // 100 is for no finding at all
    BOOST_TEST(compliance_score({check(fail, 5)}) == 0U);
    BOOST_TEST(compliance_score({check(not_applicable, 90), check(pass, 1)}) == 100U);
}

BOOST_AUTO_TEST_SUITE_END()
