#pragma once

#include "actors/chat/chat_model.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "schemas/agent.hpp"

#include <functional>

namespace troupe::actors {

/// The command that makes a run: given by the feature of runs.
using answer_run_maker =
    std::function<runtime::command(const entity_address& run, const agent_settings& settings, answer_request request)>;

/// Begins the runs that answer in chats, as their agents are set up at that time.
runtime::performer_of<chat_model> make_chat_performer(const runtime::services& s, answer_run_maker make);

} // namespace troupe::actors
