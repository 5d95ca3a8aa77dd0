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

/// A message of the context after the instructions and the goal.
struct context_message {
    std::string role; ///< "user", "assistant" or "tool".
    std::string content;
    std::string reasoning;
    std::vector<asked_call> tool_calls;
    std::string tool_call_id;
    std::string tool_name;
    bool is_error = false;
    std::string reasoning_state = {}; ///< Goes back unchanged, as `reasoning` does, to the same provider only.
    std::string provider = {};        ///< Whose reply it is; empty: nobody noted it.
};
BOOST_DESCRIBE_STRUCT(context_message, (),
                      (role, content, reasoning, tool_calls, tool_call_id, tool_name, is_error, reasoning_state,
                       provider))

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

} // namespace troupe::actors
