#include "schemas/task.hpp"
#include "bin/cli/attachment.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/show.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace troupe::cli {
namespace {

constexpr std::string_view statuses = "inbox, assigned, in_progress, review, done, blocked, cancelled or failed";

auto shown_task(context& c) {
    return [&c](const task_document& t) { return show_task(c.out_screen(), t, c.now()); };
}

/// The ids of tasks that a flag names.
expected<std::vector<uuid>> tasks_of(api& node, const std::vector<std::string>& words) {
    std::vector<uuid> out;
    for (const auto& word : words) {
        const auto id = resolve_task(node, word);
        if (!id) {
            return id.error();
        }
        out.push_back(*id);
    }
    return out;
}

/// Parent, dependencies and people, as `task create` and `task edit` take them.
template <class Body>
expected<void> take_links(context& c, api& node, Body& body) {
    if (const auto word = c.args().value("parent")) {
        const auto parent = *word == "none" ? expected<uuid>(uuid{}) : resolve_task(node, *word);
        if (!parent) {
            return parent.error();
        }
        body.parent_id = *parent;
    }
    if (const auto words = c.args().values("depends-on"); !words.empty()) {
        auto tasks = words == std::vector<std::string>{"none"} ? expected<std::vector<uuid>>(std::vector<uuid>())
                                                               : tasks_of(node, words);
        if (!tasks) {
            return tasks.error();
        }
        body.depends_on = std::move(*tasks);
    }
    if (const auto words = c.args().values("assignee"); !words.empty()) {
        std::vector<uuid> people;
        for (const auto& word : words) {
            const auto user = resolve_user(node, word);
            if (!user) {
                return user.error();
            }
            people.push_back(*user);
        }
        body.assignees = std::move(people);
    }
    return {};
}

std::vector<flag> with_links(std::vector<flag> flags) {
    const std::vector<flag> links{{"parent", "TASK", "The task that it is a part of."},
                                  {"depends-on", "TASK", "Has to be done before an agent begins.", 0, true},
                                  {"assignee", "EMAIL|ID", "A member whose task it is.", 0, true}};
    flags.insert(flags.end(), links.begin(), links.end());
    return flags;
}

std::optional<timestamp> time_in(const std::string& text) {
    return parse_timestamp(text.size() == 10 ? text + "T00:00:00Z" : text);
}

expected<int> task_create(context& c) {
    create_task_request body;
    body.title = c.args().text_from(0);
    body.capabilities = c.args().values("capability");
    body.description = c.args().value_or("description", "");
    body.labels = c.args().values("label");
    const auto priority = detail::enum_value<task_priority>(c.args().value_or("priority", "medium"));
    if (!priority) {
        return c.usage({code::invalid_request, "--priority takes low, medium, high or urgent."});
    }
    body.priority = *priority;
    if (const auto due = c.args().value("due")) {
        body.due = time_in(*due);
        if (!body.due) {
            return c.usage({code::invalid_request, "--due takes a date (2026-12-24) or an RFC 3339 time."});
        }
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (const auto word = c.args().value("agent")) {
        const auto agent = resolve_agent(**node, *word);
        if (!agent) {
            return agent.error();
        }
        body.agent_id = *agent;
    }
    if (const auto word = c.args().value("project")) {
        const auto project = find_project(**node, *word, c.search().working_folder);
        if (!project) {
            return project.error();
        }
        body.project_id = project->id;
    }
    if (auto taken = take_links(c, **node, body); !taken) {
        return taken.error();
    }
    return print_document<task_document>(c, (*node)->post("/tasks", to_json(body)), shown_task(c));
}

expected<int> task_edit(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    update_task_body body;
    body.title = c.args().value("title");
    body.description = c.args().value("description");
    if (const auto word = c.args().value("priority")) {
        body.priority = detail::enum_value<task_priority>(*word);
        if (!body.priority) {
            return c.usage({code::invalid_request, "--priority takes low, medium, high or urgent."});
        }
    }
    if (const auto labels = c.args().values("label"); !labels.empty()) {
        body.labels = labels;
    }
    const auto due = c.args().value("due");
    if (due && *due != "none") {
        body.due = time_in(*due);
        if (!body.due) {
            return c.usage({code::invalid_request, "--due takes a date (2026-12-24), an RFC 3339 time, or none."});
        }
    }
    if (auto taken = take_links(c, *task->node, body); !taken) {
        return taken.error();
    }
    auto json = to_json(body);
    if (due == "none") {
        json.insert(1, json == "{}" ? R"("due":null)" : R"("due":null,)");
    }
    return print_document<task_document>(c, task->node->put(task->path(), json), shown_task(c));
}

expected<int> task_post(context& c, std::string_view what) {
    const auto task = find_task(c);
    return task ? print_document<task_document>(c, task->node->post(task->path(what), ""), shown_task(c))
                : expected<int>(task.error());
}
expected<int> task_cancel(context& c) { return task_post(c, "/cancel"); }
expected<int> task_retry(context& c) { return task_post(c, "/retry"); }

expected<int> task_list(context& c) {
    query_list query{{"status", c.args().value_or("status", "")}};
    if (const auto word = c.args().value("agent")) {
        auto node = c.node();
        if (!node) {
            return node.error();
        }
        const auto agent = resolve_agent(**node, *word);
        if (!agent) {
            return agent.error();
        }
        query.emplace_back("agent_id", to_string(*agent));
    }
    return print_list<task_document>(c, "/tasks", std::move(query),
                                     "No tasks. Make one with `troupe task create TITLE`.",
                                     [&](const auto& tasks) { return show_tasks(c.out_screen(), tasks, c.now()); });
}

expected<int> task_show(context& c) {
    const auto task = find_task(c);
    return task ? print_document<task_document>(c, task->node->get(task->path()), shown_task(c))
                : expected<int>(task.error());
}

expected<int> task_move(context& c) {
    const auto status = detail::enum_value<task_status>(c.args().operand(1));
    if (!status) {
        return c.usage({code::invalid_request, fmt::format("\"{}\" is no status: {}.", c.args().operand(1), statuses)});
    }
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    move_task_body body{*status};
    for (const auto& [flag, place] : {std::pair("before", &body.before), std::pair("after", &body.after)}) {
        if (const auto word = c.args().value(flag)) {
            const auto other = resolve_task(*task->node, *word);
            if (!other) {
                return other.error();
            }
            *place = *other;
        }
    }
    return print_document<task_document>(c, task->node->post(task->path("/status"), to_json(body)), shown_task(c));
}

expected<int> task_assign(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    assign_task_request body;
    body.capabilities = c.args().values("capability");
    if (c.args().operands().size() > 1) {
        const auto agent = resolve_agent(*task->node, c.args().operand(1));
        if (!agent) {
            return agent.error();
        }
        body.agent_id = *agent;
    }
    return print_document<task_document>(c, task->node->post(task->path("/assign"), to_json(body)), shown_task(c));
}

expected<int> task_candidates(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    return print_list<assignment_candidate>(
        c, task->path("/candidates"),
        {{"capabilities", fmt::format("{}", fmt::join(c.args().values("capability"), ","))}},
        "There are no agents. Make one with `troupe agent create NAME`.",
        [&](const auto& all) { return show_candidates(c.out_screen(), all); });
}

expected<int> task_comment(context& c) {
    const auto type = detail::enum_value<message_type>(c.args().value_or("type", "comment"));
    if (!type) {
        return c.usage({code::invalid_request, "--type takes comment, status_update, question or answer."});
    }
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    auto attached = attach_files(c, *task, c.args().values("attach"));
    if (!attached) {
        return attached.error();
    }
    const add_message_body body{c.args().text_from(1), *type, std::nullopt, std::move(*attached)};
    return print_done(c, task->node->post(task->path("/messages"), to_json(body)), "Said.");
}

expected<int> task_messages(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    return print_list<message_document>(
        c, task->path("/messages"), {}, "Nobody has said anything yet.",
        [&](const auto& messages) { return show_messages(c.out_screen(), messages, c.now()); });
}

expected<int> task_delete(context& c) {
    const auto task = find_task(c);
    return task ? print_done(c, task->node->remove(task->path()), "The task is deleted.") : expected<int>(task.error());
}

grammar one_task() { return {.operands = "TASK", .operands_min = 1, .operands_max = 1}; }

} // namespace

std::vector<command> task_commands() {
    return {
        {"task create",
         "Make a task; with --agent it is queued for work at once.",
         {.flags =
              with_links({{"agent", "NAME", "Who does it."},
                          {"capability", "WORD", "In place of an agent: the best of those that can do it.", 0, true},
                          {"project", "DIR|ID|NAME", "Files to work on.", 'p'},
                          {"description", "TEXT", "All that the agent has to know."},
                          {"priority", "P", "low, medium, high or urgent."},
                          {"label", "L", "A label.", 0, true},
                          {"due", "TIME", "When it has to be done."}}),
          .operands = "TITLE",
          .operands_min = 1,
          .operands_max = any_number},
         "troupe task create Write the release notes\n"
         "troupe task create --depends-on TASK-017 --parent TASK-003 Test it\n"
         "troupe task create --agent scout --project . --priority high \"Find the slow query\"",
         task_create},
        {"task list",
         "Tasks, newest first.",
         {.flags = {{"status", "STATUS", "inbox, assigned, in_progress, review, done, blocked, cancelled or failed."},
                    {"agent", "NAME", "Only those of this agent."},
                    limit_flag()}},
         "troupe task list --status in_progress",
         task_list},
        {"task show", "All about a task.", one_task(), "troupe task show TASK-017", task_show},
        {"task move",
         "Move a task to another column of the board.",
         {.flags = {{"before", "TASK", "Above this one of the column."}, {"after", "TASK", "Below this one."}},
          .operands = "TASK STATUS",
          .operands_min = 2,
          .operands_max = 2},
         "troupe task move TASK-017 done\n"
         "troupe task move TASK-017 inbox --before TASK-003",
         task_move},
        {"task edit",
         "Change a task; what is not given stays.",
         {.flags = with_links({{"title", "TEXT", "What is to be done, in a line."},
                               {"description", "TEXT", "All that the agent has to know."},
                               {"priority", "P", "low, medium, high or urgent."},
                               {"label", "L", "A label; those given replace all.", 0, true},
                               {"due", "TIME", "When it has to be done; none: at no time."}}),
          .operands = "TASK",
          .operands_min = 1,
          .operands_max = 1},
         "troupe task edit TASK-017 --priority high --depends-on none",
         task_edit},
        {"task cancel", "Cancel a task. An agent that works on it stops.", one_task(), "troupe task cancel TASK-017",
         task_cancel},
        {"task retry", "Try a task once more that failed, was cancelled or is blocked.", one_task(),
         "troupe task retry TASK-017", task_retry},
        {"task assign",
         "Give a task to an agent; without one the best is chosen.",
         {.flags = {{"capability", "WORD", "What the chosen one has to be able to do.", 0, true}},
          .operands = "TASK [AGENT]",
          .operands_min = 1,
          .operands_max = 2},
         "troupe task assign TASK-017 scout\n"
         "troupe task assign TASK-017 --capability python",
         task_assign},
        {"task candidates",
         "Who could do a task, the best first, and why.",
         {.flags = {{"capability", "WORD", "What is needed.", 0, true}, limit_flag()},
          .operands = "TASK",
          .operands_min = 1,
          .operands_max = 1},
         "troupe task candidates TASK-017 --capability python",
         task_candidates},
        {"task comment",
         "Say something on a task.",
         {.flags = {{"type", "TYPE", "comment, status_update, question or answer."},
                    {"attach", "FILE", "Put to the task, and named by what is said.", 0, true}},
          .operands = "TASK TEXT",
          .operands_min = 2,
          .operands_max = any_number},
         "troupe task comment TASK-017 \"Please use the new API\"",
         task_comment},
        {"task messages",
         "What was said on a task.",
         {.flags = {limit_flag()}, .operands = "TASK", .operands_min = 1, .operands_max = 1},
         "troupe task messages TASK-017",
         task_messages},
        {"task delete", "Delete a task.", one_task(), "troupe task delete TASK-017", task_delete},
    };
}

} // namespace troupe::cli
