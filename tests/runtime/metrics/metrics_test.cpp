#include "runtime/metrics/metrics.hpp"
#include "runtime/metrics/process.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace troupe::runtime;

namespace {

bool has(const std::string& text, std::string_view line) {
    return ("\n" + text).find("\n" + std::string(line) + "\n") != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(metric_exposition)

BOOST_AUTO_TEST_CASE(counters_and_gauges_are_shown_with_help_and_type) {
    metrics_registry all;
    all.make_counter("troupe_commands_total", "Commands\\taken\nin.").add(3);
    all.make_gauge("troupe_entities", "Entities in memory.").set(1.5);
    all.make_gauge("troupe_entities", "").add(1);
    const auto text = all.to_prometheus();
    BOOST_TEST(has(text, "# HELP troupe_commands_total Commands\\\\taken\\nin."));
    BOOST_TEST(has(text, "# TYPE troupe_commands_total counter"));
    BOOST_TEST(has(text, "troupe_commands_total 3"));
    BOOST_TEST(has(text, "# TYPE troupe_entities gauge"));
    BOOST_TEST(has(text, "troupe_entities 2.5"));
}

BOOST_AUTO_TEST_CASE(labels_tell_series_apart_and_are_escaped) {
    metrics_registry all;
    auto& ok = all.make_counter("requests_total", "Requests.", {{"route", "/a"}, {"code", "200"}});
    auto& odd = all.make_counter("requests_total", "Requests.", {{"route", "q\"\\\n"}, {"code", "200"}});
    BOOST_TEST(&ok != &odd);
    BOOST_TEST(&ok == &all.make_counter("requests_total", "Requests.", {{"route", "/a"}, {"code", "200"}}));
    ok.add();
    const auto text = all.to_prometheus();
    BOOST_TEST(has(text, "requests_total{route=\"/a\",code=\"200\"} 1"));
    BOOST_TEST(has(text, "requests_total{route=\"q\\\"\\\\\\n\",code=\"200\"} 0"));
}

BOOST_AUTO_TEST_CASE(histograms_are_cumulative_and_bounds_are_inclusive) {
    metrics_registry all;
    auto& h = all.make_histogram("commit_seconds", "Commits.", {{"shard", "1"}}, {0.1, 1});
    for (const double v : {0.05, 0.1, 0.5, 7.0}) {
        h.observe(v);
    }
    const auto text = all.to_prometheus();
    BOOST_TEST(has(text, "# TYPE commit_seconds histogram"));
    BOOST_TEST(has(text, "commit_seconds_bucket{shard=\"1\",le=\"0.1\"} 2"));
    BOOST_TEST(has(text, "commit_seconds_bucket{shard=\"1\",le=\"1\"} 3"));
    BOOST_TEST(has(text, "commit_seconds_bucket{shard=\"1\",le=\"+Inf\"} 4"));
    BOOST_TEST(has(text, "commit_seconds_sum{shard=\"1\"} 7.65"));
    BOOST_TEST(has(text, "commit_seconds_count{shard=\"1\"} 4"));
}

BOOST_AUTO_TEST_CASE(functions_are_read_at_each_scrape_until_forgotten) {
    metrics_registry all;
    double depth = 1;
    all.read_gauge("queue_depth", "Depth.", [&] { return depth; });
    all.read_counter("drops_total", "Drops.", [] { return 9.0; }, {{"why", "full"}});
    BOOST_TEST(has(all.to_prometheus(), "queue_depth 1"));
    depth = std::numeric_limits<double>::infinity();
    BOOST_TEST(has(all.to_prometheus(), "queue_depth +Inf"));
    BOOST_TEST(has(all.to_prometheus(), "drops_total{why=\"full\"} 9"));
    all.forget_functions();
    BOOST_TEST(all.to_prometheus().find("queue_depth") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(labels_without_end_share_one_series) {
    metrics_registry all;
    for (std::size_t i = 0; i < metrics_registry::series_max + 50; ++i) {
        all.make_counter("paths_total", "Paths.", {{"path", std::to_string(i)}}).add();
    }
    all.make_counter("paths_total", "Paths.", {{"path", "0"}}).add(); // a known one still counts for itself
    const auto text = all.to_prometheus();
    BOOST_TEST(has(text, "paths_total{path=\"other\"} 50"));
    BOOST_TEST(has(text, "paths_total{path=\"0\"} 2"));
}

BOOST_AUTO_TEST_CASE(every_line_has_the_form_of_the_format) {
    metrics_registry all;
    all.make_counter("a_total", "A.").add();
    all.make_histogram("b_seconds", "B.").observe(1);
    std::istringstream lines(all.to_prometheus());
    std::set<std::string> typed;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# TYPE ")) {
            BOOST_TEST(typed.insert(line.substr(7, line.find(' ', 7) - 7)).second, line);
        } else if (!line.starts_with("# HELP ")) {
            const auto name = line.substr(0, line.find_first_of("{ "));
            BOOST_TEST((typed.contains(name) || name.starts_with("b_seconds_")), line);
            std::size_t used = 0;
            const auto value = line.substr(line.rfind(' ') + 1);
            std::stod(value, &used);
            BOOST_TEST(used == value.size(), line);
        }
    }
    BOOST_TEST(typed.contains("process_resident_memory_bytes"));
    BOOST_TEST(typed.contains("troupe_build_info"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(metric_values)

BOOST_AUTO_TEST_CASE(no_count_of_many_threads_is_lost) {
    counter c;
    gauge g;
    histogram h({1, 2});
    std::vector<std::thread> threads;
    for (int t = 0; t < 12; ++t) { // more than cells
        threads.emplace_back([&] {
            for (int i = 0; i < 10'000; ++i) {
                c.add();
                g.add(1);
                h.observe(2);
            }
        });
    }
    for (auto& t : threads) {
        t.join();
    }
    BOOST_TEST(c.value() == 120'000);
    BOOST_TEST(g.value() == 120'000);
    BOOST_TEST(h.count() == 120'000);
    BOOST_TEST(h.sum() == 240'000);
}

BOOST_AUTO_TEST_CASE(quantiles_interpolate_inside_their_bucket) {
    histogram h({10, 20, 40});
    BOOST_TEST(h.quantile(0.5) == 0);
    for (int i = 0; i < 50; ++i) {
        h.observe(5);
        h.observe(15);
    }
    BOOST_TEST(h.quantile(0.25) == 5);
    BOOST_TEST(h.quantile(0.5) == 10);
    BOOST_TEST(h.quantile(0.75) == 15);
    BOOST_TEST(h.quantile(1) == 20);
    for (int i = 0; i < 900; ++i) {
        h.observe(1000);
    }
    BOOST_TEST(h.quantile(0.99) == 40); // all that is known: beyond the last bound
}

BOOST_AUTO_TEST_CASE(the_process_has_memory_threads_and_files) {
    const auto f = read_process();
    BOOST_TEST(f.resident_bytes > 1'000'000);
    BOOST_TEST(f.virtual_bytes >= f.resident_bytes);
    BOOST_TEST(f.threads >= 1);
    BOOST_TEST(f.open_fds >= 3);
    BOOST_TEST(f.max_fds >= f.open_fds);
    BOOST_TEST(f.start_time_s > 1'600'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
