#include "bin/cli/bench_load.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

/// What the API in common use has to keep (ED-7).
constexpr double per_second_min = 1000;
constexpr double p95_ms_max = 200;
constexpr double error_part_max = 0.001;

double error_part(const bench_line& all) {
    return all.count == 0 ? 1 : static_cast<double>(all.errors) / static_cast<double>(all.count);
}

bool is_good(const bench_line& all) {
    return all.per_second >= per_second_min && all.p95_ms < p95_ms_max && error_part(all) < error_part_max;
}

std::vector<cell> row_of(const bench_line& line) {
    return {{line.request},
            {fmt::format("{:.0f}", line.per_second)},
            {fmt::format("{:.1f}", line.p50_ms)},
            {fmt::format("{:.1f}", line.p95_ms)},
            {fmt::format("{:.1f}", line.p99_ms)},
            {fmt::format("{:.0f}", line.largest_ms)},
            {std::to_string(line.errors), line.errors > 0 ? tone::bad : tone::plain}};
}

std::string show_bench(const screen& s, const bench_result& result) {
    std::vector<std::vector<cell>> rows;
    for (const auto& line : result.requests) {
        rows.push_back(row_of(line));
    }
    rows.push_back(row_of(result.all));
    auto out = table(s,
                     {{"REQUEST"},
                      {"PER SECOND", true},
                      {"P50 ms", true},
                      {"P95 ms", true},
                      {"P99 ms", true},
                      {"MOST ms", true},
                      {"ERRORS", true}},
                     rows);
    out +=
        fmt::format("{} connections to {} for {:.1f} s. The promise is {:.0f} requests/s with p95 under {:.0f} ms and "
                    "fewer than {:.1f} % errors: {}.\n",
                    result.connections, clean_line(result.url), result.seconds, per_second_min, p95_ms_max,
                    error_part_max * 100, is_good(result.all) ? "kept" : "not kept");
    if (!result.first_error.empty()) {
        out += "first error: " + clean_line(result.first_error) + "\n";
    }
    return out;
}

expected<int> bench(context& c) {
    const auto connections = c.args().number("connections", 1, 1024);
    const auto seconds = c.args().number("seconds", 1, 3600);
    if (!connections || !seconds) {
        return c.usage(connections ? seconds.error() : connections.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (auto me = (*node)->get("/auth/me"); !me) { // renews a login, and says what is wrong with a key
        return me.error();
    }
    bench_settings settings;
    settings.connections = connections->value_or(settings.connections);
    settings.seconds = static_cast<std::int64_t>(seconds->value_or(static_cast<std::uint64_t>(settings.seconds)));
    const interrupt by;
    const auto result = run_bench((*node)->where(), settings, by.token());
    if (!result) {
        return result.error();
    }
    c.json() ? c.print_json(to_json(*result)) : c.print(show_bench(c.out_screen(), *result));
    return is_good(result->all) ? 0 : 1;
}

} // namespace

std::vector<command> bench_commands() {
    return {{"bench",
             "Measure the node: people who make tasks, read, list, move, comment on and delete them, all at once. What "
             "it makes it deletes; the journal keeps the events. Exit code 1 when the promise of the API is not kept.",
             {.flags = {{"connections", "N", "People at a time; by default 16."},
                        {"seconds", "N", "How long; by default 10."}}},
             "troupe bench\ntroupe bench --connections 64 --seconds 60 --json",
             bench}};
}

} // namespace troupe::cli
