#include "actors/task/task_model.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/model.hpp"
#include "actors/task/task_moves.hpp"
#include "schemas/agent_messages.hpp"
#include "storage/blob_hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

// Decisions. What follows from them is in task_state.cpp, what is shown in task_views.cpp.
namespace troupe::actors {
namespace {

using events = std::vector<task_model::event>;
using decision_result = expected<events>;

bool exists(const task_state& s) { return !s.id.is_nil() && !s.deleted; }

bool is_current(const task_state& s, std::uint32_t assignment) { return s.live && s.assignment == assignment; }

bool has(const std::vector<uuid>& all, const uuid& id) { return std::ranges::find(all, id) != all.end(); }

std::vector<uuid> without_repeats(std::vector<uuid> ids) {
    std::vector<uuid> out;
    for (const auto& id : ids) {
        if (!has(out, id)) {
            out.push_back(id);
        }
    }
    return out;
}

/// A task is neither its own part nor waits for itself.
expected<void> check_links(const uuid& self, const std::optional<uuid>& parent, const std::vector<uuid>& depends_on) {
    if (parent == self) {
        return problem{code::invalid_request, "A task cannot be a part of itself.", {{"/parent_id", "is the task"}}};
    }
    if (has(depends_on, self)) {
        return problem{code::invalid_request, "A task cannot wait for itself.", {{"/depends_on", "holds the task"}}};
    }
    return {};
}

decision_result decide(const task_state& s, const create_task& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("task", context.self.id);
    }
    if (auto sound = check_links(context.self.id, c.parent_id, c.depends_on); !sound) {
        return sound.error();
    }
    if (auto room = context.take("tasks", 1); !room) {
        return room.error();
    }
    events decided{task_created{context.self.organization, c.title, c.description, c.priority, c.labels, c.due,
                                c.project_id, c.limits, c.parameters, c.number, without_repeats(c.assignees),
                                c.parent_id, without_repeats(c.depends_on), c.capabilities, c.goal_id}};
    if (c.agent_id) {
        decided.emplace_back(task_assigned{*c.agent_id});
    }
    return decided;
}

decision_result decide(const task_state& s, const update_task& c, const runtime::context& context) {
    if (auto sound = check_links(context.self.id, c.parent_id, c.depends_on.value_or(std::vector<uuid>())); !sound) {
        return sound.error();
    }
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
    if (c.no_due && !c.due && s.due) {
        changed.no_due = any = true;
    }
    const auto note_ids = [&](auto& into, const auto& given, const auto& now) {
        note(into, given ? std::optional(without_repeats(*given)) : given, now);
    };
    note_ids(changed.assignees, c.assignees, s.assignees);
    note_ids(changed.depends_on, c.depends_on, s.depends_on);
    note(changed.parent_id, c.parent_id, s.parent_id.value_or(uuid{}));
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
    events decided;
    if (s.status != c.status) {
        if (!may_move(s.status, c.status)) {
            return move_refused(s.status, c.status);
        }
        if (c.status != task_status::assigned) {
            decided.emplace_back(task_moved{s.status, c.status});
        } else if (s.agent_id) {
            decided.emplace_back(task_assigned{*s.agent_id});
        } else {
            return problem{code::conflict,
                           "The task has no agent. Assign it with POST /tasks/" + to_string(s.id) + "/assign."};
        }
    }
    if (!c.rank.empty() && c.rank != s.rank) {
        decided.emplace_back(task_placed{c.rank});
    }
    return decided;
}

decision_result decide(const task_state& s, const retry_task&, const runtime::context&) {
    using enum task_status;
    if (s.status != failed && s.status != cancelled && s.status != blocked) {
        return problem{code::conflict, "Only a task that failed, was cancelled or is blocked is tried once more; this "
                                       "one is " +
                                           std::string(detail::enum_name(s.status)) + "."};
    }
    return s.agent_id ? events{task_assigned{*s.agent_id}} : events{task_moved{s.status, inbox}};
}

const attachment_document* find_attachment(const task_state& s, std::uint64_t number) {
    const auto found = std::ranges::find(s.attachments, number, &attachment_document::number);
    return found == s.attachments.end() ? nullptr : &*found;
}

/// The files that a message is about.
expected<std::vector<attachment_document>> attachments_of(const task_state& s, const add_message& c) {
    std::vector<attachment_document> out;
    for (std::size_t i = 0; i < c.attachments.size(); ++i) {
        const auto* found = find_attachment(s, c.attachments[i]);
        if (!found || std::ranges::count(c.attachments, c.attachments[i]) > 1) {
            return problem{code::invalid_request,
                           fmt::format("The task has no attachment {}, or it is named twice.", c.attachments[i]),
                           {{fmt::format("/attachments/{}", i), "is no attachment of this task, or is there twice"}}};
        }
        out.push_back(*found);
    }
    return out;
}

decision_result decide(const task_state& s, const attach_file& c, const runtime::context& context) {
    if (s.attachments.size() >= attachments_max) {
        return problem{code::conflict,
                       fmt::format("A task has at most {} attachments. Remove one first.", attachments_max)};
    }
    if (!storage::blob_hash_of(c.sha256)) {
        return problem{code::invalid_request, "The hash of a content has 64 lower-case hexadecimal digits."};
    }
    const auto bytes = static_cast<std::int64_t>(c.bytes);
    if (auto room = bytes > 0 ? context.take("storage_bytes", bytes) : expected<void>(); !room) {
        return room.error();
    }
    return events{file_attached{c, s.attached + 1}};
}

decision_result decide(const task_state& s, const remove_attachment& c, const runtime::context&) {
    if (!find_attachment(s, c.number)) {
        return problem{code::not_found, fmt::format("The task has no attachment {}.", c.number)};
    }
    return events{attachment_removed{c.number}};
}

decision_result decide(const task_state& s, const add_message& c, const runtime::context& context) {
    auto attachments = attachments_of(s, c);
    if (!attachments) {
        return attachments.error();
    }
    if (const auto place = c.reply_to ? place_of_message(*c.reply_to) : std::nullopt;
        place && (place->number > s.messages || message_id(context.self.id, place->number) != *c.reply_to)) {
        return problem{code::invalid_request,
                       "The message that this replies to is none of this task.",
                       {{"/reply_to", "is no message of this task"}}};
    }
    return events{message_added{message_id(context.self.id, s.messages + 1), std::string(context.principal), c.type,
                                c.content, c.reply_to, c.mentions, std::move(*attachments)}};
}

decision_result decide(const task_state&, const note_message_changed& c, const runtime::context&) {
    return events{message_changed{c.message_id}};
}

decision_result decide(const task_state& s, const note_dependent& c, const runtime::context&) {
    return has(s.dependents, c.task_id) == c.waits ? events{} : events{dependent_noted{c.task_id, c.waits}};
}

decision_result decide(const task_state& s, const note_dependency& c, const runtime::context&) {
    const bool news = has(s.depends_on, c.task_id) && (c.gone || c.done == has(s.unmet, c.task_id));
    return news && exists(s) ? events{dependency_noted{c.task_id, c.done, c.gone}} : events{};
}

decision_result decide(const task_state&, const note_subtask& c, const runtime::context&) {
    return events{subtask_noted{c.from, c.to}};
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

decision_result decide(const task_state& s, const note_task_attempt& c, const runtime::context&) {
    return is_current(s, c.assignment) ? events{attempt_failed{c.run_id, c.attempts, c.again_at, c.error}} : events{};
}

decision_result decide(const task_state& s, const attempt_due& c, const runtime::context&) {
    return is_current(s, c.assignment) && s.again_at ? events{attempt_begun{}} : events{};
}

decision_result decide(const task_state& s, const settle_task& c, const runtime::context& context) {
    if (!may_move(s.status, c.status)) {
        return events{};
    }
    events decided{task_moved{s.status, c.status}};
    if (!c.reason.empty()) {
        decided.emplace_back(message_added{message_id(context.self.id, s.messages + 1), std::string(context.principal),
                                           message_type::status_update, c.reason, std::nullopt});
    }
    return decided;
}

decision_result decide(const task_state& s, const note_links_checked& c, const runtime::context& context) {
    if (s.deleted || c.number != s.links_tied || s.links_checked == s.links_tied) {
        return events{}; // it was tied anew: that is looked at by itself
    }
    events decided{links_checked{c.number}};
    if (c.depends_on.empty() && !c.parent) {
        return decided;
    }
    task_updated without;
    if (!c.depends_on.empty()) {
        auto left = s.depends_on;
        std::erase_if(left, [&](const uuid& id) { return has(c.depends_on, id); });
        without.depends_on = std::move(left);
    }
    if (c.parent) {
        without.parent_id = uuid{};
    }
    decided.emplace_back(std::move(without));
    decided.emplace_back(message_added{
        message_id(context.self.id, s.messages + 1), "task/" + to_string(s.id), message_type::status_update,
        "Taken back, because it closed a circle with what somebody did at the same moment: " + c.way, std::nullopt});
    return decided;
}

/// Found by its own look for another agent; late when somebody chose one meanwhile.
decision_result decide(const task_state& s, const another_agent& c, const runtime::context& context) {
    if (!s.looking || s.assignment != c.assignment) {
        return events{};
    }
    if (!c.agent_id) {
        return events{no_other_agent{c.reasons}};
    }
    return events{task_assigned{*c.agent_id},
                  message_added{message_id(context.self.id, s.messages + 1), "task/" + to_string(s.id),
                                message_type::status_update, c.reasons, std::nullopt}};
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

/// Whether a task that is not there was asked to say when it is done. After another refusal it is waited for: a person
/// sees it, and can take it out.
bool asked_in_vain(const task_state& s, const debt& d, const debt_settled& c) {
    return !c.ok && c.code == "not_found" && d.type == wire_name<note_dependent>::value && has(s.depends_on, d.to);
}

decision_result decide(const task_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    if (!paid) {
        return events{};
    }
    events decided{cleared(*paid, c)};
    if (!c.ok && is_current(s, assignment_of(*paid))) {
        decided.emplace_back(task_returned{"The agent did not take the task: " + c.detail});
    } else if (asked_in_vain(s, *paid, c)) {
        decided.emplace_back(dependency_noted{paid->to, false, true});
    }
    return decided;
}

/// What an agent or the host reports is taken even after the end; it changes nothing that is shown.
template <class Command>
constexpr bool is_report = std::is_same_v<Command, note_task_started> || std::is_same_v<Command, note_task_finished> ||
                           std::is_same_v<Command, return_task> || std::is_same_v<Command, note_dependency> ||
                           std::is_same_v<Command, note_task_attempt> || std::is_same_v<Command, settle_task> ||
                           std::is_same_v<Command, attempt_due> || std::is_same_v<Command, another_agent> ||
                           std::is_same_v<Command, note_links_checked> || std::is_same_v<Command, debt_settled>;

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

std::vector<std::string_view> task_model::blobs(const state& s) {
    std::vector<std::string_view> out;
    for (const auto& one : s.attachments) {
        out.emplace_back(one.sha256);
    }
    return out;
}

std::vector<usage_amount> task_model::holds(const state& s) {
    std::int64_t bytes = 0;
    for (const auto& one : s.attachments) {
        bytes += static_cast<std::int64_t>(one.bytes);
    }
    return bytes > 0 ? std::vector{usage_amount{"storage_bytes", bytes}} : std::vector<usage_amount>{};
}

std::vector<usage_amount> task_model::uses(const state&, const event& e) {
    return std::holds_alternative<task_created>(e) ? std::vector{usage_amount{"tasks", 1}}
                                                   : std::vector<usage_amount>{};
}

} // namespace troupe::actors
