#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

/// What people and agents are told of: mentions, assignments, work that ended.
namespace troupe {

/// mention: an @name in a message. assignment: a task is theirs now. review: an agent ended its work on one. failure:
/// that did not succeed. question: somebody asks on their task. alert: everything else.
BOOST_DEFINE_ENUM_CLASS(notification_kind, mention, assignment, review, failure, question, alert)

/// An item of GET /notifications.
struct notification_document {
    uuid id;
    notification_kind kind = notification_kind::alert;
    task_priority priority = task_priority::medium;
    std::string title;
    std::string text;
    std::optional<uuid> task_id;
    std::optional<uuid> message_id;
    std::string actor; ///< Who caused it: `user/…`, `key/…`, `run/…`, `node`.
    timestamp created_at;
    bool read = false;
};
BOOST_DESCRIBE_STRUCT(notification_document, (),
                      (id, kind, priority, title, text, task_id, message_id, actor, created_at, read))

/// GET and PUT /notifications/preferences
struct notification_preferences {
    std::vector<notification_kind> muted; ///< Never kept.
    task_priority at_least = task_priority::low;
    static constexpr field_rule rules[] = {
        {.name = "muted", .max = 10, .doc = "Kinds that are not kept.", .example = "[\"review\"]"},
        {.name = "at_least", .doc = "What matters less is not kept, except mentions."}};
};
BOOST_DESCRIBE_STRUCT(notification_preferences, (), (muted, at_least))

/// GET /notifications/summary, and what changes of an inbox answer with.
struct inbox_document {
    std::uint64_t unread = 0;
    std::uint64_t total = 0; ///< Ever.
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(inbox_document, (), (unread, total, preferences))

} // namespace troupe
