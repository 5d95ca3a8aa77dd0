#include "actors/task/task_model.hpp"

#include "actors/common/principals.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/common/text.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/goal_messages.hpp"
#include "schemas/notification_messages.hpp"

#include <algorithm>
#include <set>
#include <utility>

// What follows from the events, and what is owed.
namespace troupe::actors {
namespace {

constexpr std::string_view agent_kind = "agent";

constexpr std::string_view task_kind = "task";
constexpr std::string_view inbox_kind = "inbox";
constexpr std::string_view goal_kind = "goal";
constexpr std::size_t tried_max = 3;         ///< Agents that a task goes through by itself.
constexpr std::size_t shown_bytes_max = 500; ///< Of a text in a notification.

// ---- who is told

std::string title_of(const task_state& s) { return s.number == 0 ? s.title : task_key(s.number) + " " + s.title; }

/// Each once, but not whoever caused it.
void tell(task_state& s, const std::set<uuid>& whom, notification_kind kind, std::string title, std::string_view text,
          const std::optional<uuid>& message, std::string_view actor) {
    const auto by = inbox_of(actor);
    for (const auto& id : whom) {
        if (by != id) {
            owe(s.owed, inbox_kind, id,
                notify{kind, s.priority, title, std::string(utf8_prefix(text, shown_bytes_max)), s.id, message,
                       std::string(actor)});
        }
    }
}

/// Those whose task it is: its assignees, else who made it.
std::set<uuid> owners_of(const task_state& s) {
    std::set<uuid> out(s.assignees.begin(), s.assignees.end());
    if (const auto creator = inbox_of(s.created_by); out.empty() && creator) {
        out.insert(*creator);
    }
    return out;
}

// ---- the agent

void owe_enqueue(task_state& s) {
    if (!s.unmet.empty() || s.again_at) {
        return; // with the last of them, or at that time, it is
    }
    owe(s.owed, agent_kind, *s.agent_id,
        enqueue_task{s.id, s.assignment, s.title, s.description, s.priority, s.project_id, s.limits.value_or(budget{}),
                     s.parameters});
}

/// Whether another agent is looked for, now that this one failed or gave it back.
void look_for_another(task_state& s) {
    s.tried.push_back(*s.agent_id);
    s.looking = !s.capabilities.empty() && s.tried.size() < tried_max;
}

/// The agent has nothing to do with it any more, and is told so.
void end_assignment(task_state& s, std::string reason) {
    s.attempts = 0;
    s.again_at.reset();
    if (std::exchange(s.live, false)) {
        owe(s.owed, agent_kind, *s.agent_id, dequeue_task{s.id, s.assignment, std::move(reason)});
    }
}

/// With the agent, which does not have it while it waits for others.
bool is_queued(const task_state& s) { return s.live && s.status == task_status::assigned; }

/// It has to wait after all: the agent's queue gives it back. What it still says of it is about an older assignment.
void hold(task_state& s) {
    if (is_queued(s) && s.unmet.empty()) {
        owe(s.owed, agent_kind, *s.agent_id, dequeue_task{s.id, s.assignment++, "The task has to wait for another."});
    }
}

// ---- other tasks

void owe_dependencies(task_state& s, bool done, bool gone) {
    for (const auto& id : s.dependents) {
        owe(s.owed, task_kind, id, note_dependency{s.id, done, gone});
    }
}

void owe_parent(task_state& s, const std::optional<task_status>& from, const std::optional<task_status>& to) {
    if (s.parent_id) {
        owe(s.owed, task_kind, *s.parent_id, note_subtask{from, to});
    }
}

/// What it was made for hears where it is. Of a task that another agent will try, no more than that it is assigned.
void owe_goal(task_state& s, const std::optional<task_status>& to) {
    if (s.goal_id) {
        owe(s.owed, goal_kind, *s.goal_id, note_goal_task{s.id, to, s.result, s.error, s.output});
    }
}

/// Tasks of earlier builds, which have no number, show what they always did: so their rows stay as they are.
void put_last(task_state& s, timestamp at) { s.rank = s.number == 0 ? "" : rank_of(at, s.number); }

/// All that comes with being in another column. It is put at its end.
void set_status(task_state& s, task_status to, timestamp at) {
    const auto from = std::exchange(s.status, to);
    if (from == to) {
        return;
    }
    put_last(s, at);
    owe_parent(s, from, to);
    owe_goal(s, to);
    if ((from == task_status::done) != (to == task_status::done)) {
        owe_dependencies(s, to == task_status::done, false);
    }
}

void wait_for(task_state& s, const uuid& other) {
    hold(s);
    s.unmet.push_back(other);
}

void wait_no_more(task_state& s, const uuid& other) {
    if (std::erase(s.unmet, other) > 0 && s.unmet.empty() && is_queued(s)) {
        owe_enqueue(s);
    }
}

void set_dependencies(task_state& s, const std::vector<uuid>& now) {
    const auto before = std::exchange(s.depends_on, now);
    const auto in = [](const std::vector<uuid>& all, const uuid& id) { return std::ranges::count(all, id) > 0; };
    for (const auto& id : now) {
        if (!in(before, id)) {
            wait_for(s, id);
            owe(s.owed, task_kind, id, note_dependent{s.id, true});
        }
    }
    for (const auto& id : before) {
        if (!in(now, id)) {
            wait_no_more(s, id);
            owe(s.owed, task_kind, id, note_dependent{s.id, false});
        }
    }
}

void set_parent(task_state& s, const std::optional<uuid>& parent) {
    owe_parent(s, s.status, std::nullopt);
    s.parent_id = parent;
    owe_parent(s, std::nullopt, s.status);
}

void set_assignees(task_state& s, const std::vector<uuid>& now, std::string_view actor) {
    std::set<uuid> added(now.begin(), now.end());
    for (const auto& id : s.assignees) {
        added.erase(id);
    }
    s.assignees = now;
    tell(s, added, notification_kind::assignment, "Yours now: " + title_of(s), s.description, std::nullopt, actor);
}

// ---- events

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
    s.number = e.number;
    s.capabilities = e.capabilities;
    s.goal_id = e.goal_id;
    put_last(s, at.time);
    set_parent(s, e.parent_id);
    set_dependencies(s, e.depends_on);
    set_assignees(s, e.assignees, at.principal);
}

void apply(task_state& s, const task_updated& e, const runtime::event_context& at) {
    s.title = e.title.value_or(s.title);
    s.description = e.description.value_or(s.description);
    s.priority = e.priority.value_or(s.priority);
    s.labels = e.labels.value_or(s.labels);
    s.due = e.due || e.no_due ? e.due : s.due;
    if (s.live && s.status == task_status::assigned && (e.title || e.description || e.priority)) {
        owe_enqueue(s); // the agent's queue has the old text or the old place
    }
    const bool more = e.depends_on && std::ranges::any_of(*e.depends_on, [&](const uuid& id) {
                          return std::ranges::count(s.depends_on, id) == 0;
                      });
    s.links_tied += more || (e.parent_id && !e.parent_id->is_nil()) ? 1 : 0;
    if (e.depends_on) {
        set_dependencies(s, *e.depends_on);
    }
    if (e.parent_id) {
        set_parent(s, e.parent_id->is_nil() ? std::nullopt : e.parent_id);
    }
    if (e.assignees) {
        set_assignees(s, *e.assignees, at.principal);
    }
}

void apply(task_state& s, const task_assigned& e, const runtime::event_context& at) {
    end_assignment(s, "The task was assigned to another agent.");
    s.agent_id = e.agent_id;
    if (!s.looking) {
        s.tried.clear(); // somebody chose: all may try again
    }
    s.looking = false;
    ++s.assignment;
    s.live = true;
    s.result.reset();
    s.output.reset();
    s.error.reset();
    set_status(s, task_status::assigned, at.time);
    owe_enqueue(s);
}

void apply(task_state& s, const task_moved& e, const runtime::event_context& at) {
    end_assignment(s, "The task was moved to " + std::string(detail::enum_name(e.to)) + ".");
    s.looking = false;
    s.error.reset();
    set_status(s, e.to, at.time);
    if (e.to == task_status::inbox) {
        s.agent_id.reset();
    }
}

void apply(task_state& s, const task_placed& e, const runtime::event_context&) { s.rank = e.rank; }

void apply(task_state& s, const message_added& e, const runtime::event_context& at) {
    ++s.messages;
    std::set<uuid> mentioned;
    for (const auto& m : e.mentions) {
        mentioned.insert(m.id);
    }
    tell(s, mentioned, notification_kind::mention, "You are mentioned in " + title_of(s), e.content, e.id,
         at.principal);
    if (e.type == message_type::question) {
        auto asked = owners_of(s);
        std::erase_if(asked, [&](const auto& id) { return mentioned.contains(id); });
        tell(s, asked, notification_kind::question, "A question on " + title_of(s), e.content, e.id, at.principal);
    }
}

void apply(task_state& s, const file_attached& e, const runtime::event_context& at) {
    s.attached = e.number;
    s.attachments.push_back({e.number, e.name, e.media_type, e.bytes, e.sha256, std::string(at.principal), at.time});
}

void apply(task_state& s, const attachment_removed& e, const runtime::event_context&) {
    std::erase_if(s.attachments, [&](const attachment_document& a) { return a.number == e.number; });
}

void apply(task_state& s, const links_checked& e, const runtime::event_context&) { s.links_checked = e.number; }

void apply(task_state&, const message_changed&, const runtime::event_context&) {} // for those who watch the task

void apply(task_state& s, const task_deleted&, const runtime::event_context&) {
    end_assignment(s, "The task was deleted.");
    s.looking = false;
    owe_parent(s, s.status, std::nullopt);
    owe_goal(s, std::nullopt);
    owe_dependencies(s, false, true);
    for (const auto& id : s.depends_on) {
        owe(s.owed, task_kind, id, note_dependent{s.id, false});
    }
    s.attachments.clear();
    s.deleted = true;
}

void apply(task_state& s, const work_started& e, const runtime::event_context& at) {
    set_status(s, task_status::in_progress, at.time);
    s.run_id = e.run_id;
}

void apply(task_state& s, const work_finished& e, const runtime::event_context& at) {
    s.live = false;
    s.run_id = e.run_id;
    s.result = e.result;
    s.output = e.output;
    s.error = e.error;
    if (e.status == task_status::failed) {
        look_for_another(s);
    }
    set_status(s, e.status, at.time);
    if (e.status == task_status::review) {
        tell(s, owners_of(s), notification_kind::review, "Ready for review: " + title_of(s), e.result.value_or(""), {},
             at.principal);
    } else if (e.status == task_status::failed) {
        tell(s, owners_of(s), notification_kind::failure, "Failed: " + title_of(s), e.error.value_or(""), {},
             at.principal);
    }
}

void apply(task_state& s, const task_returned& e, const runtime::event_context& at) {
    s.live = false;
    s.attempts = 0;
    s.again_at.reset();
    look_for_another(s);
    s.agent_id.reset();
    s.error = e.error;
    set_status(s, task_status::inbox, at.time);
    if (s.looking) {
        return; // it is told when nobody else can
    }
    tell(s, owners_of(s), notification_kind::failure, "Back in the inbox: " + title_of(s), e.error, {}, at.principal);
}

void apply(task_state& s, const attempt_failed& e, const runtime::event_context& at) {
    s.run_id = e.run_id;
    s.attempts = e.attempts;
    s.error = e.error;
    s.again_at = e.again_at;
    set_status(s, task_status::assigned, at.time);
}

void apply(task_state& s, const attempt_begun&, const runtime::event_context&) {
    s.again_at.reset();
    owe_enqueue(s);
}

void apply(task_state& s, const no_other_agent& e, const runtime::event_context& at) {
    s.looking = false;
    tell(s, owners_of(s), notification_kind::alert, "Nobody else can do " + title_of(s), e.reasons, {}, at.principal);
}

void apply(task_state& s, const dependent_noted& e, const runtime::event_context&) {
    if (!e.waits) {
        std::erase(s.dependents, e.task_id);
        return;
    }
    s.dependents.push_back(e.task_id);
    owe(s.owed, task_kind, e.task_id, note_dependency{s.id, s.status == task_status::done, false});
}

void apply(task_state& s, const dependency_noted& e, const runtime::event_context&) {
    if (e.gone) {
        std::erase(s.depends_on, e.task_id);
    }
    if (e.gone || e.done) {
        wait_no_more(s, e.task_id);
    } else {
        wait_for(s, e.task_id);
    }
}

void apply(task_state& s, const subtask_noted& e, const runtime::event_context&) {
    const auto count = [&](const std::optional<task_status>& where, bool more) {
        const auto step = [more](std::uint64_t& n) { n = more ? n + 1 : n - (n > 0 ? 1 : 0); };
        if (!where) {
            return;
        }
        step(s.subtasks.total);
        if (*where == task_status::done) {
            step(s.subtasks.done);
        } else if (*where == task_status::failed) {
            step(s.subtasks.failed);
        } else if (*where == task_status::cancelled) {
            step(s.subtasks.cancelled);
        }
    };
    count(e.from, false);
    count(e.to, true);
}

void apply(task_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

} // namespace

task_state task_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> task_model::resume(const state& s) {
    auto out = effects_of(s.owed, s.organization);
    if (s.again_at) {
        out.emplace_back(runtime::timer_effect{"attempt", *s.again_at, std::string(wire_name<attempt_due>::value),
                                               to_json(attempt_due{s.assignment})});
    }
    if (s.links_checked != s.links_tied && !s.deleted) {
        out.emplace_back(runtime::perform_effect{"check_links/" + std::to_string(s.links_tied), "check_links"});
    }
    if (s.looking) {
        out.emplace_back(runtime::perform_effect{"another_agent/" + std::to_string(s.assignment), "another_agent"});
    }
    return out;
}

} // namespace troupe::actors
