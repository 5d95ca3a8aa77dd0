#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Runs that a run starts for a part of its work (`spawn_agent`). Pure.
///
/// A child works in the same organization and project, may do what its parent may, and has limits that are taken from
/// its parent's: they are reserved while it works, and what it used is the parent's use when it has ended. It is
/// created through the parent's debts, and tells its end through its own (`run_ended`). The parent waits for it as for
/// a person: without a thread, in no memory, and its working time stands still, since that of the child counts.
///
/// Children of one reply work side by side. Their tools take turns in the project's folder as those of all runs do, and
/// `write_file` does not replace what another run wrote meanwhile.
namespace troupe::actors {

/// Runs above a run, at most.
inline constexpr std::uint32_t run_depth_max = 4;

/// What the children that are at work may still use up.
budget lent_of(const run_progress& p);

/// What is gone of the run's limits at its end: with calls and children whose outcome it does not wait for.
budget spent_of(const run_progress& p);

/// The start of the run that does this call; or why there can be none, for the model.
expected<child_started> plan_child(const run_progress& p, std::uint32_t call, std::string rule,
                                   const runtime::context& context);

/// The number of the open call that this run does; 0: none.
std::uint32_t call_of_child(const run_progress& p, const uuid& run);

/// What the model reads of the end of a child.
tool_call_finished result_of_child(const run_progress& p, std::uint32_t call, const run_ended& end);

/// Whether a child is at work.
bool has_children(const run_progress& p);

/// Whether all that is at work are children and people, or time that passes.
bool waits_for_others(const run_progress& p);

} // namespace troupe::actors
