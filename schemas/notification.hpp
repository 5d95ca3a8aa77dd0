#pragma once

#include "schemas/agent.hpp"
#include "schemas/base/described.hpp"

/// What people and agents are told of: mentions, assignments, work that ended.
namespace troupe {

/// mention: an @name in a message. assignment: a task is theirs now. review: an agent ended its work on one. failure:
/// that did not succeed. question: somebody asks on their task. alert: everything else.
BOOST_DEFINE_ENUM_CLASS(notification_kind, mention, assignment, review, failure, question, alert)

/// in_app: the list below /notifications. The others leave the node.
BOOST_DEFINE_ENUM_CLASS(notification_channel, in_app, email, webhook)
BOOST_DEFINE_ENUM_CLASS(delivery_status, waiting, delivered, failed)

/// What became of a notification on a channel that leaves the node.
struct notification_delivery {
    notification_channel channel = notification_channel::email;
    delivery_status status = delivery_status::waiting;
    std::uint32_t attempts = 0;
    std::optional<uuid> delivery_id; ///< What the receiver knows it by, in each attempt. Several may be in one e-mail.
    std::optional<timestamp> delivered_at;
    std::optional<std::string> error; ///< Of the last attempt.
};
BOOST_DESCRIBE_STRUCT(notification_delivery, (), (channel, status, attempts, delivery_id, delivered_at, error))

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
    bool read = false; ///< In the list: what becomes of an e-mail nobody knows.
    std::optional<std::vector<notification_delivery>> deliveries = {};
};
BOOST_DESCRIBE_STRUCT(notification_document, (),
                      (id, kind, priority, title, text, task_id, message_id, actor, created_at, read, deliveries))

/// Channels of one kind.
struct kind_channels {
    notification_kind kind = notification_kind::alert;
    std::vector<notification_channel> channels;
    static constexpr field_rule rules[] = {{.name = "kind", .required = true},
                                           {.name = "channels", .required = true, .max = 3}};
};
BOOST_DESCRIBE_STRUCT(kind_channels, (), (kind, channels))

/// Every day, from `start` until `end`, of the next day if that is earlier.
struct quiet_hours {
    std::string start;
    std::string end;
    std::string offset = "+00:00";
    static constexpr field_rule rules[] = {
        {.name = "start", .required = true, .min = 5, .max = 5, .example = "\"22:00\""},
        {.name = "end", .required = true, .min = 5, .max = 5, .example = "\"07:00\""},
        {.name = "offset", .min = 6, .max = 6, .doc = "Of that clock from UTC.", .example = "\"+02:00\""}};
};
BOOST_DESCRIBE_STRUCT(quiet_hours, (), (start, end, offset))

/// GET and PUT /notifications/preferences
struct notification_preferences {
    std::vector<notification_kind> muted; ///< Never kept.
    task_priority at_least = task_priority::low;
    std::optional<std::vector<notification_channel>> channels = {};
    std::optional<std::vector<kind_channels>> by_kind = {};
    std::optional<quiet_hours> quiet = {};
    std::optional<std::int64_t> batch_ms = {};
    std::optional<std::string> email = {};
    std::optional<std::string> webhook_url = {};
    std::optional<std::uint32_t> webhook_secret_number = {};
    static constexpr field_rule rules[] = {
        {.name = "muted", .max = 10, .doc = "Kinds that are not kept.", .example = "[\"review\"]"},
        {.name = "at_least", .doc = "What matters less is not kept, except mentions."},
        {.name = "channels",
         .max = 3,
         .doc = "Where you are told: `in_app` (this list), `email`, `webhook`. Without it, in this list alone.",
         .example = "[\"in_app\"]"},
        {.name = "by_kind",
         .max = 10,
         .doc = "Kinds with channels of their own.",
         .example = "[{\"kind\":\"failure\",\"channels\":[\"in_app\"]}]"},
        {.name = "quiet", .doc = "When nothing is sent that is not urgent; it goes afterwards."},
        {.name = "batch_ms",
         .min = 0,
         .max = 24LL * 3600 * 1000,
         .doc = "How long what is neither high nor urgent waits for others, to go in one e-mail. Without it, as the "
                "node's operator says."},
        {.name = "email", .min = 3, .max = 254, .doc = "Where e-mails go. Without it, to a person's own address."},
        {.name = "webhook_url",
         .min = 8,
         .max = 2000,
         .doc = "Where notifications are posted to, signed with the secret of GET /notifications/webhook-secret."},
        {.name = "webhook_secret_number", .doc = "Another number gives another secret."}};
};
BOOST_DESCRIBE_STRUCT(notification_preferences, (),
                      (muted, at_least, channels, by_kind, quiet, batch_ms, email, webhook_url, webhook_secret_number))

/// An item of GET /notification-dead-letters: what was tried as often as it is tried, or will never be taken.
struct undelivered_document {
    uuid id;
    notification_channel channel = notification_channel::email;
    std::uint32_t attempts = 0;
    std::string error;
    timestamp failed_at;
    std::vector<uuid> notifications;
};
BOOST_DESCRIBE_STRUCT(undelivered_document, (), (id, channel, attempts, error, failed_at, notifications))

/// GET /notifications/webhook-secret
struct webhook_secret_document {
    std::string secret;
};
BOOST_DESCRIBE_STRUCT(webhook_secret_document, (), (secret))

/// GET /notifications/summary, and what changes of an inbox answer with.
struct inbox_document {
    std::uint64_t unread = 0;
    std::uint64_t total = 0; ///< Ever.
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(inbox_document, (), (unread, total, preferences))

} // namespace troupe
