#include "actors/task/task_model.hpp"

#include "schemas/agent_messages.hpp"

#include <utility>

// What follows from the events, and what is owed.
namespace troupe::actors {
namespace {

constexpr std::string_view agent_kind = "agent";

void owe_enqueue(task_state& s) {
    owe(s.owed, agent_kind, *s.agent_id,
        enqueue_task{s.id, s.assignment, s.title, s.description, s.priority, s.project_id, s.limits.value_or(budget{}),
                     s.parameters});
}

/// The agent has nothing to do with it any more, and is told so.
void end_assignment(task_state& s, std::string reason) {
    if (std::exchange(s.live, false)) {
        owe(s.owed, agent_kind, *s.agent_id, dequeue_task{s.id, s.assignment, std::move(reason)});
    }
}

void apply(task_state& s, const task_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.title = e.title;
    s.description = e.description;
    s.priority = e.priority;
    s.labels = e.labels;
    s.due = e.due;
    s.project_id = e.project_id;
    s.limits = e.limits;
    s.parameters = e.parameters;
    s.created_by = at.principal;
    s.created_at = at.time;
}

void apply(task_state& s, const task_updated& e, const runtime::event_context&) {
    s.title = e.title.value_or(s.title);
    s.description = e.description.value_or(s.description);
    s.priority = e.priority.value_or(s.priority);
    s.labels = e.labels.value_or(s.labels);
    s.due = e.due ? e.due : s.due;
    if (s.live && s.status == task_status::assigned && (e.title || e.description || e.priority)) {
        owe_enqueue(s); // the agent's queue has the old text or the old place
    }
}

void apply(task_state& s, const task_assigned& e, const runtime::event_context&) {
    end_assignment(s, "The task was assigned to another agent.");
    s.agent_id = e.agent_id;
    s.status = task_status::assigned;
    ++s.assignment;
    s.live = true;
    s.result.reset();
    s.output.reset();
    s.error.reset();
    owe_enqueue(s);
}

void apply(task_state& s, const task_moved& e, const runtime::event_context&) {
    end_assignment(s, "The task was moved to " + std::string(detail::enum_name(e.to)) + ".");
    s.status = e.to;
    s.error.reset();
    if (e.to == task_status::inbox) {
        s.agent_id.reset();
    }
}

void apply(task_state& s, const message_added&, const runtime::event_context&) { ++s.messages; }

void apply(task_state& s, const task_deleted&, const runtime::event_context&) {
    end_assignment(s, "The task was deleted.");
    s.deleted = true;
}

void apply(task_state& s, const work_started& e, const runtime::event_context&) {
    s.status = task_status::in_progress;
    s.run_id = e.run_id;
}

void apply(task_state& s, const work_finished& e, const runtime::event_context&) {
    s.live = false;
    s.status = e.status;
    s.run_id = e.run_id;
    s.result = e.result;
    s.output = e.output;
    s.error = e.error;
}

void apply(task_state& s, const task_returned& e, const runtime::event_context&) {
    s.live = false;
    s.status = task_status::inbox;
    s.agent_id.reset();
    s.error = e.error;
}

void apply(task_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

} // namespace

task_state task_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> task_model::resume(const state& s) { return effects_of(s.owed, s.organization); }

} // namespace troupe::actors
