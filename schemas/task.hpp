#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

/// Tasks: what is to be done, on the board and in an agent's queue. With messages.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(task_status, inbox, assigned, in_progress, review, done, blocked, cancelled, failed)
BOOST_DEFINE_ENUM_CLASS(message_type, comment, status_update, question, answer)

// ---- API bodies

/// POST /tasks. With an agent it is assigned and queued for work.
struct create_task_body {
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id;
    std::optional<budget> limits;        ///< For the run that works on it; otherwise the agent's.
    std::optional<json::raw> parameters; ///< For the run, as its agent's kind takes them.
    static constexpr field_rule rules[] = {
        {.name = "title",
         .required = true,
         .min = 1,
         .max = 300,
         .doc = "What is to be done, in a line.",
         .example = "\"Fix the rounding of negative sums\""},
        {.name = "description",
         .max = 100000,
         .doc = "All that the agent has to know.",
         .example = "\"sum(-0.5) gives 0; it has to give -1. See tests/sum_test.py.\""},
        {.name = "labels", .max = 50, .doc = "Free labels.", .example = "[\"bug\"]"},
        {.name = "project_id", .doc = "The project whose files it works on."},
        {.name = "agent_id", .doc = "Who does it: queued at once."},
        {.name = "parameters",
         .doc = "An object, as the kind of the agent takes it (GET /agent-kinds); other kinds are told it as it is.",
         .example = R"({"test_type":"unit"})"}};
};
BOOST_DESCRIBE_STRUCT(create_task_body, (),
                      (title, description, priority, labels, due, project_id, agent_id, limits, parameters))

/// PUT and PATCH /tasks/{id}
struct update_task_body {
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<task_priority> priority;
    std::optional<std::vector<std::string>> labels;
    std::optional<timestamp> due;
    static constexpr field_rule rules[] = {
        {.name = "title",
         .min = 1,
         .max = 300,
         .doc = "What is to be done, in a line.",
         .example = "\"Fix the rounding of all sums\""},
        {.name = "description", .max = 100000, .doc = "All that the agent has to know."}};
};
BOOST_DESCRIBE_STRUCT(update_task_body, (), (title, description, priority, labels, due))

/// POST /tasks/{id}/assign
struct assign_task_body {
    uuid agent_id;
    static constexpr field_rule rules[] = {{.name = "agent_id", .required = true, .doc = "Who does it."}};
};
BOOST_DESCRIBE_STRUCT(assign_task_body, (), (agent_id))

/// POST /tasks/{id}/status
struct move_task_body {
    task_status status = task_status::inbox;
    static constexpr field_rule rules[] = {
        {.name = "status", .required = true, .doc = "The column to move it to.", .example = "\"in_progress\""}};
};
BOOST_DESCRIBE_STRUCT(move_task_body, (), (status))

/// POST /tasks/{id}/messages
struct add_message_body {
    std::string content;
    message_type type = message_type::comment;
    std::optional<uuid> reply_to;
    static constexpr field_rule rules[] = {{.name = "content",
                                            .required = true,
                                            .min = 1,
                                            .max = 65536,
                                            .doc = "Markdown.",
                                            .example = "\"Please keep the old name.\""}};
};
BOOST_DESCRIBE_STRUCT(add_message_body, (), (content, type, reply_to))

// ---- documents

/// GET /tasks/{id}
struct task_document {
    uuid id;
    std::string title;
    std::string description;
    task_status status = task_status::inbox;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<uuid> agent_id;
    std::optional<uuid> run_id; ///< The newest run.
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::uint64_t messages = 0;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    std::optional<json::raw> parameters = {};
    std::optional<json::raw> output = {}; ///< The structured part of the result.
};
BOOST_DESCRIBE_STRUCT(task_document, (),
                      (id, title, description, status, priority, labels, due, project_id, agent_id, run_id, result,
                       error, messages, created_by, created_at, updated_at, parameters, output))

/// An item of GET /tasks/{id}/messages.
struct message_document {
    uuid id;
    uuid task_id;
    std::string author;
    message_type type = message_type::comment;
    std::string content;
    std::optional<uuid> reply_to;
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(message_document, (), (id, task_id, author, type, content, reply_to, created_at))

} // namespace troupe
