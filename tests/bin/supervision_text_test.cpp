#include "bin/cli/supervision_text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace troupe::cli;

namespace {

std::string entry(const std::string& path, const std::string& more = "", const std::string& children = "",
                  int count = 0) {
    return R"({"path":")" + path + R"(","kind":"shard","status":"running")" + more + R"(,"children_count":)" +
           std::to_string(count) + R"(,"children":[)" + children + "]}";
}

/// 256 shards, of which the node shows 40: one with a run, one that was restarted.
json::document shards() {
    std::string below = entry("/s/0", "", entry("/s/0/runs"), 1) + "," + entry("/s/1", R"(,"restarts":1)");
    for (int n = 2; n < 40; ++n) {
        below += "," + entry("/s/" + std::to_string(n));
    }
    auto parsed = json::document::parse(entry("/s", "", below, 256));
    BOOST_REQUIRE(parsed.has_value());
    return std::move(*parsed);
}

} // namespace

BOOST_AUTO_TEST_SUITE(supervision_text)

BOOST_AUTO_TEST_CASE(the_overview_names_who_works_and_counts_the_quiet_ones) {
    const auto tree = shards();
    BOOST_TEST(show_supervision_overview({}, tree.root()) == "✓ /s  shard\n"
                                                             "├─ ✓ 0  shard\n"
                                                             "│  └─ ✓ runs  shard\n"
                                                             "├─ ✓ 1  shard  1 restart\n"
                                                             "└─ … 254 quiet\n");
    BOOST_TEST(show_supervision({}, tree.root()).find("… 216 more") != std::string::npos); // what was asked for
}

BOOST_AUTO_TEST_CASE(few_children_are_all_named_and_many_busy_ones_are_not_called_quiet) {
    const auto few = json::document::parse(entry("/n", "", entry("/n/timers") + "," + entry("/n/blobs"), 2));
    BOOST_TEST(show_supervision_overview({}, few->root()) == "✓ /n  shard\n├─ ✓ timers  shard\n└─ ✓ blobs  shard\n");
    const auto busy = json::document::parse(entry("/s", "", entry("/s/1", "", entry("/s/1/runs"), 1), 200));
    BOOST_TEST(show_supervision_overview({}, busy->root()).find("… 199 more") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_node_that_says_nothing_of_itself_is_named_with_the_reason) {
    const auto down = json::document::parse(
        R"({"path":"/nodes/n2","node":"n2","name":"n2","kind":"supervisor","status":"down","problem":"it is down",)"
        R"("children_count":null,"truncated":true})");
    BOOST_TEST(show_supervision({}, down->root()) == "✗ /nodes/n2  supervisor  down  it is down\n");
    BOOST_TEST(show_supervision_overview({}, down->root()) == show_supervision({}, down->root()));
}

BOOST_AUTO_TEST_CASE(details_say_once_what_is_not_known) {
    const auto one = json::document::parse(
        entry("/n", R"(,"policy":"permanent, 5 s to end","uptime_ms":200000,"mailbox_depth":3,"messages":null,)"
                    R"("memory_bytes":null)"));
    BOOST_TEST(show_supervision_details({}, one->root()) ==
               "✓ /n  shard  up for 3 min 20 s, queue 3, unknown: messages, memory; permanent, 5 s to end\n");
}

BOOST_AUTO_TEST_SUITE_END()
