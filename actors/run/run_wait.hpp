#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string_view>

/// Waits of a run for a time (`wait`): durable, without a thread, in no memory, and no working time. Pure.
namespace troupe::actors {

inline constexpr std::int64_t wait_ms_max = 366LL * 24 * 3'600'000;

/// When the wait that these arguments ask for is over. `tool_arguments_invalid` for the model to mend.
expected<timestamp> end_of_wait(std::string_view arguments, timestamp now);

/// What the model reads afterwards.
tool_call_finished result_of_wait(const run_progress& p, std::uint32_t call, timestamp now);

} // namespace troupe::actors
