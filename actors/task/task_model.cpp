#include "actors/task/task_model.hpp"

#include "actors/common/model.hpp"
#include "actors/task/task_moves.hpp"
#include "schemas/agent_messages.hpp"

#include <type_traits>

// Decisions. What follows from them is in task_state.cpp, what is shown in task_views.cpp.
namespace troupe::actors {
namespace {

using events = std::vector<task_model::event>;
using decision_result = expected<events>;

bool exists(const task_state& s) { return !s.id.is_nil() && !s.deleted; }

bool is_current(const task_state& s, std::uint32_t assignment) { return s.live && s.assignment == assignment; }

decision_result decide(const task_state& s, const create_task& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("task", context.self.id);
    }
    if (auto room = context.take("tasks", 1); !room) {
        return room.error();
    }
    events decided{task_created{context.self.organization, c.title, c.description, c.priority, c.labels, c.due,
                                c.project_id, c.limits, c.parameters}};
    if (c.agent_id) {
        decided.emplace_back(task_assigned{*c.agent_id});
    }
    return decided;
}

decision_result decide(const task_state& s, const update_task& c, const runtime::context&) {
    task_updated changed;
    bool any = false;
    const auto note = [&](auto& into, const auto& given, const auto& now) {
        if (given && *given != now) {
            into = given;
            any = true;
        }
    };
    note(changed.title, c.title, s.title);
    note(changed.description, c.description, s.description);
    note(changed.priority, c.priority, s.priority);
    note(changed.labels, c.labels, s.labels);
    if (c.due && c.due != s.due) {
        changed.due = c.due;
        any = true;
    }
    return any ? events{changed} : events{};
}

decision_result decide(const task_state& s, const assign_task& c, const runtime::context&) {
    if (s.live && s.agent_id == c.agent_id) {
        return events{};
    }
    if (s.status != task_status::assigned && !may_move(s.status, task_status::assigned)) {
        return move_refused(s.status, task_status::assigned);
    }
    return events{task_assigned{c.agent_id}};
}

decision_result decide(const task_state& s, const move_task& c, const runtime::context&) {
    if (s.status == c.status) {
        return events{};
    }
    if (!may_move(s.status, c.status)) {
        return move_refused(s.status, c.status);
    }
    if (c.status != task_status::assigned) {
        return events{task_moved{s.status, c.status}};
    }
    if (!s.agent_id) {
        return problem{code::conflict,
                       "The task has no agent. Assign it with POST /tasks/" + to_string(s.id) + "/assign."};
    }
    return events{task_assigned{*s.agent_id}};
}

decision_result decide(const task_state&, const add_message& c, const runtime::context& context) {
    return events{message_added{context.make_id(), std::string(context.principal), c.type, c.content, c.reply_to}};
}

decision_result decide(const task_state&, const delete_task&, const runtime::context&) {
    return events{task_deleted{}};
}

decision_result decide(const task_state& s, const note_task_started& c, const runtime::context&) {
    const bool news = is_current(s, c.assignment) && s.status == task_status::assigned;
    return news ? events{work_started{c.run_id}} : events{};
}

task_status after_run(run_status ended) {
    switch (ended) {
    case run_status::succeeded:
        return task_status::review;
    case run_status::cancelled:
        return task_status::cancelled;
    default:
        return task_status::failed;
    }
}

decision_result decide(const task_state& s, const note_task_finished& c, const runtime::context&) {
    return is_current(s, c.assignment)
               ? events{work_finished{c.run_id, after_run(c.status), c.result, c.error, c.output}}
               : events{};
}

decision_result decide(const task_state& s, const return_task& c, const runtime::context&) {
    return is_current(s, c.assignment) ? events{task_returned{c.reason}} : events{};
}

/// Of the assignment that an `enqueue_task` is about; 0 for other debts.
std::uint32_t assignment_of(const debt& d) {
    if (d.type != wire_name<enqueue_task>::value) {
        return 0;
    }
    const auto message = from_json<enqueue_task>(d.payload.text, strictness::stored);
    return message ? message->assignment : 0;
}

decision_result decide(const task_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    if (!paid) {
        return events{};
    }
    events decided{cleared(*paid, c)};
    if (!c.ok && is_current(s, assignment_of(*paid))) {
        decided.emplace_back(task_returned{"The agent did not take the task: " + c.detail});
    }
    return decided;
}

/// What an agent or the host reports is taken even after the end; it changes nothing that is shown.
template <class Command>
constexpr bool is_report = std::is_same_v<Command, note_task_started> || std::is_same_v<Command, note_task_finished> ||
                           std::is_same_v<Command, return_task> || std::is_same_v<Command, debt_settled>;

} // namespace

expected<std::vector<task_model::event>> task_model::decide(const state& s, const command& c,
                                                            const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (std::is_same_v<Command, delete_task>) {
                if (s.deleted) {
                    return events{};
                }
            }
            if constexpr (!is_report<Command> && !std::is_same_v<Command, create_task>) {
                if (!exists(s)) {
                    return no_such("task", context.self.id);
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

std::vector<usage_amount> task_model::uses(const state&, const event& e) {
    return std::holds_alternative<task_created>(e) ? std::vector{usage_amount{"tasks", 1}}
                                                   : std::vector<usage_amount>{};
}

} // namespace troupe::actors
