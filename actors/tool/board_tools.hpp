#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"
#include "schemas/task.hpp"

#include <optional>
#include <string>
#include <vector>

/// Tools of runs that share work out on the board.
namespace troupe::actors {

struct create_task_arguments {
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::string agent;
    std::optional<json::raw> parameters;
    static constexpr field_rule rules[] = {
        {.name = "title", .required = true, .min = 1, .max = 300, .doc = "What is to be done, in a line."},
        {.name = "description", .max = 100'000, .doc = "All that whoever does it has to know; they see nothing else."},
        {.name = "labels", .max = 50},
        {.name = "agent", .max = 100, .doc = "Name or id of the agent that does it. Left out: it waits in the inbox."},
        {.name = "parameters", .doc = "An object, as the kind of the agent takes it."}};
};
BOOST_DESCRIBE_STRUCT(create_task_arguments, (), (title, description, priority, labels, agent, parameters))

struct assign_task_arguments {
    uuid task;
    std::string agent;
    static constexpr field_rule rules[] = {
        {.name = "task", .required = true, .doc = "Its id."},
        {.name = "agent", .required = true, .min = 1, .max = 100, .doc = "Name or id of the agent that does it."}};
};
BOOST_DESCRIBE_STRUCT(assign_task_arguments, (), (task, agent))

struct list_tasks_arguments {
    std::optional<task_status> status;
    std::optional<uuid> task;
    static constexpr field_rule rules[] = {{.name = "status", .doc = "Only those. Left out: all, newest first."},
                                           {.name = "task", .doc = "Only this one, with its whole result."}};
};
BOOST_DESCRIBE_STRUCT(list_tasks_arguments, (), (status, task))

struct list_agents_arguments {};
BOOST_DESCRIBE_STRUCT(list_agents_arguments, (), ())

namespace board_tools {

tool_result create_task(const create_task_arguments& a, const tool_environment& where);
tool_result assign_task(const assign_task_arguments& a, const tool_environment& where);
tool_result list_tasks(const list_tasks_arguments& a, const tool_environment& where);
tool_result list_agents(const list_agents_arguments& a, const tool_environment& where);

} // namespace board_tools
} // namespace troupe::actors
