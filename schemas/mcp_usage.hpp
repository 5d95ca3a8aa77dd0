#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// How often tools of MCP servers were called, and how that went: counted at each node, kept by the day.
namespace troupe {

/// The times of calls are counted by the first of these that they are not above, in milliseconds; the rest is beyond.
inline constexpr std::array<std::int64_t, 16> mcp_time_bounds_ms{1,   2,    5,    10,   20,    50,    100,   200,
                                                                 500, 1000, 2000, 5000, 10000, 20000, 60000, 600000};

/// Of one tool and agent. Stored in events and states.
struct mcp_usage_row {
    std::string tool;             ///< Its id; empty: of tools beyond what is kept apart.
    std::optional<uuid> agent_id; ///< Whose run called; none: a request did, or a run without an agent.
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;   ///< Without those of the tool itself.
    std::uint64_t failures = 0; ///< The tool said that it failed.
    std::int64_t total_ms = 0;
    std::int64_t max_ms = 0;
    std::uint64_t bytes = 0;               ///< Of answers.
    std::vector<std::uint64_t> times = {}; ///< Calls by `mcp_time_bounds_ms`, and one more for what is beyond.
};
BOOST_DESCRIBE_STRUCT(mcp_usage_row, (), (tool, agent_id, calls, errors, failures, total_ms, max_ms, bytes, times))

/// One call of it.
void count_call(mcp_usage_row& row, std::int64_t took_ms, bool error, bool failure, std::size_t bytes);
/// Adds figures; the names stay.
void add_usage(mcp_usage_row& to, const mcp_usage_row& more);
/// The time that so large a share of the calls (0 to 1) was not above, as near as the bounds tell; 0: there are none.
std::int64_t time_of_share(const mcp_usage_row& row, double share);

/// The document of a day.
struct mcp_day_document {
    std::string day;
    std::vector<mcp_usage_row> rows;
};
BOOST_DESCRIBE_STRUCT(mcp_day_document, (), (day, rows))

/// An item of GET /mcp/usage, by tool, agent or day.
struct mcp_usage_document {
    std::optional<std::string> tool;
    std::optional<uuid> agent_id;
    std::optional<std::string> day;
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;   ///< Without those of the tool itself.
    std::uint64_t failures = 0; ///< The tool said that it failed.
    std::int64_t mean_ms = 0;
    std::int64_t p50_ms = 0; ///< Half of the calls took no longer, as near as is counted.
    std::int64_t p95_ms = 0;
    std::int64_t p99_ms = 0;
    std::int64_t max_ms = 0;
    std::uint64_t bytes = 0; ///< Of answers.
};
BOOST_DESCRIBE_STRUCT(mcp_usage_document, (),
                      (tool, agent_id, day, calls, errors, failures, mean_ms, p50_ms, p95_ms, p99_ms, max_ms, bytes))

BOOST_DEFINE_ENUM_CLASS(mcp_usage_by, tool, agent, day)

} // namespace troupe
