#include "actors/run/answer_run.hpp"

#include "actors/run/agent_wish.hpp"
#include "actors/run/run_commands.hpp"

#include <utility>

namespace troupe::actors {

runtime::command make_answer_run(const entity_address& run, const agent_settings& settings, answer_request request) {
    begin_conversation what;
    what.run.agent_id = request.agent_id;
    what.run.created_by = std::move(request.created_by);
    what.run.project_id = request.project_id;
    what.run.on_unknown = settings.on_unknown;
    fill_from_agent(what.run, settings);
    what.run.kind = create_run().kind;
    what.run.instructions += (what.run.instructions.empty() ? "" : "\n\n") + request.background;
    for (auto& turn : request.turns) {
        if (what.run.goal.empty()) {
            what.run.goal = std::move(turn.text);
        } else {
            context_message said;
            said.role = turn.by_agent ? "assistant" : "user";
            said.content = std::move(turn.text);
            what.messages.push_back(std::move(said));
        }
    }
    runtime::command out;
    out.to = run;
    out.type = wire_name<begin_conversation>::value;
    out.payload = to_json(what);
    return out;
}

} // namespace troupe::actors
