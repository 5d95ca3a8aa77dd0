#pragma once

#include "actors/common/debts.hpp"
#include "actors/run/run_commands.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/described.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What states of runs are made of, in all their versions.
namespace troupe::actors {

/// A model call whose outcome is not there yet.
struct open_model_call {
    std::uint64_t reserved_tokens = 0;
    std::uint32_t output_tokens_max = 0;
    std::int64_t reserved_cost_micros = 0;
    bool sent = false; ///< A second performance then knows that the first one was lost.
};
BOOST_DESCRIBE_STRUCT(open_model_call, (), (reserved_tokens, output_tokens_max, reserved_cost_micros, sent))

/// pending → started → finished; on the way `unknown` (nobody knows) and `asked`, `resolved` (by a person).
BOOST_DEFINE_ENUM_CLASS(call_phase, pending, started, unknown, asked, resolved, finished)

/// A tool call of the current step. Those that change something are performed one after the other, in the model's
/// order, with all others before them finished; what only reads goes on side by side.
struct call_state {
    std::string id;
    std::string tool;
    std::string arguments; ///< As the model wrote them, or as a person edited them.
    call_phase phase = call_phase::pending;
    std::uint32_t attempt = 0;                  ///< The last one that started.
    bool is_error = false;                      ///< Of a finished call.
    wait_reason reason = wait_reason::approval; ///< What was asked.
    std::optional<uuid> approval_id;
    std::string text;
    std::optional<troupe::decision> decision;
    std::string answer;
    std::string decided_by;
    std::optional<timestamp> started_at; ///< When it was first asked for or started.
    std::optional<timestamp> intent_at;  ///< Record time of the last attempt's intent.
    uuid intent_node;                    ///< The replica that decided it and began it, if anybody did. Nil: this one.
    std::optional<timestamp> expires_at; ///< Of what was asked.
    std::string rule;                    ///< Of a person, by which it was allowed without asking.
    std::optional<uuid> child_run_id;    ///< The run that does it.
    budget lent;                         ///< To that run, from this one's limits, until it has ended.
    std::optional<timestamp> due_at;     ///< Of a wait.
};
BOOST_DESCRIBE_STRUCT(call_state, (),
                      (id, tool, arguments, phase, attempt, is_error, reason, approval_id, text, decision, answer,
                       decided_by, started_at, intent_at, intent_node, expires_at, rule, child_run_id, lent, due_at))

} // namespace troupe::actors
