#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

#include <array>
#include <cstddef>
#include <map>

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
    std::vector<uuid> assignees = {};
    std::optional<uuid> parent_id = {};
    std::vector<uuid> depends_on = {};
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
         .example = R"({"test_type":"unit"})"},
        {.name = "assignees", .max = 50, .doc = "People whose task it is: ids of members."},
        {.name = "parent_id", .doc = "The task that it is a part of."},
        {.name = "depends_on", .max = 100, .doc = "Tasks that have to be done before an agent begins with it."}};
};
BOOST_DESCRIBE_STRUCT(create_task_body, (),
                      (title, description, priority, labels, due, project_id, agent_id, limits, parameters, assignees,
                       parent_id, depends_on))

/// PUT and PATCH /tasks/{id}
struct update_task_body {
    std::optional<std::string> title;
    std::optional<std::string> description;
    std::optional<task_priority> priority;
    std::optional<std::vector<std::string>> labels;
    std::optional<timestamp> due;
    std::optional<std::vector<uuid>> assignees = {};
    std::optional<uuid> parent_id = {}; ///< Nil: a part of none.
    std::optional<std::vector<uuid>> depends_on = {};
    static constexpr field_rule rules[] = {
        {.name = "title",
         .min = 1,
         .max = 300,
         .doc = "What is to be done, in a line.",
         .example = "\"Fix the rounding of all sums\""},
        {.name = "description", .max = 100000, .doc = "All that the agent has to know."},
        {.name = "labels", .max = 50, .doc = "Free labels."},
        {.name = "due", .doc = "When it has to be done; null: at no time."},
        {.name = "assignees", .max = 50, .doc = "People whose task it is: ids of members."},
        {.name = "parent_id", .doc = "The task that it is a part of; 00000000-0000-0000-0000-000000000000 for none."},
        {.name = "depends_on", .max = 100, .doc = "Tasks that have to be done before an agent begins with it."}};
};
BOOST_DESCRIBE_STRUCT(update_task_body, (),
                      (title, description, priority, labels, due, assignees, parent_id, depends_on))

/// POST /tasks/{id}/assign
struct assign_task_body {
    uuid agent_id;
    static constexpr field_rule rules[] = {{.name = "agent_id", .required = true, .doc = "Who does it."}};
};
BOOST_DESCRIBE_STRUCT(assign_task_body, (), (agent_id))

/// The rules of a base with one more.
template <std::size_t Count>
constexpr std::array<field_rule, Count + 1> with_rule(const field_rule (&base)[Count], const field_rule& more) {
    std::array<field_rule, Count + 1> out;
    for (std::size_t i = 0; i < Count; ++i) {
        out[i] = base[i];
    }
    out[Count] = more;
    return out;
}

/// What an agent that is chosen has to be able to do; as a member of POST /tasks and POST /tasks/{id}/assign.
inline constexpr field_rule capabilities_rule{.name = "capabilities",
                                              .max = 20,
                                              .doc = "In place of an agent: the best of those that can do all of this "
                                                     "gets it. GET /tasks/{id}/candidates tells who that is and why.",
                                              .example = "[\"python\"]"};

/// The body of POST /tasks as people send it.
struct create_task_request : create_task_body {
    std::vector<std::string> capabilities = {};
    static constexpr auto rules = with_rule(create_task_body::rules, capabilities_rule);
};
BOOST_DESCRIBE_STRUCT(create_task_request, (create_task_body), (capabilities))

/// The body of POST /tasks/{id}/assign as people send it.
struct assign_task_request {
    std::optional<uuid> agent_id;
    std::vector<std::string> capabilities = {};
    static constexpr field_rule rules[] = {
        {.name = "agent_id", .doc = "Who does it; without one the best of all that can is chosen."}, capabilities_rule};
};
BOOST_DESCRIBE_STRUCT(assign_task_request, (), (agent_id, capabilities))

/// An item of GET /tasks/{id}/candidates, the best first.
struct assignment_candidate {
    uuid agent_id;
    std::string name;
    bool able = false;                ///< Can do all that is asked for, and works.
    std::int64_t score = 0;           ///< 0 to 100; of those that are not able 0.
    std::vector<std::string> reasons; ///< What it is made of.
};
BOOST_DESCRIBE_STRUCT(assignment_candidate, (), (agent_id, name, able, score, reasons))

/// POST /tasks/{id}/status
struct move_task_body {
    task_status status = task_status::inbox;
    std::optional<uuid> before = {};
    std::optional<uuid> after = {};
    static constexpr field_rule rules[] = {
        {.name = "status", .required = true, .doc = "The column to move it to.", .example = "\"in_progress\""},
        {.name = "before", .doc = "The task of that column above which it is put; else it comes last."},
        {.name = "after", .doc = "The task of that column below which it is put."}};
};
BOOST_DESCRIBE_STRUCT(move_task_body, (), (status, before, after))

/// POST /tasks/{id}/messages
struct add_message_body {
    std::string content;
    message_type type = message_type::comment;
    std::optional<uuid> reply_to;
    std::vector<std::uint64_t> attachments = {};
    static constexpr field_rule rules[] = {
        {.name = "content",
         .required = true,
         .min = 1,
         .max = 65536,
         .doc = "Markdown.",
         .example = "\"Please keep the old name.\""},
        {.name = "attachments",
         .max = 20,
         .doc = "Files of the task that this is about: their numbers, of GET /tasks/{id}/attachments.",
         .example = "[]"}};
};
BOOST_DESCRIBE_STRUCT(add_message_body, (), (content, type, reply_to, attachments))

/// A file of a task: an item of GET /tasks/{id}/attachments.
struct attachment_document {
    std::uint64_t number = 0;
    std::string name;
    std::string media_type; ///< As its first bytes say; what is not known is application/octet-stream.
    std::uint64_t bytes = 0;
    std::string sha256;
    std::string created_by;
    timestamp created_at;

    bool operator==(const attachment_document&) const = default;
};
BOOST_DESCRIBE_STRUCT(attachment_document, (), (number, name, media_type, bytes, sha256, created_by, created_at))

BOOST_DEFINE_ENUM_CLASS(mentioned_kind, user, agent)

/// Who is meant by an @name in a text.
struct mention {
    mentioned_kind kind = mentioned_kind::user;
    uuid id;
    std::string name; ///< As it was written.

    bool operator==(const mention&) const = default;
};
BOOST_DESCRIBE_STRUCT(mention, (), (kind, id, name))

/// PUT and PATCH /messages/{id}
struct edit_message_body {
    std::string content;
    static constexpr field_rule rules[] = {{.name = "content",
                                            .required = true,
                                            .min = 1,
                                            .max = 65536,
                                            .doc = "Markdown.",
                                            .example = "\"Please keep the old name, and its alias.\""}};
};
BOOST_DESCRIBE_STRUCT(edit_message_body, (), (content))

/// POST /messages/{id}/reactions
struct reaction_body {
    std::string reaction;
    bool remove = false;
    static constexpr field_rule rules[] = {
        {.name = "reaction", .required = true, .min = 1, .max = 32, .doc = "An emoji or a word.", .example = "\"👍\""},
        {.name = "remove", .doc = "Take it back."}};
};
BOOST_DESCRIBE_STRUCT(reaction_body, (), (reaction, remove))

// ---- documents

/// How far the parts of a task are.
struct subtask_counts {
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
};
BOOST_DESCRIBE_STRUCT(subtask_counts, (), (total, done, failed, cancelled))

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
    std::optional<json::raw> output = {};              ///< The structured part of the result.
    std::optional<std::string> key = {};               ///< "TASK-017": its number on the organization's board.
    std::optional<std::vector<uuid>> assignees = {};   ///< People.
    std::optional<uuid> parent_id = {};                ///< It is a part of that task.
    std::optional<subtask_counts> subtasks = {};       ///< Its own parts.
    std::optional<std::vector<uuid>> depends_on = {};  ///< These have to be done before an agent begins with it.
    std::optional<std::vector<uuid>> waiting_for = {}; ///< Those of them that are not.
    std::optional<std::string> rank = {};              ///< Within its column, compared bytewise.
    std::optional<std::vector<std::string>> capabilities = {}; ///< What whoever does it has to be able to do.
    std::optional<uuid> goal_id = {};                          ///< It was made for that goal.
    std::optional<std::uint32_t> attempts = {};                ///< Of its agent that failed.
    std::optional<timestamp> again_at = {};                    ///< When its agent tries it again.
};
BOOST_DESCRIBE_STRUCT(task_document, (),
                      (id, title, description, status, priority, labels, due, project_id, agent_id, run_id, result,
                       error, messages, created_by, created_at, updated_at, parameters, output, key, assignees,
                       parent_id, subtasks, depends_on, waiting_for, rank, capabilities, goal_id, attempts, again_at))

/// A column of GET /board.
struct board_column {
    task_status status = task_status::inbox;
    std::vector<task_document> tasks; ///< From the top.
    bool more = false;                ///< There are more than were asked for.
};
BOOST_DESCRIBE_STRUCT(board_column, (), (status, tasks, more))

/// GET and PUT /state/working-md
struct working_document {
    std::string content; ///< The text.
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(working_document, (), (content, updated_at))

/// PUT /state/working-md
struct edit_working_body {
    std::string content;
    static constexpr field_rule rules[] = {
        {.name = "content",
         .required = true,
         .min = 1,
         .max = 1000000,
         .doc = "The text as GET gave it, with what is to be another way: lines of tasks "
                "under other columns, titles, @agents, and new lines without a key."}};
};
BOOST_DESCRIBE_STRUCT(edit_working_body, (), (content))

/// An item of GET /state/working-md/history.
struct working_change_document {
    timestamp at;
    std::string by;
    std::string text;
    uuid task_id;
};
BOOST_DESCRIBE_STRUCT(working_change_document, (), (at, by, text, task_id))

/// POST /state/working-md/restore
struct restore_working_body {
    timestamp at;
    static constexpr field_rule rules[] = {
        {.name = "at", .required = true, .doc = "When.", .example = "\"2026-01-31T12:00:00.000Z\""}};
};
BOOST_DESCRIBE_STRUCT(restore_working_body, (), (at))

/// GET /board
struct board_document {
    std::vector<board_column> columns;
};
BOOST_DESCRIBE_STRUCT(board_document, (), (columns))

/// An item of GET /tasks/{id}/messages.
struct message_document {
    uuid id;
    uuid task_id;
    std::string author;
    message_type type = message_type::comment;
    std::string content;
    std::optional<uuid> reply_to;
    timestamp created_at;
    std::optional<std::vector<mention>> mentions = {};
    std::optional<timestamp> edited_at = {};
    std::optional<bool> deleted = {};                                              ///< Its author took it back.
    std::optional<std::map<std::string, std::vector<std::string>>> reactions = {}; ///< By whom, by reaction.
    std::optional<std::vector<attachment_document>> attachments = {};              ///< As they were when it was said.
};
BOOST_DESCRIBE_STRUCT(message_document, (),
                      (id, task_id, author, type, content, reply_to, created_at, mentions, edited_at, deleted,
                       reactions, attachments))

} // namespace troupe
