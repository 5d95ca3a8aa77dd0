#pragma once

#include "actors/run/run_commands.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "runtime/entity/entity.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

/// A run: the durable loop model → tool calls → results → … → answer. Pure.
///
/// Every effect stands between an intent and an outcome. The intent is decided in the same decision that made the
/// effect due, so a run never rests between two steps; the outcome names (step, call, attempt), so late and repeated
/// ones change nothing.
///
/// *Model calls.* `model_call_started` reserves tokens and money. Before the request leaves, the performer journals
/// `model_call_sent` through `mark_model_call`, once per attempt. A performance that finds its attempt marked already
/// knows that an earlier one was lost with its node: it reports `unknown_outcome`, the reservation counts as spent, and
/// the next attempt begins. An attempt without the mark never left and is simply performed again. *Tools.* The same key
/// is performed again after a crash: idempotent tools repeat themselves, `run_command` finds in the runner's files what
/// happened. `unknown` then goes to the policy `on_unknown`. *People.* A question waits in an approval of its own, for
/// weeks if need be, and costs nothing meanwhile: working time stands still. *The end.* A run whose last calls were
/// performed owes a clean-up: a command that outlived its node is ended, and the runner's files are forgotten.
///
/// The tool table (actors/tool) is a library of this floor, not a feature: bad calls are answered here, purely.
namespace troupe::actors {

/// A provider that fails is asked this often in one step.
inline constexpr std::uint32_t model_attempts_max = 8;
/// Replies that make no sense, in one step.
inline constexpr std::uint32_t invalid_replies_max = 3;
/// How often one answer may be continued after it was cut.
inline constexpr std::uint32_t continuations_max = 3;
/// Tool calls of one reply; more is nonsense.
inline constexpr std::size_t reply_calls_max = 64;
/// Calls of one reply that are at work at a time: those that change nothing. The others have their turns.
inline constexpr std::size_t parallel_calls_max = 8;
/// Text and arguments of one reply: it has to fit an event, and the context many times over.
inline constexpr std::size_t reply_bytes_max = 1 << 20;
/// Details of a tool's result are for people; larger ones are left out.
inline constexpr std::size_t details_bytes_max = 256 << 10;

struct run_model {
    static constexpr std::string_view kind = "run";
    using state = run_state;
    using command = run_command;
    using event = run_event;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Runs, model calls, and what these used: "tokens", and by model "tokens_in:", "tokens_out:", "tokens_lost:" and
    /// "cost_micros:". Lost are those of calls without an outcome, at what was reserved.
    static std::vector<usage_amount> uses(const state& after, const event&);
    /// What is reserved for the open model call.
    static std::vector<usage_amount> holds(const state&);
    static std::vector<std::string_view> blobs(const state& s) { return blobs_of(s); }
    /// Collection "steps": `step_document` by its key; the outcome replaces the intent.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

/// Effect types, for the performer.
namespace run_effects {
inline constexpr std::string_view start = "start_run";       ///< Outcome: begin_run or record_start_failure.
inline constexpr std::string_view call_model = "call_model"; ///< Payload: mark_model_call.
inline constexpr std::string_view call_tool = "call_tool";   ///< Payload: call_reference.
inline constexpr std::string_view clean_up = "clean_up";     ///< Of an ended run. Outcome: record_clean_up.
} // namespace run_effects

/// Which tool call an effect is about.
struct call_reference {
    std::uint32_t step = 0;
    std::uint32_t call = 0;
    std::uint32_t attempt = 0;
};
BOOST_DESCRIBE_STRUCT(call_reference, (), (step, call, attempt))

/// `apply` without the messages.
void apply_progress(run_progress& p, const run_event& e, const runtime::event_context& at);

} // namespace troupe::actors
