#include "actors/goal/goal_model.hpp"

#include "actors/common/model.hpp"
#include "actors/goal/plan.hpp"

#include <algorithm>
#include <utility>

// Decisions. What follows from them is in goal_state.cpp.
namespace troupe::actors {
namespace {

using events = std::vector<goal_model::event>;
using decision_result = expected<events>;

bool is_over(const goal_state& s) { return s.cancelled || s.done || !s.error.empty(); }

bool is_known(const goal_state& s, const uuid& task) {
    return std::ranges::any_of(s.items, [&](const goal_item& item) {
        return item.task_id == task || item.check_id == task || item.mend_id == task;
    });
}

decision_result decide(const goal_state& s, const create_goal& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("goal", context.self.id);
    }
    create_goal_body goal = c;
    goal.roadmap.clear(); // its tasks say the same
    if (c.tasks.empty()) {
        return events{goal_created{context.self.organization, std::move(goal), context.make_id()}};
    }
    auto ordered = ordered_plan(c.tasks);
    if (!ordered) {
        return ordered.error();
    }
    return events{goal_created{context.self.organization, std::move(goal), std::nullopt},
                  goal_planned{std::move(*ordered)}};
}

decision_result decide(const goal_state& s, const cancel_goal&, const runtime::context&) {
    if (s.done) {
        return problem{code::conflict, "The goal is reached; there is nothing left to cancel."};
    }
    return is_over(s) ? events{} : events{goal_cancelled{}};
}

decision_result decide(const goal_state& s, const delete_goal&, const runtime::context&) {
    return is_over(s) ? events{goal_deleted{}} : events{goal_cancelled{}, goal_deleted{}};
}

decision_result decide(const goal_state& s, const note_task_made& c, const runtime::context&) {
    if (c.index >= s.items.size()) {
        return events{};
    }
    const auto& item = s.items[c.index];
    const bool said = c.task_id.is_nil() && item.blocker == c.blocker;
    if (is_awaited(item, c)) {
        return said ? events{} : events{goal_task_made{c}};
    }
    const bool unwanted = !c.task_id.is_nil() && !is_known(s, c.task_id); // what it was for ended while it was made
    return unwanted ? events{goal_task_made{c}} : events{};
}

decision_result decide(const goal_state& s, const note_goal_task& c, const runtime::context&) {
    if (is_known(s, c.task_id)) {
        return s.deleted ? events{} : events{goal_task_moved{c}};
    }
    if (s.cancelled) { // made while the goal was given up, by a node that was killed then
        const bool open = c.status && *c.status != task_status::done && *c.status != task_status::cancelled;
        return open ? events{goal_task_moved{c}} : events{};
    }
    const bool being_made = std::ranges::any_of(s.items, [](const goal_item& item) { return item.wants.has_value(); });
    return being_made ? decision_result(problem{code::unavailable, "The goal does not know the task yet."}) : events{};
}

/// What the model gave, as far as it can be used.
expected<std::vector<planned_task>> plan_in(const run_ended& c) {
    if (c.status != run_status::succeeded || !c.output) {
        return problem{code::unavailable, c.error.value_or("The run that was to plan it ended without a plan.")};
    }
    auto plan = from_json<goal_plan>(c.output->text, strictness::input);
    return plan ? ordered_plan(std::move(plan->tasks)) : plan.error();
}

decision_result decide(const goal_state& s, const run_ended& c, const runtime::context&) {
    if (!s.planning || s.planner_run != c.run_id) {
        return events{};
    }
    auto plan = plan_in(c);
    return plan ? events{goal_planned{std::move(*plan)}}
                : events{planning_failed{"It could not be broken down into tasks: " + plan.error().detail}};
}

decision_result decide(const goal_state& s, const stall_due& c, const runtime::context&) {
    goal_stalled found;
    for (std::uint32_t i = 0; i < s.items.size(); ++i) {
        const auto& item = s.items[i];
        const bool open = item.status && *item.status != task_status::done && *item.status != task_status::cancelled;
        if (open && !item.warned && item.since + s.goal.stalled_after_ms <= c.due) {
            found.items.push_back(i);
        }
    }
    return found.items.empty() || is_over(s) ? events{} : events{std::move(found)};
}

decision_result decide(const goal_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    if (!paid) {
        return events{};
    }
    events decided{cleared(*paid, c)};
    if (!c.ok && s.planning && s.planner_run == paid->to) {
        decided.emplace_back(planning_failed{"The run that was to plan it could not be created: " + c.detail});
    }
    return decided;
}

} // namespace

expected<std::vector<goal_model::event>> goal_model::decide(const state& s, const command& c,
                                                            const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (!std::is_same_v<Command, create_goal>) {
                constexpr bool of_people = std::is_same_v<Command, cancel_goal> || std::is_same_v<Command, delete_goal>;
                if (s.id.is_nil() || (of_people && s.deleted)) {
                    return no_such("goal", context.self.id);
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

} // namespace troupe::actors
