#pragma once

#include "schemas/activity.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// How an agent does, from its runs.
namespace troupe {

/// What its runs of a day (UTC) came to.
struct agent_day {
    std::string day; ///< "2026-11-23"
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t tokens = 0;
    std::int64_t cost_micros = 0;
};
BOOST_DESCRIBE_STRUCT(agent_day, (), (day, completed, failed, cancelled, tokens, cost_micros))

/// GET /agents/{id}/metrics: of the runs that began in the span that was asked for, at most the newest 1,000.
struct agent_metrics_document {
    std::uint64_t runs = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t working = 0;                   ///< Not ended yet.
    std::optional<std::int64_t> success_percent; ///< Of those that completed or failed.
    std::optional<std::int64_t> mean_ms;         ///< From begin to end.
    std::optional<std::int64_t> p95_ms;
    std::uint64_t tokens = 0;
    std::int64_t cost_micros = 0;
    std::vector<agent_day> days; ///< Those with runs, oldest first.
    bool cut = false;            ///< There were more runs than are counted.
};
BOOST_DESCRIBE_STRUCT(agent_metrics_document, (),
                      (runs, completed, failed, cancelled, working, success_percent, mean_ms, p95_ms, tokens,
                       cost_micros, days, cut))

/// An item of GET /agents/{id}/logs
struct agent_log_line {
    timestamp at;
    activity_severity level = activity_severity::info;
    std::string text;
    std::optional<uuid> run_id; ///< Of a line of a run.
    std::string event_type;
};
BOOST_DESCRIBE_STRUCT(agent_log_line, (), (at, level, text, run_id, event_type))

} // namespace troupe
