#include "actors/task/task_performer.hpp"

#include "actors/common/assignment.hpp"
#include "actors/task/task_links.hpp"
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

namespace {

std::vector<runtime::self_command> find_another(const runtime::services& s, const task_state& task,
                                                const runtime::effect_context& context) {
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
}

/// Whether a tie closes a circle; a problem where that cannot be known now. What else is wrong is none of the tie's.
expected<bool> closes_circle(const expected<void>& checked, std::string& way) {
    if (!checked && checked.error().code == code::conflict) {
        way = checked.error().detail;
        return true;
    }
    const bool judged =
        checked || checked.error().code == code::invalid_request || checked.error().code == code::limit_reached;
    return judged ? expected<bool>(false) : checked.error();
}

/// What the tables show now has all that was answered before: of two that closed a circle together one sees both.
std::vector<runtime::self_command> check_links(const runtime::services& s, const task_state& task) {
    const auto unknown = [&](const problem& why) { // it is tried again after a rest
        log_for("task").error("{}: its ties cannot be checked now: {}", to_string(task.id), why.detail);
        return std::vector<runtime::self_command>();
    };
    if (auto read = runtime::wait_to_read(s); !read) {
        return unknown(read.error());
    }
    note_links_checked found;
    found.number = task.links_tied;
    for (const auto& id : task.depends_on) {
        const auto circle =
            closes_circle(check_task_links(s, task.organization, task.id, std::nullopt, {id}), found.way);
        if (!circle) {
            return unknown(circle.error());
        }
        if (*circle) {
            found.depends_on.push_back(id);
        }
    }
    if (task.parent_id) {
        const auto circle =
            closes_circle(check_task_links(s, task.organization, task.id, task.parent_id, {}), found.way);
        if (!circle) {
            return unknown(circle.error());
        }
        found.parent = *circle;
    }
    return {{std::string(wire_name<note_links_checked>::value), to_json(found)}};
}

} // namespace

runtime::performer_of<task_model> make_task_performer(const runtime::services& s) {
    return [&s](const runtime::perform_effect& effect, const task_state& task, runtime::effect_context& context) {
        return effect.type == "check_links" ? check_links(s, task) : find_another(s, task, context);
    };
}

} // namespace troupe::actors
