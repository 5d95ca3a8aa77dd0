#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What the plan of an organization limits, and the rule by which it does. Pure.
namespace troupe {

/// So much of something that is counted: "tasks", "agents", "tokens", "storage_bytes", or "runs", "tokens_in:MODEL", …
struct usage_amount {
    std::string what;
    std::int64_t amount = 0;

    bool operator==(const usage_amount&) const = default;
};

/// What stands in place of a number where there is no limit.
inline constexpr std::int64_t no_quota = -1;

/// Limits of a plan, or of one organization in place of its plan's. -1: no limit; left out: not said here.
struct quota_limits {
    std::optional<std::int64_t> agents;
    std::optional<std::int64_t> tasks_per_day;
    std::optional<std::int64_t> storage_bytes;
    std::optional<std::int64_t> tokens_per_day;
    std::optional<std::int64_t> cost_micros_per_day;

    static constexpr field_rule rules[] = {
        {.name = "agents", .min = -1, .max = 1'000'000'000, .doc = "Agents that are not deleted. -1: no limit."},
        {.name = "tasks_per_day", .min = -1, .max = 1'000'000'000'000, .doc = "Created in a day (UTC). -1: no limit."},
        {.name = "storage_bytes", .min = -1, .max = 1'000'000'000'000'000, .doc = "Of the files of all projects."},
        {.name = "tokens_per_day", .min = -1, .max = 1'000'000'000'000'000, .doc = "Of models, in and out."},
        {.name = "cost_micros_per_day",
         .min = -1,
         .max = 1'000'000'000'000'000,
         .doc = "Millionths of the currency unit that calls of models may cost. -1: no limit."}};
    bool operator==(const quota_limits&) const = default;
};
BOOST_DESCRIBE_STRUCT(quota_limits, (), (agents, tasks_per_day, storage_bytes, tokens_per_day, cost_micros_per_day))

/// A kind of limit. What is limited by the day counts what was used that day and what is reserved; the others what is
/// there.
struct quota_kind {
    std::string_view name;   ///< "tasks_per_day": the member of `quota_limits`.
    std::string_view counts; ///< "tasks": what is counted.
    bool daily = false;
    std::optional<std::int64_t> quota_limits::*member = nullptr;
    std::string_view noun; ///< "tasks a day".
};
std::span<const quota_kind> quota_kinds();
/// The one that limits what is counted under that name, or null.
const quota_kind* find_quota(std::string_view counts);

/// The name under which a part of what is counted stands, as "tokens" of one agent: it is limited by itself.
std::string part_of_count(std::string_view counts, const uuid& part);
/// "tokens", of itself and of its parts.
std::string_view whole_count(std::string_view counts);
/// Whether a part of what is counted by the day has room for `wanted` more. `quota_exceeded`.
expected<void> judge_part(std::string_view counts, std::int64_t limit, std::int64_t used, std::int64_t wanted,
                          timestamp now);

/// What holds for one organization: its plan's limits with its own in their place.
struct allowance {
    std::string plan;
    quota_limits limits;
    bool suspended = false; ///< Nothing more is taken.
};

/// Days since 1970, of UTC.
std::uint32_t day_of(timestamp t);
/// When that day begins.
timestamp day_begin(std::uint32_t day);
/// "2026-11-21"
std::string day_text(std::uint32_t day);
std::optional<std::uint32_t> parse_day(std::string_view text);

/// Whether `wanted` more may be taken where `used` is in use. `quota_exceeded` says the limit, the use, the plan and
/// when it is reset; `organization_suspended`.
expected<void> judge_quota(const allowance& a, std::string_view counts, std::int64_t used, std::int64_t wanted,
                           timestamp now);

/// Limits as configuration has them: "agents=5, tasks_per_day=200, storage_bytes=1GB"; "none" is no
/// limit. Sizes take
/// kB, MB, GB and TB (powers of ten). `config_invalid` names what is wrong.
expected<quota_limits> parse_quota_limits(std::string_view text);

/// The second over the first.
quota_limits merged(quota_limits plan, const quota_limits& own);

} // namespace troupe
