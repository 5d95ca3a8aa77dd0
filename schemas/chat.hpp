#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Chats: people and an agent talk, with what they talk about at hand.
namespace troupe {

// ---- API bodies

/// POST /chats
struct create_chat_body {
    std::string title;
    std::optional<uuid> agent_id;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    static constexpr field_rule rules[] = {
        {.name = "title",
         .required = true,
         .min = 1,
         .max = 300,
         .doc = "What it is about, in a line.",
         .example = "\"Why are the sums wrong?\""},
        {.name = "agent_id", .doc = "Who answers; without one only people talk."},
        {.name = "task_id", .doc = "A task that the agent is told of."},
        {.name = "project_id", .doc = "A project whose files the agent works with."}};
};
BOOST_DESCRIBE_STRUCT(create_chat_body, (), (title, agent_id, task_id, project_id))

/// PUT and PATCH /chats/{id}
struct update_chat_body {
    std::string title;
    static constexpr field_rule rules[] = {{.name = "title",
                                            .required = true,
                                            .min = 1,
                                            .max = 300,
                                            .doc = "What it is about, in a line.",
                                            .example = "\"Why the sums were wrong\""}};
};
BOOST_DESCRIBE_STRUCT(update_chat_body, (), (title))

/// POST /chats/{id}/messages
struct say_body {
    std::string content;
    static constexpr field_rule rules[] = {{.name = "content",
                                            .required = true,
                                            .min = 1,
                                            .max = 65536,
                                            .doc = "Markdown.",
                                            .example = "\"What did the last run change?\""}};
};
BOOST_DESCRIBE_STRUCT(say_body, (), (content))

// ---- documents

/// GET /chats/{id}
struct chat_document {
    uuid id;
    std::string title;
    std::optional<uuid> agent_id;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::uint64_t messages = 0;
    std::optional<uuid> answering_run_id; ///< The agent's run that makes the next answer.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(chat_document, (),
                      (id, title, agent_id, task_id, project_id, messages, answering_run_id, created_by, created_at,
                       updated_at))

/// An item of GET /chats/{id}/messages.
struct chat_message {
    std::uint64_t number = 0; ///< In its chat, from 1.
    std::string author;
    std::string content;
    timestamp created_at;
    std::optional<uuid> run_id = {};       ///< Of an answer: the run that made it.
    std::optional<std::string> error = {}; ///< There is no answer, and this is why.
};
BOOST_DESCRIBE_STRUCT(chat_message, (), (number, author, content, created_at, run_id, error))

/// GET /chats/{id}/export?format=json
struct chat_export {
    chat_document chat;
    std::vector<chat_message> messages;
};
BOOST_DESCRIBE_STRUCT(chat_export, (), (chat, messages))

// ---- what features tell each other

/// What was said, as a model sees it.
struct chat_turn {
    bool by_agent = false;
    std::string text;

    bool operator==(const chat_turn&) const = default;
};
BOOST_DESCRIBE_STRUCT(chat_turn, (), (by_agent, text))

/// What a run that answers in a chat is made of, beside the settings of its agent.
struct answer_request {
    uuid agent_id;
    std::string created_by; ///< "chat/ID": the run tells that chat how it ended.
    std::string background; ///< What the agent has to know beside what was said.
    std::optional<uuid> project_id;
    std::vector<chat_turn> turns; ///< The first is a person's.
};

} // namespace troupe
