#include "actors/agent/agent_report.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

run_document ended(run_status status, std::int64_t ms, const char* day = "2026-02-02T10:00:00Z") {
    run_document r;
    r.status = status;
    r.created_at = *parse_timestamp(day);
    r.started_at = r.created_at;
    r.finished_at = timestamp{r.created_at.ms + ms};
    r.used.tokens = 10;
    r.used.cost_micros = 3;
    return r;
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_report_suite)

BOOST_AUTO_TEST_CASE(runs_are_counted_by_outcome_and_day) {
    std::vector<run_document> runs;
    for (int n = 1; n <= 19; ++n) {
        runs.push_back(ended(run_status::succeeded, n * 100));
    }
    runs.push_back(ended(run_status::failed, 100'000, "2026-02-01T10:00:00Z"));
    runs.push_back(ended(run_status::cancelled, 50));
    run_document open;
    open.status = run_status::running;
    open.created_at = runs.front().created_at;
    runs.push_back(open);
    const auto m = metrics_of(runs, true);
    BOOST_TEST(m.runs == 22u);
    BOOST_TEST(m.completed == 19u);
    BOOST_TEST(m.failed == 1u);
    BOOST_TEST(m.cancelled == 1u);
    BOOST_TEST(m.working == 1u);
    BOOST_TEST(m.success_percent.value() == 95);
    BOOST_TEST(m.p95_ms.value() == 1900);
    BOOST_TEST(m.tokens == 210u);
    BOOST_TEST(m.cost_micros == 63);
    BOOST_TEST(m.cut);
    BOOST_TEST_REQUIRE(m.days.size() == 2u);
    BOOST_TEST(m.days[0].day == "2026-02-01");
    BOOST_TEST(m.days[0].failed == 1u);
    BOOST_TEST(m.days[1].completed == 19u);
}

BOOST_AUTO_TEST_CASE(nothing_is_said_of_what_did_not_happen) {
    const auto m = metrics_of({}, false);
    BOOST_TEST(!m.success_percent);
    BOOST_TEST(!m.mean_ms);
    BOOST_TEST(!m.p95_ms);
    BOOST_TEST(m.days.empty());
}

BOOST_AUTO_TEST_SUITE_END()
