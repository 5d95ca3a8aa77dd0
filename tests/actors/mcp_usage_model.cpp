#include "actors/mcp/mcp_usage_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using usage = entity<mcp_usage_model>;

mcp_usage_row row(const std::string& tool, std::optional<uuid> agent = {}, std::int64_t took_ms = 7) {
    mcp_usage_row out{.tool = tool, .agent_id = agent};
    count_call(out, took_ms, false, false, 100);
    return out;
}

mcp_day_document shown(const usage& u) { return u.document<mcp_day_document>(); }

} // namespace

BOOST_AUTO_TEST_SUITE(mcp_usage_model_suite)

BOOST_AUTO_TEST_CASE(figures_of_a_tool_and_agent_come_together) {
    usage u;
    u.accepted(add_mcp_usage{"2026-11-21", {row("b"), row("a", id_of(7)), row("a")}});
    u.accepted(add_mcp_usage{"2026-11-21", {row("a", id_of(7), 30)}});
    const auto d = shown(u);
    BOOST_TEST(d.day == "2026-11-21");
    BOOST_REQUIRE(d.rows.size() == 3u);
    BOOST_TEST((d.rows[0].tool == "a" && !d.rows[0].agent_id));
    BOOST_TEST((d.rows[1].tool == "a" && d.rows[1].agent_id == id_of(7)));
    BOOST_TEST(d.rows[1].calls == 2u);
    BOOST_TEST(d.rows[1].total_ms == 37);
    BOOST_TEST(d.rows[1].max_ms == 30);
    BOOST_TEST(d.rows[1].bytes == 200u);
    BOOST_TEST(d.rows[2].tool == "b");
}

BOOST_AUTO_TEST_CASE(nothing_is_no_event) {
    usage u;
    BOOST_TEST(u.accepted(add_mcp_usage{"2026-11-21", {}}).empty());
}

BOOST_AUTO_TEST_CASE(what_is_beyond_the_bound_is_counted_without_a_name) {
    usage u;
    add_mcp_usage many{"2026-11-21", {}};
    for (std::size_t i = 0; i < mcp_rows_max + 5; ++i) {
        many.rows.push_back(row("tool" + std::to_string(i)));
    }
    u.accepted(many);
    u.accepted(add_mcp_usage{"2026-11-21", {row("tool0"), row("new")}});
    const auto d = shown(u);
    BOOST_TEST(d.rows.size() == mcp_rows_max + 1);
    BOOST_TEST(d.rows.front().tool == "");
    BOOST_TEST(d.rows.front().calls == 6u);
    std::uint64_t calls = 0;
    for (const auto& r : d.rows) {
        calls += r.calls;
    }
    BOOST_TEST(calls == mcp_rows_max + 7);
}

BOOST_AUTO_TEST_CASE(times_are_told_by_their_share) {
    mcp_usage_row all{.tool = "a", .agent_id = {}};
    BOOST_TEST(time_of_share(all, 0.5) == 0);
    for (int i = 0; i < 98; ++i) {
        count_call(all, 3, false, false, 0);
    }
    count_call(all, 700, true, false, 0);
    count_call(all, 900'000, false, true, 0);
    BOOST_TEST(time_of_share(all, 0.5) == 5);
    BOOST_TEST(time_of_share(all, 0.98) == 5);
    BOOST_TEST(time_of_share(all, 0.99) == 1000);
    BOOST_TEST(time_of_share(all, 1) == 900'000);
    BOOST_TEST(all.errors == 1u);
    BOOST_TEST(all.failures == 1u);
    mcp_usage_row one{.tool = "b", .agent_id = {}};
    count_call(one, 3, false, false, 0);
    BOOST_TEST(time_of_share(one, 0.99) == 3); // no longer than the longest
}

BOOST_AUTO_TEST_SUITE_END()
