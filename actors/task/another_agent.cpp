#include "actors/task/another_agent.hpp"

#include "actors/common/assignment.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace troupe::actors {

const assignment_candidate* first_untried(const std::vector<assignment_candidate>& ranked,
                                          const std::vector<uuid>& tried) {
    const auto found = std::ranges::find_if(
        ranked, [&](const auto& one) { return one.able && std::ranges::find(tried, one.agent_id) == tried.end(); });
    return found == ranked.end() ? nullptr : &*found;
}

runtime::performer_of<task_model> make_task_performer(const runtime::services& s) {
    return [&s](const runtime::perform_effect&, const task_state& task,
                runtime::effect_context& context) -> std::vector<runtime::self_command> {
        const auto ranked = find_candidates(s, context.self().organization, task.capabilities);
        if (!ranked) { // it is looked again after a rest
            log_for("task").error("{}: no other agent can be looked for now: {}", to_string(context.self()),
                                  ranked.error().detail);
            return {};
        }
        another_agent found{task.assignment, {}, "Nobody else has what it needs and works."};
        if (const auto* best = first_untried(*ranked, task.tried)) {
            found.agent_id = best->agent_id;
            found.reasons = explain(*best);
        }
        return {{std::string(wire_name<another_agent>::value), to_json(found)}};
    };
}

} // namespace troupe::actors
