#include "actors/agent/agent_report.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace troupe::actors {

agent_metrics_document metrics_of(const std::vector<run_document>& runs, bool cut) {
    agent_metrics_document out;
    std::map<std::string, agent_day> days;
    std::vector<std::int64_t> durations;
    for (const auto& run : runs) {
        constexpr std::size_t day_length = 10;
        auto& day = days[to_string(run.created_at).substr(0, day_length)];
        const auto count = [](std::uint64_t& all, std::uint64_t& of_day) {
            ++all;
            ++of_day;
        };
        ++out.runs;
        if (run.status == run_status::succeeded) {
            count(out.completed, day.completed);
        } else if (run.status == run_status::failed) {
            count(out.failed, day.failed);
        } else if (run.status == run_status::cancelled) {
            count(out.cancelled, day.cancelled);
        } else {
            ++out.working;
        }
        if (run.started_at && run.finished_at) {
            durations.push_back(run.finished_at->ms - run.started_at->ms);
        }
        out.tokens += run.used.tokens;
        day.tokens += run.used.tokens;
        out.cost_micros += run.used.cost_micros;
        day.cost_micros += run.used.cost_micros;
    }
    for (auto& [name, day] : days) {
        day.day = name;
        out.days.push_back(std::move(day));
    }
    if (const auto judged = out.completed + out.failed; judged > 0) {
        out.success_percent = static_cast<std::int64_t>(out.completed * 100 / judged);
    }
    if (!durations.empty()) {
        std::ranges::sort(durations);
        const auto count = static_cast<std::int64_t>(durations.size());
        out.mean_ms = std::accumulate(durations.begin(), durations.end(), std::int64_t{0}) / count;
        out.p95_ms = durations[static_cast<std::size_t>((count * 95 + 99) / 100 - 1)];
    }
    out.cut = cut;
    return out;
}

} // namespace troupe::actors
