#include "bin/cli/top_text.hpp"

#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe::cli {
namespace {

constexpr std::string_view unknown = "unknown";

/// In milliseconds, by interpolation inside the bucket; nothing without observations.
std::optional<double> quantile_ms(const latency_counts& before, const latency_counts& now, double q) {
    if (before.counts.size() != now.counts.size() || now.counts.size() != now.bounds_s.size() + 1) {
        return std::nullopt;
    }
    std::vector<std::uint64_t> counts;
    for (std::size_t i = 0; i < now.counts.size(); ++i) {
        counts.push_back(now.counts[i] >= before.counts[i] ? now.counts[i] - before.counts[i] : 0);
    }
    const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    if (all == 0 || now.bounds_s.empty()) {
        return std::nullopt;
    }
    auto left = q * static_cast<double>(all);
    for (std::size_t i = 0; i < now.bounds_s.size(); ++i) {
        const auto here = static_cast<double>(counts[i]);
        if (here > 0 && left <= here) {
            const auto low = i == 0 ? 0.0 : now.bounds_s[i - 1];
            return 1000 * (low + (now.bounds_s[i] - low) * left / here);
        }
        left -= here;
    }
    return 1000 * now.bounds_s.back(); // beyond the last bound: at least that
}

std::string rate_text(double per_s) {
    return per_s >= 100 ? count_text(static_cast<std::uint64_t>(std::llround(per_s))) + "/s"
                        : fmt::format("{:.1f}/s", per_s);
}

std::string share_text(std::uint64_t part, std::uint64_t all, bool bytes) {
    const auto one = [&](std::uint64_t n) { return bytes ? bytes_text(n) : count_text(n); };
    return all == 0 ? one(part) : one(part) + " of " + one(all);
}

tone tone_of_share(std::uint64_t part, std::uint64_t all) {
    return all == 0 || part * 4 < all * 3 ? tone::plain : part >= all ? tone::bad : tone::warn;
}

std::string latency_text(const load_rates& r) {
    return r.p50_ms && r.p99_ms ? fmt::format("p50 {:.2f} ms, p99 {:.2f} ms", *r.p50_ms, *r.p99_ms) : "none";
}

std::string optional_text(const std::optional<std::uint64_t>& number, bool bytes) {
    return !number ? std::string(unknown) : bytes ? bytes_text(*number) : count_text(*number);
}

std::string busiest_text(const screen& s, const load_document& now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& b : now.busiest) {
        const auto busy = b.mailbox_depth.value_or(0) > 0;
        rows.push_back({{b.path},
                        {b.kind, tone::faint},
                        {b.status, tone_of_status(b.status)},
                        {optional_text(b.mailbox_depth, false), busy ? tone::warn : tone::plain},
                        {optional_text(b.messages, false)},
                        {std::to_string(b.restarts), b.restarts > 0 ? tone::warn : tone::plain},
                        {optional_text(b.memory_bytes, true)},
                        {duration_text(static_cast<std::int64_t>(b.uptime_ms))}});
    }
    return rows.empty() ? paint(s, tone::faint, "Nothing has had any work yet.") + "\n"
                        : table(s,
                                {{"busiest", false, true, 16},
                                 {"kind"},
                                 {"status"},
                                 {"waiting", true},
                                 {"messages", true},
                                 {"restarts", true},
                                 {"memory", true},
                                 {"up for", true}},
                                rows);
}

} // namespace

std::optional<load_rates> rates_between(const load_document& before, const load_document& now) {
    const auto ms = now.uptime_ms - before.uptime_ms;
    if (ms <= 0 || now.commands_accepted < before.commands_accepted || now.commits < before.commits) {
        return std::nullopt;
    }
    load_rates out;
    out.seconds = static_cast<double>(ms) / 1000;
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
        return to >= from ? static_cast<double>(to - from) / out.seconds : 0.0;
    };
    out.accepted_per_s = rate(before.commands_accepted, now.commands_accepted);
    out.refused_per_s = rate(before.commands_refused, now.commands_refused);
    out.repeated_per_s = rate(before.commands_repeated, now.commands_repeated);
    out.fsyncs_per_s = rate(before.commits, now.commits);
    out.commands_per_fsync = out.fsyncs_per_s > 0 ? out.accepted_per_s / out.fsyncs_per_s : 0;
    out.cpu_percent = 100 * std::max(now.cpu_seconds - before.cpu_seconds, 0.0) / out.seconds;
    out.p50_ms = quantile_ms(before.command_latency, now.command_latency, 0.50);
    out.p99_ms = quantile_ms(before.command_latency, now.command_latency, 0.99);
    return out;
}

std::string show_top(const screen& s, const load_document& now, const load_rates* rates) {
    const auto known = [&](auto text) { return rates ? std::string(text(*rates)) : std::string(unknown); };
    const auto commands = known([](const load_rates& r) {
        return fmt::format("{} accepted, {} refused, {} repeated", rate_text(r.accepted_per_s),
                           rate_text(r.refused_per_s), rate_text(r.repeated_per_s));
    });
    const auto disk = known([](const load_rates& r) {
        return r.fsyncs_per_s > 0
                   ? fmt::format("{} fsyncs, {:.1f} commands each", rate_text(r.fsyncs_per_s), r.commands_per_fsync)
                   : std::string("no writes");
    });
    const auto full = now.disk_free_bytes_min > 0 && now.disk_free_bytes < now.disk_free_bytes_min;
    const auto out = details(
        s, {{"node",
             {fmt::format("{} {}, up for {}", now.node, status_text(now.status), duration_text(now.uptime_ms)),
              tone_of_status(now.status)}},
            {"commands", {commands, tone::strong}},
            {"latency", {known(latency_text)}},
            {"in hand",
             {share_text(now.commands_outstanding, now.commands_outstanding_max, false) + " commands, " +
                  share_text(now.bytes_outstanding, now.bytes_outstanding_max, true),
              tone_of_share(now.commands_outstanding, now.commands_outstanding_max)}},
            {"journal", {disk}},
            {"process",
             {known([](const load_rates& r) { return fmt::format("{:.0f} % CPU", r.cpu_percent); }) + ", " +
              bytes_text(now.resident_bytes) + " memory, " + count_text(now.threads) + " threads"}},
            {"disk free",
             {bytes_text(now.disk_free_bytes) + (full ? ": writes are refused" : ""), full ? tone::bad : tone::plain}},
            {"entities",
             {count_text(now.entities_active) + " active, " + count_text(now.entities_in_trouble) + " in trouble",
              now.entities_in_trouble > 0 ? tone::warn : tone::plain}},
            {"runs",
             {count_text(now.runs_running) + " running, " + count_text(now.runs_waiting) + " waiting; " +
              share_text(now.performing, now.performing_max, false) + " calls, tools and commands at work"}},
            {"clients", {count_text(now.connections) + " connections, " + count_text(now.subscribers) + " live"}},
            {"dead letters", {count_text(now.dead_letters), now.dead_letters > 0 ? tone::warn : tone::plain}}});
    return out + "\n" + busiest_text(s, now);
}

} // namespace troupe::cli
