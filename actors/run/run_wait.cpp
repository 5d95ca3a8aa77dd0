#include "actors/run/run_wait.hpp"

#include "actors/tool/tool_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace troupe::actors {

expected<timestamp> end_of_wait(std::string_view arguments, timestamp now) {
    const auto asked = from_json<wait_arguments>(arguments, strictness::stored);
    if (!asked) {
        return asked.error();
    }
    if (asked->until.empty() == (asked->seconds == 0)) {
        return problem{code::tool_arguments_invalid, "Say how long: either `seconds` or `until`."};
    }
    const auto until =
        asked->until.empty() ? std::optional(now + asked->seconds * 1000) : parse_timestamp(asked->until);
    if (!until) {
        return problem{code::tool_arguments_invalid, "`until` has to be a time as 2026-12-31T18:00:00Z."};
    }
    if (*until - now > wait_ms_max) {
        return problem{code::tool_arguments_invalid, "At most a year can be waited for."};
    }
    return std::max(*until, now);
}

tool_call_finished result_of_wait(const run_progress& p, std::uint32_t call, timestamp now) {
    return {p.step, call, 0, p.calls.at(call - 1).tool, fmt::format("It is {} now.", to_string(now)), false, {}};
}

} // namespace troupe::actors
