#pragma once

#include "runtime/entity/troubles.hpp"
#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/poison.hpp"
#include "schemas/run.hpp"
#include "storage/views.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// `GET /why/{kind}/{id}`: what an entity waits for, in words. Pure.
namespace troupe::actors {

struct why_reason {
    /// Of its own: "approval", "question", "unknown_step", "back_off", "provider", "budget", "queue", "paused",
    /// "stopped", "review", "unassigned", "person", "turn", "working", "starting", "timer", "ended", "error".
    /// Of its host: "poison", "quarantine", "crash", "effect", "lease". Of the node: "draining", "storage_full",
    /// "overload", "sandbox".
    std::string reason;
    std::optional<timestamp> since;
    std::optional<timestamp> until; ///< When it goes on by itself.
    std::string detail;
    std::string remedy; ///< What a person can do; empty: nothing has to be done.
};
BOOST_DESCRIBE_STRUCT(why_reason, (), (reason, since, until, detail, remedy))

struct why_document {
    std::string kind;
    uuid id;
    std::string summary;
    std::vector<why_reason> reasons;
};
BOOST_DESCRIBE_STRUCT(why_document, (), (kind, id, summary, reasons))

/// How the node fares, as far as it keeps entities waiting.
struct node_condition {
    bool draining = false;
    std::uint64_t commands_outstanding = 0;
    std::uint64_t commands_max = 0;
    std::uint64_t bytes_outstanding = 0;
    std::uint64_t bytes_max = 0;
    std::uint64_t performing = 0; ///< Model calls, tools and the like at work.
    std::uint64_t performing_max = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t free_bytes_min = 0; ///< 0: not watched.
    std::string sandbox;              ///< Why commands cannot be confined; empty: they can.
    std::string router = "running";   ///< Status of the entity's router, as the supervision tree has it.
    std::string router_failure;
};

/// What is known besides the entity's own document.
struct why_facts {
    timestamp now;
    node_condition node;
    runtime::entity_troubles troubles;
    std::vector<poisoned_command> poison;     ///< Of this entity, the newest first.
    std::vector<storage::due_timer> timers;   ///< Of this entity.
    std::vector<approval_document> approvals; ///< Those that a run waits for.
    std::vector<approval_document> asked;     ///< Others of the run that are pending: its tools ask.
    std::vector<step_document> steps;         ///< Of a run, the newest first.
    std::optional<agent_document> agent;      ///< Of a task or a run.
    std::optional<run_document> run;          ///< The newest of a task; that of an approval.
    std::optional<problem> model;             ///< Why a run's model cannot be had.
    std::vector<run_document> project_runs;   ///< Those that work on a project.
};

/// From the public document of a run, task, agent, approval or project. Of other kinds, and of an entity without a
/// document (empty), only what keeps every entity waiting.
why_document explain_waiting(std::string_view kind, const uuid& id, std::string_view document, const why_facts& facts);

} // namespace troupe::actors
