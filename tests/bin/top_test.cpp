#include "bin/cli/live_view.hpp"
#include "bin/cli/top_text.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <string>

using namespace troupe;
using namespace troupe::cli;

namespace {

load_document before() {
    load_document out;
    out.node = "n1";
    out.status = "ok";
    out.uptime_ms = 10'000;
    out.commands_accepted = 1000;
    out.commits = 100;
    out.cpu_seconds = 1;
    out.command_latency = {{0.001, 0.01}, {5, 5, 0}};
    return out;
}

load_document after() {
    auto out = before();
    out.uptime_ms = 12'000;
    out.commands_accepted = 3000;
    out.commands_refused = 10;
    out.commits = 200;
    out.cpu_seconds = 2;
    out.command_latency.counts = {105, 5, 0};
    out.busiest.push_back({"/nodes/n1/shards/3", "shard", "running", 2, 12'000, 7, 900, {}});
    return out;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(top)

BOOST_AUTO_TEST_CASE(rates_are_what_happened_between_two_answers) {
    const auto r = rates_between(before(), after());
    BOOST_REQUIRE(r.has_value());
    BOOST_TEST(r->seconds == 2);
    BOOST_TEST(r->accepted_per_s == 1000);
    BOOST_TEST(r->refused_per_s == 5);
    BOOST_TEST(r->repeated_per_s == 0);
    BOOST_TEST(r->fsyncs_per_s == 50);
    BOOST_TEST(r->commands_per_fsync == 20);
    BOOST_TEST(r->cpu_percent == 50);
    BOOST_TEST(std::abs(r->p50_ms.value() - 0.5) < 1e-9); // all 100 new ones lie in the first bucket
    BOOST_TEST(std::abs(r->p99_ms.value() - 0.99) < 1e-9);
}

BOOST_AUTO_TEST_CASE(without_commands_there_is_no_latency) {
    auto idle = before();
    idle.uptime_ms += 1000;
    const auto r = rates_between(before(), idle);
    BOOST_REQUIRE(r.has_value());
    BOOST_TEST(!r->p50_ms.has_value());
    BOOST_TEST(holds(show_top({}, idle, &*r), "none"));
    BOOST_TEST(holds(show_top({}, idle, &*r), "no writes"));
}

BOOST_AUTO_TEST_CASE(what_lies_beyond_the_last_bound_is_at_least_that) {
    auto slow = before();
    slow.uptime_ms += 1000;
    slow.command_latency.counts = {5, 5, 10};
    BOOST_TEST(rates_between(before(), slow)->p99_ms.value() == 10);
}

BOOST_AUTO_TEST_CASE(a_node_that_was_started_again_has_no_rates_yet) {
    auto fresh = before();
    fresh.uptime_ms = 500;
    BOOST_TEST(!rates_between(before(), fresh).has_value());
    BOOST_TEST(!rates_between(before(), before()).has_value());
    BOOST_TEST(holds(show_top({}, fresh, nullptr), "unknown"));
}

BOOST_AUTO_TEST_CASE(the_busiest_are_shown_and_what_is_not_known_is_said_so) {
    const auto now = after();
    const auto rates = rates_between(before(), now);
    const auto text = show_top({}, now, &*rates);
    BOOST_TEST(holds(text, "/nodes/n1/shards/3"));
    BOOST_TEST(holds(text, "unknown")); // its memory
    BOOST_TEST(holds(text, "1 000/s accepted, 5.0/s refused, 0.0/s repeated"));
    BOOST_TEST(holds(text, "50.0/s fsyncs, 20.0 commands each"));
    BOOST_TEST(holds(text, "p50 0.50 ms, p99 0.99 ms"));
    BOOST_TEST(text.find('\x1b') == std::string::npos); // no screen, no colours
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_said) {
    auto full = after();
    full.disk_free_bytes = 5;
    full.disk_free_bytes_min = 10;
    BOOST_TEST(holds(show_top({}, full, nullptr), "writes are refused"));
}

BOOST_AUTO_TEST_CASE(a_picture_replaces_the_one_before_and_is_cut_at_the_last_row) {
    BOOST_TEST(framed("a\nb\n", 0) == "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    BOOST_TEST(framed("a\nb\nc\n", 3) == "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
}

BOOST_AUTO_TEST_SUITE_END()
