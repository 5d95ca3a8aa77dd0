#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Runs that a run starts for a part of its work (`spawn_agent`, `delegate`), or to go on in its place (`hand_off`).
/// Pure.
///
/// A child works in the same organization and project, may do what its parent may, and has limits that are taken from
/// its parent's: they are reserved while it works, and what it used is the parent's use when it has ended. It is
/// created through the parent's debts, and tells its end through its own (`run_ended`). The parent waits for it as for
/// a person: without a thread, in no memory, and its working time stands still, since that of the child counts.
///
/// A run that is delegated to an agent works with that agent's settings. Its parent's rules hold beside the agent's: a
/// call may do what both let it do. A hand-off ends the run; the agent's run has its past, the same ceilings, and what
/// is left of its limits. The agent does not count either of them among its tasks: it could wait for itself.
///
/// Children of one reply work side by side. Their tools take turns in the project's folder as those of all runs do, and
/// `write_file` does not replace what another run wrote meanwhile.
namespace troupe::actors {

/// Runs above a run, at most.
inline constexpr std::uint32_t run_depth_max = 4;

/// Whether a call of this tool is a run of its own.
bool starts_child(std::string_view tool);

/// Whether a call of this tool names an agent, which the performer has to find.
bool names_agent(std::string_view tool);

/// What the children that are at work may still use up.
budget lent_of(const run_progress& p);

/// What is gone of the run's limits at its end: with calls and children whose outcome it does not wait for.
budget spent_of(const run_progress& p);

/// The start of the run that does this call; or why there can be none, for the model.
expected<child_started> plan_child(const run_progress& p, std::uint32_t call, std::string rule,
                                   const runtime::context& context);

/// The run of an agent that such a call asks for; its limits are the agent's own.
create_run wish_for_agent(const run_progress& p, const call_state& call, const uuid& agent, const agent_settings& from);

/// What becomes of the call once that is known: `child_started`, or the hand-off with the end of this run.
expected<std::vector<run_event>> plan_agent(const run_progress& p, const record_agent& found,
                                            const runtime::context& context);

/// The number of the open call that this run does; 0: none.
std::uint32_t call_of_child(const run_progress& p, const uuid& run);

/// What the model reads of the end of a child.
tool_call_finished result_of_child(const run_progress& p, std::uint32_t call, const run_ended& end);

/// Whether a child is at work, or a time is waited for.
bool has_work_elsewhere(const run_progress& p);

/// Whether all that is at work are children and people, or time that passes.
bool waits_for_others(const run_progress& p);

} // namespace troupe::actors
