#pragma once

#include "schemas/approval.hpp"
#include "schemas/base/described.hpp"
#include "schemas/run.hpp"

/// Commands to a run (kind "run") from other features.
namespace troupe {

/// From an agent, another run, or from the edge. Members as in `run_document`. When it has ended, the run sends
/// `run_ended` (schemas/agent_messages.hpp) to the run that started it, and to its agent: to one of the product if it
/// works on a task, to one of another kind always.
struct create_run {
    static constexpr int version = 4;
    std::string goal;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id;
    std::optional<uuid> task_id;
    std::string instructions;
    std::string model; ///< Empty: the node's default.
    std::map<std::string, tool_policy> tools;
    budget limits;
    unknown_policy on_unknown = unknown_policy::ask;
    std::string created_by;           ///< "agent/<id>", or the principal.
    std::string agent_kind = "agent"; ///< Of `agent_id`: a program's own agents have a kind of their own.
    std::string kind = "custom";      ///< Of the work: one of `agent_settings::kind`.
    std::optional<json::raw> parameters = {};
    std::optional<json::raw> result_schema = {}; ///< Absent: the kind's, if it has one.
    approval_terms approvals = {};
    std::optional<uuid> parent_run_id = {}; ///< The run that does a part of its work with this one.
    std::uint32_t depth = 0;                ///< Runs above it: each is one deeper than its parent.
    /// Rules of those for whom it works, beside its own `tools`: a call may do what all of them let it do.
    std::vector<std::map<std::string, tool_policy>> ceilings = {};
    std::optional<std::vector<run_image>> images = {}; ///< Beside the goal.
    std::optional<daily_limits> limits_per_day = {};   ///< Of `agent_id`.
};
BOOST_DESCRIBE_STRUCT(create_run, (),
                      (goal, project_id, agent_id, task_id, instructions, model, tools, limits, on_unknown, created_by,
                       agent_kind, kind, parameters, result_schema, approvals, parent_run_id, depth, ceilings, images,
                       limits_per_day))

/// A run that goes on where a step of another one had ended, as if its past were its own. Nothing of that is done
/// again.
struct fork_run {
    static constexpr int version = 4;
    create_run run;
    uuid run_id; ///< Of the same organization.
    std::uint32_t step = 0;
    std::string message; ///< What the model is told then; empty: nothing.
};
BOOST_DESCRIBE_STRUCT(fork_run, (), (run, run_id, step, message))

/// Ends a run that has not ended. Repeated or late: nothing changes.
struct cancel_run {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(cancel_run, (), (reason))

/// From an approval: what a person decided. Repeated or late: nothing changes.
struct resolve_approval {
    static constexpr int version = 2;
    uuid approval_id;
    std::string step_key;
    troupe::decision decision = troupe::decision::approve;
    std::string answer;                 ///< Of a question; or the reason of a denial.
    std::optional<json::raw> arguments; ///< To use instead of the model's, with `approve`.
    std::string decided_by;
    std::optional<remember_scope> remember = {};
    std::string rule = {}; ///< What is remembered, as in `tools`.
};
BOOST_DESCRIBE_STRUCT(resolve_approval, (),
                      (approval_id, step_key, decision, answer, arguments, decided_by, remember, rule))

} // namespace troupe

TROUPE_NAMED(troupe::create_run)
TROUPE_NAMED(troupe::fork_run)
TROUPE_NAMED(troupe::cancel_run)
TROUPE_NAMED(troupe::resolve_approval)
