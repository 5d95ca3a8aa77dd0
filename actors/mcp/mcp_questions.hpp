#pragma once

#include "actors/mcp/mcp_desk.hpp"
#include "actors/tool/tool.hpp"

#include <string>

namespace troupe::actors {

/// What a server asks while a run calls its tool goes to a person: an approval of the run, as of `ask_human`, which
/// waits an hour at most and is withdrawn when the call is over. The same call, made again after a crash, finds the
/// answer that was given. Questions that are no form of plain fields and no web address are answered with `cancel`.
/// Empty: nobody can be asked there. What `where` leads to outlives the calls.
mcp_question_sink ask_person(const tool_environment& where, const std::string& server, const std::string& tool);

} // namespace troupe::actors
