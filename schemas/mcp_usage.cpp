#include "schemas/mcp_usage.hpp"

#include <algorithm>
#include <cmath>

namespace troupe {

void count_call(mcp_usage_row& row, std::int64_t took_ms, bool error, bool failure, std::size_t bytes) {
    row.times.resize(mcp_time_bounds_ms.size() + 1);
    const auto bound = std::ranges::lower_bound(mcp_time_bounds_ms, took_ms);
    ++row.times[static_cast<std::size_t>(bound - mcp_time_bounds_ms.begin())];
    ++row.calls;
    row.errors += error ? 1 : 0;
    row.failures += failure ? 1 : 0;
    row.total_ms += took_ms;
    row.max_ms = std::max(row.max_ms, took_ms);
    row.bytes += bytes;
}

void add_usage(mcp_usage_row& to, const mcp_usage_row& more) {
    to.calls += more.calls;
    to.errors += more.errors;
    to.failures += more.failures;
    to.total_ms += more.total_ms;
    to.max_ms = std::max(to.max_ms, more.max_ms);
    to.bytes += more.bytes;
    to.times.resize(std::max(to.times.size(), more.times.size()));
    for (std::size_t i = 0; i < more.times.size(); ++i) {
        to.times[i] += more.times[i];
    }
}

std::int64_t time_of_share(const mcp_usage_row& row, double share) {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(row.calls)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < row.times.size() && i < mcp_time_bounds_ms.size(); ++i) {
        seen += row.times[i];
        if (seen >= wanted && seen > 0) {
            return std::min(mcp_time_bounds_ms[i], row.max_ms);
        }
    }
    return row.max_ms;
}

} // namespace troupe
