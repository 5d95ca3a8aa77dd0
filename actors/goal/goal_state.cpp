#include "actors/common/principals.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/common/text.hpp"
#include "actors/goal/goal_model.hpp"
#include "schemas/notification_messages.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// What follows from the events, and what is owed.
namespace troupe::actors {

bool is_awaited(const goal_item& item, const note_task_made& made) {
    return item.wants == made.part && (made.part == goal_part::work || made.round == item.checks);
}

namespace {

constexpr std::string_view task_kind = "task";
constexpr std::string_view run_kind = "run";
constexpr std::string_view inbox_kind = "inbox";
constexpr std::size_t report_bytes_max = 8000;

constexpr std::string_view planner_instructions =
    "You break a goal down into tasks. Give 3 to 20 tasks, each of which one agent can do in a sitting and somebody "
    "else can check. For each: an id, a title in a line, a description with all that whoever does it has to know, the "
    "capabilities that it needs (such as code, qa, design, documentation, research), the ids of the tasks that have to "
    "be done before, and acceptance: what has to be true when it is done. Do not let tasks wait for each other in a "
    "circle. Finish with `output`.";

bool is_closed(const goal_item& item) {
    return item.status == task_status::done || item.status == task_status::cancelled;
}

void tell_maker(goal_state& s, notification_kind kind, std::string title, std::string text,
                const std::optional<uuid>& task) {
    if (const auto whose = inbox_of(s.created_by)) {
        owe(s.owed, inbox_kind, *whose,
            notify{kind, task_priority::high, std::move(title), std::move(text), task, {}, "goal/" + to_string(s.id)});
    }
}

std::string name_of(const goal_item& item) {
    return item.number == 0 ? item.plan.title : task_key(item.number) + " " + item.plan.title;
}

void block(goal_state& s, goal_item& item, std::string why) {
    if (item.blocker != why) {
        item.blocker = std::move(why);
        tell_maker(s, notification_kind::alert, "Blocked: " + name_of(item), item.blocker, item.task_id);
    }
}

create_run planner_run(const goal_state& s) {
    create_run out;
    out.goal = s.goal.title + (s.goal.description.empty() ? "" : "\n\n" + s.goal.description) +
               (s.goal.target.empty() ? "" : "\n\nIt is reached when: " + s.goal.target);
    out.agent_id = s.id;
    out.agent_kind = goal_model::kind;
    out.instructions = planner_instructions;
    out.model = s.goal.model;
    out.project_id = s.goal.project_id;
    out.created_by = s.created_by;
    out.result_schema = json::raw{json_schema<goal_plan>()};
    return out;
}

void apply(goal_state& s, const goal_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.goal = e.goal;
    s.created_by = at.principal;
    s.created_at = at.time;
    s.planner_run = e.planner_run;
    s.planning = e.planner_run.has_value();
    if (s.planning) {
        owe(s.owed, run_kind, *s.planner_run, planner_run(s));
    }
}

void apply(goal_state& s, const goal_planned& e, const runtime::event_context& at) {
    s.planning = false;
    for (const auto& plan : e.tasks) {
        goal_item item;
        item.plan = plan;
        item.since = at.time;
        item.wants = goal_part::work;
        s.items.push_back(std::move(item));
    }
}

void apply(goal_state& s, const planning_failed& e, const runtime::event_context&) {
    s.planning = false;
    s.error = e.error;
    tell_maker(s, notification_kind::failure, "No plan for: " + s.goal.title, e.error, {});
}

void close_task(goal_state& s, const uuid& task, task_status status, std::string reason) {
    owe(s.owed, task_kind, task, settle_task{status, std::move(reason)});
}

void apply(goal_state& s, const goal_task_made& e, const runtime::event_context& at) {
    auto& item = s.items.at(e.what.index);
    if (e.what.agent_made) {
        s.agents_made.push_back(*e.what.agent_made);
    }
    if (!is_awaited(item, e.what)) {
        return close_task(s, e.what.task_id, task_status::cancelled, "It is not needed any more.");
    }
    if (e.what.task_id.is_nil()) { // it could not be made yet
        return block(s, item, e.what.blocker);
    }
    item.blocker.clear();
    item.wants.reset();
    item.since = at.time;
    item.warned = false;
    switch (e.what.part) {
    case goal_part::work:
        item.task_id = e.what.task_id;
        item.number = e.what.number;
        item.status = task_status::inbox;
        break;
    case goal_part::check:
        item.check_id = e.what.task_id;
        break;
    case goal_part::mend:
        item.mend_id = e.what.task_id;
        break;
    }
    if (!e.what.blocker.empty()) {
        block(s, item, e.what.blocker);
    }
}

/// Somebody looks whether it is as it has to be.
void want_check(goal_item& item) {
    item.wants = goal_part::check;
    ++item.checks;
}

/// Nothing more is to be checked or mended.
void drop_rest(goal_state& s, goal_item& item) {
    item.wants.reset();
    for (auto* task : {&item.check_id, &item.mend_id}) {
        if (const auto id = std::exchange(*task, std::nullopt)) {
            close_task(s, *id, task_status::cancelled, "It is not needed any more.");
        }
    }
}

void work_moved(goal_state& s, goal_item& item, const note_goal_task& where) {
    item.status = where.status.value_or(task_status::cancelled); // what was deleted is not wanted any more
    item.blocker.clear();
    if (is_closed(item)) {
        drop_rest(s, item);
    } else if (item.status == task_status::failed) {
        block(s, item, "It failed: " + where.error.value_or("nobody says why."));
    } else if (item.status == task_status::blocked) {
        block(s, item, "Somebody marked it as blocked.");
    } else if (item.status == task_status::review && s.goal.verify && !item.check_id && !item.mend_id && !item.wants) {
        want_check(item);
    }
}

/// An agent that checks ends well when all is well.
void check_moved(goal_state& s, goal_item& item, const note_goal_task& where) {
    const auto check = *item.check_id;
    if (where.status == task_status::review || where.status == task_status::done) {
        item.check_id.reset();
        item.report.clear();
        close_task(s, check, task_status::done, "");
        close_task(s, *item.task_id, task_status::done, "Checked: " + where.result.value_or("all is as it has to be."));
    } else if (where.status == task_status::failed) {
        item.check_id.reset();
        item.report = utf8_prefix(where.error.value_or(where.result.value_or("")), report_bytes_max);
        if (item.checks >= checks_max) {
            block(s, item, fmt::format("It was checked {} times, and there is still: {}", item.checks, item.report));
        } else {
            item.wants = goal_part::mend;
        }
    } else if (!where.status || where.status == task_status::cancelled) {
        item.check_id.reset();
        block(s, item, "Its check was cancelled.");
    }
}

void mend_moved(goal_state& s, goal_item& item, const note_goal_task& where) {
    const auto mend = *item.mend_id;
    if (where.status == task_status::review || where.status == task_status::done) {
        item.mend_id.reset();
        close_task(s, mend, task_status::done, "");
        want_check(item);
    } else if (where.status == task_status::failed) {
        block(s, item, "What was to mend it failed: " + where.error.value_or("nobody says why."));
    } else if (!where.status || where.status == task_status::cancelled) {
        item.mend_id.reset();
        block(s, item, "What was to mend it was cancelled.");
    }
}

void finish_when_all_is_done(goal_state& s) {
    if (!s.done && !s.cancelled && !s.items.empty() && std::ranges::all_of(s.items, is_closed)) {
        s.done = true;
        tell_maker(s, notification_kind::review, "Reached: " + s.goal.title, s.goal.target, {});
    }
}

void apply(goal_state& s, const goal_task_moved& e, const runtime::event_context& at) {
    bool known = false;
    for (auto& item : s.items) {
        const auto& id = e.where.task_id;
        if (item.task_id != id && item.check_id != id && item.mend_id != id) {
            continue;
        }
        known = true;
        item.since = at.time;
        item.warned = false;
        if (s.cancelled) {
            item.status = item.task_id == id ? e.where.status : item.status;
        } else if (item.task_id == id) {
            work_moved(s, item, e.where);
        } else if (item.check_id == id) {
            check_moved(s, item, e.where);
        } else {
            mend_moved(s, item, e.where);
        }
    }
    if (!known) {
        close_task(s, e.where.task_id, task_status::cancelled, "The goal was cancelled.");
    }
    finish_when_all_is_done(s);
}

/// Whether those that it waits for are done: else it is no wonder that nothing happens.
bool may_begin(const goal_state& s, const goal_item& item) {
    return std::ranges::all_of(item.plan.depends_on, [&](const std::string& id) {
        const auto other = std::ranges::find(s.items, id, [](const goal_item& i) { return i.plan.id; });
        return other == s.items.end() || is_closed(*other);
    });
}

void apply(goal_state& s, const goal_stalled& e, const runtime::event_context&) {
    for (const auto index : e.items) {
        auto& item = s.items.at(index);
        item.warned = true;
        if (may_begin(s, item) && item.blocker.empty()) {
            block(s, item, fmt::format("Nothing happened since {}.", to_string(item.since)));
        }
    }
}

void apply(goal_state& s, const goal_cancelled&, const runtime::event_context&) {
    s.cancelled = true;
    if (s.planning) {
        s.planning = false;
        owe(s.owed, run_kind, *s.planner_run, cancel_run{"The goal was cancelled."});
    }
    for (auto& item : s.items) {
        item.wants.reset();
        item.blocker.clear();
        for (const auto& task : {item.check_id, item.mend_id, is_closed(item) ? std::nullopt : item.task_id}) {
            if (task) {
                close_task(s, *task, task_status::cancelled, "The goal was cancelled.");
            }
        }
    }
}

void apply(goal_state& s, const goal_deleted&, const runtime::event_context&) {
    s.deleted = true;
    s.cancelled = true; // nothing more is made, checked or mended
    for (auto& item : s.items) {
        item.wants.reset();
    }
}

void apply(goal_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

/// When the next of its tasks has been left alone for too long.
std::optional<timestamp> next_stall(const goal_state& s) {
    std::optional<timestamp> out;
    for (const auto& item : s.items) {
        if (item.status && !is_closed(item) && !item.warned) {
            const auto due = item.since + s.goal.stalled_after_ms;
            out = out ? std::min(*out, due) : due;
        }
    }
    return out;
}

goal_status status_of(const goal_state& s) {
    const bool blocked = std::ranges::any_of(s.items, [](const goal_item& i) { return !i.blocker.empty(); });
    return s.cancelled        ? goal_status::cancelled
           : !s.error.empty() ? goal_status::failed
           : s.done           ? goal_status::done
           : s.planning       ? goal_status::planning
           : blocked          ? goal_status::blocked
                              : goal_status::active;
}

goal_progress progress_of(const goal_state& s) {
    goal_progress out;
    for (const auto& item : s.items) {
        out.total += item.status == task_status::cancelled ? 0 : 1;
        out.done += item.status == task_status::done ? 1 : 0;
    }
    out.percent = out.total == 0 ? 0 : static_cast<std::uint32_t>(100 * out.done / out.total);
    return out;
}

goal_task_document shown(const goal_item& item) {
    goal_task_document out;
    out.id = item.plan.id;
    out.title = item.plan.title;
    out.phase = item.plan.phase;
    out.depends_on = item.plan.depends_on;
    out.task_id = item.task_id;
    if (item.number != 0) {
        out.key = task_key(item.number);
    }
    out.status = item.status;
    out.checks = item.checks;
    out.checked_by = item.check_id;
    out.mended_by = item.mend_id;
    if (!item.blocker.empty()) {
        out.blocker = item.blocker;
    }
    return out;
}

} // namespace

goal_state goal_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

/// Tasks are made one after the other: each names those that it waits for.
std::vector<runtime::effect> goal_model::resume(const state& s) {
    auto out = effects_of(s.owed, s.organization);
    if (s.cancelled) {
        return out;
    }
    for (std::uint32_t i = 0; i < s.items.size(); ++i) {
        const auto& item = s.items[i];
        if (item.wants) {
            const wanted_goal_task wanted{i, *item.wants, item.checks};
            out.emplace_back(
                runtime::perform_effect{fmt::format("make/{}/{}/{}", i, detail::enum_name(*item.wants), item.checks),
                                        "make_task", to_json(wanted)});
            break;
        }
    }
    if (const auto due = next_stall(s); due && !s.done) {
        out.emplace_back(
            runtime::timer_effect{"stall", *due, std::string(wire_name<stall_due>::value), to_json(stall_due{*due})});
    }
    return out;
}

runtime::entity_view goal_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    goal_document d;
    d.id = s.id;
    d.title = s.goal.title;
    d.description = s.goal.description;
    d.target = s.goal.target;
    d.status = status_of(s);
    d.progress = progress_of(s);
    d.project_id = s.goal.project_id;
    d.verify = s.goal.verify;
    d.agents_max = s.goal.agents_max;
    d.agents_made = s.agents_made;
    for (const auto& item : s.items) {
        d.tasks.push_back(shown(item));
    }
    d.planner_run_id = s.planner_run;
    if (!s.error.empty()) {
        d.error = s.error;
    }
    d.created_by = s.created_by;
    d.created_at = s.created_at;
    d.updated_at = s.updated_at;
    const auto sort = runtime::sort_key(s.created_at);
    return {to_json(d), {{"", sort}, {"status=" + std::string(detail::enum_name(d.status)), sort}}, true};
}

} // namespace troupe::actors
