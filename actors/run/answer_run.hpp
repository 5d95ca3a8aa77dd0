#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/agent.hpp"
#include "schemas/chat.hpp"

namespace troupe::actors {

/// The command that makes a run of what was said in a chat, set up as its agent is, but of the kind `custom`: others
/// want parameters and results, not a talk. Repeated: `already_exists`. Pure.
runtime::command make_answer_run(const entity_address& run, const agent_settings& settings, answer_request request);

} // namespace troupe::actors
