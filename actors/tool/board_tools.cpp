#include "actors/tool/board_tools.hpp"

#include "actors/common/agent_lookup.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/task_messages.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::actors::board_tools {
namespace {

const std::string task_kind = "task"; // commands of the board have the names and members of its bodies
constexpr std::size_t listed_max = 100;
constexpr std::size_t line_bytes_max = 300;

const problem no_board{code::unavailable, "There is no board here."};

std::string principal_of(const tool_environment& where) { return "run/" + to_string(where.run.id); }

runtime::command command_of(const tool_environment& where, const uuid& task, std::string_view type,
                            std::string payload) {
    runtime::command c;
    c.to = {where.run.organization, task_kind, task};
    c.type = type;
    c.payload = std::move(payload);
    c.id = key_of_call(where);
    c.principal = principal_of(where);
    return c;
}

std::string line_of(const task_document& t) {
    auto out = fmt::format("{} [{}] {}", to_string(t.id), detail::enum_name(t.status), t.title);
    if (t.error) {
        out += " (error: " + *t.error + ")";
    }
    return shorten(out, line_bytes_max) + "\n";
}

std::string details_of(const uuid& task) { return R"({"task_id":")" + to_string(task) + "\"}"; }

/// Everything about one task, for whoever waits for its result.
std::string whole(const task_document& t) {
    auto out = line_of(t) + t.description + "\n";
    if (t.result) {
        out += "Result:\n" + *t.result + "\n";
    }
    if (t.output) {
        out += "Output:\n" + t.output->text + "\n";
    }
    return shorten(out, tool_content_bytes_max);
}

template <class Document, class Show>
expected<std::string> listed(const tool_environment& where, std::string kind, std::string filter, Show show) {
    storage::list_query query;
    query.organization = where.run.organization;
    query.kind = std::move(kind);
    query.filter = std::move(filter);
    query.limit = listed_max;
    const auto found = storage::read_list(*where.store, query);
    if (!found) {
        return found.error();
    }
    std::string out;
    for (const auto& item : found->items) {
        const auto one = from_json<Document>(item.json, strictness::stored);
        if (!one) {
            return one.error();
        }
        out += show(*one);
    }
    if (found->next_cursor) {
        out += fmt::format("… and more: only the newest {} are listed.\n", listed_max);
    }
    return out;
}

} // namespace

tool_result create_task(const create_task_arguments& a, const tool_environment& where) {
    if (!where.ask || !where.store) {
        return refuse(no_board);
    }
    create_task_body wish;
    wish.title = a.title;
    wish.description = a.description;
    wish.priority = a.priority;
    wish.labels = a.labels;
    wish.parameters = a.parameters;
    wish.project_id = where.project_id;
    if (!a.agent.empty()) {
        const auto agent = find_working_agent(*where.store, where.run.organization, a.agent);
        if (!agent) {
            return refuse(agent.error());
        }
        if (auto fits = check_parameters(agent->settings.kind, a.parameters ? a.parameters->text : "{}"); !fits) {
            return refuse(fits.error());
        }
        wish.agent_id = agent->id;
    }
    const auto task = derive_uuid({"create_task", to_string(where.run.organization), key_of_call(where)});
    const auto number = number_in(where.ask(number_command(where.run.organization, task, principal_of(where))));
    if (!number) {
        return refuse(number.error());
    }
    const auto made = where.ask(command_of(where, task, "create_task", to_json(troupe::create_task{wish, *number})));
    if (!made) {
        return refuse(made.error());
    }
    return {.content = fmt::format("Task {} ({}) is {}. list_tasks tells how far it is.\n", to_string(task),
                                   task_key(*number), a.agent.empty() ? "in the inbox" : "given to " + a.agent),
            .details = {details_of(task)}};
}

tool_result assign_task(const assign_task_arguments& a, const tool_environment& where) {
    if (!where.ask || !where.store) {
        return refuse(no_board);
    }
    const auto agent = find_working_agent(*where.store, where.run.organization, a.agent);
    if (!agent) {
        return refuse(agent.error());
    }
    assign_task_body wish;
    wish.agent_id = agent->id;
    const auto done = where.ask(command_of(where, a.task, "assign_task", to_json(wish)));
    return done ? tool_result{.content = fmt::format("Task {} is given to {}.\n", to_string(a.task), a.agent),
                              .details = {details_of(a.task)}}
                : refuse(done.error());
}

tool_result list_tasks(const list_tasks_arguments& a, const tool_environment& where) {
    if (!where.store) {
        return refuse(no_board);
    }
    if (a.task) {
        const auto task = read_stored<task_document>(*where.store, {where.run.organization, task_kind, *a.task});
        if (!task || !*task) {
            return refuse(task ? problem{code::not_found, "There is no task " + to_string(*a.task) + "."}
                               : task.error());
        }
        return {.content = whole(**task)};
    }
    const auto filter = a.status ? "status=" + std::string(detail::enum_name(*a.status)) : std::string();
    auto list = listed<task_document>(where, task_kind, filter, line_of);
    return list ? tool_result{.content = list->empty() ? "There are none.\n" : std::move(*list)} : refuse(list.error());
}

tool_result list_agents(const list_agents_arguments&, const tool_environment& where) {
    if (!where.store) {
        return refuse(no_board);
    }
    auto list = listed<agent_document>(where, "agent", "", [](const agent_document& a) {
        auto out = fmt::format("{}: {}, {}{}, {} at work, {} waiting; can: {}", a.settings.name, a.settings.kind,
                               detail::enum_name(a.status), a.paused ? " (paused)" : "", a.running.size(),
                               a.queued.size(), fmt::join(a.settings.capabilities, ", "));
        return shorten(out, line_bytes_max) + "\n";
    });
    return list ? tool_result{.content = list->empty() ? "There are none.\n" : std::move(*list)} : refuse(list.error());
}

} // namespace troupe::actors::board_tools
